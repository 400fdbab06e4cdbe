#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port, status and reply come from lib.sh
# Daily caps through the doors of the real programs: never more than the cap, whatever is asked at once, sent again, cut by
# kill -9 or asked of another node; and the day turns.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

field() { jq -r "$1" <<<"$reply"; }
is() { # JQ WANT
    [ "$(field "$1")" = "$2" ] || fail "expected $1 = $2: $reply"
}
# It is noon of today, so that midnight comes only when the test says so.
noon_ms=$((43200000 - $(date +%s%3N) % 86400000))
echo $noon_ms >"$work/shift"
tomorrow=$(date -u -d tomorrow +%F)T00:00:00Z
start() { LD_PRELOAD=$bin/libshifted_clock.so TIDAL_CLOCK_SHIFT_FILE=$work/shift start_server standalone "$@"; }
page() { # ITEMS PER_DAY DELIVERED PATH [HEADER...]
    call GET "$4" "" "${@:5}"
    expect 200 "\"cap\":{\"per_day\":$2,\"delivered\":$3,\"resets_at\":\"$tomorrow\"}"
    is '.items | length' "$1"
}
# at_once PATH [HEADER]: eight requests in parallel, to each of the ports in turn; their replies are $work/page.*.
at_once() {
    local pids=() ports=("${asked[@]}") i
    rm -f "$work"/page.*
    for i in {0..7}; do
        curl -s --max-time 60 -o "$work/page.$i" ${2+-H "$2"} "http://127.0.0.1:${ports[i % ${#ports[@]}]}$1" &
        pids+=($!)
    done
    wait "${pids[@]}"
}
shown() { cat "$work"/page.* 2>/dev/null | jq -s '[.[] | .items // [] | length] | add // 0'; }
impressions() { # of all items
    local sum=0 id
    for id in {1..12}; do
        call GET "/items/$id/signals"
        sum=$((sum + $(field '.signals.impression.counts.all // 0')))
    done
    echo "$sum"
}

start --data-dir "$work/data" --shards 4 || finish
asked=("$port")
for id in {1..12}; do call POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"item $id\"},\"creator_id\":$id}"; done
expect 200

# What a profile may say.
text() { jq -n --arg text "$1" '{text: $text}'; }
for cap in 0 1001 2.5 -1 many; do
    call POST /profiles "$(text "profile push version 1 {
    candidates recent;
    score -age_hours;
    cap $cap per day;
}")"
    expect 400 '1 to 1000' '"line":4'
done
call POST /profiles "$(text 'profile push version 1 { score 1; cap 5 per week; }')"
expect 400 'day'
call POST /profiles "$(text 'profile push version 1 { param most = 3; score 1; cap param(mots) per day; }')"
expect 400 '"code":"unknown_param"' 'most'
call POST /profiles "$(text 'profile push version 1 { score 1; cap 5 per day; cap 6 per day; }')"
expect 400
call POST /profiles "$(text 'profile push version 1 { candidates recent; score -age_hours; cap 2 per day; }')"
expect 200 '"created":true'

# Pages of one user: the second has what is left, the third nothing, and both say so.
page 1 2 1 '/feed?profile=push&user_id=1&limit=1'
expect 200 '"impressions":{"written":1,"repeated":0,"failed":0' '"warnings":[]'
cursor=$(field '.next_cursor')
[ "$cursor" != null ] || fail "no next page: $reply"
first=$(field '.items[0].entity_id')
page 1 2 2 "/feed?profile=push&user_id=1&limit=10&cursor=$cursor"
expect 200 '"impressions":{"written":1' "\`push\` shows a user at most 2 items a day: 2 shown today, 0 left until $tomorrow"
is '.next_cursor' null
[ "$(field '.items[0].entity_id')" != "$first" ] || fail "the second page shows what the first did: $reply"
page 0 2 2 '/feed?profile=push&user_id=1'
expect 200 '"profile":"push@1"' '2 shown today, 0 left until'
is '.next_cursor' null
page 2 2 2 '/feed?profile=push&user_id=2&limit=10'
[ "$(impressions)" = 4 ] || fail "four items were shown, and counted are $(impressions)"
# POST, queries and searches are pages as well.
call POST /feed '{"profile":"push","user_id":3,"limit":1}'
expect 200 '"delivered":1'
call POST /query '{"query":"RETRIEVE items USING push FOR USER 3 LIMIT 5"}'
expect 200 '"delivered":2'
is '.items | length' 1
call POST /query '{"query":"RETRIEVE items USING push FOR USER 3 LIMIT 5"}'
expect 200 '"items":[]' '0 left until'
TIDAL_URL=http://127.0.0.1:$port "$bin/tidalctl" --json query 'RETRIEVE items USING push FOR USER 3' >"$work/told" 2>&1 || fail "tidalctl query"
grep -q 'at most 2 items a day' "$work/told" || fail "tidalctl does not say why the page is empty: $(cat "$work/told")"

