#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2154  # bin, root, work, port, status and reply come from lib.sh
# Friends, through the doors of the real programs: what they refuse, what a page knows of them, and what is left when one is
# deleted; the same after kill -9 and after a clean stop.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

ids() { # PATH IDS
    call GET "$1"
    expect 200
    [ "$(jq -r '[.items[].entity_id] | tostring' <<<"$reply")" = "$2" ] || fail "$1: expected $2: $reply"
}
query() { call POST /query "$(jq -n --arg text "$1" '{query: $text}')"; }

start_server standalone --data-dir "$work/data" --shards 2 || finish
for id in 1 2 3 4; do
    call POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"item $id\"}}"
    expect 200
done
for user in 5 6; do
    call POST /relationships "{\"user_id\":7,\"kind\":\"friends\",\"friend_id\":$user}"
    expect 200
done
call POST /relationships '{"user_id":7,"kind":"friends","item_id":5}'
expect 400 '"field":"item_id"' 'takes `friend_id`'
call POST /relationships '{"user_id":7,"kind":"friends","friend_id":7}'
expect 400 '"field":"friend_id"'
call POST /signals '[{"entity_id":2,"signal":"like","user_id":5},{"entity_id":2,"signal":"like","user_id":6},{"entity_id":3,"signal":"like","user_id":6},{"entity_id":4,"signal":"view","user_id":6},{"entity_id":1,"signal":"like","user_id":8}]'
expect 200
call POST /profiles '{"text":"profile known version 1 { score friends(like); require friends(like); }"}'
expect 200
# Every signal of the built-in schema tells who gave it.
call POST /signals '[{"entity_id":1,"signal":"share","user_id":5},{"entity_id":3,"signal":"share","user_id":5},{"entity_id":3,"signal":"share","user_id":6},{"entity_id":2,"signal":"comment","user_id":5},{"entity_id":2,"signal":"complete","user_id":5},{"entity_id":1,"signal":"dislike","user_id":6},{"entity_id":1,"signal":"skip","user_id":6},{"entity_id":1,"signal":"save","user_id":5},{"entity_id":4,"signal":"share","user_id":8}]'
expect 200
for signal in view like share comment save complete dislike skip hide; do
    call POST /profiles "{\"text\":\"profile by_$signal version 1 { score friends($signal); require friends($signal); }\"}"
    expect 200 '"created":true'
done
call POST /profiles '{"text":"profile bad version 1 { score friends(impression); }"}'
expect 400 '"code":"no_state_of_signal"' '`impression` sets no state' 'sets: [gave_impression]'
call GET '/feed?profile=known'
expect 400 '"code":"missing_input"'

all_hold() { # WHEN
    ids '/feed?profile=known&user_id=7' '[2,3]'
    ids '/feed?profile=known&user_id=5' '[]'
    call POST /feed '{"profile":"known","user_id":7,"limit":1,"explain":true}'
    expect 200 '"score":2' 'friends(like)'
    ids '/feed?profile=old&user_id=7&filter=friends_engaged(like)' '[2,3]'
    ids '/feed?profile=by_share&user_id=7' '[3,1]'
    ids '/feed?profile=by_comment&user_id=7' '[2]'
    ids '/feed?profile=by_complete&user_id=7' '[2]'
    ids '/feed?profile=by_dislike&user_id=7' '[1]'
    ids '/feed?profile=by_skip&user_id=7' '[1]'
    ids '/feed?profile=by_save&user_id=7' '[1]'
    ids '/feed?profile=by_view&user_id=7' '[4]'
    ids '/feed?profile=by_hide&user_id=7' '[]'
    ids '/feed?profile=old&user_id=7&filter=friends_engaged(share)' '[1,3]'
    ids '/feed?profile=old&user_id=5&filter=shared%20AND%20NOT%20commented' '[1,3]'
    ids '/feed?profile=old&user_id=7&filter=friends_engaged' '[1,2,3,4]'
    ids '/feed?profile=old&user_id=7&filter=NOT%20friends_engaged' '[]'
    ids '/feed?profile=old&user_id=7&filter=NOT%20friends_engaged(share)' '[2,4]'
    query "RETRIEVE items USING old FOR USER 7 WHERE friends_engaged(like)"
    expect 200 '"matched":2'
    call GET '/users/7/relationships?kind=friends'
    expect 200 '"friend_id":5' '"friend_id":6'
    [ "$failed" = 0 ] || fail "that was $1"
}
all_hold "at first"
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
all_hold "after kill -9"
stop_server TERM
start_server standalone --data-dir "$work/data" || finish
all_hold "after a clean stop"

"$bin/tidalctl" relationship list 7 --kind friends --url "http://127.0.0.1:$port" | grep -q 'friends *user *5' || fail "relationship list"
call GET '/feed?profile=old&filter=friends_engaged'
expect 400 '"code":"missing_input"'
call GET '/feed?profile=old&user_id=7&filter=friends_engaged(impression)'
expect 400 '"code":"no_state_of_signal"' 'sets: [gave_impression]'
# Whoever is deleted is nobody's friend.
call POST /users '{"entity_id":6,"metadata":{}}'
call DELETE /users/6
expect 200
ids '/feed?profile=known&user_id=7' '[2]'
call GET '/users/7/relationships?kind=friends'
[[ $reply != *'"friend_id":6'* ]] || fail "a user who is gone is a friend: $reply"
call DELETE /relationships '{"user_id":7,"kind":"friends","friend_id":5}'
expect 200
ids '/feed?profile=known&user_id=7' '[]'
stop_server TERM
finish
