#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port, status and reply come from lib.sh
# Collections through the doors of the real programs: what they refuse, their order and its pages, filters and candidates;
# the same after kill -9, after a clean stop, and on every node of a cluster whose leaders were killed.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

field() { jq -r "$1" <<<"$reply"; }
is() { # JQ WANT
    [ "$(field "$1")" = "$2" ] || fail "expected $1 = $2: $reply"
}
picks=/collections/staff%20picks
put_in() { # COLLECTION ID POSITION
    call POST "/collections/$1/items" "{\"entity_id\":$2,\"position\":$3}"
    expect 200 '"status":"ok"'
}
holds() { # COLLECTION IDS, in order
    call GET "/collections/$1/items"
    expect 200
    is '[.items[].entity_id] | tostring' "$2"
    call GET "/collections/$1"
    is .items "$(jq length <<<"$2")"
}
page_of() { # PATH IDS
    call GET "$1"
    expect 200
    is '[.items[].entity_id] | tostring' "$2"
}
lines() { # COLLECTION NDJSON
    status=$(printf '%s\n' "$2" | curl -s --max-time 60 -o "$work/reply" -w '%{http_code}' -H 'Content-Type: application/x-ndjson' \
        --data-binary @- "http://127.0.0.1:$port/collections/$1/items")
    reply=$(cat "$work/reply")
}
ctl() { TIDAL_URL=http://127.0.0.1:$port "$bin/tidalctl" "$@"; }

start_server standalone --data-dir "$work/data" --shards 4 || finish
for id in 1 2 3 4 5 6; do
    call POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"item $id\",\"year\":200$id}}"
    expect 200
done

# Names and descriptions.
call GET /collections
expect 200
is '.collections | length' 0
call PUT $picks '{"description":"What we like"}'
expect 200 '"name":"staff picks"' '"version":1' '"created":true'
call PUT $picks '{"description":"What we like"}'
expect 200 '"version":1' '"created":false'
call PUT /collections/later
expect 200 '"created":true'
call PUT /collections/Caf%C3%A9%2F90s '{"description":"Größe, \"quoted\""}'
expect 200 '"name":"Café/90s"'
call GET /collections/Caf%C3%A9%2F90s
expect 200 '"description":"Größe, \"quoted\""' '"items":0'
call GET /collections
is '[.collections[].name] | tostring' '["Café/90s","later","staff picks"]'
call GET /collections/staff%20pics
expect 404 '"code":"unknown_collection"' '"field":"name"' 'did you mean' 'staff picks'
call PUT "/collections/$(printf 'n%.0s' {1..64})"
expect 400 '"code":"bad_name"' '1 to 63 bytes'
call PUT /collections/two%0Alines
expect 400 '"code":"bad_name"'
call PUT /collections/bad%FFutf
expect 400
call PUT $picks '{"descripton":"x"}'
expect 400 'description'
call PUT $picks '{"description":7}'
expect 400 '"field":"description"'
call PUT $picks "{\"description\":\"$(printf 'd%.0s' {1..4097})\"}"
expect 400 '"field":"description"' '4096'
call PUT "$picks?dry_run=true" '{"description":"x"}'
expect 400 '"field":"dry_run"'

# What is in one, and in which order: the least position first, then by id; again moves.
put_in staff%20picks 3 2
put_in staff%20picks 2 2
put_in staff%20picks 5 -1.5
call POST $picks/items '{"entity_id":1}'
expect 200
holds staff%20picks '[5,1,2,3]'
put_in staff%20picks 3 -2
holds staff%20picks '[3,5,1,2]'
call POST $picks/items '[{"entity_id":4,"position":1},{"entity_id":99,"position":1},{"entity_id":3,"position":9},{"position":1},{"entity_id":1,"position":"first"}]'
expect 200 '"code":"unknown_item"' '"field":"entity_id"' '"field":"position"' '"accepted":2' '"rejected":3'
[ "$(wc -l <<<"$reply")" = 6 ] || fail "five lines and a summary: $reply"
holds staff%20picks '[5,1,4,2,3]'
lines staff%20picks '{"entity_id":6,"position":0.5}
{"entity_id":98}
not json
{"entity_id":2,"position":-7}'
expect 200 '"code":"unknown_item"' '"accepted":2' '"rejected":2'
holds staff%20picks '[2,5,1,6,4,3]'
lines staff%20pics '{"entity_id":6}'
expect 200 '"code":"unknown_collection"' 'staff picks' '"accepted":0' '"rejected":1'
call POST $picks/items '{"entity_id":99,"position":1}'
expect 404 '"code":"unknown_item"'
call POST /collections/staff%20pics/items '{"entity_id":1,"position":1}'
expect 404 '"code":"unknown_collection"' 'staff picks'
call POST $picks/items '{"entity_id":1,"postion":1}'
expect 400 'position'
call POST $picks/items '{"entity_id":"one"}'
expect 400 '"code":"bad_id"'
for position in '"NaN"' 1e400 -1e400 NaN null '[1]'; do
    call POST $picks/items "{\"entity_id\":1,\"position\":$position}"
    expect 400
done
call POST $picks/items '{"entity_id":6,"position":8}' 'Idempotency-Key: move-6'
expect 200
call POST $picks/items '{"entity_id":6,"position":8}' 'Idempotency-Key: move-6'
expect 200 '"repeated":true'
call POST $picks/items '{"entity_id":6,"position":9}' 'Idempotency-Key: move-6'
expect 422
holds staff%20picks '[2,5,1,4,6,3]'
call DELETE $picks/items/4
expect 200 '"status":"ok"'
call DELETE $picks/items/4
expect 404 '"code":"not_in_collection"'
call DELETE $picks/items/99
expect 404 '"code":"unknown_item"'
call DELETE /collections/staff%20pics/items/1
expect 404 '"code":"unknown_collection"' 'staff picks'

# Pages.
walk=() cursor=""
while :; do
    call GET "$picks/items?limit=2&cursor=$cursor"
    expect 200
    mapfile -t -O ${#walk[@]} walk < <(field '.items[].entity_id')
    cursor=$(field '.next_cursor // ""')
    [ -n "$cursor" ] && [ ${#walk[@]} -lt 20 ] || break
done
[ "${walk[*]}" = "2 5 1 6 3" ] || fail "pages of two: ${walk[*]}"
call GET "$picks/items?limit=2"
cursor=$(field .next_cursor)
put_in later 1 0
call GET "/collections/later/items?cursor=$cursor"
expect 400 '"code":"invalid_cursor"' '"field":"cursor"'
for wrong in x "${cursor}A" "${cursor:0:8}" '%25'; do
    call GET "$picks/items?cursor=$wrong"
    expect 400 '"code":"invalid_cursor"' 'next_cursor'
done
for limit in 0 1001 -1 ten; do
    call GET "$picks/items?limit=$limit"
    expect 400 '"field":"limit"'
done
call GET "$picks/items?offset=2"
expect 400 'offset'
call GET /collections/staff%20pics/items
expect 404 '"code":"unknown_collection"'

# Filters and candidates.
page_of '/feed?profile=old&filter=in_collection(%27staff%20picks%27)' '[1,2,3,5,6]'
page_of '/feed?profile=old&filter=NOT%20in_collection(%27staff%20picks%27)' '[4]'
page_of '/feed?profile=old&filter=in_collection(%27staff%20picks%27)%20AND%20year%3C2003' '[1,2]'
page_of '/feed?profile=old&filter=in_collection(%27Caf%C3%A9%2F90s%27)' '[]'
call POST /feed "{\"profile\":\"old\",\"filter\":\"in_collection('later') OR in_collection('staff picks') AND year > 2005\"}"
expect 200
is '[.items[].entity_id] | tostring' '[1,6]'
call POST /query "{\"query\":\"RETRIEVE items USING old WHERE in_collection('staff picks') LIMIT 2\"}"
expect 200
is '[.items[].entity_id] | tostring' '[1,2]'
call POST /search "{\"query\":\"item\",\"filter\":\"in_collection('later')\"}"
expect 200
is '[.items[].entity_id] | tostring' '[1]'
call GET '/feed?profile=old&filter=in_collection(%27staff%20pics%27)'
expect 400 '"code":"unknown_collection"' '"field":"filter"' 'staff picks'
call GET '/feed?profile=old&filter=in_collection()'
expect 400 '"field":"filter"'
call POST /profiles '{"text":"profile picks version 1 {\n    candidates collection('\''staff pics'\'');\n    score rank(collection);\n}"}'
expect 400 '"code":"unknown_collection"' 'staff picks' '"line":2'
call POST /profiles '{"text":"profile picks version 1 { candidates collection('\''staff picks'\''); score rank(collection); }"}'
expect 200 '"created":true'
call POST /profiles '{"text":"profile firsts version 1 { candidates collection('\''staff picks'\'') limit 2; score age_hours; order score desc; }"}'
expect 200
page_of '/feed?profile=picks' '[2,5,1,6,3]'
page_of '/feed?profile=firsts' '[2,5]'
# A filter never empties the list: the first two of what it accepts.
page_of '/feed?profile=firsts&filter=year%20IN%20(2001,2003,2006)' '[1,6]'
call GET '/feed?profile=picks&limit=2'
is '[.items[].entity_id] | tostring' '[2,5]'
page_of "/feed?profile=picks&limit=2&cursor=$(field .next_cursor)" '[1,6]'
call DELETE $picks
expect 409 '"code":"collection_in_use"' 'takes candidates from collection `staff picks`' 'retire the profile'
holds staff%20picks '[2,5,1,6,3]'

