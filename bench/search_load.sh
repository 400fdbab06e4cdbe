#!/usr/bin/env bash
# Searches by words, alone and beside documents written, which are found at once.
# usage: bench/search_load.sh [DOCUMENTS [SECONDS [DOCUMENTS_A_SECOND]]]   (needs build/release)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/server.sh
. bench/server.sh
bin=$PWD/build/release/bin documents=${1:-200000} seconds=${2:-10} rate=${3:-10000}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null; rm -rf "$work"' EXIT
begin_text_server 9633
print_hardware
echo "versions: $("$bin/tidal-server" --version); $documents documents of 10 words drawn from 50,000 by Zipf's law"

# Documents FIRST COUNT, as NDJSON; words are numbers from 1, of which n is drawn 1/n times as often as 1.
generate() {
    awk -v first="$1" -v n="$2" 'BEGIN {srand(first); for (i = 0; i < n; i++) {
        words = ""; for (w = 0; w < 10; w++) words = words " w" int(exp(rand() * log(50000)))
        printf "{\"entity_id\":%d,\"metadata\":{\"title\":\"%s\"}}\n", first + i, substr(words, 2)}}'
}
generate 1 "$documents" | curl -s -H 'Content-Type: application/x-ndjson' -T - -X POST "$TIDAL_URL/items" | tail -n 1
echo
awk 'BEGIN {srand(7); for (i = 0; i < 1000; i++)
    print "w" int(exp(rand() * log(50000))), "w" int(exp(rand() * log(50000)))}' >"$work/queries"

# searches NAME
searches() {
    "$bin/tidalctl" --json bench search --queries "$work/queries" --limit 10 --rate 200 --connections 4 --seconds "$seconds" >"$work/$1"
    python3 - "$1" "$work/$1" <<'PY'
import json, sys
name, path = sys.argv[1:]
r = json.load(open(path))
l = r["latency_ms"]
print(f"{name:<20} answered/s {r['requests_per_s']:7.0f}  p50 {l['p50']:7.3f} ms  p99 {l['p99']:7.3f} ms  n {r['requests']}")
PY
}
searches alone
generate $((documents + 1)) $((rate * (seconds + 2))) >"$work/new"
# A hundred documents a request, each at its time.
python3 - "$work/new" "$rate" >"$work/written" <<'PY' &
import http.client, sys, time
path, rate = sys.argv[1], float(sys.argv[2])
connection = http.client.HTTPConnection("127.0.0.1", 9633)
lines = open(path).readlines()
begin = time.monotonic()
for n, at in enumerate(range(0, len(lines), 100)):
    time.sleep(max(0, begin + n * 100 / rate - time.monotonic()))
    connection.request("POST", "/items", "".join(lines[at:at + 100]), {"Content-Type": "application/x-ndjson"})
    reply = connection.getresponse()
    body = reply.read()
    if reply.status != 200:
        sys.exit(f"{reply.status}: {body[:200]}")
print(f"{len(lines)} documents written, {len(lines) / (time.monotonic() - begin):.0f}/s")
PY
writer=$!
searches beside-writes
wait "$writer"
cat "$work/written"
last=$((documents + rate * (seconds + 2)))
title=$(tail -n 1 "$work/new" | sed 's/.*"title":"\([^"]*\)".*/\1/')
found=$(curl -sG "$TIDAL_URL/search" --data-urlencode "query=\"$title\"" | python3 -c 'import json,sys; print([i["entity_id"] for i in json.load(sys.stdin)["items"]])')
[[ $found == *"$last"* ]] || { echo "the last document is not found: $found" >&2; exit 1; }
python3 - "$work" <<'PY'
import json, sys
p99 = lambda name: json.load(open(f"{sys.argv[1]}/{name}"))["latency_ms"]["p99"]
print(f"ratio, p99 beside writes to alone: {p99('beside-writes') / p99('alone'):.2f}")
PY
echo "load after: $(cut -d' ' -f1 /proc/loadavg)"
