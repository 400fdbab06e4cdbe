#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port, status and reply come from lib.sh
# What `for_you` shows whom nothing is known of, and of what nothing is known: a new user what the user's cohorts
# watch, else what everybody likes by whatever signal; a new item by a new creator some of the places of exploration;
# what is related to an item without a vector. The same after kill -9.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

serve() { start_server standalone --data-dir "$work/data" --shards 3 || finish; }
ids() { jq -r '[.items[].entity_id | tostring] | join(" ")' <<<"$reply"; }
starts() { # PATH IDS TEXT...: the page begins with these items
    call GET "$1"
    expect 200 "${@:3}"
    [[ "$(ids) " == "$2 "* ]] || fail "$1: expected '$2' first: $reply"
}
signal() { # USER SIGNAL ITEM
    call POST /signals "{\"entity_id\":$3,\"signal\":\"$2\",\"user_id\":$1}"
    expect 200
}
# Items of the places of exploration, of the first pages of so many seeds.
explored() { # USER SEEDS
    local seed
    for ((seed = 1; seed <= $2; ++seed)); do
        call GET "/feed?profile=for_you&fields=&user_id=$1&limit=20&seed=$seed"
        jq -r '.items[] | select(.explored) | "\(.rank) \(.entity_id) \(.explored.outside)"' <<<"$reply"
    done
}

serve
for id in {1..40}; do
    call POST /items "{\"entity_id\":$id,\"created_at\":\"2026-01-01T00:00:00Z\",\"creator_id\":1,\"metadata\":{\"title\":\"Film $id\"}}"
    expect 200
done
for user in 1 2 3 11; do
    language=de
    [ $user = 3 ] || language=fr
    call POST /users "{\"entity_id\":$user,\"metadata\":{\"language\":\"$language\"}}"
    expect 200
done
call POST /cohorts "$(jq -n '{text: "cohort french version 1 { tracks view; at_least 3 events; where language = '"'fr'"'; }"}')"
expect 200
for _ in 1 2 3; do signal 1 view 5; done
signal 2 view 6
# Nobody likes: they share and finish.
for _ in 1 2 3 4 5 6; do signal 3 share 7; done
signal 3 complete 8
pages() {
    starts "/feed?profile=for_you&fields=&user_id=11&limit=9" "5 6 7 8" 'user 11 has liked nothing yet: the page has what cohort `french` watches'
    starts "/feed?profile=for_you&fields=&user_id=12&limit=9" "7 8" 'user 12 has liked nothing yet and is in no cohort'
    starts "/feed?profile=for_you&fields=&user_id=12&limit=9&cohort=french" "5 6 7 8" 'what cohort `french` watches'
}
pages
stop_server KILL
serve
pages

# A user who likes, and knows creator 1; 99 is new, by nobody, and liked, watched and near to nothing.
for item in {10..22}; do signal 2 share "$item"; done
signal 4 like 21
signal 4 like 22
call POST /relationships '{"user_id":4,"kind":"follows","creator_id":1}'
expect 200
call POST /items '{"entity_id":99,"creator_id":9,"metadata":{"title":"New"}}'
expect 200
explored 4 40 >"$work/explored"
grep -q ' 99 true$' "$work/explored" || fail "a new item is never explored: $(cat "$work/explored")"
# Every other place is for what is by new creators: there is one such item, until it has its place.
grep -q '^10 ' "$work/explored" || fail "nothing at rank 10: $(cat "$work/explored")"
! grep '^10 ' "$work/explored" | grep -qv '^10 99 true$' || fail "rank 10 is not for a new creator: $(cat "$work/explored")"
stop_server KILL
serve
explored 4 40 >"$work/again"
cmp -s "$work/explored" "$work/again" || fail "other items are explored after a kill: $(diff "$work/explored" "$work/again")"
# Never what the user hid or saw, nor twice in one sequence.
call POST /relationships '{"user_id":4,"kind":"hides","item_id":99}'
expect 200
explored 4 40 >"$work/hidden"
! grep -q ' 99 ' "$work/hidden" || fail "explores what is hidden: $(cat "$work/hidden")"
all="" cursor=""
for _ in 1 2 3; do
    call GET "/feed?profile=for_you&fields=&user_id=5&limit=10&seed=3${cursor:+&cursor=$cursor}"
    expect 200
    all+="$(ids) "
    cursor=$(jq -r '.next_cursor // ""' <<<"$reply")
    [ -n "$cursor" ] || break
done
[ "$(wc -w <<<"$all")" -ge 20 ] || fail "a sequence of fewer than two pages: $all"
[ -z "$(tr ' ' '\n' <<<"$all" | sed '/^$/d' | sort | uniq -d)" ] || fail "twice in one sequence: $all"

# Related: what is liked together, where there is no vector, and both where there is.
related() { call GET "/items/21/related?limit=1&fields=" && [ "$(ids)" = 22 ]; }
poll 10 related || fail "related without a vector: $reply"
expect 200 '"profile":"related@1"' 'item 21 has no vector in'
for id in 21 30; do
    call POST /embeddings "{\"entity_id\":$id,\"values\":[1,0.0$id,0,0]}"
    expect 200
done
both() { call GET "/items/21/related?limit=2&fields=" && [ "$(ids)" = "22 30" ]; }
poll 10 both || fail "related: $reply"
stop_server KILL
serve
both || fail "related after a kill: $reply"
call GET "/items/21/related?limit=5&fields=&profile=similar"
expect 200 '"profile":"similar@1"'
[ "$(ids)" = 30 ] || fail "similar: $reply"
finish
