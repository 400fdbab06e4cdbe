#!/usr/bin/env bash
# How long writes wait when the node that leads their shard is killed: three nodes on this machine, signals to one item at
# a steady rate through all of them, kill -9 of the leader again and again, each time once all three are voters and
# have everything. The time is from the kill to the first acknowledgement of a write that was sent after it. In the end
# the item's count is what was acknowledged.
# usage: bench/failover.sh [COUNT [ELECTION_MS_MIN ELECTION_MS_MAX HEARTBEAT_MS]]   times are multiples of 25 ms
# needs build/release with TIDAL_BENCH, jq
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/server.sh
. bench/server.sh
bin=${BIN:-$PWD/build/release/bin} count=${1:-100} min=${2:-1000} max=${3:-2000} heartbeat=${4:-100} rate=${RATE:-100}
work=$(mktemp -d)
declare -A node
trap 'kill -9 $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
export PATH=$bin:$PATH
refuse_taken 9751 9752 9753 9761 9762 9763

wait_for() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "gave up on: $*" >&2; tail -n 3 "$work"/n?.log >&2; exit 1; }
        pause 0.1
    done
}
start_node() { # NUMBER COMMAND...
    local n=$1
    shift
    tidal-server "$@" --data-dir "$work/n$n" --listen "127.0.0.1:975$n" --peer-listen "127.0.0.1:976$n" \
        --election-ms-min "$min" --election-ms-max "$max" --heartbeat-ms "$heartbeat" >>"$work/n$n.log" 2>&1 3>&- &
    node[$n]=$!
}
shards() { curl -sf --max-time 5 "127.0.0.1:975$1/cluster/shards"; }
# As its leader sees it, every group has three voters that are up and lack nothing to speak of.
is_whole() {
    local n
    for n in 1 2 3; do shards $n || return 1; done |
        jq -se '[.[].shards[] | select(.role == "leader" and (.voters | length) == 3 and (.replicas | length) == 3 and
            ([.replicas[] | select(.up and .voter and .lag_entries < 100)] | length) == 3)] | length == 2'
}
leader() { shards 1 | jq -er '.shards[] | select(.shard == 1) | .leader'; }
sent_after() { tail -n 400 "$work/acks" | awk -v kill="$1" '$1 > kill && $2 != "lost" {found = 1} END {exit !found}'; }

start_node 1 init --shards 1
wait_for 60 curl -sf 127.0.0.1:9751/healthz
for n in 2 3; do
    start_node $n join --seed 127.0.0.1:9761 --token "$(tidalctl node token --url http://127.0.0.1:9751)"
    wait_for 60 curl -sf "127.0.0.1:975$n/healthz"
done
wait_for 60 is_whole
curl -sf -H 'Content-Type: application/json' -d '{"entity_id":1}' 127.0.0.1:9751/items >/dev/null
mkfifo "$work/end"
failover_writer 1 "$rate" 9751 9752 9753 <"$work/end" >"$work/acks" &
writer=$!
exec 3>"$work/end"
wait_for 20 sent_after 0
echo "hardware: $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg); election timeout $min to $max ms, heartbeat $heartbeat ms, $rate writes/s"

for ((kill = 1; kill <= count; kill++)); do
    wait_for 60 is_whole
    n=$(leader)
    pid=${node[$n]}
    at=$(date +%s%N)
    kill -9 "$pid"
    echo "$at" >>"$work/kills"
    wait "$pid" 2>/dev/null || true
    wait_for 60 sent_after "$at"
    start_node "$n" start
    wait_for 60 curl -sf "127.0.0.1:975$n/healthz"
done
exec 3>&-
wait "$writer"
wait_for 60 is_whole

acknowledged=$(grep -vc lost "$work/acks") lost=$(grep -c lost "$work/acks" || true)
counted=$(curl -sf '127.0.0.1:9751/items/1/signals?read_consistency=strong' | jq .signals.view.total)
echo "acknowledged $acknowledged, never acknowledged $lost, counted $counted"
awk 'NR == FNR {kills[n++] = $1; next} $2 == "lost" {next}
    {for (i = 0; i < n; i++) if ($1 > kills[i] && (!(i in first) || $2 < first[i])) first[i] = $2}
    END {for (i = 0; i < n; i++) printf "%.1f\n", (first[i] - kills[i]) / 1e6}' "$work/kills" "$work/acks" | sort -n >"$work/times"
awk '{time[NR] = $1} function at(q) {i = int(NR * q + 0.999999); return time[i < 1 ? 1 : i]}
    END {printf "%d kills, ms to the first acknowledged write: p50 %.0f, p90 %.0f, p99 %.0f, max %.0f\n", NR, at(0.5), at(0.9), at(0.99), time[NR]}' "$work/times"
if [ "$counted" -lt "$acknowledged" ] || [ "$counted" -gt $((acknowledged + lost)) ]; then
    echo "acknowledged writes are lost, or some are counted twice" >&2
    exit 1
fi
