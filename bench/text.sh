#!/usr/bin/env bash
# BM25 top 10 and indexing beside Lucene 8 and Xapian: the same generated documents, the same queries.
# usage: bench/text.sh [DOCUMENTS]   (needs build/release with TIDAL_BENCH, liblucene8-java, a JDK, python3-xapian)
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/build/release/bin
documents=${1:-500000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "hardware: $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), load $(cut -d' ' -f1 /proc/loadavg)"
"$bin/text_search_bench" write "$work" "$documents"
jars=$(printf '%s:' /usr/share/java/lucene-core-8*.jar /usr/share/java/lucene-analyzers-common-8*.jar)
javac -cp "$jars" -d "$work" bench/text/LuceneText.java bench/text/LuceneBench.java
for round in 1 2; do
    echo "== run $round"
    "$bin/text_search_bench" run "$work" | sed 's/^/tidalDB  /'
    java -Xmx4g -cp "$jars$work" LuceneBench "$work" 2>/dev/null | sed 's/^/Lucene 8 /'
done
# Lucene keeps lengths in a byte, so that scores differ in the last places and equal ones change places.
paste -d'|' "$work/hits.txt" "$work/lucene_hits.txt" | awk -F'|' '{
    split("", ours); n = split($1, a, " "); for (i = 1; i <= n; i++) if (a[i] != "") ours[a[i]] = 1
    m = split($2, b, " "); for (i = 1; i <= m; i++) if (b[i] != "") { all++; if (b[i] in ours) same++ }
} END { printf "%.4f of Lucene'"'"'s hits are among ours\n", same / all }'
if /usr/bin/python3 -c 'import xapian' 2>/dev/null; then
    /usr/bin/python3 bench/text/xapian_bench.py "$work" | sed 's/^/Xapian   /'
fi
