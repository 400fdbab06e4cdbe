#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port, status and reply come from lib.sh
# Exports of what was shown and what came of it, through the doors of the real programs: lines and cells, what they refuse,
# going on after any line, the same after kill -9 and on another node; nobody who was erased.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

field() { jq -r "$1" <<<"$reply"; }
echo 0 >"$work/shift"
start() { LD_PRELOAD=$bin/libshifted_clock.so TIDAL_CLOCK_SHIFT_FILE=$work/shift start_server standalone --data-dir "$work/data" "$@"; }
ctl() { TIDAL_URL=http://127.0.0.1:$port "$bin/tidalctl" "$@"; }
signal() { # ITEM SIGNAL USER [MORE]
    call POST /signals "{\"entity_id\":$1,\"signal\":\"$2\",\"user_id\":$3${4+,$4}}"
    expect 200
}
# of USER ITEM JQ WANT [QUERY]: of the impressions of the item that the user was shown.
of() {
    call GET "/export/impressions?user_id=$1${5-}"
    [ "$status" = 200 ] || fail "export: $status $reply"
    local got
    got=$(jq -sc "[.[] | select(.entity_id == $2) | $3]" <<<"$reply")
    [ "$got" = "$4" ] || fail "item $2 of user $1${5-}: expected $3 = $4, got $got: $reply"
}

start --shards 3 || finish
for id in 1 2 3 4; do call POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"item $id\"}}"; done
for id in 1 1 1 2 2 3; do signal $id like 100; done
call GET /export/impressions
expect 200
[ -z "$reply" ] || fail "nothing was shown yet: $reply"

# A page, logged with its features; what came of it.
call POST /feed '{"profile":"most_liked","user_id":901,"limit":3,"log_impressions":true,"log_features":true}' 'Idempotency-Key: home-1' 'X-Request-Id: r1'
expect 200 '"impressions":{"written":3,"repeated":0,"failed":0'
[[ $reply != *'"explain"'* ]] || fail "a page that was not asked explains itself: $reply"
call POST /feed '{"profile":"most_liked","user_id":901,"limit":3,"log_impressions":true,"log_features":true}' 'Idempotency-Key: home-1' 'X-Request-Id: r1'
expect 200 '"impressions":{"written":0,"repeated":3,"failed":0'
signal 1 like 901
signal 1 view 901 '"weight":2'
signal 1 dislike 901 '"weight":0.25'
signal 2 share 901 '"weight":1.5,"idempotency_key":"s-2"'
signal 2 share 901 '"weight":1.5,"idempotency_key":"s-2"'
signal 3 like 901 '"idempotency_key":"l-3"'
call POST /signals '{"undo":"l-3","entity_id":3}'
expect 200
signal 3 skip 901
signal 3 like 902
signal 4 like 901
of 901 1 '[.rank,.profile,.request_id,.score,.features,.experiment,.context]' '[[1,"most_liked@1","r1",3,{"sum(like, all)":3},null,null]]'
of 901 2 '[.rank,.score,.features]' '[[2,2,{"sum(like, all)":2}]]'
of 901 1 '[.signals[] | [.signal,.weight]]' '[[["like",1],["view",2],["dislike",0.25]]]'
of 901 1 '[.reward,.complete,.user_id]' '[[0.75,false,901]]'
of 901 2 '[.reward,(.signals | map(.signal))]' '[[1.5,["share"]]]'
of 901 3 '[.reward,(.signals | map(.signal))]' '[[-1,["skip"]]]'
of 901 4 '.reward' '[]'
of 902 3 '.reward' '[]'

# A query logs as well, with features or without; the next impression begins anew.
call POST /query '{"query":"RETRIEVE items USING most_liked FOR USER 901 LIMIT 1 LOG IMPRESSIONS WITH FEATURES"}'
expect 200 '"impressions":{"written":1'
signal 1 comment 901
of 901 1 '[.reward,(.signals | map(.signal))]' '[[0.75,["like","view","dislike"]],[1,["comment"]]]'
of 901 1 '.features' '[{"sum(like, all)":3},{"sum(like, all)":4}]'
call POST /query '{"query":"RETRIEVE items USING most_liked FOR USER 903 LIMIT 1 LOG IMPRESSIONS"}'
expect 200 '"impressions":{"written":1'
of 903 1 '[.rank,.profile,.score,.features]' '[[1,"most_liked@1",null,null]]'
call POST /query '{"query":"RETRIEVE items USING most_liked LIMIT 1 LOG IMPRESSIONS WITH FEATURE"}'
expect 400 'FEATURES'
call POST /query '{"query":"RETRIEVE items USING most_liked LIMIT 1 LOG IMPRESSIONS WITH"}'
expect 400 'FEATURES'
for path in '/feed?profile=most_liked&log_features=true' '/feed?profile=most_liked&log_features=yes&log_impressions=true' \
    '/feed/compare?profile=new&with=old&log_features=true'; do
    call GET "$path"
    expect 400 '"field":"log_features"'
done
call GET '/feed?profile=most_liked&user_id=904&limit=1&log_impressions=true&log_features=true'
expect 200 '"impressions":{"written":1'
of 904 1 '[.score,.features]' '[[4,{"sum(like, all)":4}]]'

# What a client writes itself: with a context of its own, for a session, or for nobody.
signal 4 impression 905 '"context":{"slot":"top","position":7,"request_id":"of app"}'
of 905 4 '[.rank,.request_id,.profile,.context]' '[[7,"of app",null,{"slot":"top"}]]'
signal 3 impression 905 '"context":"front, \"page\""'
of 905 3 '[.rank,.context]' '[[null,"front, \"page\""]]'
for id in 3 4; do
    call POST /signals "{\"entity_id\":$id,\"signal\":\"impression\"}"
    expect 200
    call POST /signals "{\"entity_id\":$id,\"signal\":\"like\"}"
done
call GET /export/impressions
expect 200
[ "$(jq -sc '[.[] | select(.user_id == null) | [.entity_id,.reward,.signals,.session_id]] | sort' <<<"$reply")" = '[[3,0,[],null],[4,0,[],null]]' ] ||
    fail "of nobody: $reply"
call POST /sessions '{"user_id":906}'
session=$(field .session_id)
call GET "/feed?profile=most_liked&session_id=$session&limit=1&log_impressions=true"
expect 200 '"written":1'
call POST "/sessions/$session/signals" '{"entity_id":1,"signal":"like","sequence":1}'
expect 200
arrived() {
    call GET '/export/impressions?user_id=906'
    [ "$(jq -sc '[.[] | [.entity_id,.reward,.session_id]]' <<<"$reply")" = "[[1,1,\"$session\"]]" ]
}
poll 20 arrived || fail "what a session sent: $reply"

# Within, and times of impressions.
echo 120000 >"$work/shift"
signal 2 like 901
of 901 2 '[.reward,.complete]' '[[1.5,true]]' '&within=1m'
of 901 2 '[.reward,.complete]' '[[2.5,false]]' '&within=1h'
of 901 2 '[.reward,.complete]' '[[2.5,false]]'
of 901 2 '[.reward,.complete]' '[[2.5,false]]' '&within=30d'
at=$(jq -sr '.[0].at' <<<"$reply")
of 901 2 '.rank' '[2]' "&from=$at"
of 901 2 '.rank' '[]' "&until=$at"
of 901 2 '.rank' '[]' '&from=2100-01-01T00:00:00Z'

# What is refused.
refused() { # QUERY FIELD TEXT...
    call GET "/export/impressions?$1"
    expect 400 "\"field\":\"$2\"" "${@:3}"
}
refused format=xml format 'jsonl or csv'
refused within=59s within '1m to 30d'
refused within=31d within '1m to 30d'
refused within=2x within
refused within= within
refused within=-1h within
refused withn=1h withn within
refused signals=like signals
refused limit=5 limit
refused gaps=maybe gaps
refused from=yesterday from
refused until=soon until
refused user_id=me user_id
refused position=abc position 'unchanged'
call GET /export/impressions
position=$(jq -sr '.[-1].position' <<<"$reply")
refused "position=${position}A" position
refused "position=${position:0:6}" position
call POST /export/impressions '{}'
expect 405

# After any line the rest follows; cells are what lines are.
query="within=1h&until=$(date -u -d '+1 hour' +%FT%TZ)"
whole() {
    call GET "/export/impressions?$query"
    expect 200
    printf '%s\n' "$reply"
}
whole >"$work/before"
lines=$(wc -l <"$work/before")
[ "$lines" = 11 ] || fail "11 impressions, but $lines lines: $reply"
resumes() {
    local n=0 line
    while read -r line; do
        n=$((n + 1))
        call GET "/export/impressions?$query&position=$(jq -r .position <<<"$line")"
        expect 200
        [ "$reply" = "$(tail -n +$((n + 1)) "$work/before")" ] || fail "after line $n: $reply"
    done <"$work/before"
}
resumes
cells() {
    call GET "/export/impressions?$query&format=csv"
    expect 200
    local text=$reply
    [ "$(head -n 1 <<<"$text")" = "entity_id,at,user_id,session_id,rank,profile,experiment,request_id,score,reward,complete,signals,features,context,position" ] ||
        fail "the first row: $text"
    [ "$(wc -l <<<"$text")" = $((lines + 1)) ] || fail "rows: $text"
    # Rows as jq makes them from lines; its numbers are written in another way.
    local row
    row=$(jq -r 'select(.user_id == 905 and .entity_id == 3) | "3,\(.at),905,,,,,,,0.0,false,[],,\"front, \"\"page\"\"\",\(.position)"' "$work/before")
    grep -qxF "$row" <<<"$text" || fail "expected $row in: $text"
    row=$(jq -r 'select(.user_id == 901 and .rank == 3) | "3,\(.at),901,,3,most_liked@1,,r1,1,-1.0,false,\"[{\"\"signal\"\":\"\"skip\"\",\"\"weight\"\":1.0,\"\"at\"\":\"\"\(.signals[0].at)\"\"}]\",\"{\"\"sum(like, all)\"\":1}\",,\(.position)"' "$work/before")
    grep -qxF "$row" <<<"$text" || fail "expected $row in: $text"
}
cells
head_of=$(curl -s -o /dev/null -D - "http://127.0.0.1:$port/export/impressions?format=csv")
grep -qi '^content-type: text/csv' <<<"$head_of" || fail "csv: $head_of"
head_of=$(curl -s -o /dev/null -D - "http://127.0.0.1:$port/export/impressions?format=jsonl")
grep -qi '^content-type: application/x-ndjson' <<<"$head_of" || fail "lines: $head_of"

# The command.
[ "$(ctl export impressions --within 1h)" = "$(cat "$work/before")" ] || fail "tidalctl export impressions"
third=$(sed -n 3p "$work/before" | jq -r .position)
[ "$(ctl export impressions --within 1h --position "$third")" = "$(tail -n +4 "$work/before")" ] || fail "--position"
[ "$(ctl export impressions --user-id 901 --within 1m | jq -sc '[.[] | select(.entity_id == 2) | .reward]')" = '[1.5]' ] || fail "--user-id, --within"
[ "$(ctl export impressions --from 2100-01-01T00:00:00Z)" = "" ] || fail "--from"
[[ $(ctl export impressions --format csv) == entity_id,at,user_id* ]] || fail "--format csv"
for wrong in '--format xml' '--within 1s' '--signals like' '--position abc'; do
    # shellcheck disable=SC2086  # an option and its value
    ctl export impressions $wrong >/dev/null 2>"$work/err" && fail "export impressions $wrong"
    word=${wrong%% *}
    grep -q "${word#--}" "$work/err" || fail "$wrong: $(cat "$work/err")"
done
ctl export signals --within 1h >/dev/null 2>"$work/err" && fail "export signals --within"
ctl export shown >/dev/null 2>"$work/err" && fail "export shown"

# After kill -9 the same lines, and positions of before go on.
stop_server KILL
start || finish
whole >"$work/after"
diff "$work/before" "$work/after" >&2 || fail "exports differ after kill -9"
resumes
cells
call POST /feed '{"profile":"most_liked","user_id":901,"limit":3,"log_impressions":true,"log_features":true}' 'Idempotency-Key: home-1' 'X-Request-Id: r1'
expect 200 '"impressions":{"written":0,"repeated":3'
signal 4 impression 907
call GET "/export/impressions?$query&user_id=907"
[ "$(jq -sc 'map(.entity_id)' <<<"$reply")" = '[4]' ] || fail "what was shown after kill -9: $reply"

# An erased user is gone; raw exports keep the signals without the user.
call POST /users '{"entity_id":901,"metadata":{"language":"de"}}'
call DELETE /users/901
expect 200
erased() {
    whole >"$work/after"
    jq -c 'select(.user_id != 901 and .user_id != 907) | del(.position)' "$work/before" >"$work/others"
    jq -c 'select(.user_id != 907) | del(.position)' "$work/after" | diff "$work/others" - >&2 || fail "others than the erased one differ"
    grep -q '"user_id":901\|"request_id":"r1"' "$work/after" && fail "an erased user is exported: $(cat "$work/after")"
    call GET '/export/impressions?user_id=901&format=csv'
    [ "$(wc -l <<<"$reply")" = 1 ] || fail "an erased user in cells: $reply"
    call GET '/export/signals'
    expect 200 '"signal":"share"'
    [[ $reply != *'"user_id":901'* ]] || fail "raw exports name the erased user"
}
erased
stop_server KILL
start || finish
erased
signal 4 impression 901
signal 4 like 901
of 901 4 '[.reward,.complete]' '[[1,false]]'
stop_server TERM || fail "SIGTERM should exit 0"

# Three nodes: shown on one, done on another, exported from all, alike.
start_node a init --shards 2 || finish
token() { "$bin/tidalctl" node token --url "http://127.0.0.1:${node_http[a]}"; }
for node in b c; do TIDAL_TOKEN=$(token) start_node $node join --seed "127.0.0.1:${node_peer[a]}" || finish; done
voters() { [ "$(get "$1" /cluster/shards '[.shards[] | select((.voters | length) == 3 and .leader != null)] | length')" = 3 ]; }
for node in a b c; do poll 60 voters "$node" || fail "node $node is no voter everywhere"; done
for id in 1 2 3 4; do
    on a POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"item $id\"}}"
    on b POST /signals "{\"entity_id\":$id,\"signal\":\"like\",\"weight\":$((5 - id))}"
done
on b POST /feed '{"profile":"most_liked","user_id":7,"limit":4,"log_impressions":true,"log_features":true}'
expect 200 '"impressions":{"written":4'
on c POST /signals '[{"entity_id":1,"signal":"like","user_id":7},{"entity_id":3,"signal":"dislike","user_id":7}]'
expect 200 '"accepted":2'
on c GET /export/impressions
expect 200
lines=$(printf '%s\n' "$reply")
[ "$(jq -sc 'sort_by(.rank) | map([.entity_id,.reward])' <<<"$lines")" = '[[1,1],[2,0],[3,-1],[4,0]]' ] || fail "of a cluster: $lines"
alike() {
    for node in "${!node_pid[@]}"; do
        on "$node" GET /export/impressions
        [ "$reply" = "$lines" ] || fail "node $node exports $reply, not $lines"
        on "$node" GET "/export/impressions?position=$(sed -n 2p <<<"$lines" | jq -r .position)"
        [ "$reply" = "$(tail -n +3 <<<"$lines")" ] || fail "node $node goes on with $reply"
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
finish
