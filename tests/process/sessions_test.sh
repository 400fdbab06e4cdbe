#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port, status and reply come from lib.sh
# Sessions through the doors of the real programs: what a policy allows, numbers that make repeats no-ops, pages that go by
# the session, the sweep of what is overdue; the same after kill -9, after a clean stop, and on every node of a cluster whose leader was killed.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

field() { jq -r "$1" <<<"$reply"; }
is() { # JQ WANT
    [ "$(field "$1")" = "$2" ] || fail "expected $1 = $2: $reply"
}
send() { # SESSION BODY
    call POST "/sessions/$1/signals" "$2"
}
# What a session sends is on its way to its item's shard for a moment.
totals() { # ITEM SIGNAL COUNT
    call GET "/items/$1/signals"
    [ "$(field ".signals.$2.counts.all")" = "$3" ]
}
total() { poll 20 totals "$@" || fail "item $1: expected $3 of $2: $reply"; }

start_server standalone --data-dir "$work/data" --shards 4 || finish
for id in 1 2 3 4 5 6; do
    call POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"item $id\"}}"
    expect 200
done

call GET /policies
expect 200 '"name":"default"' '"built_in":true'
call PUT /policies/shopper '{"text":"signals like, view\nper_minute 1\nburst 4\nduration 1h\n"}'
expect 200 '"version":1' '"created":true'
call PUT /policies/shopper '{"text":"signals like, view\nper_minute 1\nburst 4\nduration 1h\n"}'
expect 200 '"version":1' '"created":false'
call PUT /policies/wrong '{"text":"per_minute 0"}'
expect 400 '"field":"text"' '"line":1' '1 to 60000'
call PUT /policies/wrong '{"text":"signals lick"}'
expect 400 '"code":"unknown_signal"' 'like'
call PUT /policies/wrong '{"text":"# first\nburts 4"}'
expect 400 'burst' '"line":2'
call GET /policies/shoper
expect 404 'shopper'
call POST /sessions '{"user_id":5,"policy":"shoper"}'
expect 400 '"code":"unknown_policy"' 'shopper'
call POST /sessions '{"agent":"bot"}'
expect 400 '"field":"user_id"'

call POST /sessions '{"user_id":5,"agent":"bot","policy":"shopper","annotations":{"goal":"a present"}}' 'Idempotency-Key: visit-1'
expect 200 '"policy":"shopper@1"' '"state":"open"' '"agent":"bot"'
session=$(field .session_id)
call POST /sessions '{"user_id":5,"agent":"bot","policy":"shopper","annotations":{"goal":"a present"}}' 'Idempotency-Key: visit-1'
expect 200 '"repeated":true' "\"session_id\":$session"
call GET /users/5/sessions
is '.sessions | length' 1

send "$session" '{"entity_id":1,"signal":"like","sequence":3}'
expect 200 '"status":"ok"'
send "$session" '{"entity_id":1,"signal":"like","sequence":3}'
expect 200 '"repeated":true'
send "$session" '{"entity_id":2,"signal":"like","sequence":2}'
expect 200 '"repeated":true'
call POST /signals "{\"entity_id\":3,\"signal\":\"view\",\"session_id\":$session,\"sequence\":4}"
expect 200
send "$session" '{"entity_id":3,"signal":"share","sequence":5}'
expect 403 '"code":"signal_not_allowed"' '"policy":"shopper@1"'
send "$session" '{"entity_id":99,"signal":"like","sequence":5}'
expect 404 '"code":"unknown_item"'
send "$session" '{"entity_id":3,"signal":"like","user_id":6}'
expect 400 '"code":"foreign_session"'
send "$session" '{"undo":"x","entity_id":3}'
expect 404 '"code":"unknown_undo_key"' '"field":"undo"'
send "$session" "{\"undo\":\"x\",\"entity_id\":3,\"session_id\":$session}"
expect 400 '"field":"session_id"'
send "$session" '{"undo":"x","entity_id":3,"sequence":9}'
expect 400 '"field":"sequence"'
send 77 '{"undo":"x","entity_id":3}'
expect 404 '"code":"unknown_session"'
call POST /signals '{"undo":"x","entity_id":3,"session_id":"s-1"}'
expect 400 '"code":"bad_id"'
send 77 '{"entity_id":3,"signal":"like"}'
expect 404 '"code":"unknown_session"'
send visit '{"entity_id":3,"signal":"like"}'
expect 400 '"code":"bad_id"'
call POST /signals '{"entity_id":3,"signal":"like","session_id":"s-1"}'
expect 400 '"code":"bad_id"'
call POST /signals '{"entity_id":3,"signal":"like","sequence":1}'
expect 400 '"field":"sequence"'
# The bucket: four at first, two are gone; a line of a bulk is refused for itself.
send "$session" '[{"entity_id":4,"signal":"view"},{"entity_id":4,"signal":"view"},{"entity_id":4,"signal":"view"},{"entity_id":4,"signal":"view"},{"entity_id":4,"signal":"view"},{"entity_id":4,"signal":"view"},{"entity_id":4,"signal":"view"}]'
expect 200 '"code":"session_rate"' '"retry_after_ms":'
send "$session" '{"entity_id":4,"signal":"view"}'
[ "$status" = 429 ] || fail "the bucket should be empty: $status $reply"
call PATCH "/sessions/$session" '{"annotations":{"goal":"","page":"cart"},"sequence":6}'
expect 200 '"annotations":{"page":"cart"}' '"last_sequence":6'

