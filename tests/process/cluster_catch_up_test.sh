#!/usr/bin/env bash
# shellcheck disable=SC2154,SC2317  # bin, work, port, status and reply come from lib.sh
# A member that has nothing gets a snapshot over a slow network, and is cut off twice in the middle of it: killed, and with
# all its connections ended. Each time it goes on with what its disk has instead of beginning again, which the bytes on
# the wire tell; in the end it holds what the others hold.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

step() { echo "$SECONDS s: $*"; }
export TIDAL_CHECKPOINT_INTERVAL_MS=500
# launch NAME COMMAND ARGS...: does not wait.
launch() {
    local name=$1 command=$2
    shift 2
    : >"$work/$name.log"
    "$bin/tidal-server" "$command" --data-dir "$work/$name" --listen "127.0.0.1:${node_http[$name]}" \
        --peer-listen "127.0.0.1:${node_peer[$name]}" --peer-advertise "127.0.0.1:${proxy_port[$name]}" \
        --heartbeat-ms 50 --election-ms-min 500 --election-ms-max 1000 "$@" >"$work/$name.log" 2>&1 &
    node_pid[$name]=$!
    echo $! >"$work/$name.pid"
}
token() { "$bin/tidalctl" node token --url "http://127.0.0.1:${node_http[a]}"; }
voters() { [ "$(get "$1" /cluster/shards "[.shards[] | select((.voters | length) == $2 and .leader != null)] | length")" = 2 ]; }

begin_proxy a b c
launch a init --shards 1
poll 30 is_serving a || { fail "node a does not start: $(tail -n 3 "$work/a.log")"; finish; }
TIDAL_TOKEN=$(token) launch b join --seed "127.0.0.1:${proxy_port[a]}"
for node in a b; do poll 30 voters $node 2 || { fail "node $node is no voter: $(tail -n 3 "$work/$node.log")"; finish; }; done

step "more than a leader keeps in its log (100,000 entries), in a checkpoint"
awk 'BEGIN {
    for (id = 1; id <= 101000; ++id)
        printf "{\"entity_id\":%d,\"metadata\":{\"category\":\"%0256d\"}}\n", id, id * 7919 % 1000003
}' | curl -s -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:${node_http[a]}/items" | tail -n 1 >"$work/told"
grep -q '"accepted":101000,"rejected":0' "$work/told" || fail "101,000 items: $(cat "$work/told")"
on a POST /cluster/shards/1/transfer '{"node":1}'
checkpointed() { [ "$(get "$1" /cluster/shards '.shards[1] | .checkpoint_index > 101000 and .leader == 1')" = true ]; }
for node in a b; do poll 30 checkpointed $node || fail "no checkpoint of node $node: $(get $node /cluster/shards .)"; done

step "a member that has nothing"
links '1>3 delay 200'
TIDAL_TOKEN=$(token) launch c join --seed "127.0.0.1:${proxy_port[a]}"
received() { get a /cluster/shards '.shards[1].replicas[] | select(.node == 3) | .snapshot_bytes // 0'; }
has_received() { [ "$(received)" -ge "$1" ] 2>/dev/null; }
is_caught_up() { voters a 3 && [ "$(get c /cluster/shards '.shards[1].snapshots_installed')" = 1 ]; }
carried() { proxy_stats '.carried["1>3"]'; }
# What a disk has and yet comes again is a chunk that may be torn; what was on its way is four chunks.
spare=$((9 << 20))
part() { stat -c %s "$work"/c/snapshots/in-s0001-*.part 2>/dev/null || echo 0; }

poll 30 has_received $((12 << 20)) || fail "no snapshot comes: $(get a /cluster/shards .)"
end_node c KILL
size=$(stat -c %s "$work"/a/snapshots-out/s0001-*.snap | sort -n | head -n 1)
had=$(part)
[ "$size" -ge $((24 << 20)) ] || fail "a snapshot of $size bytes is too small to tell"
((had >= 11 << 20 && had < size * 2 / 3)) || fail "the disk has $had bytes of $size"

step "killed with $((had >> 20)) MiB of $((size >> 20))"
before=$(carried)
launch c start
poll 30 has_received $((size * 2 / 3)) || fail "the snapshot does not go on: $(get a /cluster/shards .)"
links '1>3 reset'
is_reset() { [ "$(get a /cluster/nodes '.nodes[] | select(.node == 3) | .up')" = false ]; }
poll 20 is_reset || fail "node c is still heard of: $(get a /cluster/nodes .)"
middle=$(part)
((middle > size / 2 && middle < size)) || fail "the disk has $middle bytes of $size"

step "connections end with $((middle >> 20)) MiB"
links '1>3 open'
poll 30 is_caught_up || fail "node c does not catch up: $(get c /cluster/shards .) $(tail -n 3 "$work/c.log")"
sent=$(($(carried) - before))
step "$((sent >> 20)) MiB were sent since node c was killed"
[ $sent -le $((size - had + spare)) ] ||
    fail "$sent bytes were sent to a node that had $had of $size, and later $middle"

poll 30 same_contents a b c || fail "replicas differ: $(cat "$work"/contents.?)"
on c GET '/items/101000?read_consistency=strong'
expect 200 '"entity_id":101000'
for node in a b c; do end_node $node TERM || fail "SIGTERM should exit 0, not $?"; done
finish
