#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# A file system with no room at all, at a start and while serving: nothing ends but with a reason,
# nothing acknowledged is lost, and room again is enough.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

disk=$work/disk
mkdir "$disk"
if ! mount -t tmpfs -o size=96m tmpfs "$disk" 2>/dev/null; then
    echo "skipped: a small file system may not be mounted here"
    exit 77
fi
unmount() {
    [ -n "$server_pid" ] && kill -9 "$server_pid" 2>/dev/null && wait "$server_pid" 2>/dev/null
    server_pid=""
    umount "$disk"
    cleanup
}
trap unmount EXIT

fills=0
fill() {
    fills=$((fills + 1))
    cat /dev/zero >"$disk/fill$fills" 2>/dev/null
}

start_server standalone --data-dir "$disk/data" || finish
call POST /items '{"entity_id":1,"metadata":{"title":"kept"}}'
expect 200
stop_server INT || fail "SIGINT should exit 0"

# Starts until one is refused: a start may still find the room that the one before it gave back.
refusals=0
for _ in 1 2 3 4 5 6; do
    fill
    : >"$server_log"
    "$bin/tidal-server" standalone --data-dir "$disk/data" --listen 127.0.0.1:0 >"$server_log" 2>&1 &
    server_pid=$!
    deadline=$((SECONDS + 120))
    until port=$(sed -n 's/^serving on http:\/\/127\.0\.0\.1:\([0-9]*\).*/\1/p' "$server_log") && [ -n "$port" ]; do
        if ! kill -0 "$server_pid" 2>/dev/null || [ $SECONDS -gt $deadline ]; then break; fi
        read -rt 0.05 <> <(:) || true
    done
    if [ -n "$port" ]; then
        call GET /items/1
        expect 200 kept
        stop_server INT || fail "a server on a full disk should stop with 0, not $?"
        continue
    fi
    wait "$server_pid"
    code=$?
    server_pid=""
    [ $code = 1 ] || fail "a start on a full disk ends with $code: $(cat "$server_log")"
    grep -q '\[disk_full\]' "$server_log" || fail "not said to be disk_full: $(cat "$server_log")"
    grep -q 'free at least [0-9]* MiB' "$server_log" || fail "no advice: $(cat "$server_log")"
    refusals=$((refusals + 1))
done
[ $refusals -gt 0 ] || fail "no start was refused: the disk is not full"

# A directory that is made where there is no room, and again where there is.
fill
output=$("$bin/tidal-server" standalone --data-dir "$disk/new" --listen 127.0.0.1:0 2>&1) && fail "made where there is no room"
[[ $output == *'free at least'*'[disk_full]'* ]] || fail "making a directory on a full disk says: $output"
rm "$disk"/fill*
start_server standalone --data-dir "$disk/new" || finish
stop_server INT || fail "SIGINT should exit 0"

start_server standalone --data-dir "$disk/data" || finish
call GET /items/1
expect 200 kept
call POST /items '{"entity_id":2,"metadata":{"title":"after"}}'
expect 200
stop_server KILL
start_server standalone --data-dir "$disk/data" || finish
call GET /items/2
expect 200 after
stop_server INT || fail "SIGINT should exit 0"

# Full while it serves: said once when it begins and once when it ends, of the log and of checkpoints.
said() { # TEXT COUNT: waits until the log has it, then holds the count against it
    local deadline=$((SECONDS + 60)) count
    until grep -q "$1" "$server_log" || [ $SECONDS -gt $deadline ]; do read -rt 0.1 <> <(:) || true; done
    count=$(grep -c "$1" "$server_log")
    [ "$count" = "$2" ] || fail "expected '$1' $2 times, not $count: $(cat "$server_log")"
}
bulk() { # FROM: 4,000 items of 1 KiB
    awk -v from="$1" 'BEGIN {text = sprintf("%1000s", ""); gsub(" ", "x", text)
        for (i = from; i < from + 4000; ++i) printf "{\"entity_id\":%d,\"metadata\":{\"title\":\"%s\"}}\n", i, text}' |
        curl -s -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port/items" >"$work/bulk"
}
start_server standalone --data-dir "$disk/data" --checkpoint-interval-ms 500 || finish
fill
for from in $(seq 1000 4000 50000); do
    bulk "$from"
    grep -q '"disk_full"' "$work/bulk" && break
