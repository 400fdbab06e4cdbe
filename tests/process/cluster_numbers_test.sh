#!/usr/bin/env bash
# shellcheck disable=SC2154,SC2317  # bin, root, work and reply come from lib.sh
# Every number of /cluster/*, in JSON, in /metrics and in the tables of tidalctl: each is compared with a second place that
# knows it, or with what the test did. A metric of the cluster that is not looked at here is an error.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

url_of() { echo "http://127.0.0.1:${node_http[$1]}"; }
nodes=(a b c)
# metric NODE NAME [LABELS]: its value in what the node said at `look`.
metric() {
    echo "$2" >>"$work/looked_at"
    awk -v name="$2${3-}" '$1 == name { print $2 }' "$work/$1.metrics"
}
# same NODE WHAT WANT GOT: two numbers, or texts, that are to be equal.
same() {
    jq -en --arg a "$3" --arg b "$4" '$a == $b or (($a | tonumber?) as $x | ($b | tonumber?) as $y | $x != null and $x == $y)' >/dev/null ||
        fail "$1: $2 is '$4', not '$3'"
}
look() {
    local node path
    for node in "${nodes[@]}"; do
        for path in status nodes shards; do
            curl -s --max-time 15 "$(url_of "$node")/cluster/$path" >"$work/$node.$path"
        done
        curl -s --max-time 15 "$(url_of "$node")/metrics" >"$work/$node.metrics"
    done
}
# said NODE PATH JQ: of what it said then.
said() { jq -r "$3" "$work/$1.$2"; }
all_said() { for node in "${nodes[@]}"; do said "$node" "$1" "$2"; done | sort -u | wc -l; }
is_quiet() {
    look
    [ "$(for node in "${nodes[@]}"; do said "$node" shards '[.shards[] | [.shard, .leader, .term, .commit_index, .applied_index, .durable_index, .last_index]] | tostring'; done | sort -u | wc -l)" = 1 ] &&
        [ "$(for node in "${nodes[@]}"; do said "$node" shards '.shards[] | select(.leader == null or .applied_index != .commit_index or .last_index != .commit_index or .voters != [1,2,3] or .proposals != 0 or ([.replicas[]?.lag_entries] | add // 0) != 0)'; done)" = "" ] &&
        [ "$(for node in "${nodes[@]}"; do said "$node" nodes '.nodes[] | select(.self | not) | select(.up and .round_trip_ms > 0) | .node'; done | wc -l)" = 6 ]
}
wait_quiet() { poll 60 is_quiet || fail "not at rest: $(cat "$work"/?.shards "$work"/?.nodes)"; }

started_at=$(date +%s)
start_node a init --shards 2 || finish
for node in b c; do
    TIDAL_TOKEN=$("$bin/tidalctl" node token --url "$(url_of a)") start_node $node join --seed "127.0.0.1:${node_peer[a]}" || finish
done
wait_quiet
declare -A before=()
counts=(calls.local calls.forwarded calls.served calls.retried calls.refused reads.at_once reads.confirmed reads.refused)
for node in "${nodes[@]}"; do
    for count in "${counts[@]}"; do before[$node.$count]=$(said $node status ".$count"); done
done
commit=$(said a shards '[.shards[1:][].commit_index] | add')
for id in {1..30}; do
    on "${nodes[id % 3]}" POST /items "{\"entity_id\":$id}"
    expect 200
done
for node in "${nodes[@]}"; do
    for id in 1 2 3 4; do
        on $node GET "/items/$id"
        expect 200
        on $node GET "/items/$id?read_consistency=eventual"
        expect 200
    done
done
wait_quiet
is_fresh() { look && [ "$(all_said shards '[.shards[] | .staleness_ms < 3000] | all')" = 1 ]; }
poll 20 is_fresh || fail "staleness: $(cat "$work"/?.shards)"

# since NODE COUNT: how much it rose.
since() { echo $(($(said "$1" status ".$2") - before[$1.$2])); }
forwarded=0 served=0 own=0
for node in "${nodes[@]}"; do
    same $node "reads at once" 4 "$(since $node reads.at_once)"
    same $node "reads confirmed" 4 "$(since $node reads.confirmed)"
    same $node "reads refused" 0 "$(since $node reads.refused)"
    same $node "calls refused" 0 "$(since $node calls.refused)"
    own=$((own + $(since $node calls.local) + $(since $node calls.forwarded)))
    forwarded=$((forwarded + $(since $node calls.forwarded))) served=$((served + $(since $node calls.served)))
done
[ $own -ge 30 ] || fail "thirty writes are $own calls"
same all "calls served are calls forwarded" $forwarded $served
[ $forwarded -gt 0 ] || fail "nobody forwarded a write"
[ $(($(said a shards '[.shards[1:][].commit_index] | add') - commit)) -ge 30 ] || fail "thirty writes moved commit_index little"

