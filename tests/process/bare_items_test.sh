#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work, port, status and reply come from lib.sh
# Pages without fields (`fields=`) leave out what an item holds, and nothing of why it is there: each part that the
# description of the API names is asked for, beside the same page with all fields.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

start_server standalone --data-dir "$work/data" || finish
for i in {1..12}; do
    echo "{\"entity_id\":$i,\"creator_id\":$((i % 3)),\"publish_at\":\"2020-01-01T00:00:00Z\",\"expires_at\":\"2120-01-01T00:00:00Z\",\"metadata\":{\"title\":\"tide $i\",\"category\":\"c$((i % 2))\",\"year\":$((1990 + i))}}"
done | curl -s -o "$work/told" -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port/items"
grep -q '"rejected":0' "$work/told" || fail "the items: $(cat "$work/told")"
for i in {1..12}; do
    echo "{\"entity_id\":$i,\"values\":[0.$i,1,0,0]}"
done | curl -s -o "$work/told" -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port/embeddings"
grep -q '"rejected":0' "$work/told" || fail "the vectors: $(cat "$work/told")"
# Scores of nothing that moves, so that two pages one after the other are alike.
put() { # NAME STATEMENTS
    call POST /profiles "$(jq -n --arg name "$1" --arg rest "$2" '{text: "profile \($name) version 1 { \($rest) }"}')"
    expect 200
}
put steady 'score year;'
put bold 'score year; explore 50%;'
put both 'candidates union(text(query), ann(default, vector)); score fused;'

# without QUERY: the items of a page without what they hold.
without() {
    call GET "$1"
    expect 200
    jq -c '.items[] | del(.creator_id, .created_at, .publish_at, .expires_at) | .metadata = {}' <<<"$reply"
}
declare -A reached=()
# both_ways PART QUERY: the part is there without fields, and the whole is as with them.
both_ways() {
    local bare full
    full=$(without "$2")
    bare=$(without "$2&fields=")
    reply=$(cat "$work/reply") # of the subshell
    reached[$1]=1
    jq -e --arg part "$1" '.items | length > 0 and all(.[]; .metadata == {} and (has("creator_id") | not))' <<<"$reply" >/dev/null ||
        fail "fields of $2: $reply"
    jq -e --arg part "$1" 'any(.items[]; has($part))' <<<"$reply" >/dev/null || fail "no $1 in: $reply"
    [ "$bare" = "$full" ] || fail "$1: without fields $bare, with them $full"
}
for part in entity_id rank score metadata; do both_ways $part '/feed?profile=steady&limit=5'; done
both_ways explain '/feed?profile=steady&limit=5&explain=true'
both_ways explored '/feed?profile=bold&limit=4&seed=5'
both_ways group '/feed?profile=steady&limit=5&group_by=category%20TOP%202'
both_ways pinned '/feed?profile=steady&limit=5&pin=3'
both_ways text_score '/search?query=tide&limit=5'
both_ways fused_score '/search?query=tide&limit=5'
both_ways highlights '/search?query=tide&limit=5&highlight=title'
both_ways vector_score '/search?profile=both&query=tide&vector=1,0,0,0&limit=5'
# All at once.
both_ways explain '/search?profile=both&query=tide&vector=1,0,0,0&limit=5&highlight=title&pin=3&group_by=category%20TOP%202&explain=true'

# Those that are fields of the item, by their names.
call GET '/feed?profile=steady&limit=5&fields=creator_id,created_at,publish_at,expires_at'
for part in creator_id created_at publish_at expires_at; do
    jq -e --arg part $part 'all(.items[]; has($part) and .metadata == {})' <<<"$reply" >/dev/null || fail "no $part in: $reply"
    reached[$part]=1
done
# A part that comes to the description is asked for here as well.
described=$(curl -s "http://127.0.0.1:$port/openapi.json" | jq -r '.components.schemas.Feed.properties.items.items.properties | keys[]')
[ "$(wc -w <<<"$described")" -ge "${#reached[@]}" ] || fail "the description names fewer parts than are asked for: $described"
for part in $described; do
    [ -n "${reached[$part]-}" ] || fail "nothing asks for the part '$part' of an item"
done
stop_server TERM || fail "SIGTERM should exit 0"
finish