# By the command.
[[ $(ctl collection list) =~ 'staff picks'\ +5\ +'What we like' ]] || fail "collection list: $(ctl collection list)"
ctl collection put 'by hand' --description 'Mine.' >/dev/null || fail "collection put"
ctl collection add 'by hand' 4 --position 1.5 >/dev/null || fail "collection add"
ctl collection add 'by hand' 3 >/dev/null || fail "collection add without a position"
ctl collection add 'by hand' 2 --position -1 >/dev/null || fail "collection add with a negative position"
ctl collection add 'by hand' 1 --position inf >/dev/null 2>"$work/err" && fail "a position that is not finite"
ctl collection add 'by hand' 77 >/dev/null 2>"$work/err" && fail "an unknown item"
grep -q 'unknown_item\|item 77\|`77`\|77' "$work/err" || fail "an unknown item is not named: $(cat "$work/err")"
holds by%20hand '[2,3,4]'
ctl collection show 'by hand' | awk 'NR > 1 {print $2}' | tr '\n' ' ' >"$work/shown"
[ "$(cat "$work/shown")" = "2 3 4 " ] || fail "collection show: $(ctl collection show 'by hand')"
ctl collection show 'by hnd' >/dev/null 2>"$work/err" && fail "an unknown collection"
grep -q 'by hand' "$work/err" || fail "no nearest name: $(cat "$work/err")"
ctl collection show 'by hand' --cursor x >/dev/null 2>"$work/err" && fail "a bad cursor"
grep -q 'cursor' "$work/err" || fail "a bad cursor: $(cat "$work/err")"
ctl collection remove 'by hand' 3 >/dev/null || fail "collection remove"
holds by%20hand '[2,4]'
ctl collection delete 'staff picks' >/dev/null 2>"$work/err" && fail "one in use is deleted"
grep -q "takes candidates from collection" "$work/err" || fail "which profile: $(cat "$work/err")"
ctl collection delete 'by hand' >/dev/null || fail "collection delete"
call GET /collections/by%20hand
expect 404 '"code":"unknown_collection"'
call GET /items/4
expect 200