for node in "${nodes[@]}"; do
    for pair in "cluster_nodes .nodes" "cluster_peers_up (.nodes_up-1)" "cluster_leads .leads" \
        "cluster_shards_without_leader .shards_without_leader" "cluster_draining (if(.draining)then(1)else(0)end)" \
        "cluster_calls_local .calls.local" "cluster_calls_forwarded .calls.forwarded" "cluster_calls_retried .calls.retried" \
        "cluster_calls_refused .calls.refused" "cluster_calls_served .calls.served" "cluster_reads_at_once .reads.at_once" \
        "cluster_reads_confirmed .reads.confirmed" "cluster_reads_refused .reads.refused"; do
        same $node "tidal_${pair% *}" "$(said $node status "${pair#* }")" "$(metric $node "tidal_${pair% *}")"
    done
    same $node "nodes, nodes_up, shards" "3 3 3" "$(said $node status '"\(.nodes) \(.nodes_up) \(.shards)"')"
    same $node "leads" "$(said $node shards '[.shards[] | select(.role == "leader")] | length')" "$(said $node status .leads)"
    same $node "leads of all" 3 "$(said $node nodes '[.nodes[].leads] | add')"
    same $node "joined_at within this test" 3 "$(said $node nodes "[.nodes[].joined_at | sub(\"\\\\.[0-9]+\"; \"\") | fromdate | select(. >= $started_at - 2 and . <= $(date +%s) + 2)] | length")"
    same $node "newest_refusal" "" "$(said $node nodes '.nodes[].newest_refusal // empty')"
    for peer in $(said $node nodes '.nodes[] | select(.self | not) | .node'); do
        same $node "tidal_peer_up of $peer" 1 "$(metric $node tidal_peer_up "{node=\"$peer\"}")"
        jq -en --arg s "$(metric $node tidal_peer_round_trip_seconds "{node=\"$peer\"}")" '($s | tonumber) > 0 and ($s | tonumber) < 1' >/dev/null || fail "$node: round trip to $peer"
    done
    same $node "entities" 30 "$(said $node shards '[.shards[].entities] | add')"
    for shard in 0 1 2; do
        of() { said $node shards ".shards[] | select(.shard == $shard) | $1"; }
        for pair in "leader .leader" "is_leader (if(.role==\"leader\")then(1)else(0)end)" "term .term" "commit_index .commit_index" \
            "durable_index .durable_index" "lag_entries .lag_entries" "voters (.voters|length)" "learners (.learners|length)" \
            "proposals .proposals" "snapshots_made .snapshots_made" "snapshots_installed .snapshots_installed" \
            "log_stalled (if(.log_stalled)then(1)else(0)end)"; do
            same $node "tidal_shard_${pair% *} of $shard" "$(of "${pair#* }")" "$(metric $node "tidal_shard_${pair% *}" "{shard=\"$shard\"}")"
        done
        same $node "at rest, of $shard" "3 0 0 0 0 false" "$(of '"\(.voters|length) \(.learners|length) \(.proposals) \(.uncommitted_bytes) \(.lag_entries) \(.log_stalled)"')"
        jq -en --arg s "$(metric $node tidal_shard_staleness_seconds "{shard=\"$shard\"}")" '($s | tonumber) >= 0 and ($s | tonumber) < 10' >/dev/null || fail "$node: staleness of $shard"
        [ "$(of .role)" = leader ] || continue
        same $node "replicas of $shard" '[[1,true,true,0,0],[2,true,true,0,0],[3,true,true,0,0]]' "$(of '[.replicas[] | [.node, .voter, .up, .lag_entries, .lag_s]] | tostring')"
        for peer in 1 2 3; do
            for pair in "durable_index .durable_index" "lag_entries .lag_entries" "lag_seconds .lag_s"; do
                same $node "tidal_replica_${pair% *} of $shard at $peer" "$(of ".replicas[] | select(.node == $peer) | ${pair#* }")" "$(metric $node "tidal_replica_${pair% *}" "{node=\"$peer\",shard=\"$shard\"}")"
            done
        done
    done
done
# The source of the metrics has no others.
for name in $(grep -o '"tidal_[a-z_]*"' "$root/src/http/cluster_metrics.cc" | tr -d '"' | sort -u); do
    grep -qx "$name" "$work/looked_at" || fail "no test looks at $name"
done

# A node that stands still is behind by what is written, in entries and in seconds, in every place that says so.
leader=$(said a shards '.shards[] | select(.shard == 1) | .leader')
watcher=${nodes[leader - 1]} still=${nodes[leader % 3]} number=$((leader % 3 + 1))
kill -STOP "${node_pid[$still]}"
for id in {100..139}; do
    on $watcher POST /items "{\"entity_id\":$id}"
    expect 200
done
replica=".shards[] | select(.shard == 1) | .replicas[] | select(.node == $number)"
# cell TABLE KEY COLUMN: of a table of tidalctl.
cell() { "$bin/tidalctl" "$1" list --url "$(url_of "$watcher")" | awk -v key="$2" -v column="$3" 'NR == 1 { for (i = 1; i <= NF; ++i) if ($i == column) at = i } NR > 1 && $1 == key { print $at }'; }
tables_tell_the_lag() {
    local entries seconds later
    entries=$(get "$watcher" /cluster/shards "$replica | .lag_entries")
    seconds=$(cell shard 1 replica_lag_s)
    later=$(get "$watcher" /cluster/shards "$replica | .lag_s")
    [ "${entries:-0}" -ge 10 ] && [ "$(cell shard 1 replica_lag)" = "$entries" ] && [ "$(cell node $number replica_lag)" -ge "$entries" ] &&
        jq -en --arg s "$seconds" --arg l "$later" --arg n "$(cell node $number replica_lag_s)" '($s|tonumber) > 1 and ($s|tonumber) <= ($l|tonumber) and ($n|tonumber) > 1' >/dev/null
}
poll 30 tables_tell_the_lag || fail "the tables: $("$bin/tidalctl" shard list --url "$(url_of "$watcher")") $("$bin/tidalctl" node list --url "$(url_of "$watcher")") $(get "$watcher" /cluster/shards "$replica")"
kill -CONT "${node_pid[$still]}"
wait_quiet
on a POST /health/drain
expect 200
is_draining() { look && [ "$(said a status .draining)" = true ] && [ "$(metric a tidal_cluster_draining)" = 1 ] && [ "$(metric a tidal_cluster_leads)" = 0 ]; }
poll 20 is_draining || fail "draining: $(said a status tojson)"
finish
