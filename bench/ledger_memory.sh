#!/usr/bin/env bash
# Bytes of one (item, signal) pair: the ledger, and Redis with a sorted-set member and a hash for each pair.
# The hash holds what a decayed score cannot do without (score, time of the last event, all-time count and sum);
# the ledger's pairs hold every window besides. Run: 100 M events for the ledger.
# usage: bench/ledger_memory.sh [PAIRS]   (of Redis; needs build/release with TIDAL_BENCH, redis-server)
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/build/release/bin pairs=${1:-1000000}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null; rm -rf "$work"' EXIT

redis-server --port 9641 --dir "$work" --save '' --unixsocket "$work/redis.sock" >"$work/redis.log" &
until redis-cli -p 9641 ping >/dev/null 2>&1; do read -rt 0.1 <> <(:) || true; done
used() { redis-cli -p 9641 info memory | sed -n 's/^used_memory:\([0-9]*\).*/\1/p'; }

echo "hardware: $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), load $(cut -d' ' -f1 /proc/loadavg)"
echo "versions: $(redis-server --version | cut -d' ' -f1-3)"
before=$(used)
# Ids of ten digits, scores and times as a Lua script would store them.
awk -v pairs="$pairs" 'BEGIN {srand(1); for (i = 0; i < pairs; ++i) {
    id = 1000000000 + i; score = sprintf("%.12g", 100 * rand()); at = 1700000000000 + int(3e10 * rand()); n = 1 + int(200 * rand())
    print "ZADD view " score " " id
    print "HSET view:" id " s " score " t " at " n " n " w " n}}' |
    redis-cli -p 9641 --pipe >/dev/null
redis=$((($(used) - before) / pairs))
echo "redis   $redis B/pair, $pairs pairs, member and hash ($(redis-cli -p 9641 object encoding view), $(redis-cli -p 9641 object encoding view:1000000000))"
for weights in "" --weights; do
    # shellcheck disable=SC2086  # nothing or one word
    "$bin/signal_ledger_bench" memory $weights | tail -n 1 | tee "$work/ledger"
    awk -v redis="$redis" '{for (i = 1; i < NF; ++i) if ($(i + 1) ~ /^B\/pair/) {printf "ratio, ledger to Redis: %.2f\n", $i / redis; exit}}' "$work/ledger"
done
