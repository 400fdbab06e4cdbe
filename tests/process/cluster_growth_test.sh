#!/usr/bin/env bash
# shellcheck disable=SC2154,SC2317  # bin, work, port, status and reply come from lib.sh
# A budget of memory on each of three nodes: what makes a shard grow is refused by who leads it, through whichever node it
# comes; reads, signals and deletes go on, and replicas stay equal. A budget is its node's: a follower applies what its
# leader took, however much it holds itself, and who comes to lead decides by its own.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
# shellcheck source=tests/process/growth_lib.sh
. "$(dirname "$0")/growth_lib.sh"

nodes=(a b c)
url_of() { echo "http://127.0.0.1:${node_http[$1]}"; }
metric() { curl -s "$(url_of "$1")/metrics" | awk -v name="$2" '$1 == name {printf "%.0f", $2}'; }
held_mib() { echo $(($(metric "$1" tidal_memory_held_bytes) >> 20)); }
export TIDAL_CHECKPOINT_INTERVAL_MS=1000

equal() { poll 30 same_contents "${nodes[@]}" || fail "$1: replicas differ: $(cat "$work"/contents.?)"; }

lines() { # NODE PATH, lines from standard input
    curl -s --max-time 60 -o "$work/reply" -H 'Content-Type: application/x-ndjson' --data-binary @- "$(url_of "$1")$2"
}
# grows NODE ID: whether an item more is taken through it; sets status and reply.
grows() {
    status=$(curl -s --max-time 60 -D "$work/head" -o "$work/reply" -w '%{http_code}' -H 'Content-Type: application/json' \
        -d "{\"entity_id\":$2,\"metadata\":{\"title\":\"one more\"}}" "$(url_of "$1")/items")
    reply=$(cat "$work/reply")
    [ "$status" = 200 ]
}
leads() { [ "$(get a /cluster/shards ".shards[] | select(.shard == $1) | .leader")" = "$2" ]; }
# Asked again where the node was still behind.
asked_to_lead() {
    leads "$1" "$2" && return
    curl -s --max-time 2 -o "$work/reply" -H 'Content-Type: application/json' -d "{\"node\":$2}" "$(url_of a)/cluster/shards/$1/transfer"
    leads "$1" "$2"
}
lead() { poll 30 asked_to_lead "$1" "$2" || fail "node $2 does not lead shard $1: $(cat "$work/reply")"; }  # SHARD NODE-NUMBER

# The budget is above what a member holds of an empty cluster.
start_node a init --shards 2 --schema "$work/schema.yaml" || finish
on a GET /schema
expect 200 content
budget=$(($(held_mib a) + 24))
end_node a TERM || fail "SIGTERM should exit 0"
start_node a start --memory-mib $budget || finish
for node in b c; do
    TIDAL_TOKEN=$("$bin/tidalctl" node token --url "$(url_of a)") start_node $node join --seed "127.0.0.1:${node_peer[a]}" --memory-mib $budget || finish
done
voters() { [ "$(get "$1" /cluster/shards '[.shards[] | select((.voters | length) == 3 and .leader != null)] | length')" = 3 ]; }
for node in "${nodes[@]}"; do poll 60 voters "$node" || fail "node $node is no voter everywhere"; done
lead 1 1
lead 2 2

