#!/usr/bin/env bash
# shellcheck disable=SC2154,SC2317  # bin, root, work, port, status and reply come from lib.sh
# A user who is deleted is gone in every shard: right after kill -9, in all doors, on every node of a cluster; and where the
# process dies with deletions on their way, each user is there wholly or not at all.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

items=12
fill_items() {
    local id
    for ((id = 1; id <= items; ++id)); do
        call POST /items "{\"entity_id\":$id,\"creator_id\":$((100 + id)),\"metadata\":{\"title\":\"item $id\"}}"
        expect 200
    done
    call POST /profiles '{"text":"profile loved version 1 { score affinity(creator); }"}'
    expect 200
}
# live USER FRIEND: signals, relationships, a session and a search of a user, of whom no entity is made.
live() {
    local lines="" id
    for ((id = 1; id <= items; ++id)); do
        lines+="{\"entity_id\":$id,\"signal\":\"like\",\"user_id\":$1},{\"entity_id\":$id,\"signal\":\"view\",\"user_id\":$1},"
        [ $((id % 3)) != 0 ] || lines+="{\"entity_id\":$id,\"signal\":\"hide\",\"user_id\":$1},"
    done
    call POST /signals "[${lines%,}]"
    expect 200
    call POST /relationships "{\"user_id\":$1,\"kind\":\"follows\",\"creator_id\":101}"
    expect 200
    call POST /relationships "{\"user_id\":$2,\"kind\":\"friends\",\"friend_id\":$1}"
    expect 200
    call POST /sessions "{\"user_id\":$1}"
    expect 200
    session=$(jq .session_id <<<"$reply")
    call POST "/sessions/$session/signals" '{"entity_id":1,"signal":"share"}'
    expect 200
    call PUT "/users/$1/searches/mine" '{"query":"SEARCH items FOR '"'item'"'"}'
    expect 200
}
# traces USER FRIEND: what is found of the user, a word each.
traces() {
    local state
    for state in liked seen; do
        call GET "/feed?profile=new&fields=&user_id=$1&filter=$state"
        [ "$(jq '.items | length' <<<"$reply")" = 0 ] || printf '%s ' "$state"
    done
    call GET "/feed?profile=new&fields=&user_id=$1&limit=$items"
    [ "$(jq '.items | length' <<<"$reply")" = $items ] || printf 'hidden '
    call GET "/feed?profile=for_you&fields=&user_id=$1&limit=$items"
    [ "$(jq '.items | length' <<<"$reply")" = $items ] || printf 'for_you '
    call GET "/feed?profile=new&fields=&user_id=$2&filter=friends_engaged"
    [ "$(jq '.items | length' <<<"$reply")" = 0 ] || printf 'engaged '
    call GET "/users/$2/relationships"
    [ "$(jq '.relationships | length' <<<"$reply")" = 0 ] || printf 'named '
    call GET "/users/$1/relationships"
    [ "$(jq '.relationships | length' <<<"$reply")" = 0 ] || printf 'relationships '
    call GET "/users/$1/sessions"
    [ "$(jq '.sessions | length' <<<"$reply")" = 0 ] || printf 'sessions '
    call GET "/users/$1/searches"
    [ "$(jq '.searches | length' <<<"$reply")" = 0 ] || printf 'searches '
    call GET "/feed?profile=loved&fields=&user_id=$1&limit=$items&explain=true"
    [ "$(jq '[.items[].score | select(. != 0)] | length' <<<"$reply")" = 0 ] || printf 'taste '
    curl -s -o "$work/exported" "http://127.0.0.1:$port/export/signals?user_id=$1"
    [ "$(grep -c entity_id "$work/exported")" = 0 ] || printf 'exported '
}
all="liked seen hidden for_you engaged named relationships sessions searches taste exported "
expect_traces() { # WANT WHEN USER FRIEND
    local got
    got=$(traces "$3" "$4")
    [ "$got" = "$1" ] || fail "$2: '$got' instead of '$1'"
}
has_all() { [ "$(traces "$1" "$2")" = "$all" ]; }

serve() { start_server standalone --data-dir "$work/data" --shards 4 || finish; }
serve
fill_items
live 7 8
poll 10 has_all 7 8 || fail "before: '$(traces 7 8)' instead of '$all'"
call DELETE /users/7
stop_server KILL
expect 200
serve
expect_traces "" "after kill -9" 7 8
call DELETE /users/7
expect 200
call DELETE /users/7 "" 'If-Match: "77"'
expect 404 '"code":"unknown_user"'
call DELETE /users/4711
expect 200
"$bin/tidalctl" delete user 8 --yes --url "127.0.0.1:$port" >/dev/null || fail "tidalctl delete user"

# Somebody new under the same id.
call POST /signals '{"entity_id":3,"signal":"like","user_id":7}'
expect 200
stop_server KILL
serve
expect_traces "liked for_you taste exported " "made anew" 7 8

# The process dies with many deletions on their way.
users=(20 21 22 23 24 25 26 27)
answered() { [ -s "$work/answers" ]; }
for round in 1 2 3; do
    for user in "${users[@]}"; do live "$user" $((user + 100)); done
    for user in "${users[@]}"; do poll 10 has_all "$user" $((user + 100)) || fail "of $user: $(traces "$user" $((user + 100)))"; done
    : >"$work/answers"
    deleting=()
    for user in "${users[@]}"; do
        curl -s -X DELETE -o "$work/deleted.$user" -w '%{http_code}\n' "http://127.0.0.1:$port/users/$user" >>"$work/answers" &
        deleting+=($!)
    done
    [ "$round" = 1 ] || poll 10 answered || fail "no answer"
    stop_server KILL
    wait "${deleting[@]}"
    serve
    for user in "${users[@]}"; do
        got=$(traces "$user" $((user + 100)))
        [ -z "$got" ] || [ "$got" = "$all" ] || fail "round $round: half of user $user: '$got'"
    done
done
stop_server INT || fail "the server does not stop"

# In a cluster: the node that took the call is killed at the answer; the others know.
start_node a init --shards 4 || finish
port=${node_http[a]}
for node in b c; do
    start_node $node join --seed "127.0.0.1:${node_peer[a]}" --token "$("$bin/tidalctl" node token --url "127.0.0.1:$port")" || finish
done
all_vote() { [ "$(get a /cluster/shards '[.shards[] | select((.voters | length) == 3)] | length')" = 5 ]; }
poll 60 all_vote || fail "not all vote: $(get a /cluster/shards .)"
port=${node_http[a]}
fill_items
live 7 8
poll 30 has_all 7 8 || fail "in the cluster: '$(traces 7 8)' instead of '$all'"
call DELETE /users/7
expect 200
end_node a KILL
for node in b c; do
    port=${node_http[$node]}
    gone() { [ "$(traces 7 8)" = "" ]; }
    poll 30 gone || fail "on node $node: '$(traces 7 8)'"
done
start_node a start || finish
port=${node_http[a]}
poll 30 gone || fail "on node a, started again: '$(traces 7 8)'"
finish
