#!/usr/bin/env bash
# ./run and ./test explain themselves and refuse what they do not understand, before doing anything.
set -euo pipefail
cd "$1"
bad=0
expect() {  # exit status, text that must be printed, command...
    local status=$1 text=$2 output code=0
    shift 2
    output=$("$@" 2>&1) || code=$?
    if [ "$code" != "$status" ] || ! grep -qF -- "$text" <<<"$output"; then
        printf '%s: exit %s (expected %s), printed:\n%s\n' "$*" "$code" "$status" "$output"
        bad=1
    fi
}
expect 0 '--build-only' ./run --help
expect 0 'TIDAL_TEST_DATA' ./test --help
expect 1 "unknown argument '--prot'" ./run --prot 1
expect 1 '--port needs a value' ./run --port
expect 1 "not '70000'" ./run --port 70000
expect 1 "unknown argument 'quick'" ./test quick
lines=$(./run --help | wc -l)
[ "$lines" -le 24 ] || { echo "./run --help: $lines lines do not fit a screen"; bad=1; }
exit $bad