# Full: of eight items, of both shards, none is taken, through any node.
last=0
fill() {
    local deadline=$((SECONDS + 60)) from node
    while [ $SECONDS -le $deadline ]; do
        from=$((last + 1)) last=$((last + 200)) node=${nodes[last / 200 % 3]}
        texts "$from" "$last" | lines "$node" /items
        grep -q '"code":"memory_full"' "$work/reply" && return
        vectors "$from" "$last" | lines "$node" /embeddings
        grep -q '"code":"memory_full"' "$work/reply" && return
    done
    fail "nothing is refused of $last items: $(for node in "${nodes[@]}"; do held_mib $node; done) of $budget MiB"
}
is_full() {
    local id refused=0
    for id in 1 2 3 4 5 6 7 8; do
        grows "${nodes[id % 3]}" $((last + id)) || refused=$((refused + 1))
    done
    [ $refused = 8 ] || fill
    [ $refused = 8 ]
}
fill
poll 60 is_full || fail "not full for good: $(for node in "${nodes[@]}"; do held_mib $node; done) of $budget MiB"
# What is given back meanwhile has room for one more: it is filled again.
is_refused() { ! grows "$1" $((last + 9)) || { fill && false; }; }  # NODE
for node in "${nodes[@]}"; do
    poll 60 is_refused $node || fail "taken through node $node above the budget"
    expect 429 '"code":"memory_full"' '--memory-mib' "\"budget_bytes\":$((budget << 20))" '"held_bytes"'
    grep -qi '^Retry-After: [1-9]' "$work/head" || fail "when to come again, of node $node: $(cat "$work/head")"
done
equal "full"

goes_on() { step "$1" # WHEN: reads, signals and deletes, of each node
    local node
    for node in "${nodes[@]}"; do
        on $node GET /items/1
        expect 200 '"entity_id":1'
        on $node GET '/search?query=w401&limit=5'
        expect 200 '"entity_id":1'
        on $node POST /signals '{"entity_id":1,"signal":"view"}'
        expect 200
        views=$((views + 1))
        on $node GET /items/1/signals
        [ "$(jq .signals.view.counts.all <<<"$reply")" = "$views" ] || fail "views: instead of $views: $reply"
        deleted=$((deleted + 1))
        on $node DELETE /items/$deleted
        expect 200
    done
    for node in "${nodes[@]}"; do
        on $node GET /items/$deleted
        expect 404
    done
    [ "$failed" = 0 ] || fail "$1"
    equal "$1"
}
step() { echo "$SECONDS s: $*"; }
views=0 deleted=1
step full
goes_on "while memory is full"

# A member with a budget below what it holds, behind by what the others took meanwhile.
end_node c KILL
nodes=(a b)
on a POST /signals '{"entity_id":1,"signal":"view"}'
expect 200
views=$((views + 1))
start_node c start --memory-mib 1 || finish
nodes=(a b c)
goes_on "with a small budget on one node"

# Who leads decides: c has room for nothing, then for everything while a and b are full.
lead 1 3
lead 2 3
for id in 1 2 3 4; do grows a $((last + id)) && fail "taken by a leader with a budget of 1 MiB: $reply"; done
end_node c TERM || fail "SIGTERM should exit 0"
start_node c start --memory-mib 100000 || finish
lead 1 3
lead 2 3
for id in 1 2 3 4; do
    grows "${nodes[id % 3]}" $((last + id)) || fail "refused by a leader with room: $status $reply"
done
last=$((last + 4))
from=$((last + 1)) last=$((last + 200))
texts "$from" "$last" | lines a /items
grep -q '"rejected":0' "$work/reply" || fail "items refused by a leader with room: $(head -c 300 "$work/reply") $(get a /cluster/shards -c)"
vectors "$from" "$last" | lines b /embeddings
grep -q '"rejected":0' "$work/reply" || fail "vectors refused by a leader with room: $(head -c 300 "$work/reply")"
equal "with more than their budget on two followers"
[ "$(held_mib a)" -ge $budget ] || fail "node a holds $(held_mib a) of $budget MiB: nothing is tested"
goes_on "with more than their budget on two followers"

for node in "${nodes[@]}"; do end_node $node KILL; done
for node in "${nodes[@]}"; do start_node $node start --memory-mib $budget || finish; done
for node in "${nodes[@]}"; do poll 60 voters "$node" || fail "node $node does not come back"; done
goes_on "after kill -9 of all"
for node in "${nodes[@]}"; do end_node $node TERM || fail "SIGTERM should exit 0"; done
finish