call GET "/feed?profile=new&session_id=$session&limit=2&fields=&log_impressions=true"
expect 200 '"written":2'
shown=$(field '[.items[].entity_id] | tostring')
call GET "/feed?profile=new&session_id=$session&limit=10&fields=&fresh=true"
is '.items | length' 4
call POST /query "{\"query\":\"RETRIEVE items USING new SESSION $session FRESH\"}"
is '.items | length' 4
call GET "/feed?profile=new&session_id=$session&user_id=6"
expect 400 '"code":"foreign_session"'
call GET '/feed?profile=new&fresh=true'
expect 400 '"field":"fresh"'
call GET '/feed?profile=new&session_id=77'
expect 404 '"code":"unknown_session"'

views=0
state() {
    call GET "/sessions/$session"
    expect 200 '"policy":"shopper@1"' '"annotations":{"page":"cart"}'
    is .last_sequence 6
    is '.reward == 1' true
    is .counts.like 1
    is '.liked | tostring' '[1]'
    is '.shown | tostring' "$shown"
    [ "$views" != 0 ] || views=$(field .counts.view)
    is .counts.view "$views"
    total 1 like 1
    total 2 like 0
    total 3 view 1
    total 4 view $((views - 1))
}
state
stop_server KILL
start_server standalone --data-dir "$work/data" --shards 4 || finish
state
send "$session" '{"entity_id":1,"signal":"like","sequence":3}'
expect 200 '"repeated":true'
state
stop_server TERM || fail "SIGTERM should exit 0"
start_server standalone --data-dir "$work/data" --shards 4 || finish
state
# A repeat means what it opened, whatever version its policy has by now.
call PUT /policies/shopper '{"text":"signals like\nper_minute 1\n"}'
expect 200 '"version":2' '"created":true'
call POST /sessions '{"user_id":5,"agent":"bot","policy":"shopper","annotations":{"goal":"a present"}}' 'Idempotency-Key: visit-1'
expect 200 "\"session_id\":$session," '"policy":"shopper@1"'
call DELETE "/sessions/$session"
expect 200 '"state":"closed"' '"reward":1'
call DELETE "/sessions/$session"
expect 200 '"repeated":true' '"state":"closed"'
send "$session" '{"entity_id":1,"signal":"like","sequence":9}'
expect 410 '"code":"session_closed"'
send "$session" '{"entity_id":1,"signal":"like","sequence":3}'
expect 200 '"repeated":true'
call GET "/feed?profile=new&session_id=$session"
expect 410 '"code":"session_closed"'
# An import keeps the text.
printf '%s\n' '{"entity_id":6,"signal":"view","session_id":"old-1"}' |
    curl -s -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port/import?id=old" >"$work/reply"
grep -q '"accepted":1' "$work/reply" || fail "import: $(cat "$work/reply")"
call GET /export/signals
expect 200 '"session_id":"old-1"' "\"session_id\":\"$session\""
call DELETE /users/5
call GET "/sessions/$session"
expect 404 '"code":"unknown_session"'

# Undo: what a session sent is as if it had never been, on every page, in every count and export, once, whatever dies in between.
call POST /profiles '{"text":"profile loved version 1 { score affinity(creator); }"}'
for id in 1 2 3 4 5 6; do call PATCH "/items/$id" "{\"creator_id\":$((100 + id))}"; done
call POST /sessions '{"user_id":15}'
expect 200
session=$(field .session_id)
call GET "/feed?profile=new&session_id=$session&limit=10&fields=&log_impressions=true"
is '.items | length' 6
sequence=0
for id in 1 2 3 4 5 6; do
    send "$session" "{\"entity_id\":$id,\"signal\":\"like\",\"sequence\":$((++sequence)),\"idempotency_key\":\"like $id\"}"
    expect 200 '"status":"ok"'
