#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work, port, reply and status come from lib.sh
# Files of vectors through the door: fvecs and npy, ids that are counted and ids from another file, what
# is wrong with either, a kill in the middle, and what is near afterwards, also after a restart.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

cat >"$work/schema.yaml" <<'YAML'
items:
  fields: {title: text}
  embeddings:
    small: {dimensions: 4, metric: l2}
    sift: {dimensions: 128, metric: l2}
signals:
  view: {polarity: neutral, half_life: 1d}
YAML
start() { start_server standalone --data-dir "$work/data" --schema "$work/schema.yaml" --checkpoint-interval-ms 500 || finish; }
start
rows=${ROWS:-60000}
files=$work/files
mkdir "$files"

# Rows of bytes -128..127 by `awk`, so that row r is (r % 256 - 128, r / 256 % 256 - 128, 1 + r / 65536, 1).
npy() { # ROWS TYPE
    local header
    header=$(printf "{'descr': '%s', 'fortran_order': False, 'shape': (%d, 4), }" "$2" "$1")
    printf '\223NUMPY\001\000\166\000%-117s\n' "$header"
    LC_ALL=C awk -v n="$1" 'BEGIN { for (r = 0; r < n; r++)
        printf "%c%c%c%c", (r % 256 + 128) % 256, (int(r / 256) + 128) % 256, 1 + int(r / 65536), 1 }'
}
items() { echo id,title && seq "$1" | awk '{print 7 * $1 ",t" $1}'; }
fill_files() {
    items "$rows" >"$files/items.csv"
    npy "$rows" '|i1' >"$files/small.npy"
    tar --format=ustar -C "$files" -cf "$work/archive.tar" mapping.yaml items.csv small.npy
}
cat >"$files/mapping.yaml" <<'YAML'
files:
  - file: items.csv
    items: {id: id, fields: {title: title}}
  - file: small.npy
    format: npy
    vectors: {slot: small, ids: {file: items.csv, column: id}}
YAML
call POST /profiles '{"text":"profile near version 1 { candidates ann(small) limit 3; score similarity(small); }"}'
expect 200

