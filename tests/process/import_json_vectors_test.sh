#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work, port, reply and status come from lib.sh
# JSON lines with vectors through the door, in our own shape and through a mapping: a kill in the middle of
# either, what is near afterwards, and lines that are wrong, which are left out as a whole.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

cat >"$work/schema.yaml" <<'YAML'
items:
  fields: {title: text}
  embeddings:
    small: {dimensions: 4, metric: l2}
    turned: {dimensions: 2, metric: cosine}
users:
  embeddings:
    taste: {dimensions: 2, metric: dot}
signals:
  view: {polarity: neutral, half_life: 1d}
YAML
start() { start_server standalone --data-dir "$work/data" --schema "$work/schema.yaml" --shards 2 --checkpoint-interval-ms 500 || finish; }
start
files=$work/files
mkdir "$files"
call POST /profiles '{"text":"profile near version 1 { candidates ann(small) limit 3; score similarity(small); }"}'
expect 200

# Row r is (r % 256 - 128, r / 256 % 256 - 128, 1 + r / 65536, 1).
lines() { # FIRST ROWS FORMAT of an id and four numbers
    awk -v first="$1" -v n="$2" -v format="$3" 'BEGIN { for (r = 0; r < n; r++)
        printf format "\n", first + r, r % 256 - 128, int(r / 256) % 256 - 128, 1 + int(r / 65536), 1 }'
}
post() { # QUERY TYPE FILE
    status=$(curl -s -o "$work/reply" -w '%{http_code}' -H "Content-Type: $2" --data-binary "@$3" "http://127.0.0.1:$port/import?$1")
    reply=$(cat "$work/reply")
}
ids() { grep -o '"entity_id":[0-9]*' <<<"$reply" | sed 's/.*://' | tr '\n' ' '; }
expect_near() { # WHEN VECTOR ID
    call POST /feed "{\"profile\":\"near\",\"vector\":[$2],\"effort\":\"exact\",\"fields\":[]}"
    expect 200
    [[ $(ids) == "$3 "* ]] || fail "$1: near to $2 are $(ids), not $3"
}
vectors() {
    call GET /metrics
    awk '/^tidal_shard_vectors\{/ { sum += $2 } END { print sum }' <<<"$reply"
}
# Returns once so much of an import is written, if it still runs then.
runs_at() { # ID ACCEPTED
    local deadline=$((SECONDS + 120))
    until call GET "/import/$1" && [[ $reply =~ \"accepted\":([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -ge "$2" ]; do
        [ $SECONDS -gt $deadline ] && fail "no progress of $1: $reply" && return 1
    done
    [[ $reply == *'"state":"running"'* ]]
}

# In our own shape, an item and its vector a line. The client sends slowly, so the server is killed before the end.
rows=${ROWS:-12000}
lines 1 "$rows" '{"entity_id":%d,"metadata":{"title":"t"},"slot":"small","values":[%d,%d,%d,%d]}' >"$work/lines.ndjson"
curl -s --limit-rate 300k -o /dev/null -H 'Content-Type: application/x-ndjson' --data-binary "@$work/lines.ndjson" "http://127.0.0.1:$port/import?id=own" &
client=$!
runs_at own 1 || fail "the import was over before its end was sent: $reply"
stop_server KILL
wait $client
start
post id=own application/x-ndjson "$work/lines.ndjson"
expect 200 '"state":"finished"' '"rejected":0' "\"rows\":$rows,"
[[ $reply =~ \"accepted\":([0-9]+),\"skipped\":([0-9]+) ]] || fail "no counts: $reply"
[ "${BASH_REMATCH[2]}" -gt 0 ] || fail "nothing was skipped: $reply"
[ $((BASH_REMATCH[1] + BASH_REMATCH[2])) = "$rows" ] || fail "not all $rows: $reply"
[ "$(vectors)" = "$rows" ] || fail "$(vectors) vectors of $rows"
expect_near "own lines" 104,-125,1,1 1001
stop_server KILL
start
expect_near "own lines after a restart" 104,-125,1,1 1001

# Through a mapping, as one archive. Where it is over before the kill, twice as many rows take longer.
cat >"$files/mapping.yaml" <<'YAML'
files:
  - file: songs.ndjson
    format: ndjson
    items: {id: song, fields: {title: name}, embeddings: {small: made, turned: angle}}
YAML
mapped=40000
total=$rows
kill_within() {
    lines 1000001 "$mapped" '{"song":%d,"name":"n","made":[%d,%d,%d,%d.5],"angle":null}' >"$files/songs.ndjson"
    tar --format=ustar -C "$files" -cf "$work/archive.tar" mapping.yaml songs.ndjson
    curl -s -o /dev/null -H 'Content-Type: application/x-tar' --data-binary "@$work/archive.tar" "http://127.0.0.1:$port/import?id=m$mapped&wait=false"
    local killed=0
    runs_at "m$mapped" 1000 && killed=1
    stop_server KILL
    start
    post "id=m$mapped" application/x-tar "$work/archive.tar"
    [ $killed = 1 ] && [[ $reply != *'"imported_before":true'* ]]
}
until kill_within; do
    [ "$mapped" -gt 600000 ] && fail "each import ends before it can be killed: $reply" && break
    mapped=$((2 * mapped))
done
expect 200 '"state":"finished"' '"rejected":0'
if ! [[ $reply =~ \"skipped\":([0-9]+) ]] || [ "${BASH_REMATCH[1]}" -lt 1000 ]; then fail "too little was skipped: $reply"; fi
total=$((total + mapped))
[ "$(vectors)" = "$total" ] || fail "$(vectors) vectors of $total"
expect_near "mapped" 104,-125,1,1.5 1001001

# Lines of each kind, and those that are wrong: left out as a whole, kept with their reasons.
cat >"$work/lines.ndjson" <<'LINES'
{"entity_id":1,"slot":"small","values":[500,500,500,500]}
{"entity_id":7,"kind":"user","metadata":{},"values":[1,2]}
{"entity_id":7,"kind":"user","values":[2,1]}
{"entity_id":2000001,"metadata":{"title":"short"},"slot":"small","values":[1,2,3]}
{"entity_id":2000002,"metadata":{"title":"not a number"},"slot":"small","values":[1,2,3,NaN]}
{"entity_id":2000003,"metadata":{"title":"huge"},"slot":"small","values":[1,2,3,1e300]}
{"entity_id":2000004,"metadata":{"title":"elsewhere"},"slot":"smal","values":[1,2,3,4]}
{"entity_id":2000005,"metadata":{"title":"nowhere"},"values":[1,2,3,4]}
{"entity_id":2000006,"metadata":{"title":"nothing"},"slot":"small"}
{"entity_id":2000007,"metadata":{"title":"turned"},"slot":"turned","values":[0,0]}
{"entity_id":2,"metadata":{"titel":"x"},"slot":"small","values":[500,500,500,501]}
{"entity_id":2000008,"slot":"small","values":[1,2,3,4]}
{"entity_id":2000009,"metadata":{"title":"words"},"slot":"small","values":["1","2","3","4"]}
LINES
"$bin/tidalctl" import --url "http://127.0.0.1:$port" --id wrong --rejects "$work/rejects" "$work/lines.ndjson" >"$work/imported" 2>"$work/progress" ||
    fail "tidalctl: $(cat "$work/progress")"
grep -q '"accepted":3,"skipped":0,"rejected":10' "$work/imported" || fail "import: $(cat "$work/imported")"
rejected() { # LINE TEXT...
    local line text
    line=$(grep "\"line\":$1,\|\"line\":$1}" "$work/rejects")
    for text in "${@:2}"; do [[ $line == *"$text"* ]] || fail "line $1 is not rejected for '$text': $line"; done
}
rejected 4 wrong_dimension 'has 4 dimensions' 'short'
rejected 5 not_json
rejected 6 'values[3]'
rejected 7 unknown_slot "did you mean 'small'?"
rejected 8 'several embedding slots'
rejected 9 missing_field '"field":"values"'
rejected 10 zero_vector
rejected 11 titel
rejected 12 unknown_item
rejected 13 'values[0]' 'a number'
for id in {2000001..2000009}; do
    call GET "/items/$id"
    expect 404
done
expect_near "a vector alone" 500,500,500,500 1
expect_near "a line that was rejected" 500,500,500,501 1
[ "$(vectors)" = $((total + 1)) ] || fail "$(vectors) vectors, of users one"

cat >"$files/songs.ndjson" <<'LINES'
{"song":3000001,"name":"short","made":[1,2,3]}
{"song":3000002,"name":"not a number","made":[1,2,3,"NaN"]}
{"song":3000003,"name":"huge","made":[1,2,3,1e300]}
{"song":3000004,"name":"one","made":4}
{"song":3000005,"name":"turned","made":[1,2,3,4],"angle":[0,0]}
{"song":3000006,"name":"good","made":[900,900,900,900],"angle":[1,1]}
{"song":3000007,"name":"without"}
LINES
"$bin/tidalctl" import --url "http://127.0.0.1:$port" --mapping "$files/mapping.yaml" --rejects "$work/rejects" "$files" >"$work/imported" 2>"$work/progress" ||
    fail "tidalctl: $(cat "$work/progress")"
grep -q '"accepted":4,"skipped":0,"rejected":5' "$work/imported" || fail "import: $(cat "$work/imported")"
rejected 1 'give 4 numbers' '"field":"made"' short
rejected 2 'a number' '"field":"made"'
rejected 3 'NaN or infinite'
rejected 4 'not an array of numbers'
rejected 5 'no direction' '"field":"angle"'
call GET /items/3000005
expect 404
call GET /items/3000007
expect 200
expect_near "a good line" 900,900,900,900 3000006

# What is wrong with a mapping is said with its line.
wrong() { # MAPPING TEXT...
    printf 'files:\n  - file: songs.ndjson\n    format: %s\n' "$1" >"$files/mapping.yaml"
    tar --format=ustar -C "$files" -cf "$work/archive.tar" mapping.yaml songs.ndjson
    post id=w application/x-tar "$work/archive.tar"
    expect 400 "${@:2}"
}
wrong "$(printf 'ndjson\n    items: {id: song, embeddings: {smal: made}}')" "embedding slot 'smal'" "did you mean 'small'?" '"line":4'
wrong "$(printf 'csv\n    items: {id: song, embeddings: {small: made}}')" 'ndjson' '"line":4'
wrong "$(printf 'ndjson\n    items: {id: song, embeddings: made}')" 'a map from slots to columns'
stop_server TERM
finish