# Made anew it is empty, and a version further.
put_in later 2 1
call DELETE /collections/later
expect 200
call DELETE /collections/later
expect 404 '"code":"unknown_collection"'
call GET '/feed?profile=old&filter=in_collection(%27later%27)'
expect 400 '"code":"unknown_collection"'
call PUT /collections/later '{"description":"anew"}'
expect 200 '"created":true' '"version":2'
holds later '[]'
page_of '/feed?profile=old&filter=in_collection(%27later%27)' '[]'
put_in later 6 1
put_in later 4 0

# A deleted item leaves every one, and one of the same id is not in.
put_in later 5 -1
call DELETE /items/5
expect 200
holds later '[4,6]'
holds staff%20picks '[2,1,6,3]'
page_of '/feed?profile=picks' '[2,1,6,3]'
call POST /items '{"entity_id":5,"metadata":{"title":"item 5","year":2005}}'
expect 200
holds later '[4,6]'
call PUT $picks '{"description":"Described anew"}'
expect 200 '"version":2' '"created":true'

snapshot() {
    local path
    for path in /collections $picks "$picks/items" /collections/later/items /collections/Caf%C3%A9%2F90s \
        "$picks/items?limit=2"; do
        call GET "$path"
        printf '%s %s %s\n' "$path" "$status" "$reply"
    done
    for path in '/feed?profile=picks' '/feed?profile=firsts' '/feed?profile=old&filter=in_collection(%27later%27)'; do
        call GET "$path"
        printf '%s %s %s\n' "$path" "$status" "$(field '[.items[].entity_id] | tostring')"
    done
}
same() { # WHEN
    snapshot >"$work/after"
    diff "$work/before" "$work/after" >&2 || fail "collections differ $1"
}
snapshot >"$work/before"
grep -q ' 404\| 400\| 000' "$work/before" && fail "$(cat "$work/before")"
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
same "after kill -9"
call GET "/collections/later/items?cursor=$cursor"
expect 400 '"code":"invalid_cursor"'
page_of '/feed?profile=old&filter=NOT%20in_collection(%27staff%20picks%27)' '[4,5]'
stop_server TERM || fail "SIGTERM should exit 0"
start_server standalone --data-dir "$work/data" || finish
same "after a clean stop"
put_in later 1 5
holds later '[4,6,1]'
call DELETE /profiles/picks
expect 200
call DELETE $picks
expect 409 'firsts@1'
call DELETE /profiles/firsts
call DELETE $picks
expect 200
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
call GET $picks
expect 404 '"code":"unknown_collection"'
call PUT $picks
expect 200 '"created":true'
holds staff%20picks '[]'

