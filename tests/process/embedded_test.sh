#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# The example of the embedded library: in memory, on disk, and on disk again. Then the guide, whose blocks are
# one program: each line "// -> text" of it must be in what that prints.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

check() {  # the lines that must be printed, after "embedded_example ARGS..."
    local output
    output=$("$bin/embedded_example" "${@:2}" 2>&1) || fail "exit code of $*"
    [ "$output" = "$1" ] || fail "expected '$1', got '$output'"
}
once=$'1. Blues Guitar (3)\n2. Jazz Piano (2)\ncreator 7 was liked 5 times'
twice=$'1. Blues Guitar (6)\n2. Jazz Piano (4)\ncreator 7 was liked 10 times'
check "$once"
check "$once" "$work/data"
check "$twice" "$work/data"
"$bin/tidalctl" fsck --data-dir "$work/data" | grep -q ' 0 damaged places' || fail "fsck"

mkdir "$work/guide"
output=$("$bin/embedding_guide" "$work/guide" 2>&1) || fail "the guide: $output"
lines=0
while read -r want; do
    [[ $output == *"$want"* ]] || fail "the guide: expected '$want' of: $output"
    lines=$((lines + 1))
done < <(sed -n 's|^// -> ||p' "$root/docs/guides/embedding.md")
[ $lines -ge 9 ] || fail "only $lines lines of the guide say what they print"
"$bin/tidalctl" fsck --data-dir "$work/guide/shop" | grep -q ' 0 damaged places' || fail "fsck of the guide's shop"
"$bin/tidalctl" verify "$work/guide/backups/monday" | grep -q '^sound' || fail "verify of the guide's backup"
finish
