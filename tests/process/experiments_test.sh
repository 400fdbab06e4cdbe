#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port, status and reply come from lib.sh
# What came of an experiment, through the doors of the real programs: numbers that were reckoned by hand, what is refused,
# the same after kill -9 and on every node of a cluster; nobody who was erased.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

echo 0 >"$work/shift"
start() { LD_PRELOAD=$bin/libshifted_clock.so TIDAL_CLOCK_SHIFT_FILE=$work/shift start_server standalone --data-dir "$work/data" "$@"; }
ctl() { TIDAL_URL=http://127.0.0.1:$port "$bin/tidalctl" "$@"; }
signal() { # ITEM SIGNAL USER [MORE]
    call POST /signals "{\"entity_id\":$1,\"signal\":\"$2\",\"user_id\":$3${4+,$4}}"
    expect 200
}
# Four digits are enough to tell a formula from another.
digits='def r: if . == null then . elif type == "array" then map(r) else (. * 10000 | round) / 10000 end;'
# results JQ WANT [QUERY [NAME]]
results() {
    call GET "/experiments/${4-spring}/results${3-}"
    [ "$status" = 200 ] || fail "results of ${4-spring}${3-}: $status $reply"
    local got
    got=$(jq -c "$digits $1" <<<"$reply")
    [ "$got" = "$2" ] || fail "results of ${4-spring}${3-}: expected $1 = $2, got $got: $reply"
}
counts='.arms | map([.users,.impressions,.open,.positive])'
rates='.arms | map([.ctr,.ctr_interval,.reward,.reward_interval] | map(r))'
make_items() {
    local id
    for id in 1 2 3 4; do
        call POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"item $id\"}}"
        call POST /signals "{\"entity_id\":$id,\"signal\":\"like\",\"weight\":$((5 - id))}"
        expect 200
    done
    call POST /experiments '{"text":"experiment spring version 1 { arm most_liked@1; arm new@1 weight 2; }"}'
    expect 200 '"created":true'
}
# users_of PROFILE N: so many users whose arm of spring it is.
users_of() {
    local user found=0
    for user in {1..200}; do
        [ "$found" -lt "$2" ] || break
        call GET "/feed?experiment=spring&user_id=$user&limit=1"
        if [[ $reply == *"\"profile\":\"$1\""* ]]; then
            found=$((found + 1))
            echo "$user"
        fi
    done
}

start --shards 3 || finish
make_items
mapfile -t liked < <(users_of most_liked@1 2)
mapfile -t new < <(users_of new@1 1)
results "$counts" '[[0,0,0,0],[0,0,0,0]]'
results '.arms | map([.profile,.weight,.ctr,.ctr_interval,.reward,.reward_interval])' \
    '[["most_liked@1",1,null,null,null,null],["new@1",2,null,null,null,null]]'

# Two users see four items each by one arm, one user by the other, whose page is a query as text.
for user in "${liked[@]}"; do
    call POST /feed "{\"experiment\":\"spring\",\"user_id\":$user,\"limit\":4,\"log_impressions\":true}"
    expect 200 '"impressions":{"written":4' '"experiment":"spring@1"'
done
call POST /query "{\"query\":\"RETRIEVE items EXPERIMENT spring FOR USER ${new[0]} LIMIT 4 LOG IMPRESSIONS\"}"
expect 200 '"impressions":{"written":4' '"experiment":"spring@1"' '"profile":"new@1"'
signal 1 like "${liked[0]}"
signal 2 like "${liked[0]}" '"idempotency_key":"l-2"'
call POST /signals '{"undo":"l-2","entity_id":2}'
expect 200
signal 3 skip "${liked[0]}"
signal 1 like "${liked[1]}" '"weight":2'
signal 2 view "${liked[1]}"
signal 4 share "${new[0]}" '"weight":1.5'
signal 1 view "${new[0]}"
signal 1 like 999
# 2 of 8, and rewards 1, -1, 2 of 8; 1 of 4, and 1.5 of 4.
by_hand() {
    results "$rates" '[[0.25,[0.0715,0.5907],0.25,[-0.3642,0.8642]],[0.25,[0.0456,0.6994],0.375,[-0.36,1.11]]]' "$@"
}
by_hand
results "$counts" '[[2,8,8,2],[1,4,4,1]]'
results '[.experiment,.within_ms,.other_impressions]' '["spring@1",86400000,0]'

# Only what names the experiment counts, and an arm of it: what another showed, and what a client says.
call POST /experiments '{"text":"experiment autumn version 1 { arm hot@1; arm old@1; }"}'
call POST /feed "{\"experiment\":\"autumn\",\"user_id\":${liked[0]},\"limit\":1,\"log_impressions\":true}"
expect 200 '"impressions":{"written":1'
signal "$(jq '.items[0].entity_id' <<<"$reply")" like "${liked[0]}"
signal 4 impression 905 '"context":{"experiment":"spring@1","profile":"hot@1"}'
call POST /signals '{"entity_id":4,"signal":"impression","context":{"experiment":"spring@1","profile":"new@1"}}'
signal 4 impression 905 '"context":"experiment spring@1"'
by_hand
results '[.other_impressions]' '[2]'
results '[.arms[] | .impressions] | add' 1 '' autumn

# Within, and times of impressions.
echo 120000 >"$work/shift"
signal 3 like "${liked[1]}"
by_hand '?within=1m'
results "$counts" '[[2,8,0,2],[1,4,0,1]]' '?within=1m'
results "$counts" '[[2,8,8,3],[1,4,4,1]]' '?within=1h'
results "$counts" '[[2,8,8,3],[1,4,4,1]]'
results '.arms[0].reward' 0.375
results "$counts" '[[2,8,8,3],[1,4,4,1]]' '?within=30d&gaps=off&read_consistency=eventual'
results "$counts" '[[0,0,0,0],[0,0,0,0]]' '?from=2100-01-01T00:00:00Z'
results "$counts" '[[0,0,0,0],[0,0,0,0]]' '?until=2020-01-01T00:00:00Z'
results "$counts" '[[2,8,8,3],[1,4,4,1]]' '?from=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z'

# What is refused.
refused() { # QUERY FIELD TEXT...
    call GET "/experiments/spring/results?$1"
    expect 400 "\"field\":\"$2\"" "${@:3}"
}
refused within=59s within '1m to 30d'
refused within=31d within '1m to 30d'
refused within=2x within
refused within= within
refused withn=1h withn within
refused user_id=7 user_id
refused format=csv format
refused gaps=maybe gaps
refused from=yesterday from
refused until=soon until
for name in sprung spring@2 spring@; do
    call GET "/experiments/$name/results"
    expect 404 '"code":"unknown_experiment"' '"field":"name"'
done
call GET /experiments/sprin/results
expect 404 'did you mean `spring`?'
call POST /experiments/spring/results '{}'
expect 405
call POST /query '{"query":"RETRIEVE items EXPERIMENT spring LIMIT 4"}'
expect 400 '"field":"user_id"'
call POST /query '{"query":"RETRIEVE items EXPERIMENT sprung FOR USER 1"}'
expect 400 '"code":"unknown_experiment"'
call POST /query '{"query":"RETRIEVE items EXPERIMENT spring USING new FOR USER 1"}'
expect 400 'USING and EXPERIMENT both choose the profile'

# The command.
table=$(ctl experiment results spring --within 1m)
[ "$(sed -n 2p <<<"$table" | tr -s ' ')" = 'most_liked@1 2 8 0 2 0.25 (0.07148..0.5907) 0.25 (-0.3642..0.8642)' ] || fail "the table: $table"
[[ $table == *"2 impressions of no arm"* ]] || fail "the table: $table"
[ "$(ctl experiment results spring@1 --json | jq -c "$counts")" = '[[2,8,8,3],[1,4,4,1]]' ] || fail "--json"
[[ $(ctl experiment results spring --from 2100-01-01T00:00:00Z) == *"new@1"*" - "*"-" ]] || fail "--from"
[ "$(ctl experiment results spring --until 2020-01-01T00:00:00Z --json | jq -c "$counts")" = '[[0,0,0,0],[0,0,0,0]]' ] || fail "--until"
for wrong in 'sprung' 'spring --within 1s' 'spring --gap'; do
    # shellcheck disable=SC2086  # words
    ctl experiment results $wrong >/dev/null 2>&1 && fail "experiment results $wrong"
done

# Many who ask at once are all answered, and alike.
asked=()
for n in {1..8}; do
    curl -s --max-time 60 -o "$work/at-once.$n" "http://127.0.0.1:$port/experiments/spring/results?within=1m" &
    asked+=($!)
done
wait "${asked[@]}"
for n in {1..8}; do
    [ "$(jq -c "$counts" "$work/at-once.$n")" = '[[2,8,0,2],[1,4,0,1]]' ] || fail "asked at once: $(cat "$work/at-once.$n")"
done

# After kill -9 the same; another version begins anew; nobody who was erased counts.
stop_server KILL
start || finish
by_hand '?within=1m'
results "$counts" '[[2,8,8,3],[1,4,4,1]]'
call POST /experiments '{"text":"experiment spring version 2 { arm most_liked@1; arm new@1; arm old@1; }"}'
expect 200 '"created":true'
results '[.experiment, (.arms | map(.impressions))]' '["spring@2",[0,0,0]]'
results "$counts" '[[2,8,8,3],[1,4,4,1]]' '' spring@1
call POST /users "{\"entity_id\":${liked[1]},\"metadata\":{}}"
call DELETE "/users/${liked[1]}"
expect 200
results "$counts" '[[1,4,4,1],[1,4,4,1]]' '' spring@1
call DELETE /experiments/spring
expect 200
call GET /experiments/spring@1/results
expect 404 '"code":"unknown_experiment"'
stop_server TERM || fail "SIGTERM should exit 0"
start_server standalone --ephemeral || finish
call POST /experiments '{"text":"experiment spring version 1 { arm new@1; arm old@1; }"}'
call GET /experiments/spring/results
expect 501 'keeps no log'
stop_server INT

# Three nodes: shown on one, done on another, counted on all, alike.
start_node a init --shards 2 || finish
token() { "$bin/tidalctl" node token --url "http://127.0.0.1:${node_http[a]}"; }
for node in b c; do TIDAL_TOKEN=$(token) start_node $node join --seed "127.0.0.1:${node_peer[a]}" || finish; done
voters() { [ "$(get "$1" /cluster/shards '[.shards[] | select((.voters | length) == 3 and .leader != null)] | length')" = 3 ]; }
for node in a b c; do poll 60 voters "$node" || fail "node $node is no voter everywhere"; done
port=${node_http[a]}
make_items
liked=("$(users_of most_liked@1 1)") new=("$(users_of new@1 1)")
for user in "${liked[0]}" "${new[0]}"; do
    on b POST /feed "{\"experiment\":\"spring\",\"user_id\":$user,\"limit\":4,\"log_impressions\":true}"
    expect 200 '"impressions":{"written":4'
done
on c POST /signals "[{\"entity_id\":1,\"signal\":\"like\",\"user_id\":${liked[0]}},{\"entity_id\":3,\"signal\":\"share\",\"weight\":2,\"user_id\":${liked[0]}},
    {\"entity_id\":2,\"signal\":\"dislike\",\"user_id\":${new[0]}}]"
expect 200 '"accepted":3'
alike() {
    for node in "${!node_pid[@]}"; do
        port=${node_http[$node]}
        results "$counts" '[[1,4,4,2],[1,4,4,0]]'
        results '.arms | map(.reward)' '[0.75,-0.25]'
    done
}
alike
leader=$(get a /cluster/shards '.shards[] | select(.shard == 1) | .leader')
names=(none a b c)
end_node "${names[leader]}" KILL
rest=("${!node_pid[@]}")
led_anew() {
    [ "$(get "${rest[0]}" /cluster/shards "[.shards[] | select(.leader != null and .leader != $leader)] | length")" = 3 ]
}
poll 60 led_anew || fail "nobody leads what node $leader led"
alike
start_node "${names[leader]}" start || finish
alike
finish
