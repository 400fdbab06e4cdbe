#!/usr/bin/env bash
# The smoke run of fuzz targets finds a planted fault, fails, and prints the input that caused it.
set -uo pipefail
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
printf 'y' >"$corpus/seed"
if output=$("$1" "$corpus" 2>&1); then
    echo "the smoke run did not find the planted fault"
    exit 1
fi
grep -qE '^78[0-9a-f]{2}' <<<"$output" || { printf 'the input is not printed:\n%s\n' "$output"; exit 1; }
