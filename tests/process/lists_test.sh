#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work and port come from lib.sh
# Candidates of a source are read off a top view, under a filter and for a user too, and are those of a scan: on one
# server and after kill -9, and on the follower of two nodes. A list longer than 1,024 is always scanned.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

items=12000
metric() { # NAME: summed over the shards of the server at $port
    curl -s "http://127.0.0.1:$port/metrics" | awk -v name="tidal_shard_$1" 'index($0, name "{") == 1 {sum += $2} END {print sum + 0}'
}
load() { # PATH: NDJSON from standard input
    curl -sf -H 'Content-Type: application/x-ndjson' -T - -X POST "http://127.0.0.1:$port$1" >/dev/null || fail "load $1"
}
signals() { # SEED COUNT
    awk -v seed="$1" -v n="$2" -v items=$items 'BEGIN {srand(seed); for (i = 0; i < n; i++)
        printf "{\"entity_id\":%d,\"signal\":\"like\",\"user_id\":%d}\n", 1 + int(items * rand() ^ 3), 1 + int(500 * rand())}' |
        load /signals
}
# page PATH: ids, in order.
page() {
    call GET "$1&read_consistency=eventual"
    expect 200
    jq -c '[.items[].entity_id]' "$work/reply"
}
same() { # LIST QUERY: the first 50 of a short list are those of a long one
    local viewed scanned
    viewed=$(page "/feed?profile=$1_short&limit=50$2")
    scanned=$(page "/feed?profile=$1_long&limit=50$2")
    [[ $viewed == "["[0-9]* ]] || fail "$1 with '$2' is empty: $viewed"
    [ "$viewed" = "$scanned" ] || fail "$1 with '$2' off the view is $viewed, scanned $scanned"
}
profile() { # NAME LIST SCORE
    call POST /profiles "{\"text\":\"profile $1 version 1 { candidates $2; score $3; order score desc; }\"}"
    expect 200 '"created":true'
}
fill() {
    profile liked_short 'ordered(like) limit 200' 'decay(like)'
    profile liked_long 'ordered(like) limit 1100' 'decay(like)'
    profile recent_short 'window_top(like, 24h) limit 200' 'sum(like, 24h)'
    profile recent_long 'window_top(like, 24h) limit 1100' 'sum(like, 24h)'
    seq $items | awk -v q='"' '{printf "{%sentity_id%s:%d,%smetadata%s:{%syear%s:%d}}\n", q, q, $1, q, q, q, q, 1990 + $1 % 30}' | load /items
    signals 1 20000
    printf "{\"entity_id\":%d,\"signal\":\"hide\",\"user_id\":7}\n" 1 2 5 | load /signals
}
short_page() { page "/feed?profile=liked_short&limit=50" >/dev/null && page "/feed?profile=recent_short&limit=50" >/dev/null; }
has_views() { short_page && [ "$(metric views)" -ge "$1" ]; }
check() { # SHARDS: every list, plain, filtered, without some and for a user
    poll 60 has_views $(($1 * 2)) || { fail "no views are made: $(metric views)"; finish; }
    local before list
    before=$(metric view_pages)
    for list in liked recent; do
        same $list ""
        same $list "&filter=year%20%3E%201999"
        same $list "&exclude=1,2,3"
        same $list "&user_id=7"
    done
    [ "$(metric view_pages)" -ge $((before + 8 * $1)) ] || fail "lists were not read off views: $before, now $(metric view_pages)"
}

start_server standalone --data-dir "$work/data" --shards 2 || finish
fill
check 2
signals 2 500
call DELETE /items/4
check 2
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
check 2
stop_server TERM

start_node a init --shards 2 || finish
token=$("$bin/tidalctl" node token --url "http://127.0.0.1:${node_http[a]}")
TIDAL_TOKEN=$token start_node b join --seed "127.0.0.1:${node_peer[a]}" || finish
port=${node_http[a]}
fill
contents() { get "$1" '/cluster/shards?content_hash=on' '[.shards[] | [.shard, .content_index, .content_hash]] | tostring'; }
same_contents() { local first; first=$(contents a) && [[ $first == *'"'* ]] && [ "$first" = "$(contents b)" ]; }
for node in b a; do
    poll 60 same_contents || fail "replicas differ: $(contents a) and $(contents b)"
    port=${node_http[$node]}
    check 2
done
end_node b KILL
start_node b start || finish
poll 60 same_contents || fail "b did not catch up: $(contents a) and $(contents b)"
port=${node_http[b]}
check 2
finish
