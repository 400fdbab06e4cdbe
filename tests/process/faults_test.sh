#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# A directory somebody holds, of another shape, damaged, or that cannot be written.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

# refused TEXT ARGS...: the server must not start, and must say why.
refused() {
    local text=$1 output
    shift
    output=$("$bin/tidal-server" standalone --listen 127.0.0.1:0 "$@" 2>&1) && fail "started: $*"
    [[ $output == *"$text"* ]] || fail "expected '$text' in: $output"
}

start_server standalone --data-dir "$work/data" --shards 2 || finish
call POST /items '{"entity_id":1,"metadata":{"title":"kept"}}'
expect 200
refused "in use by another process" --data-dir "$work/data"
stop_server INT || fail "SIGINT should exit 0"

refused "another number of shards" --data-dir "$work/data" --shards 3
mkdir "$work/foreign" && echo hello >"$work/foreign/notes.txt"
refused "no identity" --data-dir "$work/foreign"
printf 'kinds: [' >"$work/bad.yaml"
refused "line" --data-dir "$work/new" --schema "$work/bad.yaml"
refused "did you mean" --data-dri "$work/data"

cp "$work/data/CLUSTER" "$work/CLUSTER"
sed -i 's/^shards 2/shards 4/' "$work/data/CLUSTER"
refused "does not match its checksum" --data-dir "$work/data"
cp "$work/CLUSTER" "$work/data/CLUSTER"

# A log that is gone took with it what was acknowledged: it is not begun anew.
mv "$work/data/wal" "$work/wal" && mkdir "$work/data/wal"
refused "the log is missing" --data-dir "$work/data"
"$bin/tidalctl" fsck --data-dir "$work/data" >"$work/fsck" 2>&1 && fail "fsck found a log"
grep -q 'the log is missing' "$work/fsck" || fail "fsck misses no log: $(cat "$work/fsck")"
rmdir "$work/data/wal" && mv "$work/wal" "$work/data/wal"
start_server standalone --data-dir "$work/data" || finish
call GET /items/1
expect 200 '"title":"kept"'
stop_server KILL

# A flipped bit in the middle of the log, with synced batches after it.
start_server standalone --data-dir "$work/data" --checkpoint-interval-ms 3600000 || finish
for _ in 1 2 3 4 5 6; do call POST /signals '{"entity_id":1,"signal":"view"}'; done
expect 200
stop_server KILL
log=$(ls "$work"/data/wal/*.log | head -n 1)
size=$(tr -d '\0' <"$log" | wc -c)
printf '\377' | dd of="$log" bs=1 seek=$((size / 3)) conv=notrunc status=none
refused "offset" --data-dir "$work/data"
"$bin/tidalctl" fsck --data-dir "$work/data" >"$work/fsck" 2>&1 && fail "fsck found nothing"
grep -q 'offset' "$work/fsck" || fail "fsck names no offset: $(cat "$work/fsck")"
finish
