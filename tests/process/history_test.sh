#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# What clients of one server see through kill -9 after kill -9 looks like one machine; and where writes
# are acknowledged before they are applied and durable, the same check says that it does not.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

start_server standalone --data-dir "$work/data" --shards 2 --checkpoint-interval-ms 500 || finish
address=127.0.0.1:$port

# restart: the same address, so that clients find it again.
restart() {
    kill -9 "$server_pid"
    wait "$server_pid" 2>/dev/null
    "$bin/tidal-server" standalone --data-dir "$work/data" --checkpoint-interval-ms 500 --listen "$address" >"$server_log" 2>&1 &
    server_pid=$!
}

# record SEED ARGS...: a history with kills all the while; sets code.
record() {
    : >"$work/run"
    "$bin/tidal-history" run --nodes "http://$address" --seed "$1" --seconds 6 --keys 4 --clients 10 --rate 1500 \
        --timeout-ms 1000 --out "$work/history" "${@:2}" >"$work/run" 2>&1 &
    local run=$!
    until grep -q '^working' "$work/run" || ! kill -0 "$run" 2>/dev/null; do read -rt 0.05 <> <(:); done
    until grep -q '^settling' "$work/run" || ! kill -0 "$run" 2>/dev/null; do
        read -rt "0.$((RANDOM % 9 + 1))" <> <(:)
        restart
    done 2>/dev/null
    wait "$run"
    code=$?
}

record 1
[ "$code" = 0 ] || fail "the clients: $(cat "$work/run")"
"$bin/tidal-history" check "$work/history" >"$work/verdict" || fail "not one machine: $(cat "$work/verdict")"
grep -q 'operations on 8 keys: linearizable' "$work/verdict" || fail "$(cat "$work/verdict")"

# The control: acknowledged from memory, and killed.
found=""
for seed in 2 3 4 5 6 7; do
    record "$seed" --change-parameters w=memory
    "$bin/tidal-history" check "$work/history" >"$work/verdict" || found=1
    [ -n "$found" ] && break
done
[ -n "$found" ] || fail "late and lost writes are not found"
stop_server TERM || fail "a clean stop"
grep -q 'not linearizable: ' "$work/verdict" || fail "$(cat "$work/verdict")"

"$bin/tidal-history" check "$work/verdict" 2>"$work/err" && fail "a verdict is no history"
grep -q 'not a history' "$work/err" || fail "$(cat "$work/err")"
finish
