#!/usr/bin/env bash
# From one changed .cc to its running test, in the edit loop's build: a comment at the end of a source of a
# module in the middle of the tree, then build of that module's test and one of its tests. No cache.
# usage: bench/one_change.sh [SOURCE TARGET FILTER]   (needs build/debug, built once)
set -euo pipefail
cd "$(dirname "$0")/.."
source=${1:-src/query/filter_parser.cc} target=${2:-query_test} filter=${3:-Filter.*}
export CCACHE_DISABLE=1
echo "hardware: $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), load $(cut -d' ' -f1 /proc/loadavg)"
ninja -C build/debug "$target" >/dev/null # what is not there yet is not this row's
kept=$(mktemp)
cp -p "$source" "$kept"
trap 'cp -p "$kept" "$source"; rm -f "$kept"' EXIT
for round in 1 2 3; do
    echo "// $round" >>"$source"
    from=${EPOCHREALTIME/./}
    ninja -C build/debug "$target" >/dev/null
    built=${EPOCHREALTIME/./}
    build/debug/bin/"$target" --gtest_filter="$filter" --gtest_brief=1 >/dev/null
    awk -v from="$from" -v built="$built" -v to="${EPOCHREALTIME/./}" -v what="$source" \
        'BEGIN {printf "%s: %.1f s to the test of it, %.1f s more to its end\n", what, (built - from) / 1e6, (to - built) / 1e6}'
done
