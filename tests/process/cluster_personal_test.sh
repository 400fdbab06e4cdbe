#!/usr/bin/env bash
# shellcheck disable=SC2154,SC2317  # bin, root, work, port, status and reply come from lib.sh
# What is personal is the same whichever of three nodes is asked: written to one after the other, asked of all, and asked
# again after the node that led every shard died, after it came back, and after kill -9 of all.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

nodes=(a b c)
turn=0
# tell METHOD PATH BODY: to the next node in turn.
tell() {
    turn=$((turn + 1))
    on "${nodes[turn % 3]}" "$1" "$2" "$3"
    [ "$status" = 200 ] || fail "$1 $2 $3 of ${nodes[turn % 3]}: $status $reply"
}
like() { for user in "${@:2}"; do tell POST /signals "{\"entity_id\":$1,\"signal\":\"like\",\"user_id\":$user}"; done; }
relate() { tell POST /relationships "{\"user_id\":7,\"kind\":\"$1\",\"$2\":$3}"; }
profile() { tell POST /profiles "$(jq -n --arg text "profile $1 version 1 { $2 }" '{text: $text}')"; }

# "PATH<tab>JQ", or "QUERY<tab>JQ": true on every node that is there, from now on.
checks=()
answer() { # NODE PATH-OR-QUERY
    local url=http://127.0.0.1:${node_http[$1]}
    case $2 in
        /*) curl -s --max-time 15 "$url$2" ;;
        *) jq -n --arg text "$2" '{query: $text}' | curl -s --max-time 15 -H 'Content-Type: application/json' -d @- "$url/query" ;;
    esac
}
holds() { # CHECK
    local node
    for node in "${!node_pid[@]}"; do
        [ "$(answer "$node" "${1%%$'\t'*}" | jq -r "${1#*$'\t'}" 2>/dev/null)" = true ] || return 1
    done
}
tell_unheld() { # CHECK WHEN
    local node
    for node in "${!node_pid[@]}"; do
        echo "node $node, $2: not ${1#*$'\t'} of ${1%%$'\t'*}: $(answer "$node" "${1%%$'\t'*}" | head -c 1500)" >&2
    done
    failed=1
}
# then PATH JQ: soon, as some of it is on its way between shards.
then_all() {
    checks+=("$1"$'\t'"$2")
    poll 20 holds "${checks[-1]}" || tell_unheld "${checks[-1]}" "at first"
}
all_hold() { # WHEN
    local check
    for check in "${checks[@]}"; do poll 60 holds "$check" || tell_unheld "$check" "$1"; done
    [ "$(arms)" = "$arms" ] || fail "$1 users are in other arms: $(arms), not $arms"
}

start_node a init --shards 2 || finish
token() { "$bin/tidalctl" node token --url "http://127.0.0.1:${node_http[a]}"; }
for node in b c; do TIDAL_TOKEN=$(token) start_node $node join --seed "127.0.0.1:${node_peer[a]}" || finish; done
voters() { [ "$(get "$1" /cluster/shards '[.shards[] | select((.voters | length) == 3 and .leader != null)] | length')" = 3 ]; }
for node in a b c; do poll 60 voters "$node" || fail "node $node is no voter everywhere"; done

vectors=('' '1,0,0,0' '0.9,0.1,0,0' '0,1,0,0' '0,0.9,0.1,0' '0,0,1,0' '0.95,0.05,0,0' '0,0,0,1' '0,0,0,1' '0,0,0,1' '0,0,0,1' '0,0,0.9,0.1')
for id in {1..11}; do
    tell POST /items "{\"entity_id\":$id,\"creator_id\":$((id + 100)),\"created_at\":\"2026-01-$((id + 10))T00:00:00Z\",\"metadata\":{\"title\":\"Film $id\"}}"
    tell POST /creators "{\"entity_id\":$((id + 100)),\"metadata\":{\"name\":\"Studio $id\"}}"
    tell POST /embeddings "{\"entity_id\":$id,\"values\":[${vectors[id]}]}"
done
like 1 21 22 23
like 10 21 22 23
like 4 30 31 32
like 9 8
like 1 7
tell POST /signals '{"entity_id":2,"signal":"view","user_id":7}'
relate hides item_id 6
relate saves item_id 5
relate follows creator_id 103
relate mutes creator_id 104
relate blocks creator_id 108
relate friends friend_id 8

# What the user did, as filters, gates and lists.
user='user_id=7&limit=20'
then_all "/feed?profile=new&$user" '[.items[].entity_id] == [11,10,9,7,5,4,3,2,1]'
then_all "/feed?profile=following&$user" '[.items[].entity_id] == [3]'
for state in followed=3 saved=5 liked=1 seen=2; do
    then_all "/feed?profile=new&$user&filter=${state%=*}" "[.items[].entity_id] == [${state#*=}]"
done
profile gated 'require state(liked) + state(saved); require 1 - state(seen); score created_at;'
then_all "/feed?profile=gated&$user" '[.items[].entity_id] == [5,1]'
then_all "/feed?profile=most_liked&$user" '[.items[].entity_id] | index(9) < index(4)'
then_all '/feed?profile=most_liked&limit=20' '[.items[].entity_id] | index(9) > index(4)'
profile known 'require friends(like); score friends(like);'
then_all "/feed?profile=known&$user" '[.items[] | [.entity_id, .score]] == [[9,1]]'
then_all 'RETRIEVE creators USING new FOR USER 7 LIMIT 20' '[.items[].entity_id] | length == 10 and index(108) == null'
then_all 'RETRIEVE creators USING new FOR USER 9 LIMIT 20' '[.items[].entity_id] | length == 11 and index(108) != null'
then_all "SEARCH creators FOR 'studio' FOR USER 7 LIMIT 20" '[.items[].entity_id] | length == 10 and index(108) == null'

# What the user likes.
profile near 'candidates ann(user); require 1 - state(liked); score similarity;'
then_all "/feed?profile=near&$user" '.items[0].entity_id == 2 and .items[0].score > 0.9 and all(.items[]; .entity_id != 6 and .entity_id != 8)'
profile together 'candidates co_engaged(user); score co_engagement;'
then_all "/feed?profile=together&$user" '[.items[].entity_id] == [10]'
then_all "/feed?profile=for_you&$user&explain=true" \
    '(.items[:2] | any(.entity_id == 10 and (.explain.terms[] | select(.term == "(1 - gap) * co_engagement").value) > 0)) and
      (.items[0].explain.features | any(.feature == "days_since_last(positive)" and (.missing | not) and .value < 1)) and
      all(.items[]; .entity_id | IN(1, 2, 6, 8) | not)'
# How long the user was away, by when things happened, whichever node was told of them, and in whatever order.
ago() { date -u -d "$1 days ago" +%FT%TZ; }
for signal in like=12 like=40 dislike=5 dislike=90; do
    tell POST /signals "{\"entity_id\":3,\"signal\":\"${signal%=*}\",\"user_id\":60,\"at\":\"$(ago "${signal#*=}")\"}"
done
profile away 'score 100 * days_since_last(positive) + days_since_last(negative);'
then_all '/feed?profile=away&user_id=60&limit=1' '.items[0].score - 1205 | . > -1 and . < 2'
# What one node told the user today, all have told; tomorrow is another day.
tell GET "/feed?profile=notification&$user" ''
jq -e '[.items[].entity_id] | length == 5 and .[0] == 1 and all(.[]; IN(2, 6, 8) | not)' <<<"$reply" >/dev/null || fail "notifications: $reply"
then_all "/feed?profile=notification&$user" \
    "(.items == [] and .cap.delivered == 5) or .cap.resets_at != $(jq .cap.resets_at <<<"$reply")"
then_all "/feed?profile=related&similar_to=1&$user" '[.items[].entity_id] | index(2) != null and index(10) != null and index(6) == null'
then_all '/feed?profile=related&similar_to=1&user_id=9&limit=20' '[.items[].entity_id] | index(6) != null'
then_all "/items/1/related?$user" 'any(.items[]; .entity_id == 2) and all(.items[]; .entity_id != 6 and .entity_id != 8)'
then_all "/search?query=film&$user" '[.items[].entity_id] | length == 9 and index(6) == null and index(8) == null'
then_all '/suggest?query=film&user_id=7&limit=20' '[.suggestions[] | select(.kind == "item") | .entity_id] | length == 9 and index(6) == null'

# The same from the command line: a write to one node, and its token to the next.
ctl() { "$bin/tidalctl" "${@:2}" --url "http://127.0.0.1:${node_http[$1]}"; }
told=$(ctl a signal like 1 --user-id 50 --json | jq -r .token)
page=$(ctl c query 'RETRIEVE items USING together FOR USER 50' --token "$told" --json | jq -c '[.items[].entity_id]')
[ "$page" = '[10]' ] || fail "what goes with what was liked a moment ago: $page"

# A session on one node, its preference on all: before what its user liked since.
tell POST /sessions '{"user_id":40}'
session=$(jq -r .session_id <<<"$reply")
tell POST "/sessions/$session/signals" '{"entity_id":5,"signal":"like","sequence":1}'
like 3 40
then_all "/feed?profile=near&session_id=$session&limit=1" '.items[0].entity_id == 11'
then_all '/feed?profile=near&user_id=40&limit=1' '.items[0].entity_id == 4'

# What is hidden under a session told to one node is on no page of the others from the answer on, asked for at once, whatever
# their consistency; nor later.
shows() { # NODE
    curl -s --max-time 15 "http://127.0.0.1:${node_http[$1]}/feed?profile=new&session_id=$hiding&limit=20&read_consistency=eventual" |
        jq -c '[.items[].entity_id]'
}
tell POST /sessions '{"user_id":41}'
hiding=$(jq -r .session_id <<<"$reply")
left='11,10,9,8,7,6,5,4,3,2,1,'
for item in 6 3 10; do
    left=${left/$item,/}
    on a POST "/sessions/$hiding/signals" "{\"entity_id\":$item,\"signal\":\"hide\"}"
    [ "$status" = 200 ] || fail "hide of $item in session $hiding: $status $reply"
    pages=()
    for node in b c; do
        shows $node >"$work/shown.$node" &
        pages+=($!)
    done
    wait "${pages[@]}"
    for node in b c; do
        page=$(<"$work/shown.$node")
        [ "$page" = "[${left%,}]" ] || fail "node $node after the hide of $item on node a: $page, not [${left%,}]"
    done
done
for whose in "session_id=$hiding" user_id=41; do
    then_all "/feed?profile=new&$whose&limit=20" "[.items[].entity_id] == [${left%,}]"
done

# A cohort of which too little is known is read as its parent.
tell POST /cohorts "{\"text\":\"cohort french version 1 { tracks view; at_least 1 events; where language = 'fr'; }\"}"
tell POST /cohorts "{\"text\":\"cohort lyon version 1 { parent french; tracks view; at_least 5 events; where region = 'lyon'; }\"}"
tell POST /users '{"entity_id":70,"metadata":{"language":"fr","region":"lyon"}}'
tell POST /signals '{"entity_id":9,"signal":"view","user_id":70}'
then_all '/feed?profile=cohort_trending&cohort=lyon&limit=1' \
    '.items[0].entity_id == 9 and (.warnings | any(contains("its parent `french` is read instead")))'
# People of a cohort, not views: two of three.
tell POST /users '{"entity_id":71,"metadata":{"language":"fr","region":"paris"}}'
for user in 71 70 72; do tell POST /signals "{\"entity_id\":9,\"signal\":\"view\",\"user_id\":$user}"; done
profile people 'candidates cohort_top; score cohort(unique(view, 24h));'
then_all '/feed?profile=people&cohort=french&limit=1' '[.items[] | [.entity_id, .score]] == [[9, 2]]'

# The arm of a user: on every node, for good.
tell POST /experiments '{"text":"experiment spring version 1 { arm new@1; arm old@1; }"}'
arms() {
    local node user all="" first=""
    for node in "${!node_pid[@]}"; do
        all=""
        for user in {1..16}; do all+="$(answer "$node" "/feed?experiment=spring&user_id=$user&limit=1" | jq -r '.profile') "; done
        [ -n "$first" ] || first=$all
        [ "$all" = "$first" ] || all+="on one node, on another: "
    done
    echo "$first$([ "$all" = "$first" ] || echo "| $all")"
}
arms=$(arms)
[[ $arms == *new@1* && $arms == *old@1* && $arms != *'|'* ]] || fail "arms: $arms"

# One node leads every shard, and dies.
for shard in 0 1 2; do
    on a POST "/cluster/shards/$shard/transfer" '{"node":2}'
    leads() { [ "$(get a /cluster/shards ".shards[] | select(.shard == $shard) | .leader")" = 2 ]; }
    poll 30 leads || fail "node b does not lead shard $shard: $reply"
done
end_node b KILL
led_anew() { [ "$(get a /cluster/shards '[.shards[] | select(.leader != null and .leader != 2)] | length')" = 3 ]; }
poll 60 led_anew || fail "shards are led by nobody: $(get a /cluster/shards .)"
all_hold "after the death of their leader"
start_node b start || finish
all_hold "with the leader of before back"
for node in a b c; do end_node $node KILL; done
for node in a b c; do start_node $node start || finish; done
all_hold "after kill -9 of all"
finish
