#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work, port, reply and status come from lib.sh
# Vectors in rankings, through the doors of the real programs: sources, similarity as score, filter and
# explanation, mmr, related items; what is wrong; and the same pages after kill -9.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

start_server standalone --data-dir "$work/data" --shards 3 || finish
item() {
    call POST /items "{\"entity_id\":$1,\"metadata\":{\"title\":\"t$1\",\"category\":\"$2\"}}"
    expect 200 '"created":true'
    [ -z "${3-}" ] && return
    call POST /embeddings "{\"entity_id\":$1,\"values\":[$3]}"
    expect 200
    token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
}
item 1 jazz 1,0,0,0
item 2 jazz 0.9,0.1,0,0
item 3 rock 0.8,0.3,0,0
item 4 rock 0.5,0.5,0,0
item 5 jazz 0,1,0,0
item 6 jazz -1,0,0,0
item 7 rock ''

ids() { grep -o '"entity_id":[0-9]*' <<<"$reply" | sed 's/.*://' | tr '\n' ' '; }
expect_ids() { [ "$(ids)" = "$1" ] || fail "expected items '$1', got '$(ids)' in: $reply"; }
query() { call POST "/query?token=$token" "{\"query\":\"$1\"}"; }
wait_for_writes() { call GET "/items/1?token=$token"; }
wait_for_writes

pages() {
    call GET "/feed?profile=similar&similar_to=1"
    expect 200 '"profile":"similar@1"'
    expect_ids "2 3 4 5 6 "
    call POST /feed '{"profile":"similar","similar_to":"1","filter":"category = '"'rock'"'","explain":true}'
    expect 200 '"terms":[{"term":"similarity","value":' '"matched":2'
    expect_ids "3 4 "
    call GET "/items/1/related?limit=2"
    expect 200 '"profile":"related@1"' '"next_cursor":"'
    expect_ids "2 3 "
    cursor=$(sed -n 's/.*"next_cursor":"\([^"]*\)".*/\1/p' <<<"$reply")
    call GET "/items/1/related?limit=2&cursor=$cursor"
    expect_ids "4 5 "
    # By a vector: any profile's order, or a condition.
    call GET "/feed?profile=old&sort=similarity(default)%20desc&vector=0,1,0,0&limit=3"
    expect 200
    expect_ids "5 4 3 "
    call POST /feed '{"profile":"old","vector":[0,2,0,0],"filter":"similarity(default) > 0.5"}'
    expect_ids "4 5 "
    call POST /feed '{"profile":"old","vector":[0,2,0,0],"filter":"similarity > 0.5 AND category != '"'rock'"'"}'
    expect_ids "5 "
    query "RETRIEVE items USING similar SIMILAR TO 5 WHERE category = 'rock' EXPLAIN"
    expect_ids "4 3 "
    query "RETRIEVE items USING old VECTOR (1, 0, 0, 0) ORDER BY similarity(default) LIMIT 2"
    expect_ids "6 5 "
    # Alike ones apart: 2 is so near to 1 that 5 comes before it.
    query "RETRIEVE items USING old VECTOR (1, 0, 0, 0) WHERE similarity >= 0 ORDER BY similarity(default) DESC LIMIT 3 DIVERSIFY mmr(0.3, default)"
    expect_ids "1 5 4 "
}
pages

# What is wrong is named.
call GET "/feed?profile=similar"
expect 400 '"code":"missing_input"' '"field":"similar_to"'
call GET "/feed?profile=similar&similar_to=99"
expect 404 '"code":"unknown_item"' '"field":"similar_to"'
call GET "/items/99/related"
expect 404 '"code":"unknown_item"'
call GET "/items/1/related?similar_to=2"
expect 400 '"field":"similar_to"'
call GET "/items/7/related"
expect 200 'item 7 has no vector in'
expect_ids ""
call GET "/feed?profile=old&sort=similarity(default)&vector=1,2,3"
expect 400 '"code":"wrong_dimension"' '"field":"vector"' 'give 4 numbers'
call GET "/feed?profile=old&sort=similarity(default)&vector=0,0,0,0"
expect 400 '"field":"vector"' 'zero norm'
call GET "/feed?profile=old&sort=similarity(default)&vector=1,x,3,4"
expect 400 '"field":"vector"'
call POST /feed '{"profile":"old","sort":"similarity(default)","vector":[1,2,3,1e300]}'
expect 400 'NaN or infinite'
call POST /feed '{"profile":"old","sort":"similarity(cover)","vector":[1,2,3,4]}'
expect 400 '"code":"unknown_slot"'
call GET "/feed?profile=old&similar_to=1"
expect 200 'nothing of old@1 or the filter reads it'
query "RETRIEVE items USING similar SIMILAR 1"
expect 400 'expected TO'
query "RETRIEVE items WHERE ann(default, item)"
expect 501 'gives candidates'

call GET /metrics
[[ $reply =~ tidal_shard_vectors\{[^}]*\}\ [1-9] ]] || fail "no vectors in the metrics"
[[ $reply =~ tidal_shard_vector_bytes\{[^}]*\}\ [1-9] ]] || fail "no memory of vectors in the metrics"

"$bin/tidalctl" --url "http://127.0.0.1:$port" query "RETRIEVE items USING similar SIMILAR TO 1 LIMIT 1" >"$work/ctl" ||
    fail "tidalctl: $(cat "$work/ctl")"
grep -q '^1 .* 2 ' "$work/ctl" || fail "tidalctl shows: $(cat "$work/ctl")"

# The same after a crash, from the log; and after a stop, from a checkpoint.
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
pages
stop_server TERM
start_server standalone --data-dir "$work/data" || finish
pages

# A newer vector counts at once, and a deleted item is near to nothing.
call POST /embeddings '{"entity_id":6,"values":[1,0.01,0,0]}'
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
wait_for_writes
call GET "/items/1/related?limit=2"
expect_ids "6 2 "
call DELETE /items/2
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
call GET "/items/1/related?limit=2"
expect_ids "6 3 "
call GET "/items/2/related"
expect 404 '"code":"unknown_item"'
finish
