#!/usr/bin/env bash
# A check that cannot fail is none: each must refuse a tree that breaks its rule, naming the place.
set -euo pipefail
checks=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/src/record/tests" "$tree/src/base/internal"

cat >"$tree/src/record/codec.cc" <<'CODE'
#include "shard/shard.h"
#include "base/internal/tables.h"
// std::chrono::system_clock::now() in a comment is fine
auto now = std::chrono::system_clock::now();
double x = std::exp2(3.0);
CODE
echo 'void wait() { std::this_thread::sleep_for(one_second); }' >"$tree/src/record/tests/codec_test.cc"
mkdir -p "$tree/fuzz" "$tree/docs"
: >"$tree/fuzz/record_fuzz.cc"
echo 'Run `record_old_fuzz`.' >"$tree/docs/page.md"
printf 'record : base : \nbase : record : \n' >"$tree/dependencies.txt"

failures=0
expect() {  # check, line that must be printed
    local output
    if output=$("$checks/$1.sh" "$tree" "$tree/dependencies.txt" 2>&1); then
        echo "$1.sh accepted the broken tree"
        failures=1
    elif ! grep -qF "$2" <<<"$output"; then
        printf '%s.sh did not print: %s\nbut:\n%s\n' "$1" "$2" "$output"
        failures=1
    fi
}
expect layers 'src/record/codec.cc:1: includes "shard/shard.h", but record does not name shard'
expect layers 'src/record/codec.cc:2: includes "base/internal/tables.h", which only base may include'
expect layers 'src/base/CMakeLists.txt: DEPS record lies above base'
expect banned_calls 'src/record/codec.cc:4: auto now'
expect banned_calls 'src/record/codec.cc:5: double x'
expect banned_calls 'src/record/tests/codec_test.cc:1: '
expect banned_calls 'instead: runtime::Clock::wall_ms, handed in'
expect fuzz_targets 'fuzz/record_fuzz.cc: no inputs in fuzz/corpus/record_fuzz'
expect fuzz_targets 'docs/page.md:1: names the fuzz target record_old_fuzz'
expect readmes 'src/record/README.md: missing'
if "$checks/banned_calls.sh" "$tree" 2>&1 | grep -q 'codec.cc:3'; then
    echo "banned_calls.sh counted a comment"
    failures=1
fi
exit $failures
