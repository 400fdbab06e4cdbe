#!/usr/bin/env bash
# Recovery of 1 M items and 1 M events that no checkpoint holds, and a clean start to the first feed, beside
# reading the same files. usage: bench/recovery.sh [ITEMS [EVENTS]]   (needs build/release)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/server.sh
. bench/server.sh
bin=$PWD/build/release/bin items=${1:-1000000} events=${2:-990000}
work=$(mktemp -d)
trap 'kill -9 "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
pid=""
now() { date +%s.%N; }

serve() {  # sets pid; returns when the first feed is answered
    refuse_taken 9623
    "$bin/tidal-server" standalone --listen 127.0.0.1:9623 --data-dir "$work/data" --checkpoint-interval-ms "$1" >"$work/log" 2>&1 &
    pid=$!
    until curl -sf 'localhost:9623/feed?profile=new&limit=10' >"$work/feed"; do
        kill -0 "$pid" || { cat "$work/log"; exit 1; }
        pause 0.02
    done
}
seconds() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", b - a}'; }

echo "hardware: $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1); $items items, $events events"
serve 3600000
seq "$items" | sed 's/.*/{"entity_id":&,"metadata":{"title":"item &","category":"music","year":2001}}/' |
    curl -s -T - -X POST -H 'Content-Type: application/x-ndjson' localhost:9623/items | tail -n 1
kill -INT "$pid" && wait "$pid"
serve 3600000
awk -v n="$events" -v items="$items" 'BEGIN {srand(7); for (i = 0; i < n; i++) printf "{\"entity_id\":%d,\"signal\":\"view\",\"user_id\":%d}\n", 1 + int(rand() * items), int(rand() * 100000)}' |
    curl -s -T - -X POST -H 'Content-Type: application/x-ndjson' localhost:9623/signals | tail -n 1
kill -9 "$pid" && wait "$pid" 2>/dev/null || true
started=$(now) && serve 3600000 && recovered=$(now)
echo "recovery to first feed: $(seconds "$started" "$recovered") s"
kill -INT "$pid" && wait "$pid"
started=$(now) && find "$work/data/store" -type f -exec cat {} + >/dev/null && read_done=$(now)
echo "reading the checkpoint's files: $(seconds "$started" "$read_done") s ($(du -sm "$work/data/store" | cut -f1) MB)"
started=$(now) && serve 3600000 && recovered=$(now)
echo "clean start to first feed: $(seconds "$started" "$recovered") s"