# More than a page, by the command.
many=$(for id in {101..250}; do printf '{"entity_id":%d,"position":%d}\n' "$id" "$((-id))"; done)
curl -s -o /dev/null -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port/items" < <(jq -c '{entity_id}' <<<"$many")
call PUT /collections/long
lines long "$many"
expect 200 '"accepted":150' '"rejected":0'
ctl collection show long >"$work/first"
next=$(sed -n 's/^more: --cursor //p' "$work/first")
{ awk 'NR > 1 && !/^more:/ {print $2}' "$work/first" && ctl collection show long --cursor "$next" | awk 'NR > 1 {print $2}'; } >"$work/shown"
[ "$(wc -l <"$work/first")" = 102 ] || fail "a page of 100: $(tail -n 2 "$work/first")"
diff "$work/shown" <(seq 250 -1 101) >&2 || fail "collection show by pages"
for id in {101..250}; do printf '/collections/long/items/%d\n' "$id"; done | head -n 3 | while read -r path; do call DELETE "$path"; done
call GET /collections/long
expect 200 '"items":147'
ctl collection delete long >/dev/null || fail "a long one is not deleted"

# Who may: what is in one is for writers, names are for admins.
call POST /keys '{"name":"ops","role":"admin"}'
admin="Authorization: Bearer $(field .key)"
call POST /keys '{"name":"shop","role":"writer"}' "$admin"
writer="Authorization: Bearer $(field .key)"
call POST /keys '{"name":"page","role":"reader"}' "$admin"
reader="Authorization: Bearer $(field .key)"
call POST $picks/items '{"entity_id":1}' "$writer"
expect 200
call POST $picks/items '{"entity_id":2}' "$reader"
expect 403 '"code":"role"' 'writer'
call DELETE $picks/items/1 "" "$reader"
expect 403 '"code":"role"'
call GET $picks/items "" "$reader"
expect 200 '"entity_id":1'
for key in "$writer" "$reader"; do
    call PUT /collections/other '{"description":"x"}' "$key"
    expect 403 '"code":"role"' 'admin'
    call DELETE $picks "" "$key"
    expect 403 '"code":"role"'
