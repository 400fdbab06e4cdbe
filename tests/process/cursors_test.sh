#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port, status and reply come from lib.sh
# Long walks by cursor while scores move: nothing comes twice, what cannot go on says so; on one
# server, over its restart, and on three nodes, of which another one may be asked.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

items=2150
tell() { # PATH, lines from standard input
    curl -s -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port$1" >"$work/told"
    tail -n 1 "$work/told" | grep -q '"rejected":0' || fail "$1: $(tail -n 1 "$work/told")"
}
signals() { # COUNT
    local i name
    for ((i = 0; i < $1; ++i)); do
        case $((RANDOM % 3)) in 0) name=view ;; 1) name=like ;; *) name=share ;; esac
        echo "{\"entity_id\":$((RANDOM % items + 1)),\"signal\":\"$name\",\"user_id\":$((RANDOM % 30))}"
    done | tell /signals
}
fill() {
    seq 1 $items | sed 's/.*/{"entity_id":&,"metadata":{"title":"tide &","year":&}}/' | tell /items
    seq 1 $items | awk '{ printf "{\"entity_id\":%d,\"values\":[%d,%d,3,1]}\n", $1, $1 * 7 % 31 + 1, $1 * 13 % 97 + 1 }' | tell /embeddings
    signals 1500
    call POST /profiles '{"text":"profile mixed version 1 { candidates union(text(query) limit 2150, ann(default, vector) limit 2150, popular limit 2150); score fused + log1p(positive(all)) / 100; }"}'
    expect 200
}
# walk FIRST ENOUGH: pages from that path on, until one says there is no other or so many were shown. Sets
# cursor, shown (how many) and what the last reply was. NODES: who answers, in turn.
walk() {
    local nodes=${NODES-} turn=() path
    : >"$work/shown"
    cursor="" shown=0
    while [ "$shown" -lt "$2" ]; do
        if [ -n "$nodes" ]; then
            [ ${#turn[@]} -gt 0 ] || read -ra turn <<<"$nodes"
            port=${node_http[${turn[0]}]}
            turn=("${turn[@]:1}")
        fi
        path=$1${cursor:+&cursor=$cursor}
        call GET "$path"
        [ "$status" = 200 ] || break
        jq -r '.items[].entity_id' <<<"$reply" >>"$work/shown"
        shown=$(wc -l <"$work/shown")
        cursor=$(jq -r '.next_cursor // empty' <<<"$reply")
        [ -n "$cursor" ] || break
        signals 30
    done
    [ -z "$(sort "$work/shown" | uniq -d)" ] || fail "$1 repeats $(sort "$work/shown" | uniq -d | head -n 3 | tr '\n' ' ')"
}

start_server standalone --data-dir "$work/data" --shards 2 || finish
fill
scan='/feed?profile=most_viewed&fields=&limit=200'
# What the server kept is gone with it, also once other sequences are as long.
walk "$scan" 1000
in_token=$cursor
walk "$scan" 1200
call GET "$scan&cursor=$cursor"
expect 200
kept=$cursor
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
call GET "$scan&cursor=$kept"
expect 410 '"code":"cursor_gone"' '"field":"cursor"' 'the node that answered'
walk '/feed?profile=trending&fields=&limit=200' 1400
call GET "$scan&cursor=$kept"
expect 410 '"code":"cursor_gone"'
call GET "$scan&cursor=$in_token"
expect 200 '"rank":1001'

walk "$scan" 9999
[ "$shown" = 2000 ] || fail "a scan: $shown were shown"
expect 410 '"code":"cursor_exhausted"' '"field":"cursor"' 'narrow the query'
walk '/search?profile=mixed&query=tide&vector=1,2,3,4&fields=&limit=190' 9999
[ "$shown" = $((11 * 190)) ] || fail "texts, vectors and what is popular: $shown were shown"
expect 410 '"code":"cursor_exhausted"'
walk '/feed?profile=for_you&user_id=3&fields=&limit=50' 9999
{ [ "$shown" -gt 100 ] && [ "$status" = 200 ]; } || fail "for a user: $shown were shown, then $status $reply"
walk '/feed?profile=new&fields=&limit=430' 9999
{ [ "$shown" = $items ] && [ "$status" = 200 ]; } || fail "positions have no end but that of the items: $shown, $status"
stop_server INT

start_node a init --shards 2 || finish
token() { "$bin/tidalctl" node token --url "http://127.0.0.1:${node_http[a]}"; }
for node in b c; do TIDAL_TOKEN=$(token) start_node $node join --seed "127.0.0.1:${node_peer[a]}" || finish; done
voters() { [ "$(get "$1" /cluster/shards '[.shards[] | select((.voters | length) == 3 and .leader != null)] | length')" = 3 ]; }
for node in a b c; do poll 60 voters "$node" || fail "node $node is no voter everywhere"; done
port=${node_http[a]}
fill
# Up to a thousand any node goes on; behind that the one that answered.
NODES="a b c" walk "$scan" 1000
[ "$shown" = 1000 ] || fail "over three nodes: $shown, then $status $reply"
NODES=b walk "$scan" 1200
kept=$cursor
NODES=c walk '/feed?profile=trending&fields=&limit=200' 1400
for node in a c; do
    on $node GET "$scan&cursor=$kept"
    expect 410 '"code":"cursor_gone"' 'the node that answered'
done
on b GET "$scan&cursor=$kept"
expect 200 '"rank":1201'
for node in a b c; do end_node $node TERM || fail "node $node does not end well"; done
finish
