#!/usr/bin/env bash
# shellcheck disable=SC2154,SC2317  # bin, root, work, port, status and reply come from lib.sh
# Every route that changes something, asked of one node of three: each node then answers with what it did, and the
# content of all replicas is the same; also after all were killed, and after a clean stop. A route that the description
# of the interface has and this table has not is a failure. The library's calls: src/api/tests/cluster_calls_test.cc.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

declare -A covered=()
checks=()  # "PATH<tab>JQ": true on every node from then on, over restarts
nodes=(a b c)
turn=0
key=""

# as NODE METHOD PATH [BODY [HEADER]]: with the key, once there are any.
as() { on "$1" "$2" "$3" "${4-}" ${key:+"Authorization: Bearer $key"} "${@:5}"; }
# ask METHOD PATTERN PATH [BODY [HEADER]]: of the next node in turn; PATTERN is the route's name in /openapi.json.
ask() {
    covered["$1 $2"]=1
    turn=$((turn + 1))
    as "${nodes[turn % ${#nodes[@]}]}" "$1" "${@:3}"
    [[ $status == 2* ]] || fail "$1 $3 of ${nodes[turn % ${#nodes[@]}]}: $status $reply"
    last="$1 $3"
}
jq_of() { curl -s --max-time 15 ${key:+-H "Authorization: Bearer $key"} "http://127.0.0.1:${node_http[$1]}$2" | jq -r "$3" 2>/dev/null; }
holds() { # CHECK
    local node
    for node in "${nodes[@]}"; do [ "$(jq_of "$node" "${1%%$'\t'*}" "${1#*$'\t'}")" = true ] || return 1; done
}
# then PATH JQ: what the last change did, seen at once on every node, and kept; replicas are equal.
then_all() {
    local check=$1$'\t'$2 node
    for node in "${nodes[@]}"; do
        [ "$(jq_of "$node" "$1" "$2")" = true ] || fail "after $last node $node: not $2: $(jq_of "$node" "$1" .)"
    done
    checks+=("$check")
    equal
}
# forget PATH: what was true of it is about to change.
forget() {
    local kept=() check
    for check in "${checks[@]}"; do [[ ${check%%$'\t'*} == "$1" ]] || kept+=("$check"); done
    checks=("${kept[@]}")
}
contents() { jq_of "$1" '/cluster/shards?content_hash=on' '[.shards[] | [.shard, .content_index, .content_hash]] | tostring'; }
# Ticks are logged all the while, so nodes that are asked one after the other may be a record apart.
same_contents() {
    local node first="" text
    for node in "${nodes[@]}"; do contents "$node" >"$work/contents.$node" & done
    wait_for_asked
    for node in "${nodes[@]}"; do
        text=$(cat "$work/contents.$node")
        [[ $text == *'"'* ]] || return 1
        [ -n "$first" ] || first=$text
        [ "$text" = "$first" ] || return 1
    done
}
wait_for_asked() {
    local job
    for job in $(jobs -p); do
        case " ${node_pid[*]} " in *" $job "*) ;; *) wait "$job" ;; esac
    done
}
equal() { poll 30 same_contents || fail "after $last replicas differ: $(cat "$work"/contents.*)"; }
leads() { [ "$(jq_of a /cluster/shards ".shards[] | select(.shard == $1) | .leader")" = "$2" ]; }

export TIDAL_CHECKPOINT_INTERVAL_MS=1000
start_node a init --shards 2 || finish
token() { "$bin/tidalctl" node token --url "http://127.0.0.1:${node_http[a]}"; }
for node in b c; do TIDAL_TOKEN=$(token) start_node $node join --seed "127.0.0.1:${node_peer[a]}" || finish; done
voters() { [ "$(jq_of "$1" /cluster/shards '[.shards[] | select((.voters | length) == 3 and .leader != null)] | length')" = 3 ]; }
for node in "${nodes[@]}"; do poll 60 voters "$node" || fail "node $node is no voter everywhere"; done

for kind in items users creators; do
    for id in 1 2 3; do ask POST /$kind "/$kind" "{\"entity_id\":$id,\"metadata\":{}}"; done
    then_all /$kind/2 '.entity_id == 2'
    ask DELETE "/$kind/{id}" /$kind/3
    then_all /$kind/3 '.code == "unknown_'"${kind%s}"'"'
