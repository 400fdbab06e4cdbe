#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work, port, server_pid, status and reply come from lib.sh
# Writes under way have a budget: above it they are refused, with when to come again, and not kept; what was taken is
# there, also after kill -9.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

for wrong in 0 -1 1073741825 many; do
    "$bin/tidal-server" standalone --writes-memory-mib "$wrong" --print-config >"$work/out" 2>&1 && fail "a budget of $wrong"
    grep -q 'writes-memory-mib' "$work/out" || fail "which flag: $(cat "$work/out")"
done
"$bin/tidal-server" standalone --print-config | grep -qx 'writes_memory_mib: 256' || fail "the default"
TIDAL_WRITES_MEMORY_MIB=7 "$bin/tidal-server" standalone --print-config | grep -qx 'writes_memory_mib: 7' ||
    fail "the variable is not read"

# Texts of 700 kB: two are above a MiB. Of long words, so that there are few.
text=$(yes "$(seq -f '%060.0f' -s ' ' 1000)" | head -c 700000 | tr '\n' ' ')
next=1
# storm: six items at once, each of its own connection; sets `first` and `last`.
storm() {
    local id pids=()
    first=$next last=$((next + 5))
    for ((id = first; id <= last; ++id)); do
        printf '{"entity_id":%d,"metadata":{"title":"%s"}}' "$id" "$text" >"$work/body.$id"
    done
    for ((id = first; id <= last; ++id)); do
        curl -s --max-time 60 -D "$work/head.$id" -o "$work/reply.$id" -H 'Content-Type: application/json' \
            --data-binary "@$work/body.$id" "http://127.0.0.1:$port/items" &
        pids+=($!)
    done
    wait "${pids[@]}"
    rm -f "$work"/body.*
    next=$((last + 1))
}
under_way() {
    curl -s "http://127.0.0.1:$port/metrics" | awk '/^tidal_shard_proposed_bytes\{/ && $2 > most {most = $2} END {print most + 0}'
}
status_of() { sed -n 's/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$work/head.$1" | tail -n 1; }

start_server standalone --data-dir "$work/data" --writes-memory-mib 1 || finish
taken=() refused=() seen=0
deadline=$((SECONDS + 90))
until { [ ${#refused[@]} -ge 2 ] && [ "$seen" -gt 0 ]; } || [ $SECONDS -gt $deadline ]; do
    storm &
    storms=$!
    # What is under way is seen from outside: the budget, and the write that was the first above it.
    while kill -0 "$storms" 2>/dev/null; do
        most=$(under_way)
        [ "$most" -le $((2 << 20)) ] || fail "$most bytes are under way"
        [ "$most" = 0 ] || seen=$most
        pause
    done
    wait "$storms"
    first=$next last=$((next + 5)) next=$((next + 6))
    for ((id = first; id <= last; ++id)); do
        case $(status_of "$id") in
            200) taken+=("$id") ;;
            429)
                refused+=("$id")
                grep -qi '^Retry-After: [1-9]' "$work/head.$id" || fail "when to come again: $(cat "$work/head.$id")"
                grep -q '"code":"overloaded"' "$work/reply.$id" || fail "why: $(cat "$work/reply.$id")"
                grep -q -- '--writes-memory-mib' "$work/reply.$id" || fail "which flag: $(cat "$work/reply.$id")"
                ;;
            *) fail "item $id: $(cat "$work/head.$id" "$work/reply.$id")" ;;
        esac
    done
done
[ ${#refused[@]} -ge 2 ] || fail "nothing was refused of $((next - 1))"
[ ${#taken[@]} -ge 1 ] || fail "nothing was taken"
[ "$seen" -gt 0 ] || fail "nothing was ever under way"
all_done() { [ "$(under_way)" = 0 ]; }
poll 30 all_done || fail "$(under_way) bytes are under way when all is done"

there() { # WHEN
    local id
    for id in "${taken[@]}"; do
        status=$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/items/$id")
        [ "$status" = 200 ] || fail "item $id was taken, and is $status $1"
    done
    for id in "${refused[@]}"; do
        call GET "/items/$id"
        [ "$status" = 404 ] || fail "item $id was refused, and is $status $1"
    done
}
there "at once"
stop_server KILL
start_server standalone --data-dir "$work/data" --writes-memory-mib 1 || finish
there "after kill -9"
# Come again, one after the other: there is room for each.
for id in "${refused[@]}"; do
    call POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"again\"}}"
    expect 200
done
stop_server TERM || fail "SIGTERM should exit 0"

# With the budget of a server that was told nothing the same is taken.
start_server standalone --data-dir "$work/data" || finish
storm
for ((id = first; id <= last; ++id)); do
    [ "$(status_of "$id")" = 200 ] || fail "item $id with room: $(cat "$work/head.$id" "$work/reply.$id")"
done
stop_server TERM || fail "SIGTERM should exit 0"
finish