done
send "$session" "{\"entity_id\":6,\"signal\":\"hide\",\"sequence\":$((++sequence)),\"idempotency_key\":\"hide 6\"}"
expect 200
call GET "/feed?profile=new&session_id=$session&limit=10"
is '.items | length' 5
# Answered, and killed before what it says has gone anywhere.
call POST /signals "{\"undo\":\"like 1\",\"entity_id\":1,\"session_id\":$session}"
expect 200 '"status":"ok"'
stop_server KILL
start_server standalone --data-dir "$work/data" --shards 4 || finish
send "$session" '[{"undo":"like 1","entity_id":1},{"undo":"like 2","entity_id":2},{"undo":"like 3","entity_id":2},{"undo":"hide 6","entity_id":6}]'
expect 200 '"repeated":true' '"code":"unknown_undo_key"'
printf '%s\n' '{"undo":"like 3","entity_id":3}' '{"undo":"like 4","entity_id":4}' |
    curl -s -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port/sessions/$session/signals" >"$work/reply"
grep -q '"accepted":2' "$work/reply" || fail "undos as lines: $(cat "$work/reply")"
call POST /signals '{"undo":"like 5","entity_id":5}'
expect 404 '"code":"unknown_undo_key"' 'session_id'
liked_by() { # CREATOR COUNT
    call GET "/creators/$1/signals"
    [ "$(field '.signals.like.counts.all // 0')" = "$2" ]
}
loved() { # what affinity the page has to whose items
    call GET "/feed?profile=loved&user_id=15&limit=10&fields="
    [ "$(field '[.items[] | select(.score > 0.5) | .entity_id] | sort | tostring')" = "$1" ]
}
undone() { # after WHAT
    for id in 1 2 3 4; do
        total "$id" like $((id == 1))  # One of the user before, who is erased.
        poll 20 liked_by $((100 + id)) 0 || fail "creator $((100 + id)) after $1: $reply"
    done
    for id in 5 6; do total "$id" like 1; done
    poll 20 loved '[5,6]' || fail "the user's taste after $1: $reply"
    call GET "/feed?profile=new&user_id=15&limit=10"
    is '.items | length' 6
    call GET "/sessions/$session"
    is '.liked | sort | tostring' '[5,6]'
    is .counts.like 2
    is .counts.hide null
    is '.reward == 2' true
    is .last_sequence 7
    curl -s "http://127.0.0.1:$port/export/impressions?user_id=15" >"$work/shown"
    [ "$(jq -s "[.[] | select(.reward == 1) | .entity_id] | sort | tostring" "$work/shown")" = '"[5,6]"' ] ||
        fail "what was shown, after $1: $(cat "$work/shown")"
    curl -s "http://127.0.0.1:$port/export/signals" >"$work/signals"
    [ "$(jq -s "[.[] | select(.undo == \"like 4\" and .session_id == \"$session\")] | length > 0" "$work/signals")" = true ] ||
        fail "the export after $1: $(cat "$work/signals")"
}
undone "the undos"
stop_server KILL
start_server standalone --data-dir "$work/data" --shards 4 || finish
undone "kill -9"
send "$session" '{"undo":"like 4","entity_id":4}'
expect 200 '"repeated":true'
send "$session" '{"entity_id":4,"signal":"like","sequence":4,"idempotency_key":"like 4"}'
expect 200 '"repeated":true'
undone "repeats"
call DELETE "/sessions/$session"
expect 200 '"state":"closed"'
send "$session" '{"undo":"like 4","entity_id":4}'
expect 200 '"repeated":true'
stop_server TERM || fail "SIGTERM should exit 0"
start_server standalone --data-dir "$work/data" --shards 4 || finish
undone "a clean stop"
call DELETE /users/15
expect 200

# The sweep: an overdue session is closed though nobody asks for it, and forgotten a day later; by a clock that is set.
gauge() { # NAME: over all shards
    curl -s "http://127.0.0.1:$port/metrics" | awk -v name="^$1[{]" '$1 ~ name { sum += $2; seen = 1 } END { print seen ? sum : "none" }'
}
gauge_is() { [ "$(gauge "$1")" = "$2" ]; }
swept() { # OPEN KEPT WHEN
    poll 20 gauge_is tidal_shard_sessions_open "$1" && poll 20 gauge_is tidal_shard_sessions "$2" ||
        fail "$3: $(gauge tidal_shard_sessions_open) of $(gauge tidal_shard_sessions) sessions are open, expected $1 of $2"
}
shifted() { LD_PRELOAD=$bin/libshifted_clock.so TIDAL_CLOCK_SHIFT_FILE=$work/shift start_server standalone --data-dir "$work/data"; }
restart_shifted() {
    stop_server KILL
    shifted || finish
}
echo 0 >"$work/shift"
restart_shifted
call PUT /policies/brief '{"text":"duration 5m"}'
call POST /sessions '{"user_id":8,"policy":"brief"}'
expect 200
brief=$(field .session_id)
swept 1 1 "while it is open"
restart_shifted
swept 1 1 "open, after kill -9"
echo 301000 >"$work/shift"
swept 0 1 "overdue"
restart_shifted
swept 0 1 "overdue, after kill -9"
call GET "/sessions/$brief"
is .state expired
send "$brief" '{"entity_id":1,"signal":"like"}'
expect 410 '"code":"session_expired"'
echo 90000000 >"$work/shift"
swept 0 0 "a day later"
call GET "/sessions/$brief"
expect 404 '"code":"unknown_session"'
restart_shifted
swept 0 0 "a day later, after kill -9"
call DELETE /policies/brief
expect 200
stop_server INT || fail "SIGINT should exit 0"

# Three nodes: opened on one, written on another, read on all; the leader of its shard dies.
start_node a init --shards 2 || finish
token() { "$bin/tidalctl" node token --url "http://127.0.0.1:${node_http[a]}"; }
for node in b c; do TIDAL_TOKEN=$(token) start_node $node join --seed "127.0.0.1:${node_peer[a]}" || finish; done
voters() { [ "$(get "$1" /cluster/shards '[.shards[] | select((.voters | length) == 3 and .leader != null)] | length')" = 3 ]; }
for node in a b c; do poll 60 voters "$node" || fail "node $node is no voter everywhere"; done
on a POST /items '{"entity_id":1,"metadata":{"title":"one"}}'
on b PUT /policies/own '{"text":"signals like\nburst 3\nper_minute 1"}'
expect 200 '"version":1'
on c POST /sessions '{"user_id":5,"policy":"own"}'
expect 200 '"policy":"own@1"'
session=$(field .session_id)
on b POST "/sessions/$session/signals" '{"entity_id":1,"signal":"like","sequence":1}'
expect 200 '"status":"ok"'
# Sent on one node, taken back on another.
on a POST "/sessions/$session/signals" '{"entity_id":1,"signal":"like","sequence":2,"idempotency_key":"twice"}'
expect 200 '"status":"ok"'
on c POST /signals "{\"undo\":\"twice\",\"entity_id\":1,\"session_id\":$session}"
expect 200 '"status":"ok"'
everywhere() { # STATE, on the nodes that are there
    for node in "${!node_pid[@]}"; do
        on "$node" GET "/sessions/$session"
        expect 200 "\"state\":\"$1\"" '"last_sequence":2' '"counts":{"like":1}'
        total 1 like 1
    done
}
everywhere open
# A sweep is the leader's, and every replica's.
on a PUT /policies/brief '{"text":"duration 1s"}'
on b POST /sessions '{"user_id":5,"policy":"brief"}'
expect 200
for node in a b c; do
    port=${node_http[$node]}
    swept 1 2 "node $node"
done
# The low ten bits of the number are the vshard of its user: the lower half is shard 1.
shard=$((1 + session % 1024 / 512))
leader=$(get a /cluster/shards ".shards[] | select(.shard == $shard) | .leader")
names=(none a b c)
end_node "${names[leader]}" KILL
rest=("${!node_pid[@]}")
led_anew() {
    local now
    now=$(get "${rest[0]}" /cluster/shards ".shards[] | select(.shard == $shard) | .leader")
    [ -n "$now" ] && [ "$now" != null ] && [ "$now" != "$leader" ]
}
poll 60 led_anew || fail "nobody leads shard $shard"
everywhere open
repeats() {
    on "${rest[1]}" POST "/sessions/$session/signals" '{"entity_id":1,"signal":"like","sequence":1}'
    [ "$status" = 200 ]
}
poll 60 repeats || fail "no answer from the new leader: $reply"
expect 200 '"repeated":true'
on "${rest[0]}" POST "/sessions/$session/signals" '{"undo":"twice","entity_id":1}'
expect 200 '"repeated":true'
everywhere open
on "${rest[1]}" DELETE "/sessions/$session"
expect 200 '"state":"closed"'
everywhere closed
finish
