#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work, port, server_pid, status and reply come from lib.sh
# A budget of memory for the process: items with texts and vectors are taken until it is used up, then refused, with when to
# come again; what was taken is read, found and deleted, also after a restart; with room, which deletes make, writes go on.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
# shellcheck source=tests/process/growth_lib.sh
. "$(dirname "$0")/growth_lib.sh"

for wrong in -1 1073741825 many; do
    "$bin/tidal-server" standalone --memory-mib "$wrong" --print-config >"$work/out" 2>&1 && fail "a budget of $wrong"
    grep -q 'memory-mib' "$work/out" || fail "which flag: $(cat "$work/out")"
done
"$bin/tidal-server" standalone --print-config | grep -qx 'memory_mib: 0' || fail "the default"
TIDAL_MEMORY_MIB=7 "$bin/tidal-server" standalone --print-config | grep -qx 'memory_mib: 7' || fail "the variable is not read"

metric() { curl -s "http://127.0.0.1:$port/metrics" | awk -v name="$1" '$1 == name {print $2}'; }
held_mib() { echo $(($(metric tidal_memory_held_bytes | awk '{printf "%.0f", $1}') >> 20)); }
serve() { start_server standalone --data-dir "$work/data" --schema "$work/schema.yaml" --checkpoint-interval-ms 1000 "$@" || finish; }

# lines PATH: of standard input; the answers, in $work/reply.
lines() {
    curl -s --max-time 120 -o "$work/reply" -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port$1"
}
# The budget is above what an empty server holds.
serve
empty=$(held_mib)
[ "$empty" -gt 0 ] || fail "nobody says what is held: $(metric tidal_memory_held_bytes)"
[ "$(metric tidal_memory_budget_bytes)" = 0 ] || fail "a budget that nobody gave: $(metric tidal_memory_budget_bytes)"
stop_server TERM || fail "SIGTERM should exit 0"
budget=$((empty + 48))
serve --memory-mib "$budget"
[ "$(metric tidal_memory_budget_bytes | awk '{printf "%.0f", $1}')" = $((budget << 20)) ] || fail "the budget: $(metric tidal_memory_budget_bytes)"

# refused PATH BODY: 429, with why and when to come again.
refused() {
    status=$(curl -s --max-time 60 -D "$work/head" -o "$work/reply" -w '%{http_code}' -H 'Content-Type: application/json' \
        --data-binary "$2" "http://127.0.0.1:$port$1")
    reply=$(cat "$work/reply")
    [ "$status" = 429 ]
}
one_more() { refused /items "{\"entity_id\":$((last + 1)),\"metadata\":{\"title\":\"one more\"}}"; }
vector_of_1() { # succeeds when it is taken
    refused /embeddings "{\"entity_id\":1,\"values\":[1$(printf ',0%.0s' {2..512})]}"
    [ "$status" = 200 ]
}
last=0
# fill: batches of items and their vectors until a line of them is refused.
fill() {
    local deadline=$((SECONDS + 180)) from
    while :; do
        from=$((last + 1)) last=$((last + 20))
        texts "$from" "$last" | lines /items
        grep -q '"code":"memory_full"' "$work/reply" && return
        vectors "$from" "$last" | lines /embeddings
        grep -q '"code":"memory_full"' "$work/reply" && return
        [ $SECONDS -le $deadline ] || { fail "nothing is refused of $last items: $(held_mib) of $budget MiB"; return; }
    done
}
fill
# A checkpoint or the allocator may make some room again: held above the budget for good by more of the same.
until_full() {
    local deadline=$((SECONDS + 120))
    until one_more; do
        [ $SECONDS -le $deadline ] || { fail "not full for good: $(held_mib) of $budget MiB, $last items"; return; }
        last=$((last + 1))
        fill
    done
}
until_full
room=$last # for so many items
expect 429 '"code":"memory_full"' '--memory-mib' "\"budget_bytes\":$((budget << 20))" '"held_bytes"'
grep -qi '^Retry-After: [1-9]' "$work/head" || fail "when to come again: $(cat "$work/head")"
# Above it by what one look lets in: a batch (20 items, 4 MiB), in which both tables of words may double (6 MiB each at this
# size), and what the server needs to answer.
[ "$(held_mib)" -le $((budget + 20)) ] || fail "$(held_mib) MiB are held with a budget of $budget"
[ "$(metric tidal_memory_refused)" != 0 ] || fail "no write is counted as refused"
grep -q 'memory: writes that need more memory are refused' "$server_log" || fail "the log does not say it: $(tail -n 3 "$server_log")"

# Reads, signals and deletes go on.
goes_on() { # WHEN
    call GET /items/1
    expect 200 '"entity_id":1'
    call GET '/search?query=w401&limit=5'
    expect 200 '"entity_id":1'
    call POST /feed '{"profile":"new","limit":5}'
    expect 200 '"entity_id"'
    call POST /signals '{"entity_id":1,"signal":"view"}'
    expect 200
    [ "$failed" = 0 ] || fail "$1"
}
goes_on "while memory is full"
count() { curl -s "http://127.0.0.1:$port/health" | jq .items; }
items=$(count)
stop_server KILL

# A smaller budget than what an empty server holds: it starts all the same, with all that was taken.
serve --memory-mib 1
[ "$(count)" = "$items" ] || fail "$(count) items after kill -9, not $items"
one_more || fail "taken above the budget after a restart: $status $reply"
expect 429 '"code":"memory_full"'
vector_of_1 && fail "a vector above the budget is taken: $status $reply"
expect 429 '"code":"memory_full"'
goes_on "after kill -9"
call DELETE /items/2
expect 200
call GET /items/2
expect 404
# An import stops and says why; under the same id it goes on where there is room.
seq -f '{"entity_id":%.0f,"metadata":{"title":"imported"}}' 900001 900100 >"$work/rows"
import() {
    status=$(curl -s --max-time 120 -o "$work/reply" -w '%{http_code}' -H 'Content-Type: application/x-ndjson' \
        --data-binary "@$work/rows" "http://127.0.0.1:$port/import?id=rows")
    reply=$(cat "$work/reply")
}
import
expect 429 '"code":"memory_full"' '--memory-mib' 'under the same id'
call GET /items/900001
expect 404
stop_server TERM || fail "SIGTERM should exit 0"

# Room by a larger budget.
serve --memory-mib 100000
call GET /items/2
expect 404
one_more && fail "refused with room: $reply"
expect 200
last=$((last + 1))
import
expect 200 '"state":"finished"' '"accepted":100' '"rejected":0'
vector_of_1
expect 200
stop_server TERM || fail "SIGTERM should exit 0"

# Full again: all of it can be deleted meanwhile, and then there is room as at first.
serve --memory-mib "$budget"
fill
until_full
curl -s -o /dev/null -X DELETE "http://127.0.0.1:$port/items/[1-$last]"
call GET /items/1
expect 404
[ "$(count)" = 100 ] || fail "$(count) items are left, not the 100 of the import"
taken() { ! one_more && [ "$status" = 200 ]; }
poll 60 taken || fail "all is deleted, and $(held_mib) of $budget MiB are held: $status $reply"
last=$((last + 1)) again=$last
fill
until_full
[ $((last - again)) -ge $((room / 2)) ] || fail "room for $((last - again)) items after all were deleted, and for $room at first"
stop_server TERM || fail "SIGTERM should exit 0"
finish