done
grep -q '"disk_full"' "$work/bulk" || fail "the log found room: $(head -c 300 "$work/bulk")"
bulk 1000
said 'log: no space left .*; writes are refused.*code=disk_full' 1
said 'shard: checkpoints of shard 1 fail; the log keeps what they would hold.*code=disk_full' 1
grep -q 'again' "$server_log" && fail "over too early: $(cat "$server_log")"
call GET /items/1
expect 200 kept
rm "$disk"/fill*
deadline=$((SECONDS + 60))
until bulk 1000 && ! grep -q '"disk_full"' "$work/bulk" || [ $SECONDS -gt $deadline ]; do read -rt 0.2 <> <(:) || true; done
said 'writes are accepted' 1
said 'checkpoints of shard 1 succeed again' 1
said 'writes are refused' 1
said 'checkpoints of shard 1 fail' 1
stop_server INT || fail "SIGINT should exit 0"

# And memory, too: each is refused for what it lacks, what is kept is read, and room for both comes back by deletes once
# the disk has some.
held_mib() { curl -s "http://127.0.0.1:$port/metrics" | awk '$1 == "tidal_memory_held_bytes" {printf "%d", $2 / 1048576}'; }
start_server standalone --data-dir "$disk/data" --checkpoint-interval-ms 500 || finish
budget=$(($(held_mib) + 16))
stop_server INT || fail "SIGINT should exit 0"
start_server standalone --data-dir "$disk/data" --checkpoint-interval-ms 500 --memory-mib "$budget" || finish
words() { # FROM: 500 items of 400 words of their own
    awk -v from="$1" 'BEGIN {for (i = from; i < from + 500; ++i) {text = ""
        for (w = 0; w < 400; ++w) text = text " w" i * 400 + w
        printf "{\"entity_id\":%d,\"metadata\":{\"title\":\"%s\"}}\n", i, text}}' |
        curl -s -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port/items" >"$work/bulk"
}
for from in $(seq 100000 500 110000); do
    words "$from"
    grep -q '"memory_full"' "$work/bulk" && break
done
grep -q '"memory_full"' "$work/bulk" || fail "not full of $from items: $(held_mib) of $budget MiB"
fill
# What room the log has is for signals, which take no memory.
signals() {
    awk 'BEGIN {text = sprintf("%4000s", ""); gsub(" ", "x", text)
        for (i = 0; i < 2000; ++i) printf "{\"entity_id\":1,\"signal\":\"view\",\"context\":\"%s\"}\n", text}' |
        curl -s -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port/signals" >"$work/bulk"
    grep -q '"disk_full"' "$work/bulk"
}
poll 60 signals || fail "signals are taken on a full disk: $(head -c 300 "$work/bulk")"
words "$from"
grep -qE '"(memory|disk)_full"' "$work/bulk" || fail "items are taken without room of either kind: $(head -c 300 "$work/bulk")"
call GET /items/1
expect 200 kept
call GET '/search?query=w40000001&limit=1'
expect 200 '"entity_id":100000'
rm "$disk"/fill*
deleted() { call DELETE /items/100000 && [ "$status" = 200 ]; }
poll 60 deleted || fail "no delete with room on the disk: $status $reply"
curl -s -o /dev/null -X DELETE "http://127.0.0.1:$port/items/[100001-$((from + 499))]"
taken() { call POST /items '{"entity_id":3,"metadata":{"title":"both"}}' && [ "$status" = 200 ]; }
poll 60 taken || fail "all is deleted and $(held_mib) of $budget MiB are held: $status $reply"
stop_server KILL
start_server standalone --data-dir "$disk/data" --memory-mib "$budget" || finish
call GET /items/3
expect 200 both
call GET /items/100000
expect 404
stop_server INT || fail "SIGINT should exit 0"
finish
