#!/usr/bin/env bash
# Suggestions as somebody begins to type, by how much has been typed; one connection, one after the other.
# usage: bench/suggest.sh [DOCUMENTS]   (needs build/release)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/server.sh
. bench/server.sh
bin=$PWD/build/release/bin documents=${1:-100000}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null; rm -rf "$work"' EXIT
begin_text_server 9634
print_hardware
echo "versions: $("$bin/tidal-server" --version); $documents titles of 10 words drawn from 50,000 by Zipf's law"
awk -v n="$documents" 'BEGIN {srand(1); for (i = 1; i <= n; i++) {
    words = ""; for (w = 0; w < 10; w++) words = words " w" int(exp(rand() * log(50000)))
    printf "{\"entity_id\":%d,\"metadata\":{\"title\":\"%s\"}}\n", i, substr(words, 2)}}' |
    curl -sf -H 'Content-Type: application/x-ndjson' -T - -X POST "$TIDAL_URL/items" >/dev/null
python3 - <<'PY'
import http.client, random, time
random.seed(3)
connection = http.client.HTTPConnection("127.0.0.1", 9634)
word = lambda digits: "w%d" % random.randint(10 ** (digits - 1), 10 ** digits - 1)
typed = {"w (every title)": lambda: "w", "w and 1 digit": lambda: word(1), "w and 2 digits": lambda: word(2),
         "w and 3 digits": lambda: word(3), "a word and a beginning": lambda: word(2) + "+" + word(1)}
for name, query in typed.items():
    ms = []
    for _ in range(600):
        target = "/suggest?query=" + query()
        begin = time.perf_counter()
        connection.request("GET", target)
        reply = connection.getresponse()
        body = reply.read()
        ms.append((time.perf_counter() - begin) * 1e3)
        if reply.status != 200:
            raise SystemExit(f"{reply.status}: {body[:200]}")
    ms.sort()
    print(f"{name:<24} p50 {ms[300]:7.3f} ms  p99 {ms[594]:7.3f} ms  n {len(ms)}")
PY
echo "load after: $(cut -d' ' -f1 /proc/loadavg)"