done
ask PATCH '/items/{id}' /items/1 '{"metadata":{"title":"Jazz","category":"piano","year":1999},"creator_id":1}'
then_all /items/1 '.metadata.title == "Jazz" and .creator_id == 1'
ask PATCH '/users/{id}' /users/1 '{"metadata":{"language":"pt"}}'
then_all /users/1 '.metadata.language == "pt"'
ask PATCH '/creators/{id}' /creators/1 '{"metadata":{"name":"Nina"}}'
then_all /creators/1 '.metadata.name == "Nina"'
ask POST /embeddings /embeddings '{"entity_id":1,"values":[1,0,0,0]}'
then_all /items/1 '.metadata.title == "Jazz"'  # No read shows vectors; the contents below do.

ask POST /signals /signals '{"entity_id":1,"signal":"like","user_id":7}' 'Idempotency-Key: one'
then_all /items/1/signals '.signals.like.counts.all == 1'
poll 10 holds $'/creators/1/signals\t.signals.like.counts.all == 1' || fail "a signal is not on its creator's shard"
ask POST /signals /signals '[{"entity_id":1,"signal":"view","user_id":7},{"entity_id":2,"signal":"view","user_id":8}]'
then_all /items/2/signals '.signals.view.counts.all == 1'
forget /items/1/signals
forget /creators/1/signals
ask POST /signals /signals '{"undo":"one","entity_id":1}'
then_all /items/1/signals '.signals.like.counts.all == 0 and .signals.view.counts.all == 1'
poll 10 holds $'/creators/1/signals\t.signals.like.counts.all == 0' || fail "an undo is not on the creator's shard"
ask POST /sessions /sessions '{"user_id":7}'
session=$(jq -r .session_id <<<"$reply")
ask POST '/sessions/{id}/signals' "/sessions/$session/signals" '{"entity_id":1,"signal":"like","idempotency_key":"two"}'
ask POST /signals /signals "{\"undo\":\"two\",\"entity_id\":1,\"session_id\":$session}"
then_all "/sessions/$session" '.liked == [] and .reward == 0 and .last_sequence == 0'
poll 10 holds $'/items/1/signals\t.signals.like.counts.all == 0' || fail "an undo in a session is not on the item's shard"
then_all /items/1/signals '.signals.like.counts.all == 0 and .signals.view.counts.all == 1'
forget /items/1/signals
ask POST /feed '/feed' '{"profile":"new","limit":2,"log_impressions":true,"user_id":7}'
poll 10 holds $'/items/1/signals\t.signals.impression.counts.all == 1' || fail "a page's impressions are not on all nodes"
then_all /items/1/signals '.signals.impression.counts.all == 1'
forget /items/1/signals
ask POST /query /query '{"query":"RETRIEVE items USING new LIMIT 2 LOG IMPRESSIONS"}'
poll 10 holds $'/items/1/signals\t.signals.impression.counts.all == 2' || fail "a query's impressions are not on all nodes"
then_all /items/1/signals '.signals.impression.counts.all == 2'
forget /items/1/signals
ask POST /search /search '{"query":"jazz","limit":2,"log_impressions":true}'
poll 10 holds $'/items/1/signals\t.signals.impression.counts.all == 3' || fail "a search's impressions are not on all nodes"
then_all /items/1/signals '.signals.impression.counts.all == 3'
# A GET that counts what it shows changes something, too.
forget /items/1/signals
ask GET /feed '/feed?profile=new&limit=2&log_impressions=true'
ask GET /search '/search?query=jazz&limit=2&log_impressions=true'
poll 10 holds $'/items/1/signals\t.signals.impression.counts.all == 5' || fail "impressions of GETs are not on all nodes"
then_all /items/1/signals '.signals.impression.counts.all == 5'
then_all '/search?query=jazz' '[.items[].entity_id] == [1]'
ask POST /suggest /suggest '{"query":"ja"}'
then_all '/suggest?query=ja' '[.suggestions[] | select(.kind == "item") | .text] == ["Jazz"]'

