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
expect 1 "--seed needs a number or 'random'" ./test --seed soon
# What ./run starts, seen with a program that prints its arguments and nothing left to build.
fake=$(mktemp -d)
trap 'rm -rf "$fake"' EXIT
mkdir -p "$fake/build/release/bin"
cp -r run tools "$fake"
printf 'build bin/tidal-server: phony\nbuild bin/tidalctl: phony\n' >"$fake/build/release/build.ninja"
printf '#!/bin/sh\necho "started: $*"\n' >"$fake/build/release/bin/tidal-server"
chmod +x "$fake/build/release/bin/tidal-server"
if command -v dpkg-query >/dev/null; then : >"$fake/tools/packages.txt"; fi
expect 0 'started: demo --listen 127.0.0.1:9500 --data-dir data/demo' "$fake/run"
expect 0 'started: demo --listen 127.0.0.1:81 --data-dir /tmp/x' "$fake/run" --port 81 --data-dir=/tmp/x
expect 0 'started: standalone --listen 127.0.0.1:9500 --data-dir data/empty' "$fake/run" --empty
expect 0 'built' "$fake/run" --build-only

lines=$(./run --help | wc -l)
[ "$lines" -le 24 ] || { echo "./run --help: $lines lines do not fit a screen"; bad=1; }
exit $bad
