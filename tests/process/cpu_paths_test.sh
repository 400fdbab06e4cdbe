#!/usr/bin/env bash
# The same lives of a node give the same content hashes whatever instructions the C library picks for
# this processor: replicas on unlike machines stay equal. glibc chooses its variants of sin, exp,
# memcpy, … at the start of a program; its tunables hide features of the processor from it.
set -uo pipefail
bin=$1
sim=$bin/tidal-sim
paths=(
    "-FMA,-FMA4"
    "-AVX2,-FMA,-FMA4"
    "-AVX2,-FMA,-FMA4,-AVX512F,-AVX512VL,-AVX512BW,-ERMS"
)
failed=0
fail() {
    echo "FAILED: $*" >&2
    failed=1
}
on() { GLIBC_TUNABLES=${1:+glibc.cpu.hwcaps=$1} "${@:2}"; }
# What a program says that leaves its arithmetic to the C library.
# shellcheck disable=SC2317  # called by name
libm() { awk 'BEGIN {for (i = 1; i < 20000; i++) printf "%.17g %.17g\n", sin(i * 0.37), exp(i % 50 + 0.37)}' | md5sum; }
# shellcheck disable=SC2317
lives() { "$sim" --seed 20 --seeds 2 --shards 2; }

if ! grep -qw fma /proc/cpuinfo; then
    echo "this processor has no second path to compare with"
    exit 0
fi
expected=$(on "" lives) || fail "the lives themselves: $expected"
grep -q 'hash [0-9a-f]\{16\}' <<<"$expected" || fail "no hash in: $expected"
plain=$(on "" libm)
for path in "${paths[@]}"; do
    # Else the tunable did nothing, and neither would this test.
    [ "$(on "$path" libm)" != "$plain" ] || fail "glibc picks the same variants under $path"
    found=$(on "$path" lives)
    [ "$found" = "$expected" ] || fail "under $path: $found, not $expected"
done
exit $failed
