#!/usr/bin/env bash
# Durable signals over TCP, beside Redis with appendfsync always doing the same work in one Lua call.
# usage: bench/signals_durable.sh [ITEMS [SECONDS]]   (needs build/release with TIDAL_BENCH and redis-server)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/server.sh
. bench/server.sh
bin=$PWD/build/release/bin items=${1:-100000} seconds=${2:-5}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null; rm -rf "$work"' EXIT

refuse_taken 9621
redis-server --port 9621 --dir "$work" --save '' --appendonly yes --appendfsync always >"$work/redis.log" &
begin_server 9622 standalone --data-dir "$work/data"
until redis-cli -p 9621 ping >/dev/null 2>&1; do pause 0.1; done

echo "hardware: $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
echo "versions: $("$bin/tidal-server" --version), $(redis-server --version | cut -d' ' -f1-3); $items items; durable before the answer"
seq "$items" | sed 's/.*/{"entity_id":&,"metadata":{"title":"item &"}}/' >"$work/items"
curl -s -H 'Content-Type: application/x-ndjson' --data-binary "@$work/items" localhost:9622/items | tail -n 1

for round in 1 2 3; do
    echo "round $round"
    "$bin/signals_load" redis 9621 "$items" "$seconds" 50 16
    "$bin/signals_load" ndjson 9622 "$items" "$seconds" 50 1 100
    "$bin/signals_load" redis 9621 "$items" "$seconds" 50 1
    "$bin/signals_load" http 9622 "$items" "$seconds" 50 1
    "$bin/signals_load" http 9622 "$items" "$seconds" 50 16
    "$bin/signals_load" zincrby 9621 "$items" "$seconds" 50 16
done | tee "$work/out"
awk '/^redis/ {split($2,a,"="); r[++n]=a[2]} /^zincrby/ {split($2,a,"="); z+=a[2]} /^ndjson/ {split($2,a,"="); nd+=a[2]} /^http/ {split($2,a,"="); h[++m]=a[2]}
     END {for(i=1;i<=n;i+=2){p+=r[i]; u+=r[i+1]} for(i=1;i<=m;i+=2){s+=h[i]; d+=h[i+1]}
          printf "ratio, NDJSON batches to Redis pipelined: %.2f\nratio, single on keep-alive to Redis unpipelined: %.2f\nratio, pipelined singles to Redis pipelined: %.2f\nratio, pipelined singles to ZINCRBY pipelined: %.2f\n", nd/p, s/u, d/p, d/z}' "$work/out"
