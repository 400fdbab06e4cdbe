#!/usr/bin/env bash
# shellcheck disable=SC2154  # server comes from server.sh
# How soon a start searches through graphs of vectors: with their files, and without them; and what of vectors
# and graphs is memory of the server, and what is pages of files, as it counts them and as the kernel does: in all,
# and a vector beside the same items without any, right after a start, after 10,000 searches for other vectors, and
# once nobody has searched for some time.
# usage: bench/graph_start.sh [VECTORS [DIMENSIONS]]   (needs build/release)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/server.sh
. bench/server.sh
bin=$PWD/build/release/bin vectors=${1:-50000} dimensions=${2:-128}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null; rm -rf "$work"' EXIT
url=http://127.0.0.1:9634
print_hardware
echo "versions: $("$bin/tidal-server" --version); $vectors vectors of $dimensions dimensions, random, l2, one shard"
cat >"$work/schema.yaml" <<YAML
items:
  fields: {title: text}
  embeddings: {default: {dimensions: $dimensions, metric: l2}}
signals:
  view: {polarity: neutral, half_life: 1d}
YAML
cat >"$work/mapping.yaml" <<'YAML'
files:
  - file: items.csv
    items: {id: id, fields: {title: id}}
  - file: vectors.npy
    format: npy
    vectors: {ids: {file: items.csv, column: id}}
YAML
sed '/vectors.npy/,$d' "$work/mapping.yaml" >"$work/items.yaml"
{ echo id && seq "$vectors"; } >"$work/items.csv"
printf '\223NUMPY\001\000\166\000%-117s\n' \
    "{'descr': '|i1', 'fortran_order': False, 'shape': ($vectors, $dimensions), }" >"$work/vectors.npy"
head -c $((vectors * dimensions)) /dev/urandom >>"$work/vectors.npy"

now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }'; }
start() {
    begun=$(now)
    begin_server 9634 standalone --data-dir "$work/data" --schema "$work/schema.yaml" --checkpoint-interval-ms 2000
}
metric() { curl -s "$url/metrics" | awk -v name="$1" 'index($0, name "{") == 1 { sum += $2 } END { print sum + 0 }'; }
resident_bytes() { awk '$1 == "RssAnon:" || $1 == "RssFile:" { sum += $2 * 1024 } END { print sum }' "/proc/$server/status"; }
import() { "$bin/tidalctl" import --url "$url" --mapping "$1" "$work" >/dev/null 2>&1; }
resident() { awk -v name="$1:" '$1 == name { printf "%.1f", $2 / 1e3 * 1.024 }' "/proc/$server/status"; }
megabytes() { awk -v bytes="$(metric "$1")" 'BEGIN { printf "%.1f", bytes / 1e6 }'; }
memory() {
    echo "$1, MB: vectors $(megabytes tidal_shard_vector_bytes), graphs $(megabytes tidal_shard_graph_bytes); in mapped files vectors $(megabytes tidal_shard_vector_mapped_bytes), graphs $(megabytes tidal_shard_graph_mapped_bytes); the process RssAnon $(resident RssAnon), RssFile $(resident RssFile)"
}
graph_pages() { awk '/^[0-9a-f]+-/ { of_graph = /\.graph$/ } of_graph && $1 == "Rss:" { sum += $2 * 1024 } END { print sum + 0 }' "/proc/$server/smaps"; }
a_vector() {
    awk -v counted="$(($(metric tidal_shard_vector_bytes) + $(metric tidal_shard_graph_bytes)))" -v pages="$(graph_pages)" \
        -v all="$(resident_bytes)" -v bare="$bare" -v n="$vectors" -v what="$1" 'BEGIN {
            printf "%s, bytes a vector: memory %.0f and resident pages of the files of graphs %.0f, %.0f together;", what, counted / n, pages / n, (counted + pages) / n
            printf " RssAnon and RssFile %.0f more than without vectors, rows in the cache of the store (64 MiB) with them\n", (all - bare) / n
        }'
}
search_for_others() {
    awk -v dimensions="$dimensions" -v url="$url" 'BEGIN {
        srand(5)
        for (i = 0; i < 10000; i++) {
            line = "url = \"" url "/feed?profile=near&vector="
            for (d = 0; d < dimensions; d++) line = line (d ? "," : "") int(rand() * 256) - 128
            print line "\"\noutput = /dev/null"
        }
    }' | curl -s -K -
}
path() { curl -s "$url/feed?profile=near&explain=true&vector=$near" | sed -n 's/.*"path":"\([^"]*\)".*/\1/p'; }
near=$(seq "$dimensions" | paste -sd,)

settled() {
    local before=0
    until [ "$before" -gt 0 ] && [ $(($(resident_bytes) - before)) -lt 1000000 ] && [ $((before - $(resident_bytes))) -lt 1000000 ]; do
        before=$(resident_bytes)
        for _ in $(seq 150); do pause 0.02; done
    done
}

start
import "$work/items.yaml"
end_server
start
settled
bare=$(resident_bytes)
end_server
rm -r "$work/data"

start
import "$work/mapping.yaml"
curl -s -o /dev/null -H 'Content-Type: application/json' "$url/profiles" \
    --data '{"text":"profile near version 1 { candidates ann(default) limit 10; score similarity(default); }"}'
until [ "$(metric tidal_shard_graph_vectors)" -gt $((vectors * 3 / 4)) ] &&
    [ "$(metric tidal_shard_graphs)" = "$(metric tidal_shard_graphs_filed)" ]; do pause 0.02; done
memory "files written"
end_server
echo "files of graphs: $(find "$work/data" -name '*.graph' -printf '%s\n' | awk '{ sum += $1 } END { printf "%d, %.1f MB", NR, sum / 1e6 }')"
for files in with without; do
    [ $files = without ] && find "$work/data" -name '*.graph' -delete
    start
    served=$(since "$begun")
    [ $files = with ] && a_vector "after a start"
    until [ "$(path)" = graph ]; do pause 0.02; done
    echo "$files files: serves after $served s, searches through a graph after $(since "$begun") s"
    memory "$files files"
    if [ $files = with ]; then
        a_vector "after a search"
        search_for_others
        memory "after 10,000 searches"
        a_vector "after 10,000 searches"
        pause 130
        a_vector "130 s later"
    fi
    end_server
done
echo "load after: $(cut -d' ' -f1 /proc/loadavg)"
