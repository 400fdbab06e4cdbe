#!/usr/bin/env bash
# Calls that belong to one module alone; banned_calls.txt names the replacement. Comments do not count.
set -euo pipefail
source_dir=$1
rules=$(cd "$(dirname "$0")" && pwd)/banned_calls.txt

cd "$source_dir"
find src -name '*.h' -o -name '*.cc' | LC_ALL=C sort | xargs awk -v rules="$rules" '
BEGIN {
    while ((getline line < rules) > 0) {
        if (line ~ /^#/ || line == "") continue
        # Alternatives inside a pattern use | too: the last two fields are taken from the right.
        count = split(line, field, "|")
        instead[++size] = field[count]
        allowed[size] = " " field[count - 1] " "
        pattern[size] = field[1]
        for (i = 2; i <= count - 2; ++i) pattern[size] = pattern[size] "|" field[i]
    }
    if (size == 0) { print "no rules in " rules; bad = 1; exit }
}
FNR == 1 {
    split(FILENAME, parts, "/")
    place = FILENAME ~ /\/tests\// ? "tests" : parts[2]
    in_block = 0
}
{
    code = $0
    if (code ~ /\/\/ allowed: ./) next  # the line says why
    if (in_block) { if (!sub(/^.*\*\//, "", code)) next; in_block = 0 }
    gsub(/\/\*([^*]|\*[^\/])*\*\//, "", code)
    sub(/\/\/.*/, "", code)
    if (sub(/\/\*.*/, "", code)) in_block = 1
    for (i = 1; i <= size; ++i) {
        if (code !~ pattern[i]) continue
        if (index(allowed[i], " " place " ")) continue
        print FILENAME ":" FNR ": " $0
        print "    instead: " instead[i]
        bad = 1
    }
}
END { exit bad }
'
