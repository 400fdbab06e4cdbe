#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# Under load: long feeds beside writes, less than asked for and said so, refusals.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

"$bin/tidal-server" standalone --ephemeral --degrade-1-ms 30 --degrade-2-ms 20 --listen 127.0.0.1:0 >"$work/refused" 2>&1 &&
    fail "limits that do not rise are refused"
grep -q 'degrade_2_ms' "$work/refused" || fail "the error names the limit: $(cat "$work/refused")"

# So many long feeds run: two for each executor that has a shard, unless the operator says how many.
"$bin/tidal-server" standalone --executors 2 --print-config | grep -qx 'queries_running: 0' || fail "the default is to be told by the executors"
for flags in "--executors 1" "--executors 2 --shards 4" "--executors 8 --shards 3" "--queries-running 5"; do
    # shellcheck disable=SC2086  # several words
    start_server standalone --ephemeral $flags || finish
    call GET /metrics
    grep '^tidal_query_running_max ' <<<"$reply" | cut -d' ' -f2 >>"$work/running_max"
    stop_server TERM || fail "a clean stop"
done
[ "$(tr '\n' ' ' <"$work/running_max")" = "2 4 6 5 " ] || fail "long feeds that run: $(cat "$work/running_max")"

start_server standalone --ephemeral --degrade-1-ms 1 --degrade-2-ms 1 --shed-ms 2 --queries-running 1 || finish
for ((from = 0; from < 30000; from += 10000)); do
    seq "$from" $((from + 9999)) | sed 's/.*/{"entity_id":&,"metadata":{"category":"c"}}/' >"$work/items"
    curl -s -X POST -H 'Content-Type: application/x-ndjson' --data-binary "@$work/items" \
        "http://127.0.0.1:$port/items" | tail -n 1 | grep -q '"accepted":10000' || fail "items are accepted"
done
call GET "/feed?profile=shuffle&explain=true&facets=category"
expect 200 '"scored":30000' '"degradation":0' '"explain":{' '"facets":{'

call POST /profiles '{"text":"profile listed version 1 { candidates recent limit 50; score 1 - rank(recent); }"}'
expect 200
call GET "/feed?profile=listed&limit=50"
[ "$(jq '.items | length' <<<"$reply")" = 50 ] || fail "a list of 50: $reply"

# Scans from eight connections until some were refused and some got less.
metric() {
    call GET /metrics
    sed -n "s/^$1 //p" <<<"$reply"
}
refusal="" less="" unranked="" round=0
deadline=$((SECONDS + 120))
until [ -n "$refusal" ] && [ -n "$less" ] && [ -n "$unranked" ] || [ $SECONDS -gt $deadline ]; do
    pids=()
    round=$((round + 1))
    for connection in 1 2 3 4 5 6 7 8; do
        curl -s -i -o "$work/load.$round.$connection" "http://127.0.0.1:$port/feed?profile=shuffle&explain=true&facets=category" &
        pids+=($!)
    done
    curl -s -o "$work/listed.$round" "http://127.0.0.1:$port/feed?profile=listed" &
    pids+=($!)
    wait "${pids[@]}"
    refusal=$(grep -l '^HTTP/1.1 503' "$work"/load.* | head -n 1)
    less=$(grep -l '"degradation":2' "$work"/load.* | head -n 1)
    unranked=$(grep -l '"degradation":2' "$work"/listed.* | head -n 1)
done
[ -n "$refusal" ] || fail "nothing was refused"
[ -n "$less" ] || fail "nobody was given less"
[ "$(metric tidal_query_refused)" -gt 0 ] || fail "refusals are counted"
[ "$(metric 'tidal_query_admitted{level="2"}')" -gt 0 ] || fail "levels are counted"
grep -qi '^Retry-After: 1' "$refusal" || fail "a refusal says when to retry: $(cat "$refusal")"
grep -q '"code":"overloaded"' "$refusal" || fail "a refusal says why: $(cat "$refusal")"
grep -q '"left_out":\["facets","explain"\]' "$less" || fail "what was left out is said: $(tail -c 300 "$less")"
grep -q 'under load: facets were not counted' "$less" || fail "and warned of"

[ -n "$unranked" ] || fail "no page of lists was given less"
grep -q '"left_out":\["source_lists","reranking"\]' "$unranked" || fail "what was left out is said: $(tail -c 400 "$unranked")"
grep -q '"score":0.016393442622950[0-9]*' "$unranked" || fail "the first of its list is the first, 1 / 61: $(head -c 200 "$unranked")"

# Urgent ones are refused last, and it passes.
call GET "/feed?profile=shuffle" "" "Priority: u=0"
[ "$status" = 200 ] || fail "an urgent feed is served: $status $reply"
stop_server TERM || fail "a clean stop"
finish