post() { # ID [FILE...]: the archive of mapping.yaml and these, or of all
    local id=$1
    shift
    [ $# -eq 0 ] && set -- items.csv small.npy
    status=$(tar --format=ustar -C "$files" -cf - mapping.yaml "$@" |
        curl -s -o "$work/reply" -w '%{http_code}' -H 'Content-Type: application/x-tar' --data-binary @- "http://127.0.0.1:$port/import?id=$id")
    reply=$(cat "$work/reply")
}
ids() { grep -o '"entity_id":[0-9]*' <<<"$reply" | sed 's/.*://' | tr '\n' ' '; }
# Row 1000 is (104, -125, 1, 1), its id 7 * 1001.
check_near() {
    call POST /feed '{"profile":"near","vector":[104,-125,1,1],"effort":"exact","fields":[]}'
    expect 200
    [[ $(ids) == "7007 "* ]] || fail "$1: near to row 1000 are $(ids)"
}

# kill -9 in the middle of the vectors; the same archive again goes on. Where the import was over before the kill, twice as many
# rows are imported under another id: sooner or later they take longer than it takes to see their progress.
kill_within_import() { # ID
    fill_files
    curl -s -o /dev/null -H 'Content-Type: application/x-tar' --data-binary "@$work/archive.tar" \
        "http://127.0.0.1:$port/import?id=$1&wait=false"
    local deadline=$((SECONDS + 60 + rows / 5000))
    until call GET "/import/$1" && [[ $reply =~ \"accepted\":([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -gt "$rows" ]; do
        [ $SECONDS -gt $deadline ] && fail "no progress: $reply" && break
    done
    stop_server KILL
    start
    post "$1"
    [[ $reply != *'"imported_before":true'* ]]
}
until import=a$rows && kill_within_import "$import"; do
    [ "$rows" -gt 400000 ] && fail "each import ends before it can be killed: $reply" && break
    rows=$((2 * rows))
done
expect 200 '"state":"finished"' '"rejected":0'
[[ $reply =~ \"skipped\":([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -gt "$rows" ] || fail "too little was skipped: $reply"
call GET /metrics
total=$(awk '/^tidal_shard_vectors\{/ { sum += $2 } END { print sum }' <<<"$reply")
[ "$total" = "$rows" ] || fail "$total vectors of $rows"
check_near "imported"
stop_server KILL
start
check_near "after a restart"
post "$import"
expect 200 '"imported_before":true'

# What is wrong is said, with the row.
items 20 >"$files/items.csv"
npy 10 '<f4' >"$files/small.npy"
post b
expect 400 'the file ends' 'row 3' 'small.npy'
npy 10 '<f8' >"$files/small.npy"
post c
expect 400 "numbers of type '<f8'" 'astype'
npy 21 '|i1' >"$files/small.npy"
post d
expect 400 'the file of ids has no more rows' 'row 21'
npy 19 '|i1' >"$files/small.npy"
post h
expect 400 'the file of ids has more rows'
cp "$files/items.csv" "$files/small.npy"
post e
expect 400 "none of NumPy's"
sed -i 's/slot: small/slot: smal/' "$files/mapping.yaml"
post f
expect 400 "embedding slot 'smal'" 'small'
post g items.csv
expect 404 'small.npy'

# fvecs whose ids are counted, by tidalctl: rows for items that are not there, and one that is no number.
f32() { # of small whole numbers: little-endian bytes of a float32
    awk -v x="$1" 'BEGIN { if (x == 0) { print 0, 0, 0, 0; exit }
        e = 0; m = x; while (m >= 2) { m /= 2; e++ }
        bits = (127 + e) * 8388608 + (m - 1) * 8388608
        for (i = 0; i < 4; i++) { printf "%d ", bits % 256; bits = int(bits / 256) } }'
}
bytes() { for byte in "$@"; do printf "%b" "\\0$(printf %o "$byte")"; done; }
fvec() {
    bytes $# 0 0 0
    for value in "$@"; do
        # shellcheck disable=SC2046  # four numbers
        bytes $(f32 "$value")
    done
}
{ fvec 9 9 9 9 && fvec 1 2 3 4 && bytes 4 0 0 0 0 0 192 127 0 0 0 0 0 0 0 0 0 0 0 0; } >"$files/more.fvecs"
cat >"$files/mapping.yaml" <<'YAML'
files:
  - file: more.fvecs
    format: fvecs
    vectors: {slot: small, first_id: 7}
YAML
"$bin/tidalctl" import --url "http://127.0.0.1:$port" --mapping "$files/mapping.yaml" --rejects "$work/rejects" "$files" \
    >"$work/imported" 2>"$work/progress" || fail "tidalctl: $(cat "$work/progress")"
grep -q '"accepted":1,"skipped":0,"rejected":2' "$work/imported" || fail "import: $(cat "$work/imported")"
grep -q '"line":2.*"text":"8"' "$work/rejects" || fail "no item has the id 8: $(cat "$work/rejects")"
grep -q 'NaN.*"line":3.*"text":"9"' "$work/rejects" || fail "not a number: $(cat "$work/rejects")"
call POST /feed '{"profile":"near","vector":[9,9,9,9],"effort":"exact","fields":[]}'
[[ $(ids) == "7 "* ]] || fail "the vector of fvecs is not first: $(ids)"

# The descriptors of the public collection, where they are, packed as they are: each is nearest to itself.
if [ -n "${TIDAL_TEST_DATA-}" ]; then
    cp "$TIDAL_TEST_DATA/sift-5k/siftsmall_query.fvecs.zst" "$files/"
    seq 100 | awk 'BEGIN {print "id,title"} {print $1 ",t" $1}' >"$files/hundred.csv"
    cat >"$files/mapping.yaml" <<'YAML'
files:
  - file: hundred.csv
    items: {id: id, fields: {title: title}}
  - file: siftsmall_query.fvecs
    format: fvecs
    vectors: {slot: sift, first_id: 1}
YAML
    "$bin/tidalctl" import --url "http://127.0.0.1:$port" --mapping "$files/mapping.yaml" "$files" \
        >"$work/imported" 2>"$work/progress" || fail "tidalctl: $(cat "$work/progress")"
    grep -q '"accepted":200,"skipped":0,"rejected":0' "$work/imported" || fail "sift: $(cat "$work/imported")"
    values=$(zstd -dc "$files/siftsmall_query.fvecs.zst" | tail -c +$((41 * 516 + 5)) | head -c 512 | od -An -v -tf4 | tr -s ' \n' ',' | sed 's/^,//; s/,$//')
    call POST /profiles '{"text":"profile sift version 1 { candidates ann(sift) limit 3; score similarity(sift); }"}'
    call POST /feed "{\"profile\":\"sift\",\"vector\":[$values],\"fields\":[],\"limit\":1}"
    [ "$(ids)" = "42 " ] || fail "nearest to the 42nd descriptor is $(ids)"
fi
stop_server TERM
finish
