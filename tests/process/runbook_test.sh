#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# The runbook's calls, as printed, then the same after kill -9 and after a clean stop.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

start_server standalone --data-dir "$work/data" || finish
call POST /items '{"entity_id":1,"metadata":{"title":"Jazz Piano","category":"music"}}'
expect 200 '"status":"ok"' '"durable":"local"' '"token":"'
call POST /embeddings '{"entity_id":1,"values":[0.1,0.2,0.3,0.4]}'
expect 200 '"status":"ok"'
call POST /signals '{"entity_id":1,"signal":"view","weight":1.0}'
expect 200 '"status":"ok"'
call POST /signals '{"entity_id":1,"signal":"like","user_id":"18446744073709551615"}' 'Idempotency-Key: once'
expect 200 '"status":"ok"'
call POST /signals '{"entity_id":1,"signal":"like","user_id":"18446744073709551615"}' 'Idempotency-Key: once'
expect 200 '"repeated":true'
call POST /signals '{"entity_id":1,"signal":"like","weight":2}' 'Idempotency-Key: once'
expect 422 '"code":"idempotency_key_reused"'

check_state() {
    call GET '/feed?user_id=42&profile=trending&limit=10'
    expect 200 '"entity_id":1,"rank":1,"score":' '"title":"Jazz Piano"' '"next_cursor":null' '"candidates":1' '"degradation":0'
    call GET /items/1/signals
    expect 200 '"view":{"decayed":' '"total":1.0,"counts":{"1h":1,"24h":1,"7d":1,"30d":1,"365d":1,"all":1}' '"acceleration":{"1h/24h":'
    call GET /items/1
    expect 200 '"entity_id":1' '"category":"music"' '"creator_id":null' '"created_at":"20' '"version":"'
    call GET '/feed?profile=trending&region=eu-west'
    expect 404 '"code":"unknown_region"' 'this server has: local'
    call GET /health
    expect 200 '"status":"ok"' '"items":1'
}
check_state
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
check_state
stop_server INT || fail "SIGINT should exit 0"
grep -q 'shutdown signal received' "$server_log" || fail "no line about the signal"
start_server standalone --data-dir "$work/data" || finish
check_state

call POST /signals '{"undo":"once","entity_id":1}'
expect 200 '"status":"ok"'
call POST /signals '{"undo":"once","entity_id":1}'
expect 200 '"repeated":true'
call GET /items/1/signals
expect 200 '"like":{"decayed":0.0,"total":0.0'
call POST /signals '{"undo":"never","entity_id":1}'
expect 404 '"code":"unknown_undo_key"'
call POST /health/drain
expect 409 '"code":"single_node"'
stop_server TERM || fail "SIGTERM should exit 0"
finish