# What a user likes goes from the item's shard to the user's, from there to the items': on every node.
ask POST /signals /signals '{"entity_id":1,"signal":"like","user_id":8}'
ask POST /signals /signals '{"entity_id":2,"signal":"like","user_id":8}'
ask POST /signals /signals '{"entity_id":1,"signal":"like","user_id":9}'
ask POST /profiles /profiles '{"text":"profile together version 1 { candidates co_engaged(user); score co_engagement; }"}'
ask POST /profiles /profiles '{"text":"profile loved version 1 { score affinity(creator); }"}'
together=$'/feed?profile=together&user_id=9\t[.items[].entity_id] == [2]'
loved=$'/feed?profile=loved&user_id=8&limit=1\t(.items[0].entity_id == 1) and .items[0].score > 0.9'
poll 10 holds "$together" || fail "what is liked together is not on all nodes"
poll 10 holds "$loved" || fail "whose items a user likes is not on all nodes"
then_all "${together%%$'\t'*}" "${together#*$'\t'}"
then_all "${loved%%$'\t'*}" "${loved#*$'\t'}"

# Candidates that come from views, and how near an item is to what a user disliked.
for source in 'ordered(like)' 'window_top(like, 7d)'; do
    name=${source%%(*}
    ask POST /profiles /profiles "{\"text\":\"profile by_$name version 1 { candidates $source; score decay(like); }\"}"
    then_all "/feed?profile=by_$name" '[.items[].entity_id] == [1,2]'
done
ask POST /embeddings /embeddings '{"entity_id":2,"values":[0.6,0.8,0,0]}'
forget /items/1/signals
ask GET '/items/{id}/related' '/items/2/related?limit=2&log_impressions=true'
poll 10 holds $'/items/1/signals\t.signals.impression.counts.all == 6' || fail "impressions of what is related are not on all nodes"
then_all /items/1/signals '.signals.impression.counts.all == 6'
ask POST /signals /signals '{"entity_id":1,"signal":"dislike","user_id":81}'
ask POST /profiles /profiles '{"text":"profile averse version 1 { score -nearest_disliked(default); }"}'
averse=$'/feed?profile=averse&user_id=81\t[.items[] | select(.entity_id == 2) | .score + 0.6 | fabs < 0.01] == [true]'
poll 10 holds "$averse" || fail "what is like what a user disliked is not known on all nodes"
then_all "${averse%%$'\t'*}" "${averse#*$'\t'}"

ask POST /relationships /relationships '{"user_id":9,"kind":"friends","friend_id":8}'
then_all '/users/9/relationships?kind=friends' '[.relationships[].friend_id] == [8]'
then_all '/feed?profile=old&user_id=9&filter=friends_engaged(like)' '[.items[].entity_id] == [1,2]'
ask POST /relationships /relationships '{"user_id":7,"kind":"hides","item_id":2}'
then_all '/users/7/relationships?kind=hides' '[.relationships[].item_id] == [2]'
ask POST /relationships /relationships '{"user_id":7,"kind":"blocks","creator_id":1}'
then_all '/users/7/relationships?kind=blocks' '[.relationships[].creator_id] == [1]'
then_all '/feed?profile=new&user_id=7' '[.items[].entity_id] == []'
forget '/users/7/relationships?kind=hides'
forget '/feed?profile=new&user_id=7'
ask DELETE /relationships /relationships '{"user_id":7,"kind":"hides","item_id":2}'
then_all '/users/7/relationships?kind=hides' '.relationships == []'

schema=$(jq_of a /schema .schema | sed 's/^signals:/&\n  applaud: {polarity: positive, half_life: 7d}/')
ask PUT /schema /schema "$(jq -n --arg text "$schema" '{schema: $text}')"
then_all /schema '.schema | contains("applaud")'
for name in kept gone; do
    ask POST /profiles /profiles "{\"text\":\"profile $name version 1 { score sum(applaud, all); }\"}"
    then_all /profiles/$name '.version == 1'
done
forget /profiles/gone
ask DELETE '/profiles/{name}' /profiles/gone
then_all /profiles/gone '.code == "unknown_profile"'
for name in spring autumn; do
    ask POST /experiments /experiments "{\"text\":\"experiment $name version 1 { arm kept@1; arm trending@1; }\"}"
    then_all /experiments "[.experiments[].name] | index(\"$name\") != null"
done
forget /experiments
ask DELETE '/experiments/{name}' /experiments/autumn
then_all /experiments '[.experiments[].name] == ["spring"]'
for name in readers writers; do
    ask POST /cohorts /cohorts "{\"text\":\"cohort $name version 1 { tracks like; at_least 1 events; where language = 'fr'; }\"}"
    then_all /cohorts "[.cohorts[].name] | index(\"$name\") != null"
done
forget /cohorts
ask DELETE '/cohorts/{name}' /cohorts/writers
then_all /cohorts '[.cohorts[].name] == ["readers"]'
for name in shelf later; do
    ask PUT '/collections/{name}' /collections/$name "{\"description\":\"$name\"}"
    then_all /collections "[.collections[].name] | index(\"$name\") != null"
done
forget /collections
ask DELETE '/collections/{name}' /collections/later
then_all /collections '[.collections[].name] == ["shelf"]'
ask POST '/collections/{name}/items' /collections/shelf/items '{"entity_id":1,"position":2}'
then_all /collections/shelf/items '[.items[].entity_id] == [1]'
then_all '/feed?profile=new&filter=in_collection(%27shelf%27)' '[.items[].entity_id] == [1]'
forget /collections/shelf/items
forget '/feed?profile=new&filter=in_collection(%27shelf%27)'
ask DELETE '/collections/{name}/items/{id}' /collections/shelf/items/1
then_all /collections/shelf '.items == 0'
forget /collections/shelf
ask POST '/collections/{name}/items' /collections/shelf/items '{"entity_id":1,"position":3}'
then_all /collections/shelf/items '[.items[] | [.entity_id, .position]] == [[1, 3]]'
then_all '/feed?profile=new&filter=in_collection(%27shelf%27)' '[.items[].entity_id] == [1]'
ask POST /users /users '{"entity_id":70,"metadata":{"language":"fr"}}'
then_all /users/70 '.metadata.language == "fr"'
ask POST /signals /signals '{"entity_id":1,"signal":"like","user_id":70}'
then_all /cohorts/readers '.events_7d == 1'
then_all '/feed?profile=cohort_trending&cohort=readers' '[.items[].entity_id] == [1]'
ask POST /users /users '{"entity_id":71,"metadata":{"language":"fr"}}'  # Who has liked nothing yet.
then_all '/feed?profile=for_you&user_id=71&limit=9' '.items[0].entity_id == 1 and (.warnings | tostring | contains("what cohort `readers` watches"))'
then_all '/items/2/related' '.profile == "related@1"'
ask POST /profiles /profiles '{"text":"profile outsiders version 1 { candidates union(follows limit 5, ordered(like) limit 1); score decay(like); explore 50%; }"}'
then_all '/feed?profile=outsiders&user_id=71&seed=1' '.items[0].entity_id == 1 and .items[1].explored.outside'
model=$(printf '%s\n' tree version=v4 num_class=1 num_tree_per_iteration=1 feature_names=year 'feature_infos=none' '' Tree=0 \
    num_leaves=1 leaf_value=0.25 '' '' 'end of trees')
for name in hits misses; do
    ask PUT '/models/{name}' /models/$name "$(jq -n --arg text "$model"$'\n' '{text: $text}')"
    then_all /models "[.models[].name] | index(\"$name\") != null"
done
forget /models
ask DELETE '/models/{name}' /models/misses
then_all /models '[.models[].name] == ["hits"]'
for name in people places; do
    ask PUT '/synonyms/{name}' /synonyms/$name '{"text":"eleventh, eleven"}'
    then_all /synonyms "[.synonyms[].name] | index(\"$name\") != null"
done
forget /synonyms
ask DELETE '/synonyms/{name}' /synonyms/places
then_all /synonyms '[.synonyms[].name] == ["people"]'
then_all '/synonyms/people' '.text == "eleventh, eleven"'
for name in kept gone; do
    ask PUT '/users/{id}/searches/{name}' /users/7/searches/$name '{"query":"RETRIEVE items USING new"}'
    then_all /users/7/searches "[.searches[].name] | index(\"$name\") != null"
done
forget /users/7/searches
ask DELETE '/users/{id}/searches/{name}' /users/7/searches/gone
then_all /users/7/searches '[.searches[].name] == ["kept"]'
ask POST '/users/{id}/searches/{name}/look' /users/7/searches/kept/look
then_all /users/7/searches '.searches[0] | .looked_at > .saved_at'
then_all /users/7/searches/kept '.items | length > 0'
for name in brief gone; do
    ask PUT '/policies/{name}' /policies/$name '{"text":"per_minute 600"}'
    then_all /policies "[.policies[].name] | index(\"$name\") != null"
done
forget /policies
ask DELETE '/policies/{name}' /policies/gone
then_all /policies '[.policies[].name] == ["brief", "default"]'
ask POST /sessions /sessions '{"user_id":80,"policy":"brief"}'
session=$(jq .session_id <<<"$reply")
then_all "/sessions/$session" '.user_id == 80 and .policy == "brief@1"'
ask POST '/sessions/{id}/signals' "/sessions/$session/signals" '{"entity_id":2,"signal":"share","sequence":1}'
then_all "/sessions/$session" '.counts.share == 1 and .last_sequence == 1 or .state == "closed"'
ask PATCH '/sessions/{id}' "/sessions/$session" '{"annotations":{"page":"cart"}}'
then_all "/sessions/$session" '.annotations.page == "cart"'
ask DELETE '/sessions/{id}' "/sessions/$session"
then_all "/sessions/$session" '.state == "closed" and .reward == 1'
then_all /users/80/sessions '[.sessions[].state] == ["closed"]'
covered["POST /import"]=1
last="POST /import"
printf '%s\n' '{"entity_id":11,"metadata":{"title":"Eleven"}}' '{"entity_id":11,"signal":"view"}' |
    curl -s -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:${node_http[b]}/import?id=more" >"$work/reply"
grep -q '"accepted":2' "$work/reply" || fail "import: $(cat "$work/reply")"
then_all /items/11/signals '.signals.view.counts.all == 1'

# Of the cluster itself.
ask POST /cluster/tokens /cluster/tokens '{"expires_in_s":600}'
equal
for node in 2 3; do
    ask POST '/cluster/shards/{shard}/transfer' /cluster/shards/1/transfer "{\"node\":$node}"
    poll 20 leads 1 $node || fail "node $node does not lead"
    equal
done
ask POST /health/drain /health/drain
drained=${nodes[turn % 3]}
as "$drained" DELETE /health/drain
[ "$status" = 200 ] || fail "no end of the drain: $reply"
covered["DELETE /health/drain"]=1
equal
# Of the node asked alone, so a member's is refused: nothing restores one replica of many.
as b POST /backups '{"name":"one"}'
[[ $status == 5?? || $status == 409 ]] || fail "a member's backup: $status $reply"
as b DELETE /backups/one
[[ $status == [45]?? ]] || fail "no backup to remove: $status $reply"
covered["POST /backups"]=1 covered["DELETE /backups/{name}"]=1

ask POST /keys /keys '{"name":"ops","role":"admin"}'
key=$(jq -r .key <<<"$reply")
then_all /keys '[.keys[].name] == ["ops"]'
forget /keys
ask POST /keys /keys '{"name":"page","role":"reader"}'
then_all /keys '[.keys[].name] | sort == ["ops", "page"]'
forget /keys
ask DELETE '/keys/{name}' /keys/page
then_all /keys '[.keys[].name] == ["ops"]'

unheld=""
all_hold() {
    local check
    for check in "${checks[@]}"; do
        unheld=$check
        holds "$check" || return 1
    done
}
for signal in KILL TERM; do
    last="SIG$signal of all"
    for node in "${nodes[@]}"; do kill "-$signal" "${node_pid[$node]}"; done
    for node in "${nodes[@]}"; do wait "${node_pid[$node]}" 2>/dev/null; done
    for node in "${nodes[@]}"; do start_node "$node" start || finish; done
    poll 60 all_hold || fail "after $last: not ${unheld#*$'\t'} of ${unheld%%$'\t'*} on every node"
    equal
done

last="the end of node c"
end_node c TERM || fail "node c does not end well"
nodes=(a b)
is_down() { [ "$(jq_of a /cluster/nodes '.nodes[] | select(.node == 3) | .up')" = false ]; }
poll 30 is_down || fail "a dead node is up"
ask DELETE '/cluster/nodes/{node}' /cluster/nodes/3
then_all /cluster/nodes '[.nodes[] | select(.state == "active") | .node] == [1, 2]'
equal

while read -r route; do
    [ -n "${covered[$route]-}" ] || fail "no line of this table asks $route"
done < <(curl -s ${key:+-H "Authorization: Bearer $key"} "http://127.0.0.1:${node_http[a]}/openapi.json" | jq -r '.paths | to_entries[] | .key as $path |
    .value | to_entries[] | select((.key | IN("post", "put", "patch", "delete")) or any(.value.parameters[]?; .name == "log_impressions")) |
    (.key | ascii_upcase) + " " + $path')
finish
