#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# A schema of one's own: string ids, fields that are added by writing them, additions by PUT; all of it
# on every shard, and after a restart.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

cat >"$work/schema.yaml" <<'YAML'
items:
  ids: string
  dynamic: true
  fields:
    title: text
signals:
  view: {half_life: 1h, unique: 24h}
YAML
start_server standalone --data-dir "$work/data" --schema "$work/schema.yaml" --shards 3 || finish
call POST /items '{"entity_id":"song/1","metadata":{"title":"Tides","mood":"calm","bpm":72,"tags":["sea","night"]}}'
expect 200 '"status":"ok"'
call POST /items '{"entity_id":"song/2","metadata":{"mood":"loud","bpm":140}}'
expect 200
call POST /items '{"entity_id":"song/3","metadata":{"bpm":"fast"}}'
expect 400 '"code":"wrong_type"' '"field":"metadata.bpm"'
call POST /items '{"entity_id":5}'
expect 400 '"field":"entity_id"'
call PUT /schema '{"schema":"items:\n  ids: string\n  dynamic: true\n  fields: {title: text, label: keyword}\nsignals:\n  view: {half_life: 1h, unique: 24h}\n  like: {polarity: positive, half_life: 7d}\n"}'
expect 200 '"version":'

check() {
    call GET "/feed?profile=new&filter=mood%20%3D%20'calm'%20AND%20bpm%20%3C%20100"
    expect 200 '"matched":1' '"entity_id":"song/1"' '"mood":"calm"' '"tags":["night","sea"]'
    call POST /items '{"entity_id":"song/2","metadata":{"label":"Harbour"}}'
    expect 200
    for id in song%2F1 song%2F2; do
        call POST /signals "{\"entity_id\":\"${id/\%2F//}\",\"signal\":\"like\"}"
        expect 200
        call GET "/items/$id/signals"
        expect 200 '"like":{' "\"total\":$1.0"
    done
    call GET /schema
    expect 200 'mood: keyword' 'bpm: int' 'tags: keywords' 'label: keyword'
}
check 1
stop_server KILL
# The file does not name what PUT added: it is refused, and the stored schema serves without it.
"$bin/tidal-server" standalone --listen 127.0.0.1:0 --data-dir "$work/data" --schema "$work/schema.yaml" >"$work/refused" 2>&1 &&
    fail "a schema that removes a signal was accepted"
grep -q "signals.like" "$work/refused" || fail "the refusal does not name it: $(cat "$work/refused")"
start_server standalone --data-dir "$work/data" || finish
check 2
stop_server INT || fail "SIGINT should exit 0"
finish
