#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work, port, status and reply come from lib.sh
# What the catalogue refers to is there, whoever writes at the same time: a collection that is described and deleted at
# once, and cohorts, profiles and experiments whose parents, collections and profiles are retired under them.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

rounds=40
# send NAME METHOD PATH [BODY]: in the background; leaves the status in $work/NAME.
send() {
    local args=(-s --max-time 60 -X "$2" -o "$work/$1.reply" -w '%{http_code}')
    [ -n "${4-}" ] && args+=(-H 'Content-Type: application/json' --data-binary "$4")
    curl "${args[@]}" "http://127.0.0.1:$port$3" >"$work/$1"
}
# at_once FIRST.. -- SECOND..: two of them, begun in this order; sets `one` and `two`, their statuses.
at_once() {
    local first=()
    while [ "$1" != -- ]; do first+=("$1") && shift; done
    shift
    send one "${first[@]}" &
    local one_pid=$!
    send two "$@" &
    wait $one_pid $!
    one=$(cat "$work/one") two=$(cat "$work/two")
}
reply_of() { cat "$work/$1.reply"; }

start_server standalone --data-dir "$work/data" --shards 4 || finish
items=$(seq 1 3000)
to_server() { # PATH JQ
    status=$(jq -c "$2" <<<"$items" | curl -s --max-time 60 -o "$work/reply" -w '%{http_code}' -H 'Content-Type: application/x-ndjson' \
        --data-binary @- "http://127.0.0.1:$port$1")
    reply=$(cat "$work/reply")
    expect 200 '"rejected":0'
}
to_server /items '{entity_id: .}'

# Deleted and described at once. What was put in after the description was answered is in, and nothing else is, unless
# the deletion came last: then there is no such collection.
put_and_add() { # BODY
    send put PUT /collections/later "$1"
    [ "$(cat "$work/put")" = 200 ] || return
    send add POST /collections/later/items '{"entity_id":3000}'
}
for ((round = 0; round < rounds; ++round)); do
    call PUT /collections/later '{"description":"ours"}'
    expect 200
    ((round % 4 == 0)) && to_server /collections/later/items '{entity_id: ., position: .}'
    body='{"description":"ours"}'
    ((round % 2 == 0)) && body="{\"description\":\"described anew $round\"}"
    rm -f "$work/add"
    if ((round % 3 == 0)); then
        put_and_add "$body" &
        put_pid=$!
        send drop DELETE /collections/later
    else
        send drop DELETE /collections/later &
        put_pid=$!
        put_and_add "$body"
    fi
    wait $put_pid
    [ "$(cat "$work/put")" = 200 ] || fail "round $round: PUT is $(cat "$work/put"): $(reply_of put)"
    [ "$(cat "$work/drop")" = 200 ] || fail "round $round: DELETE is $(cat "$work/drop"): $(reply_of drop)"
    call GET '/collections/later/items?limit=5'
    [ "$status" = 404 ] && continue
    expect 200
    [ "$(cat "$work/add")" = 200 ] || fail "round $round: the collection is there, an item is refused: $(reply_of add)"
    [ "$(jq -c '[.items[].entity_id]' <<<"$reply")" = '[3000]' ] || fail "round $round: not what was put in: $reply"
    ((failed)) && break
done

# One of the two is refused.
count_pair() { # WHAT
    case $one-$two in
    200-200) fail "round $round: $1: both are accepted" ;;
    200-409 | 400-200) ;;
    *) fail "round $round: $1: $one $(reply_of one), $two $(reply_of two)" ;;
    esac
}
text() { jq -cn --arg text "$1" '{text: $text}'; }
for ((round = 1; round <= rounds; ++round)); do
    call POST /cohorts "$(text "cohort parent version $round { tracks view; where region = 'x'; }")"
    expect 200
    at_once POST /cohorts "$(text "cohort child version $round { parent parent; tracks view; where region = 'x'; }")" \
        -- DELETE /cohorts/parent
    count_pair "a cohort and its parent"
    call GET /cohorts
    listed=$(jq -r '[.cohorts[].name] | sort | join(" ")' <<<"$reply")
    [ "$one-$listed" = "200-child parent" ] || [ "$one-$listed" = 400- ] || fail "round $round: $one, listed: $listed"
    [ "$one" = 200 ] && call DELETE /cohorts/child && call DELETE /cohorts/parent

    call PUT /collections/shelf
    expect 200
    at_once POST /profiles "$(text "profile picks version $round { candidates collection(shelf); score 1; }")" \
        -- DELETE /collections/shelf
    count_pair "a profile and its collection"
    [ "$one" = 200 ] && call GET '/feed?profile=picks' && expect 200
    call DELETE /profiles/picks

    call POST /profiles "$(text "profile mine version $round { candidates scan; score 1; }")"
    expect 200
    at_once POST /experiments "$(text "experiment e version $round { arm mine@$round; arm new@1; }")" -- DELETE /profiles/mine
    count_pair "an experiment and its profile"
    [ "$one" = 200 ] && call DELETE /experiments/e
    call DELETE /profiles/mine
    ((failed)) && break
done
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
call GET /cohorts
expect 200
stop_server TERM || fail "SIGTERM should exit 0"
finish
