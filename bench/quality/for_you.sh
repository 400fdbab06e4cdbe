#!/usr/bin/env bash
# How well `for_you` foresees what people like, beside popularity, decayed popularity and item-item
# cosine of the same run: bench/quality/for_you.sh [EVERY] [--gap DAYS] [--absent DAYS] [PROFILE-FILE...]
# --gap: of the last DAYS nothing is known of anybody. --absent: only for users who rated nothing for DAYS.
# Needs build/release/bin (./run --build-only; TIDAL_BENCH is on there) and the MovieLens ratings in
# TIDAL_TEST_DATA/movielens-latest-small.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
every=${1:-5}
[ $# -gt 0 ] && shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
zstdcat "${TIDAL_TEST_DATA:?is not set}/movielens-latest-small/ratings.csv.zst" >"$work/ratings.csv"
"$root/build/release/bin/api_for_you_bench" "$work/ratings.csv" "$every" "$@"
