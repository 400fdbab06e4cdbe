#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work, port, status and reply come from lib.sh
# Who comes back after a gap is shown what is liked these days: by days_since_last(positive), which explain shows, also
# after kill -9; who likes again is shown what goes with it.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

echo 0 >"$work/shift"
serve() {
    LD_PRELOAD=$bin/libshifted_clock.so TIDAL_CLOCK_SHIFT_FILE=$work/shift \
        start_server standalone --data-dir "$work/data" --shards 3 || finish
}
tell() { # PATH, lines from standard input
    curl -s -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port$1" >"$work/told"
    grep -q '"rejected":0' "$work/told" || fail "$1: $(tail -n 2 "$work/told")"
}
like() { # ITEM
    call POST /signals "{\"entity_id\":$1,\"signal\":\"like\",\"user_id\":50}"
    expect 200
    token=$(jq -r .token <<<"$reply")
}
# page PROFILE USER: reads what user 50 did.
page() { call GET "/feed?profile=$1&fields=&user_id=$2&limit=5&explain=true" "" "Tidal-Token: $token" && expect 200; }
first() { jq '.items[0].entity_id' <<<"$reply"; }
# days WANTED MISSING: of the first item of the page, as the explanation has it.
days() {
    jq -e --argjson wanted "$1" --argjson missing "$2" '.items[0].explain.features[] |
        select(.feature == "days_since_last(positive)") | (.value - $wanted | fabs) < 0.1 and .missing == $missing' \
        <<<"$reply" >"$work/checked" || fail "days_since_last(positive) is not $1, missing $2: $reply"
}

serve
for id in {1..30}; do echo "{\"entity_id\":$id,\"metadata\":{\"title\":\"Film $id\"}}"; done | tell /items
for user in {1..12}; do
    for id in {1..6}; do echo "{\"entity_id\":$id,\"signal\":\"like\",\"user_id\":$user}"; done
done | tell /signals
for id in 1 2 3; do like $id; done
call POST /profiles '{"text":"profile away version 1 { score days_since_last(positive); }"}'
expect 200
call POST /profiles '{"text":"profile p version 1 { score days_since_last(like); }"}'
expect 400 'expected `positive` or `negative`' '`like` is a signal of positive polarity'
call GET '/feed?profile=away'
expect 400 '"code":"missing_input"' '`away` needs user_id'
# What a request is sorted by stands in the place of the profile's score, and needs what it would.
for sort in 'days_since_last(positive)' 'affinity(creator)' 'state(liked)' co_engagement nearest_disliked; do
    call GET "/feed?profile=new&sort=$(jq -rn --arg sort "$sort" '$sort | @uri')"
    expect 400 '"code":"missing_input"' user_id
    call POST /query "{\"query\":\"RETRIEVE items USING new ORDER BY $sort LIMIT 5\"}"
    expect 400 '"code":"missing_input"' user_id
done
page away 99
days "$(jq -n 'now / 86400')" true
page for_you 50
days 0 false
[ "$(first)" -le 6 ] || fail "liked together with what the user likes comes first: $reply"

echo $((200 * 86400000)) >"$work/shift"
for user in {101..140}; do echo "{\"entity_id\":10,\"signal\":\"like\",\"user_id\":$user}"; done | tell /signals
back() {
    page for_you 50
    days 200 false
    [ "$(first)" = 10 ] || fail "what is liked now comes first: $reply"
}
back
stop_server KILL
serve
back
stop_server TERM
serve
back
like 1
page for_you 50
days 0 false
[ "$(first)" -le 6 ] || fail "who is back has a taste again: $reply"
finish