# Without a user, and what the parameter may be.
for path in '/feed?profile=push' '/feed?profile=notification' '/feed?profile=push&limit=1'; do
    call GET "$path"
    expect 400 '"code":"missing_input"' '"field":"user_id"'
done
call POST /query '{"query":"RETRIEVE items USING push"}'
expect 400 '"code":"missing_input"' 'FOR USER'
for most in 0 1.5 1001 -3; do
    call GET "/feed?profile=notification&user_id=4&params.daily_cap=$most"
    expect 400 '"field":"params.daily_cap"' '1 to 1000'
done
page 3 3 3 '/feed?profile=notification&user_id=4&params.daily_cap=3'
page 2 5 5 '/feed?profile=notification&user_id=4'
page 0 5 5 '/feed?profile=notification&user_id=4&limit=1'

# At once: one after the other asks, and the cap holds.
at_once '/feed?profile=push&user_id=5&limit=2'
[ "$(shown)" = 2 ] || fail "eight pages at once show $(shown) of 2: $(cat "$work"/page.*)"
at_once '/feed?profile=push&user_id=6&limit=1'
[ "$(shown)" = 2 ] || fail "eight pages of one at once show $(shown) of 2: $(cat "$work"/page.*)"
at_once '/feed?profile=notification&user_id=6&limit=3'
[ "$(shown)" = 5 ] || fail "eight pages at once show $(shown) of 5: $(cat "$work"/page.*)"
page 0 5 5 '/feed?profile=notification&user_id=6'

# Sent again under its key: granted what it was, counted once.
page 1 2 1 '/feed?profile=push&user_id=7&limit=1' 'Idempotency-Key: push-7'
expect 200 '"impressions":{"written":1'
before=$(impressions)
for _ in 1 2; do
    page 1 2 1 '/feed?profile=push&user_id=7&limit=1' 'Idempotency-Key: push-7'
    expect 200 '"impressions":{"written":0,"repeated":1,"failed":0'
    is '.warnings | tostring' '[]'
done
[ "$(impressions)" = "$before" ] || fail "a repeat counts"
page 1 2 2 '/feed?profile=push&user_id=7&limit=5' 'Idempotency-Key: push-7b'
page 0 2 2 '/feed?profile=push&user_id=7&limit=5' 'Idempotency-Key: push-7c'
page 1 2 2 '/feed?profile=push&user_id=7&limit=5' 'Idempotency-Key: push-7'
at_once '/feed?profile=push&user_id=8&limit=1' 'Idempotency-Key: push-8'
[ "$(shown)" = 8 ] || fail "eight times the same request is granted $(shown): $(cat "$work"/page.*)"
page 1 2 2 '/feed?profile=push&user_id=8&limit=5'
# What a client says it showed is no page of the cap.
for id in 1 2 3; do call POST /signals "{\"entity_id\":$id,\"signal\":\"impression\",\"user_id\":9}"; done
page 2 2 2 '/feed?profile=push&user_id=9'

# A comparison is shown to nobody; versions share the count.
call POST /profiles "$(text 'profile push version 2 { candidates recent; score -age_hours; cap 3 per day; }')"
expect 200
before=$(impressions)
for user in 1 10; do
    call GET "/feed/compare?profile=push@1&with=push@2&user_id=$user&limit=6"
    expect 200 '"common":6'
    [[ $reply != *'"cap"'* ]] || fail "a comparison is capped: $reply"
done
[ "$(impressions)" = "$before" ] || fail "a comparison counts impressions"
page 2 2 2 '/feed?profile=push@1&user_id=10'
page 1 3 3 '/feed?profile=push&user_id=10'
page 0 2 3 '/feed?profile=push@1&user_id=10'
page 1 3 3 '/feed?profile=push&user_id=1'

# Pages of other sites do not count.
call GET '/feed?profile=push&user_id=11' "" 'Sec-Fetch-Site: cross-site'
expect 403
page 1 3 1 '/feed?profile=push&user_id=11&limit=1' 'Sec-Fetch-Site: same-origin'

# kill -9: what was answered is counted, in between too.
counted=$(impressions)
stop_server KILL
start --data-dir "$work/data" || finish
asked=("$port")
[ "$(impressions)" = "$counted" ] || fail "impressions were $counted, are $(impressions)"
page 0 3 3 '/feed?profile=push&user_id=1'
page 2 3 3 '/feed?profile=push&user_id=11'
page 1 3 2 '/feed?profile=push&user_id=7&limit=1' 'Idempotency-Key: push-7'
page 0 2 2 '/feed?profile=push@1&user_id=5'
page 0 5 5 '/feed?profile=notification&user_id=6'
total=0
for user in 21 22 23 24; do
    at_once "/feed?profile=notification&user_id=$user&limit=2" &
    burst=$!
    answered() { compgen -G "$work/page.*" >/dev/null; }
    poll 10 answered || fail "nothing is answered"
    stop_server KILL
    wait $burst
    seen=$(shown)
    start --data-dir "$work/data" || finish
    asked=("$port")
    call GET "/feed?profile=notification&user_id=$user"
    expect 200 '"per_day":5' '"delivered":5'
    left=$(field '.items | length')
    [ $((seen + left)) -le 5 ] || fail "user $user was shown $seen before kill -9 and $left after"
    total=$((total + seen))
