#!/usr/bin/env bash
# shellcheck disable=SC2154  # server comes from server.sh
# Durable batches of signals by HTTP NDJSON beside the same through the library, in turn on one machine. The client of
# HTTP is on the same cores and counts: what both programs together get done, and what processor time a signal takes of
# both, which other work on the machine changes less.
# usage: bench/batches.sh [ITEMS [SECONDS [ROUNDS]]]   (needs build/release with TIDAL_BENCH)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/server.sh
. bench/server.sh
bin=$PWD/build/release/bin items=${1:-100000} seconds=${2:-5} rounds=${3:-3}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null; rm -rf "$work"' EXIT
echo "hardware: $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), load $(cut -d' ' -f1 /proc/loadavg)"
echo "versions: $("$bin/tidal-server" --version); $items items; durable and applied before the answer"

ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
# library CALLERS BATCH, http CALLERS BATCH: one line each; each has its own directory and keeps it.
library() { "$bin/embed_batches_bench" "$work/library" "$items" "$seconds" "$1" "$2"; }
http() {
    begin_server 9642 standalone --data-dir "$work/http"
    if ! curl -sf "localhost:9642/items/$items" >/dev/null; then
        seq "$items" | sed 's/.*/{"entity_id":&,"metadata":{"title":"item &"}}/' >"$work/items"
        curl -s -H 'Content-Type: application/x-ndjson' --data-binary "@$work/items" localhost:9642/items | tail -n 1 >&2
    fi
    local before
    before=$(ticks "$server")
    "$bin/signals_load" ndjson 9642 "$items" "$seconds" "$1" 1 "$2" | tee "$work/load"
    awk -v ticks="$(($(ticks "$server") - before))" -v batch="$2" '{
        split($3, requests, "="); split($NF, client, "=")
        printf "cpu_us_of_signal=%.2f\n", ticks * 1e4 / requests[2] / batch + client[2] / batch
    }' "$work/load"
    end_server
}
for shape in "1 100" "8 100" "50 100" "8 1000"; do
    # shellcheck disable=SC2086  # two words
    set -- $shape
    echo "== $1 callers, batches of $2"
    for ((round = 1; round <= rounds; ++round)); do
        library "$1" "$2"
        http "$1" "$2"
    done | tee "$work/out"
    awk '{split($2, a, "="); sum[$1] += a[2]; split($NF, b, "=")}
         $1 == "library" {library += b[2]}
         /^cpu_us/ {http += b[2]}
         END {printf "ratio, batches by HTTP to the same in process: %.2f (bar 0.80); by processor time %.2f\n",
                     sum["ndjson"] / sum["library"], library / http}' "$work/out"
done
echo "load after: $(cut -d' ' -f1 /proc/loadavg)"