done
call GET $picks "" "$reader"
expect 200 '"items":1'
stop_server INT || fail "SIGINT should exit 0"

# Three nodes: named on one, filled on another, read on all; the leader of the names dies, then comes back.
start_node a init --shards 2 || finish
token() { "$bin/tidalctl" node token --url "http://127.0.0.1:${node_http[a]}"; }
for node in b c; do TIDAL_TOKEN=$(token) start_node $node join --seed "127.0.0.1:${node_peer[a]}" || finish; done
voters() { [ "$(get "$1" /cluster/shards '[.shards[] | select((.voters | length) == 3 and .leader != null)] | length')" = 3 ]; }
for node in a b c; do poll 60 voters "$node" || fail "node $node is no voter everywhere"; done
for id in 1 2 3 4 5 6 7 8; do on a POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"item $id\"}}"; done
on b PUT $picks '{"description":"ours"}'
expect 200 '"version":1'
on c POST $picks/items '[{"entity_id":1,"position":4},{"entity_id":2,"position":3},{"entity_id":3,"position":2},{"entity_id":4,"position":1},{"entity_id":5,"position":5}]'
expect 200 '"accepted":5'
on a POST /profiles '{"text":"profile picks version 1 { candidates collection('\''staff picks'\''); score rank(collection); }"}'
expect 200
on b DELETE $picks/items/5
expect 200
everywhere() { # IDS, on the nodes that are there
    for node in "${!node_pid[@]}"; do
        port=${node_http[$node]}
        holds staff%20picks "$1"
        page_of '/feed?profile=picks' "$1"
        page_of '/feed?profile=old&filter=in_collection(%27staff%20picks%27)' "$(jq -c sort <<<"$1")"
    done
}
everywhere '[4,3,2,1]'
leader=$(get a /cluster/shards '.shards[] | select(.shard == 0) | .leader')
names=(none a b c)
victim=${names[leader]}
end_node "$victim" KILL
rest=("${!node_pid[@]}")
led_anew() {
    [ "$(get "${rest[0]}" /cluster/shards "[.shards[] | select(.leader != null and .leader != $leader)] | length")" = 3 ]
}
poll 60 led_anew || fail "nobody leads what node $leader led"
everywhere '[4,3,2,1]'
on "${rest[0]}" POST $picks/items '{"entity_id":6,"position":1.5}' 'Idempotency-Key: six'
expect 200
on "${rest[1]}" POST $picks/items '{"entity_id":6,"position":1.5}' 'Idempotency-Key: six'
expect 200 '"repeated":true'
everywhere '[4,6,3,2,1]'
on "${rest[1]}" DELETE $picks
expect 409 'picks@1'
on "${rest[0]}" PUT /collections/later
expect 200 '"created":true'
on "${rest[1]}" POST /collections/later/items '{"entity_id":7}'
expect 200
on "${rest[0]}" DELETE /collections/later
expect 200
on "${rest[1]}" PUT /collections/later
expect 200 '"created":true' '"version":2'
start_node "$victim" start || finish
caught_up() {
    on "$victim" GET '/collections/later/items'
    [ "$status" = 200 ] && [ "$(field '.items | length')" = 0 ]
}
poll 60 caught_up || fail "node $victim does not answer: $reply"
everywhere '[4,6,3,2,1]'
on "$victim" DELETE /items/6
expect 200
everywhere '[4,3,2,1]'
finish
