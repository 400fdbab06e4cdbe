#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# kill -9 under load, again and again: every acknowledged signal is counted, none twice.
# CYCLES=1000 crash_loop_test.sh BIN for the long form.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
cycles=${CYCLES:-8}

start_server standalone --data-dir "$work/data" --shards 2 --checkpoint-interval-ms 200 || finish
call POST /items '{"entity_id":7,"metadata":{"title":"counted"},"creator_id":3}'
expect 200
acknowledged=0
for cycle in $(seq "$cycles"); do
    # Keys make a repeat after the kill harmless: a batch cut off in the middle is sent again whole.
    for line in $(seq 400); do
        printf '{"entity_id":7,"signal":"view","user_id":%d,"idempotency_key":"c%d-%d"}\n' "$line" "$cycle" "$line"
    done >"$work/batch"
    (
        read -rt "0.0$((cycle % 9 + 1))" <> <(:)
        kill -9 "$server_pid"
    ) 2>/dev/null &
    killer=$!
    curl -s -X POST -H 'Content-Type: application/x-ndjson' --limit-rate 300k --data-binary "@$work/batch" \
        "http://127.0.0.1:$port/signals" >"$work/first" 2>/dev/null
    wait "$killer" "$server_pid" 2>/dev/null
    server_pid=""
    before=$(grep -c '"status":"ok"' "$work/first")
    start_server standalone --data-dir "$work/data" --checkpoint-interval-ms 200 || finish
    call GET /items/7/signals
    counted=$(sed 's/.*"view":{"decayed":[^,]*,"total":\([0-9]*\)\..*/\1/' <<<"$reply")
    [ "$counted" -ge $((acknowledged + before)) ] || fail "cycle $cycle: $counted counted, $((acknowledged + before)) acknowledged"
    curl -s -X POST -H 'Content-Type: application/x-ndjson' --data-binary "@$work/batch" \
        "http://127.0.0.1:$port/signals" >"$work/second"
    tail -n 1 "$work/second" | grep -q '"accepted":400,"rejected":0' || fail "cycle $cycle: $(tail -n 1 "$work/second")"
    acknowledged=$((acknowledged + 400))
    call GET /items/7/signals
    expect 200 "\"total\":$acknowledged.0"
done
# The creator is on either shard; its ledger follows through the relay, exactly once.
deadline=$((SECONDS + 30))
until call GET /creators/3/signals && [[ $reply == *"\"total\":$acknowledged.0"* ]]; do
    [ $SECONDS -gt $deadline ] && fail "the creator's ledger: $reply" && break
    read -rt 0.05 <> <(:)
done
echo "$cycles cycles, $acknowledged signals"
finish
