#!/usr/bin/env bash
# Queries of words and a vector beside Lucene 8, hnswlib and their fusion in one program.
# usage: bench/hybrid.sh [DOCUMENTS [QUERIES]]   (needs build/release with TIDAL_BENCH, liblucene8-java, a JDK, libhnswlib-dev)
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/build/release/bin documents=${1:-100000} queries=${2:-1000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "hardware: $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1); load before: $(cut -d' ' -f1 /proc/loadavg)"
"$bin/text_search_bench" write "$work" "$documents"
# Of four letters: nobody looks for what they may have meant, which the peer could not.
sed -i -E 's/\bb([a-z]{4})\b/\1/g' "$work/documents.txt" "$work/queries.txt"
jars=$(printf '%s:' /usr/share/java/lucene-core-8*.jar /usr/share/java/lucene-analyzers-common-8*.jar)
javac -cp "$jars" -d "$work" bench/text/LuceneText.java bench/text/LuceneInProcess.java
"$bin/hybrid_bench" "$work" "$jars$work" "$queries"
echo "load after: $(cut -d' ' -f1 /proc/loadavg)"
