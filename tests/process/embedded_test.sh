#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# The example of the embedded library: in memory, on disk, and on disk again.
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
finish
