#!/usr/bin/env bash
# A module uses the rows below it and what stands to its left in its row (rows.txt), declares what it
# uses (DEPS), and includes nothing else.
set -euo pipefail
source_dir=$1
dependencies=$2
rows=$(dirname "$0")/rows.txt

awk -v source_dir="$source_dir" '
function fail(text) { print text; bad = 1 }
function allowed_below(upper, lower) {
    return row[lower] < row[upper] || (row[lower] == row[upper] && column[lower] < column[upper])
}
FILENAME == ARGV[1] {
    for (i = 1; i <= NF; ++i) { row[$i] = FNR; column[$i] = i }
    next
}
FILENAME == ARGV[2] {
    split($0, part, " *: *")
    module = part[1]
    if (!(module in row)) fail("module " module " has no row in tests/tooling/rows.txt")
    for (kind = 2; kind <= 3; ++kind) {
        count = split(part[kind], names, " ")
        for (i = 1; i <= count; ++i) {
            if (kind == 2 && (names[i] in row) && !allowed_below(module, names[i]))
                fail("src/" module "/CMakeLists.txt: DEPS " names[i] " lies above " module)
            if (kind == 2) uses[module, names[i]] = 1
            test_uses[module, names[i]] = 1
        }
    }
    next
}
{
    # path:line:#include "x/y.h"
    path = $0; sub(/:.*/, "", path)
    place = $0; sub(/:#.*/, "", place)
    included = $0; sub(/^[^"]*"/, "", included); sub(/".*/, "", included)
    if (included !~ /\//) next
    split(path, parts, "/")
    from = parts[2]; to = included; sub(/\/.*/, "", to)
    if (from == to || !(to in row)) next
    in_tests = path ~ /\/tests\//
    if (!((from, to) in uses) && !(in_tests && ((from, to) in test_uses)))
        fail(place ": includes \"" included "\", but " from " does not name " to " in its DEPS")
    if (included ~ /\/internal\// && !in_tests)
        fail(place ": includes \"" included "\", which only " to " may include")
}
END { exit bad }
' "$rows" "$dependencies" <(cd "$source_dir" && grep -rnE '^ *# *include +"' src --include='*.h' --include='*.cc' | sed 's/: *# */:#/')
