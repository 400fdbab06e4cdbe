#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work, port, status and reply come from lib.sh
# Budgets of memory for what is known of users: a server with the smallest says what it does not keep, one with a larger
# goes on, and what is kept is the same after kill -9.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

small=(--user-states-memory-mib 1 --tastes-memory-mib 1 --co-engagement-memory-mib 1 --cohorts-memory-mib 1
    --collections-memory-mib 1)
large=(--user-states-memory-mib 1024 --tastes-memory-mib 1024 --co-engagement-memory-mib 1024 --cohorts-memory-mib 256
    --collections-memory-mib 256)
serve() { start_server standalone --data-dir "$work/data" "$@" || finish; }
metric() { # NAME: of all shards
    curl -s "http://127.0.0.1:$port/metrics" | awk -v name="$1" 'index($1, name "{") == 1 {sum += $2} END {print sum + 0}'
}
lines() { # PATH, lines on standard input
    status=$(curl -s --max-time 120 -o "$work/reply" -w '%{http_code}' -H 'Content-Type: application/x-ndjson' --data-binary @- \
        "http://127.0.0.1:$port$1")
    reply=$(tail -n 1 "$work/reply")
    expect 200
}
signals() { # SIGNAL USERS-FROM USERS-TO ITEMS
    local user
    for ((user = $2; user <= $3; ++user)); do
        seq -f "{\"entity_id\":%.0f,\"user_id\":$user,\"signal\":\"$1\"}" 1 "$4"
    done | lines /signals
}
# Has a taste: for who has none `for_you` says whose likes it shows instead.
knows() {
    call GET "/feed?profile=for_you&user_id=$1&limit=3"
    expect 200
    [[ $reply != *"has liked nothing yet"* ]]
}

# refused_for_now PATH BODY CODE: with when to come again.
refused_for_now() {
    status=$(curl -s --max-time 60 -D "$work/head" -o "$work/reply" -w '%{http_code}' -H 'Content-Type: application/json' \
        --data-binary "$2" "http://127.0.0.1:$port$1")
    reply=$(cat "$work/reply")
    expect 429 "\"code\":\"$3\""
    grep -qi '^Retry-After: [1-9]' "$work/head" || fail "$1 says not when to come again: $(cat "$work/head")"
}

"$bin/tidal-server" standalone --tastes-memory-mib 1073741825 --print-config >"$work/out" 2>&1 && fail "a budget above all"
grep -q 'tastes-memory-mib' "$work/out" || fail "which flag: $(cat "$work/out")"
TIDAL_TASTES_MEMORY_MIB=7 "$bin/tidal-server" standalone --print-config | grep -qx 'tastes_memory_mib: 7' ||
    fail "the variable is not read"

serve "${small[@]}"
seq -f '{"entity_id":%.0f,"metadata":{"title":"an item"}}' 1 200 | lines /items

# States: 64 bytes each. A hide is refused with the flag that helps, a view is counted, and the metric says what is not kept.
signals view 1 100 200
[ "$(metric tidal_shard_user_states_refused)" -gt 0 ] || fail "no state is refused: $(metric tidal_shard_user_state_bytes) bytes"
refused_for_now /signals '{"entity_id":1,"signal":"hide","user_id":500}' user_states_full
expect 429 '--user-states-memory-mib'
call POST /users/500/relationships '{"type":"hides","target_id":1}'
[ "$status" != 200 ] || fail "a hide that is a relationship is kept: $reply"

# Tastes: who was silent longest makes place for who comes, who gets pages of their own.
signals like 1001 4000 1
forgotten=$(metric tidal_shard_tastes_forgotten)
users=$(metric tidal_shard_taste_users)
[ "$forgotten" -gt 0 ] || fail "nobody is forgotten of $users"
call POST /signals '{"entity_id":2,"signal":"like","user_id":9000}'
expect 200
knows 9000 || fail "who comes last has no taste: $reply"
kept() { # USERS: those of them whose tastes are there
    local user
    for user in "$@"; do knows "$user" && echo "$user"; done
}
some=$(kept $(seq 1001 40 4000))
count=$(wc -w <<<"$some")
if [ "$count" = 0 ] || [ "$count" = 75 ]; then fail "of 75 users $count are known"; fi

# Collections.
call PUT /collections/all
expect 200
seq -f '{"entity_id":%.0f}' 1 20000 | lines /items
seq -f '{"entity_id":%.0f}' 1 20000 | lines /collections/all/items
grep -q '"code":"collections_full"' "$work/reply" || fail "no item of 20000 is refused: $reply"
grep -q -- '--collections-memory-mib' "$work/reply" || fail "which flag: $reply"
refused_for_now /collections/all/items '{"entity_id":20000}' collections_full

# The same after kill -9: the log says what fits.
users=$(metric tidal_shard_taste_users) states=$(metric tidal_shard_user_states) members=$(metric tidal_shard_collection_members)
same() {
    local now
    now="$(metric tidal_shard_taste_users) $(metric tidal_shard_user_states) $(metric tidal_shard_collection_members)"
    [ "$now" = "$users $states $members" ] || fail "$1: $now instead of $users $states $members"
    [ "$(kept $(seq 1001 40 4000))" = "$some" ] || fail "$1: others are known"
}
stop_server KILL
serve "${small[@]}"
same "after kill -9"
# Without the flags the directory has what it had.
stop_server KILL
serve
same "without flags"
call POST /signals '{"entity_id":1,"signal":"hide","user_id":500}'
expect 429 '"code":"user_states_full"'
# Raised in the same life of the log: what was refused before stays refused when it is replayed.
stop_server KILL
serve "${large[@]}"
same "with larger budgets"
lost() { echo "$(metric tidal_shard_user_states_refused) $(metric tidal_shard_tastes_forgotten)"; }
before=$(lost) # by what was replayed
call POST /signals '{"entity_id":1,"signal":"hide","user_id":500}'
expect 200
signals view 500 600 200
signals like 5001 6000 1
[ "$(lost)" = "$before" ] || fail "refused and forgotten with room: $(lost), before $before"
call POST /collections/all/items '{"entity_id":20000}'
expect 200
states=$(metric tidal_shard_user_states)
stop_server KILL
serve
[ "$(metric tidal_shard_user_states)" = "$states" ] || fail "states after kill -9: $(metric tidal_shard_user_states), not $states"
stop_server TERM || fail "SIGTERM should exit 0"
finish
