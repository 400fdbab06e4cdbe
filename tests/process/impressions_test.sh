#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# Impressions through the doors of the real programs: nobody declares them, a feed counts them.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

cat >"$work/schema.yaml" <<'YAML'
items:
  fields: {title: text}
signals:
  view: {half_life: 1d}
  like: {polarity: positive, half_life: 7d}
YAML
start_server standalone --data-dir "$work/data" --schema "$work/schema.yaml" --shards 2 || finish
for id in 1 2 3 4; do
    call POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"Item $id\"}}"
    expect 200
done
call POST /signals '{"entity_id":2,"signal":"view","weight":3}'
expect 200

token_of() { sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply"; }
# expect_count ID COUNT: impressions of an item, once `token` is visible.
expect_count() {
    call GET "/items/$1/signals?token=$token"
    expect 200 '"impression":{"decayed":'
    local count
    count=$(sed 's/.*"impression":[^}]*"all":\([0-9]*\).*/\1/' <<<"$reply")
    [ "$count" = "$2" ] || fail "expected $2 impressions of item $1, got $count: $reply"
}

call GET /schema
expect 200 'impression:'
call POST /signals '{"entity_id":4,"signal":"impression"}'
expect 200
token=$(token_of)
expect_count 4 1

# A feed writes only when it is asked to.
call GET "/feed?profile=most_viewed&limit=2"
expect 200
[[ $reply != *impressions* ]] || fail "a feed that was not asked tells of impressions: $reply"
call POST /feed '{"profile":"most_viewed","limit":2,"user_id":7,"log_impressions":true}' "Idempotency-Key: page-1" "X-Request-Id: r1"
expect 200 '"impressions":{"written":2,"repeated":0,"failed":0,"token":"'
token=$(token_of)
expect_count 2 1
expect_count 1 1
expect_count 3 0
call GET "/export/signals?signals=impression&user_id=7"
expect 200 '"context":{"position":1,"profile":"most_viewed@1","request_id":"r1"}'

# A context is a text or an object, kept as text; an export gives back what was sent, and takes it again.
for context in '"front page"' '{"slot":2,"ab":["x","y"],"r":1.5,"é":null}' '"{\"spaced\": 1}"' '{"n":1e400}' '{ "a" : 40.0 }'; do
    call POST /signals "{\"entity_id\":1,\"signal\":\"like\",\"user_id\":8,\"context\":$context}"
    [ "$context" = '{"n":1e400}' ] && expect 400 && continue
    expect 200
done
for context in 7 true '["a"]'; do
    call POST /signals "{\"entity_id\":1,\"signal\":\"like\",\"user_id\":8,\"context\":$context}"
    expect 400 '"field":"context"' 'a string or an object'
done
call POST /signals "{\"entity_id\":1,\"signal\":\"like\",\"context\":{\"long\":\"$(printf 'x%.0s' $(seq 4092))\"}}"
expect 400 '"field":"context"' '4 KiB'
call GET "/export/signals?signals=like&user_id=8"
expect 200 '"context":"front page"' '"context":{"slot":2,"ab":["x","y"],"r":1.5,"é":null}' '"context":"{\"spaced\": 1}"' '"context":{"a":40.0}'
sed 's/,"position":"[^"]*"//; s/"user_id":8/"user_id":9/' <<<"$reply" | grep . >"$work/again.jsonl"
TIDAL_URL=http://127.0.0.1:$port "$bin/tidalctl" import "$work/again.jsonl" >/dev/null 2>&1 || fail "an export is not taken again"
contexts() {
    call GET "/export/signals?signals=like&user_id=$1"
    grep -o '"context":.*,"at"' <<<"$reply"
}
[ "$(contexts 9)" = "$(contexts 8)" ] || fail "contexts changed on their way: $(contexts 8) and $(contexts 9)"

# The same page again; the other order of it; another key; a key of the widest.
call POST /feed '{"profile":"most_viewed","limit":2,"user_id":7,"log_impressions":true}' "Idempotency-Key: page-1"
expect 200 '"impressions":{"written":0,"repeated":2,"failed":0' '"warnings":[]'
call POST /feed '{"profile":"most_viewed","limit":3,"user_id":7,"pin":[1],"log_impressions":true}' "Idempotency-Key: page-1"
expect 200 '"impressions":{"written":1,"repeated":2,"failed":0'
call POST /feed '{"profile":"most_viewed","limit":1,"log_impressions":true}' "Idempotency-Key: page-2"
expect 200 '"impressions":{"written":1,"repeated":0'
token=$(token_of)
expect_count 2 2
call POST "/query" '{"query":"RETRIEVE items USING most_viewed LIMIT 1 LOG IMPRESSIONS"}' "Idempotency-Key: page-2"
expect 200 '"impressions":{"written":0,"repeated":1'
call GET "/feed?profile=most_viewed&limit=1&log_impressions=true"
expect 200 '"impressions":{"written":1'
token=$(token_of)
expect_count 2 3

# Pages of other sites cannot count, and a comparison is shown to nobody.
call GET "/feed?log_impressions=true" "" "Sec-Fetch-Site: cross-site"
expect 403 foreign_origin
call GET "/feed?log_impressions=yes"
expect 400 '"field":"log_impressions"'
call GET "/feed/compare?profile=new&with=old&log_impressions=true"
expect 400 '"field":"log_impressions"'
call POST /query '{"query":"RETRIEVE items LOG impresions"}'
expect 400 'expected IMPRESSIONS'

# Exploration needs no declaration, and ends where an item is known.
call POST /profiles '{"text":"profile curious version 1 { score sum(view, all); explore 50%; }"}'
expect 200 curious
call GET "/feed?profile=curious&seed=3&limit=2"
expect 200 '"explored":{"impressions":'
lines=""
for n in $(seq 100); do
    lines+="{\"entity_id\":1,\"signal\":\"impression\"}"$'\n'"{\"entity_id\":3,\"signal\":\"impression\"}"$'\n'
    lines+="{\"entity_id\":4,\"signal\":\"impression\"}"$'\n'
done
status=$(curl -s -o "$work/reply" -w '%{http_code}' -H 'Content-Type: application/x-ndjson' --data-binary "$lines" "http://127.0.0.1:$port/signals")
reply=$(tail -n 1 "$work/reply")
expect 200 '"accepted":300'
call GET "/feed?profile=curious&seed=3&limit=2"
expect 200
[[ $reply != *explored* ]] || fail "explores what is known: $reply"

# The command.
export TIDAL_URL=http://127.0.0.1:$port
page=$("$bin/tidalctl" query --idempotency-key page-9 "RETRIEVE items USING most_viewed LIMIT 2 LOG IMPRESSIONS")
[[ $page == *"2 impressions written"* ]] || fail "tidalctl does not say what it wrote: $page"
page=$("$bin/tidalctl" query --idempotency-key page-9 "RETRIEVE items USING most_viewed LIMIT 2 LOG IMPRESSIONS")
[[ $page == *"0 impressions written"* ]] || fail "tidalctl sends no key: $page"

# They are writes like any other: they survive.
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
token=""
expect_count 2 4
call GET "/feed?profile=curious&seed=3&limit=2"
[[ $reply != *explored* ]] || fail "explores what was known before the restart: $reply"
call POST /feed '{"profile":"most_viewed","limit":1,"log_impressions":true}' "Idempotency-Key: page-2"
expect 200 '"impressions":{"written":0,"repeated":1'

# A schema that does not name it keeps it; one that does agrees with what is there.
put_schema() { call PUT /schema "$(printf '{"schema":"%s"}' "$(sed 's/$/\\n/' "$1" | tr -d '\n')")"; }
put_schema "$work/schema.yaml"
expect 200 'impression:'
sed 's/^signals:/signals:\n  impression: {half_life: 30d}/' "$work/schema.yaml" >"$work/own.yaml"
put_schema "$work/own.yaml"
expect 409 schema_not_an_addition 'signals.impression'
stop_server INT

# A new database may have one of its own.
start_server standalone --ephemeral --schema "$work/own.yaml" || finish
call GET /schema
expect 200 'impression:\n    polarity: neutral\n    decay: exponential\n    half_life: 30d'
stop_server INT

# Where 64 signals leave no room for it, the page is answered and says that nothing was counted.
{
    printf 'items:\n  fields: {title: text}\nsignals:\n'
    for n in $(seq 64); do printf '  s%s: {half_life: 1d}\n' "$n"; done
} >"$work/full.yaml"
start_server standalone --ephemeral --schema "$work/full.yaml" || finish
call POST /items '{"entity_id":1}'
call POST /feed '{"profile":"new","log_impressions":true}'
expect 200 '"entity_id":1' '"impressions":{"written":0,"repeated":0,"failed":1}' "1 impressions were not written: unknown signal 'impression'"
stop_server INT
finish
