#!/usr/bin/env bash
# Feeds beside signals written, feeds by HTTP against in process, and three times the load a server can bear.
# usage: bench/feeds_load.sh [ITEMS [SECONDS]]   (needs build/release with TIDAL_BENCH)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/server.sh
. bench/server.sh
bin=$PWD/build/release/bin items=${1:-100000} seconds=${2:-5}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null; rm -rf "$work"' EXIT
begin_server 9632 standalone --data-dir "$work/data" --executors 1
export TIDAL_URL=http://127.0.0.1:9632
print_hardware
echo "versions: $("$bin/tidal-server" --version); $items items, half with views"
seq 0 $((items - 1)) | sed 's/.*/{"entity_id":&,"metadata":{"title":"item &"}}/' >"$work/items"
seq 0 2 $((items - 1)) | sed 's/.*/{"entity_id":&,"signal":"view"}/' >"$work/views"
for part in items views; do
    curl -s -H 'Content-Type: application/x-ndjson' --data-binary "@$work/$part" "$TIDAL_URL/${part/views/signals}" | tail -n 1
    echo
done

# bench NAME ARGS...: one line of what tidalctl measured; refusals are no error here.
bench() {
    local name=$1
    shift
    "$bin/tidalctl" --json bench "$@" --seconds "$seconds" >"$work/bench.$name" 2>"$work/bench.error" || true
    python3 - "$name" "$work/bench.$name" <<'PY'
import json, sys
name, path = sys.argv[1:]
r = json.load(open(path))
l = r["latency_ms"]
print(f"{name:<42} answered/s {r['requests_per_s']:9.0f}  refused {r['failed']:6d}  p50 {l['p50']:8.3f} ms  p99 {l['p99']:8.3f} ms  n {r['requests']}")
PY
}
of() { python3 -c "import json,sys; r=json.load(open('$work/bench.$1')); print(r['latency_ms'].get('$2', r.get('$2')))"; }

for profile in trending hot; do
    curl -s "$TIDAL_URL/feed?profile=$profile" >/dev/null
    bench "$profile" feed --profile $profile --rate 200 --connections 4
    bench signals signals --rate 500 --batch 100 --connections 8 >"$work/signals" &
    signals=$!
    bench "$profile-beside-signals" feed --profile $profile --rate 200 --connections 4
    wait "$signals"
    sed 's/^signals /  50 k\/s in batches of 100/' "$work/signals"
done

bench writes signals --rate 200 --batch 1 --connections 4
bench scans feed --profile shuffle --connections 2 >"$work/scans" &
scans=$!
bench writes-beside-scans signals --rate 200 --batch 1 --connections 4
wait "$scans"
cat "$work/scans"

bench http-trending feed --profile trending --connections 1
bench http-shuffle feed --profile shuffle --connections 1
"$bin/embed_feeds_bench" "$items" "$seconds" trending shuffle

bench capacity feed --profile shuffle --connections 4
capacity=$(of capacity requests_per_s)
bench half feed --profile shuffle --connections 200 --rate "$(python3 -c "print($capacity / 2)")"
seconds=$((4 * seconds)) # The burst at its beginning, in which queries may wait longer, is to be less than 1 %.
bench three-times feed --profile shuffle --connections 200 --rate "$(python3 -c "print($capacity * 3)")"
curl -s "$TIDAL_URL/metrics" | grep '^tidal_query'
python3 -c "
print('ratio, p99 of trending beside signals to alone: %.1f' % ($(of trending-beside-signals p99) / $(of trending p99)))
print('ratio, p99 of hot beside signals to alone: %.1f' % ($(of hot-beside-signals p99) / $(of hot p99)))
print('ratio, p99 of writes beside scans to alone: %.1f' % ($(of writes-beside-scans p99) / $(of writes p99)))
print('ratio, goodput at three times the load to capacity: %.2f' % ($(of three-times requests_per_s) / $capacity))
for load in (('capacity', $(of capacity p99)), ('half of it', $(of half p99))):
    print('ratio, p99 of the admitted at three times the load to %s: %.1f' % (load[0], $(of three-times p99) / load[1]))"
echo "load after: $(cut -d' ' -f1 /proc/loadavg)"
