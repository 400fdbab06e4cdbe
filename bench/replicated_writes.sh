#!/usr/bin/env bash
# Writes on a majority of three nodes of one machine, each with its own disk files and one fsync before
# an answer, beside etcd's three members with the same values; then what each write concern and each
# read consistency costs, what forwarding costs, and what a leader spends per replica.
# usage: bench/replicated_writes.sh [ITEMS [SECONDS]]
# needs build/release with TIDAL_BENCH (libgrpc++-dev, protobuf-compiler-grpc), etcd-server, jq
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/server.sh
. bench/server.sh
bin=$PWD/build/release/bin items=${1:-100000} seconds=${2:-5}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
export PATH=$bin:$PATH
refuse_taken 9651 9652 9653 9661 9662 9663
for needed in tidal-server signals_load round_trips etcd_puts etcd jq; do
    command -v "$needed" >/dev/null || { echo "$needed is missing: see \`needs\` at the top of $0" >&2; exit 2; }
done

wait_for() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "gave up on: $*" >&2; tail -n 3 "$work"/*.log >&2; exit 1; }
        pause 0.1
    done
}
start_nodes() {
    local n
    for n in 1 2 3; do
        local join=(init)
        [ "$n" = 1 ] || join=(join --seed 127.0.0.1:9661 --token "$(tidalctl node token --url http://127.0.0.1:9651)")
        tidal-server "${join[@]}" --data-dir "$work/n$n" --listen "127.0.0.1:965$n" --peer-listen "127.0.0.1:966$n" \
            >"$work/n$n.log" 2>&1 &
        node[$n]=$!
        wait_for 60 curl -sf "127.0.0.1:965$n/healthz"
        wait_for 60 have_voters "$n"
        [ "$n" = 1 ] && load_items
        leader_cpu "$n"
    done
}
have_voters() { curl -s 127.0.0.1:9651/cluster/shards | jq -e "[.shards[].voters | length] | min == $1"; }
load_items() {
    seq "$items" | sed 's/.*/{"entity_id":&,"metadata":{"title":"item &"}}/' |
        curl -s -H 'Content-Type: application/x-ndjson' -T - -X POST 127.0.0.1:9651/items | tail -n 1
}
# leader_cpu REPLICAS: the first node leads all that it made.
leader_cpu() {
    local before after load
    before=$(cpu_ms "${node[1]}")
    load=$(signals_load ndjson 9651 "$items" "$seconds" 16 1 100)
    after=$(cpu_ms "${node[1]}")
    echo "$1 replicas, the leader's processor time: $(awk -v ms="$((after - before))" '{for (i = 1; i <= NF; i++)
        if (sub("requests=", "", $i)) printf "%.2f us a signal in batches of 100", ms * 1000 / ($i * 100)}' <<<"$load") ($load)"
}
leader_port() { # of data shard 1
    curl -s 127.0.0.1:9651/cluster/shards | jq -r '"965" + (.shards[] | select(.shard == 1) | .leader | tostring)'
}
start_etcd() {
    local n members=n1=http://127.0.0.1:9681,n2=http://127.0.0.1:9682,n3=http://127.0.0.1:9683
    for n in 1 2 3; do
        etcd --name "n$n" --data-dir "$work/e$n" --log-level error --initial-cluster "$members" \
            --listen-client-urls "http://127.0.0.1:967$n" --advertise-client-urls "http://127.0.0.1:967$n" \
            --listen-peer-urls "http://127.0.0.1:968$n" --initial-advertise-peer-urls "http://127.0.0.1:968$n" \
            >"$work/e$n.log" 2>&1 &
    done
    for n in 1 2 3; do wait_for 60 curl -sf "127.0.0.1:967$n/health"; done
}
puts() { etcd_puts "$seconds" "$1" 128 127.0.0.1:9671 127.0.0.1:9672 127.0.0.1:9673; }
cpu_ms() { awk '{printf "%d\n", ($14 + $15) * 1000 / '"$(getconf CLK_TCK)"'}' "/proc/$1/stat"; }

declare -A node
echo "hardware: $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), load $(cut -d' ' -f1 /proc/loadavg)"
echo "versions: $(tidal-server --version), $(etcd --version | head -n 1); three nodes each on this machine, every answer after a majority's fsync"
start_nodes
start_etcd

for round in 1 2 3; do
    echo "round $round"
    for in_flight in 1 64 512; do
        echo "etcd, $in_flight in flight: $(puts "$in_flight")"
        case $in_flight in
            1) shape="1 1" ;;
            64) shape="16 4" ;;
            512) shape="64 8" ;;
        esac
        # shellcheck disable=SC2086
        echo "tidal, $in_flight in flight, one signal a request: $(signals_load http "$(leader_port)" "$items" "$seconds" $shape)"
    done
    echo "tidal, batches of 100, 64 in flight: $(signals_load ndjson "$(leader_port)" "$items" "$seconds" 16 1 100)"
    echo "tidal, batches of 1000, 16 in flight: $(signals_load ndjson "$(leader_port)" "$items" "$seconds" 16 1 1000)"
done | tee "$work/out"
awk -F'[ =]' '/etcd, / {n=$2; sub(",","",n); for(i=1;i<=NF;i++){if($i=="ops/s")e[n]+=$(i+1); if($i=="p50_us"&&n==1)ep+=$(i+1)}}
    /one signal a request/ {n=$2; for(i=1;i<=NF;i++){if($i=="signals_per_s")t[n]+=$(i+1); if($i=="p50_us"&&n==1)tp+=$(i+1)}}
    /batches of/ {k=$4; sub(",","",k); for(i=1;i<=NF;i++)if($i=="signals_per_s")b[k]+=$(i+1)}
    END {for(n in e) printf "ratio, %d in flight: %.1f\n", n, t[n]/e[n]; printf "ratio, p50 of one client: %.2f\n", tp/ep;
         for(k in b) printf "ratio, batches of %s to etcd at 512 in flight: %.0f\n", k, b[k]/e[512]}' "$work/out"

echo "write concerns, 16 connections, one signal a request, through the leader of shard 1:"
for w in local majority all; do
    echo "w=$w: $(signals_load "http?w=$w" "$(leader_port)" "$items" "$seconds" 16 1)"
done
echo "forwarding, one connection, all to one item: one of the nodes leads its shard, the others forward"
for n in 1 2 3; do echo "node $n: $(signals_load http "965$n" 1 "$seconds" 1 1)"; done
echo "reads of one item, one connection:"
for consistency in strong bounded_staleness:5 eventual; do
    echo "$consistency: $(round_trips 3 http "$(leader_port)" "/items/1?read_consistency=$consistency")"
done
echo "processor time of each node over batches of 100: "
before=("$(cpu_ms "${node[1]}")" "$(cpu_ms "${node[2]}")" "$(cpu_ms "${node[3]}")")
signals_load ndjson "$(leader_port)" "$items" "$seconds" 16 1 100
for n in 1 2 3; do echo "node $n: $(awk -v a="$(cpu_ms "${node[$n]}")" -v b="${before[n - 1]}" 'BEGIN {print a - b}') ms"; done
