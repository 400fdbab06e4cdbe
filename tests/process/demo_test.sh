#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# The demo imports the sample once, prints feeds with titles, and serves; import and export agree. Somebody new likes three
# films: the next page is another and says why, what they hide is on none; also after kill -9, and on every node of three.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

token=""
# pages [CURSOR]: the next page for user 900, with the token of what user 900 did last.
pages() {
    call GET "/feed?profile=for_you&user_id=900&limit=20&explain=true${1:+&cursor=$1}" "" ${token:+"Tidal-Token: $token"}
    expect 200
}
ids() { jq -c '[.items[].entity_id]' <<<"$reply"; }
has() { jq -e ".items | any(.entity_id == $1)" <<<"$reply" >/dev/null; }
likes() {
    local film
    for film in 260 1196 1210; do
        call POST /signals "{\"entity_id\":$film,\"signal\":\"like\",\"user_id\":900}" ${token:+"Tidal-Token: $token"}
        expect 200
        token=$(jq -r .token <<<"$reply")
    done
}
# liked_page NEWCOMER WHERE: a page of who liked three films, which is not the page of who did nothing.
liked_page() {
    pages
    [ "$(ids)" != "$1" ] || fail "$2: three likes change nothing: $(ids)"
    jq -e '.items[0] | (.explain.terms[] | select(.term == "(1 - gap) * co_engagement").value) as $together | .entity_id == 1198 and $together > 0.1 and $together > .score / 2' \
        <<<"$reply" >/dev/null || fail "$2: no word of what is liked together: $(jq -c '.items[0]' <<<"$reply")"
    jq -e '[.items[] | select(.explain.terms[] | select(.term == "(1 - gap) * co_engagement").value > 0)] | length > 10' <<<"$reply" >/dev/null ||
        fail "$2: few are there for what is liked together: $(ids)"
    ! has 260 && ! has 1196 && ! has 1210 || fail "$2: what was liked is shown again: $(ids)"
}
# hidden_page WHERE: five pages without the film that was on top of the first.
hidden_page() {
    local cursor="" page shown=0
    for page in 1 2 3 4 5; do
        pages "$cursor"
        ! has 1198 || fail "$1: a hidden film is on page $page"
        shown=$((shown + $(jq '.items | length' <<<"$reply")))
        cursor=$(jq -r .next_cursor <<<"$reply")
    done
    [ "$shown" = 100 ] || fail "$1: $shown films on five pages"
}
hide() {
    call POST /relationships '{"user_id":900,"kind":"hides","item_id":1198}'
    expect 200
    token=$(jq -r .token <<<"$reply")
}

start_server demo --data-dir "$work/data" --sample "$root/examples" || finish
grep -q 'Shawshank Redemption' "$server_log" || fail "no titles printed: $(cat "$server_log")"
call GET '/feed?profile=most_liked&limit=3'
expect 200 '"rank":1' '"candidates":9742' '"title":"Shawshank Redemption, The (1994)"'
call GET "/feed?profile=top_all&limit=2&filter=genres%20HAS%20'Sci-Fi'%20AND%20year%20%3E%3D%201999"
expect 200 'Matrix, The (1999)'
pages
newcomer=$(ids)
has 318 && ! has 1198 || fail "who did nothing is not shown what everybody likes: $newcomer"
signals=$(curl -s "http://127.0.0.1:$port/export/signals" | grep -c '"signal":')
[ "$signals" = 162939 ] || fail "exported $signals signals"
likes
liked_page "$newcomer" "at once"
stop_server KILL
start_server demo --data-dir "$work/data" --sample "$root/examples" || finish
liked_page "$newcomer" "after kill -9"
hide
hidden_page "at once"
stop_server KILL
start_server demo --data-dir "$work/data" --sample "$root/examples" || finish
hidden_page "after kill -9"
stop_server INT || fail "SIGINT should exit 0"
start_server demo --data-dir "$work/data" --sample "$root/examples" || finish
grep -q 'imported before' "$server_log" || fail "the second run imports again: $(cat "$server_log")"
call GET '/feed?profile=most_liked&limit=1'
expect 200 '"title":"Shawshank Redemption, The (1994)"'
stop_server INT || fail "SIGINT should exit 0"

# The same files through the door.
start_server standalone --data-dir "$work/door" --shards 3 || finish
for _ in 1 2; do
    "$bin/tidalctl" import --url "http://127.0.0.1:$port" --mapping "$root/examples/movielens/mapping.yaml" \
        --time-shift end:now "$root/examples/data/movielens-latest-small" 2>/dev/null >>"$work/imported"
done
grep -q '"accepted":172681,"skipped":0,"rejected":0' "$work/imported" || fail "first import: $(cat "$work/imported")"
tail -n 1 "$work/imported" | grep -q '"accepted":0,.*"imported_before":true' || fail "second import: $(cat "$work/imported")"
call GET '/feed?profile=most_liked&limit=1'
expect 200 '"title":"Shawshank Redemption, The (1994)"'
stop_server INT || fail "SIGINT should exit 0"

# The same tour on three nodes: written to one, asked of the others with the token.
start_node a init --shards 2 || finish
node_token() { "$bin/tidalctl" node token --url "http://127.0.0.1:${node_http[a]}"; }
for node in b c; do TIDAL_TOKEN=$(node_token) start_node $node join --seed "127.0.0.1:${node_peer[a]}" || finish; done
voters() { [ "$(get "$1" /cluster/shards '[.shards[] | select((.voters | length) == 3 and .leader != null)] | length')" = 3 ]; }
for node in a b c; do poll 60 voters "$node" || fail "node $node is no voter everywhere"; done
"$bin/tidalctl" import --url "http://127.0.0.1:${node_http[b]}" --mapping "$root/examples/movielens/mapping.yaml" \
    --time-shift end:now "$root/examples/data/movielens-latest-small" >"$work/imported" 2>&1 || fail "$(cat "$work/imported")"
token=""
port=${node_http[c]}
pages
newcomer=$(ids)
has 318 && ! has 1198 || fail "three nodes: who did nothing is not shown what everybody likes: $newcomer"
port=${node_http[a]} && likes
# everywhere COMMAND... WHERE: of each node that is there.
everywhere() {
    local node
    for node in "${!node_pid[@]}"; do
        port=${node_http[$node]}
        "${@:1:$#-1}" "node $node, ${*: -1}"
    done
}
everywhere liked_page "$newcomer" "at once"
port=${node_http[b]} && hide
everywhere hidden_page "at once"
# The node that leads the user's shard dies; then the rest are killed and started again.
leads() { get "$1" /cluster/shards '.shards[] | select(.shard == 1) | .leader'; }
names=(none a b c)
leader=$(leads a)
end_node "${names[leader]}" KILL
rest=("${!node_pid[@]}")
led_anew() {
    local now
    now=$(leads "${rest[0]}")
    [ -n "$now" ] && [ "$now" != null ] && [ "$now" != "$leader" ]
}
poll 60 led_anew || fail "nobody leads shard 1"
everywhere hidden_page "without a leader that died"
for node in "${rest[@]}"; do end_node "$node" KILL; done
for node in a b c; do start_node $node start || finish; done
everywhere hidden_page "after kill -9 of all"
finish