done
echo "shown before kill -9: $total" >&2

# A user who is deleted takes the count along.
call POST /users '{"entity_id":5,"metadata":{"language":"de"}}'
call DELETE /users/5
expect 200
page 2 2 2 '/feed?profile=push@1&user_id=5'

# The day turns at midnight UTC, and a clock that is set back opens no second one.
today=$tomorrow
tomorrow=$(date -u -d '2 days' +%F)T00:00:00Z
echo $((noon_ms + 86400000)) >"$work/shift"
page 2 3 2 '/feed?profile=push&user_id=1&limit=2'
page 1 3 3 '/feed?profile=push&user_id=1'
echo $noon_ms >"$work/shift"
page 0 3 3 '/feed?profile=push&user_id=1'
stop_server KILL
start --data-dir "$work/data" || finish
page 0 3 3 '/feed?profile=push&user_id=1'
call POST /profiles "$(text 'profile plain version 1 { candidates recent; score -age_hours; }')"
call GET '/feed?profile=plain&user_id=1'
expect 200
[[ $reply != *'"cap"'* ]] || fail "a profile without a cap has one: $reply"

# Who only reads is refused, but for comparisons.
call POST /keys '{"name":"ops","role":"admin"}'
admin="Authorization: Bearer $(field .key)"
call POST /keys '{"name":"shop","role":"writer"}' "$admin"
writer="Authorization: Bearer $(field .key)"
call POST /keys '{"name":"page","role":"reader"}' "$admin"
reader="Authorization: Bearer $(field .key)"
call GET '/feed?profile=push&user_id=12' "" "$reader"
expect 403 '"code":"role"' '"field":"profile"' 'writer'
call POST /feed '{"profile":"notification","user_id":12}' "$reader"
expect 403 '"code":"role"'
call POST /query '{"query":"RETRIEVE items USING push FOR USER 12"}' "$reader"
expect 403 '"code":"role"'
call GET '/feed/compare?profile=push@1&with=push@2&user_id=12' "" "$reader"
expect 200 '"common":'
page 3 3 3 '/feed?profile=push&user_id=12' "$writer"
stop_server TERM || fail "SIGTERM should exit 0"

# Three nodes: counted on one, seen on the others; at once on all; the leaders of one die.
tomorrow=$today
join() { LD_PRELOAD=$bin/libshifted_clock.so TIDAL_CLOCK_SHIFT_FILE=$work/shift start_node "$@"; }
join a init --shards 2 || finish
token() { "$bin/tidalctl" node token --url "http://127.0.0.1:${node_http[a]}"; }
for node in b c; do TIDAL_TOKEN=$(token) join $node join --seed "127.0.0.1:${node_peer[a]}" || finish; done
voters() { [ "$(get "$1" /cluster/shards '[.shards[] | select((.voters | length) == 3 and .leader != null)] | length')" = 3 ]; }
for node in a b c; do poll 60 voters "$node" || fail "node $node is no voter everywhere"; done
for id in {1..12}; do on a POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"item $id\"}}"; done
on b POST /profiles "$(text 'profile push version 1 { candidates recent; score -age_hours; cap 2 per day; }')"
expect 200
of() { # NODE ITEMS DELIVERED USER [HEADER...]
    port=${node_http[$1]}
    page "$2" 2 "$3" "/feed?profile=push&user_id=$4&limit=1" "${@:5}"
}
asked=("${node_http[a]}" "${node_http[b]}" "${node_http[c]}")
# Users of both shards.
for user in 1 2 3 4 5 6; do
    of a 1 1 $user "Idempotency-Key: k-$user"
    of b 1 1 $user "Idempotency-Key: k-$user"
    of c 1 2 $user
    of a 0 2 $user
    at_once "/feed?profile=push&user_id=1$user&limit=2"
    [ "$(shown)" = 2 ] || fail "user 1$user is shown $(shown) by three nodes at once: $(cat "$work"/page.*)"
done
of b 0 2 11
[ "$(impressions)" = 24 ] || fail "24 items were shown, and counted are $(impressions)"
leader=$(get a /cluster/shards '.shards[] | select(.shard == 1) | .leader')
names=(none a b c)
end_node "${names[leader]}" KILL
rest=("${!node_pid[@]}")
led_anew() {
    [ "$(get "${rest[0]}" /cluster/shards "[.shards[] | select(.leader != null and .leader != $leader)] | length")" = 3 ]
}
poll 60 led_anew || fail "nobody leads what node $leader led"
for user in 1 2 3 4 5 6; do
    of "${rest[0]}" 0 2 $user
    of "${rest[1]}" 1 2 $user "Idempotency-Key: k-$user"
    of "${rest[1]}" 0 2 "1$user"
done
of "${rest[0]}" 1 1 31
of "${rest[1]}" 1 2 31
finish
