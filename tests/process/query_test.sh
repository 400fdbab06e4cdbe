#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# Queries as text, filters and facets through the doors of the real programs.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

cat >"$work/schema.yaml" <<'YAML'
items:
  fields:
    title: text
    category: keyword
    year: int
    place: geo
    price: {type: float, default: 9.5}
  embeddings:
    cover: {dimensions: 2}
signals:
  view: {polarity: neutral, half_life: 1d}
  like: {polarity: positive, half_life: 7d, sets: [liked]}
  impression: {half_life: 7d}
YAML
start_server standalone --data-dir "$work/data" --schema "$work/schema.yaml" || finish
item() { call POST /items "$1" && expect 200 "\"created\":true"; }
item '{"entity_id":1,"metadata":{"title":"Tides","category":"jazz","year":1985,"place":{"lat":48.137,"lon":11.575}},"publish_at":"2020-01-01T00:00:00Z"}'
item '{"entity_id":2,"metadata":{"title":"Reef","category":"jazz","year":1999,"place":{"lat":48.366,"lon":10.894}}}'
item '{"entity_id":3,"metadata":{"title":"Moon","category":"rock","year":2001,"place":{"lat":52.520,"lon":13.405},"price":3}}'
item '{"entity_id":4,"metadata":{"title":"Nowhere","category":"rock","price":12}}'
call POST /signals '{"entity_id":2,"signal":"view","weight":3}'
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")

# query TEXT: POST /query.
query() { call POST "/query?token=$token" "{\"query\":\"$1\"}"; }

# ids: the ids of the last page, in order.
ids() { grep -o '"entity_id":[0-9]*' <<<"$reply" | sed 's/.*://' | tr '\n' ' '; }
expect_ids() { [ "$(ids)" = "$1" ] || fail "expected items '$1', got '$(ids)' in: $reply"; }

query "RETRIEVE items USING old"
expect 200 '"matched":4'
expect_ids "1 2 3 4 "
query "RETRIEVE items USING most_viewed WHERE category = 'jazz' AND year > 1990 LIMIT 1"
expect 200 '"matched":1' '"score":3'
expect_ids "2 "

# Places: Munich, Augsburg (56 km away), Berlin.
query "RETRIEVE items USING old WHERE near(48.137, 11.575, 10)"
expect_ids "1 "
query "RETRIEVE items USING old WHERE near(place, 48.137, 11.575, 60)"
expect_ids "1 2 "
query "RETRIEVE items USING old WHERE NOT near(place, 48.137, 11.575, 60)"
expect_ids "3 "
query "RETRIEVE items USING old WHERE publish_at < '2021-01-01T00:00:00Z'"
expect_ids "1 "

# Pages.
query "RETRIEVE items USING old EXCLUDE 1 LIMIT 2"
expect_ids "2 3 "
cursor=$(sed -n 's/.*"next_cursor":"\([^"]*\)".*/\1/p' <<<"$reply")
query "RETRIEVE items USING old EXCLUDE 1 LIMIT 2 AFTER '$cursor'"
expect_ids "4 "

# Facets count without their own condition.
query "RETRIEVE items USING old WHERE category = 'jazz' FACETS category, year RANGES (1990, 2000)"
expect 200 '"matched":2' '"category":{"values":[{"value":"jazz","count":2},{"value":"rock","count":2}],"others":0,"missing":0}'
expect 200 '"year":{"ranges":[{"to":"1990","count":1},{"from":"1990","to":"2000","count":1},{"from":"2000","count":0}],"missing":0}'
call GET "/feed?profile=old&facets=category%20top%201"
expect 200 '"category":{"values":[{"value":"jazz","count":2}],"others":1'
call POST /feed '{"profile":"old","facets":"year ranges (2000)"}'
expect 200 '{"from":"2000","count":1}],"missing":1'
call GET "/feed?profile=old&facets=yaer"
expect 400 'did you mean `year`?' '"field":"facets"'

# Order, places, groups, fields.
query "RETRIEVE items USING old ORDER BY year DESC"
expect_ids "3 2 1 4 "
query "RETRIEVE items USING old ORDER BY year LIMIT 3"
expect_ids "1 2 3 "
cursor=$(sed -n 's/.*"next_cursor":"\([^"]*\)".*/\1/p' <<<"$reply")
query "RETRIEVE items USING old ORDER BY year LIMIT 3 AFTER '$cursor'"
expect_ids "4 "
query "RETRIEVE items USING old ORDER BY year DESC LIMIT 3 AFTER '$cursor'"
expect 400 '"code":"invalid_cursor"' 'belongs to another query'
query "RETRIEVE items USING old ORDER BY sum(view, all) * 2 - year / 10000 DESC LIMIT 1 FIELDS title"
expect 200 '"metadata":{"title":"Reef"}'
[[ $reply != *created_at* ]] || fail "FIELDS title shows more: $reply"
query "RETRIEVE items USING old PIN 3, 2 BURY 1 WHERE category != 'pop'"
expect 200 '"pinned":true'
expect_ids "3 2 4 1 "
query "RETRIEVE items USING old GROUP BY category LIMIT 1"
expect 200 '"group":"jazz"'
cursor=$(sed -n 's/.*"next_cursor":"\([^"]*\)".*/\1/p' <<<"$reply")
query "RETRIEVE items USING old GROUP BY category LIMIT 1 AFTER '$cursor'"
expect 200 '"group":"rock"' '"rank":2'
query "RETRIEVE items USING old DIVERSIFY max_share(category, 50%) LIMIT 2"
expect_ids "1 3 "
call GET "/feed?profile=old&sort=year%20desc&pin=4&bury=3&fields=year&limit=3"
expect 200 '"entity_id":4' '"metadata":{"year":1999}'
expect_ids "4 2 1 "
call POST /feed '{"profile":"old","sort":"year desc","group_by":"category top 1","diversity":"none","pin":[1],"bury":["3"],"fields":["category"]}'
expect_ids "1 4 "
call GET "/feed?profile=old&sort=yaer"
expect 400 'did you mean `year`?' '"field":"sort"'
call GET "/feed?profile=old&fields=yaer"
expect 400 "did you mean 'year'?" '"field":"fields"'
call GET "/feed?profile=old&group_by=title"
expect 400 '"field":"group_by"'
query "RETRIEVE items USING old ORDER year"
expect 400 'expected BY'

# By a text: without case, what has none comes last, in both directions and over pages.
item '{"entity_id":5,"metadata":{"title":"tides","category":"rock"}}'
item '{"entity_id":6,"metadata":{"category":"rock"}}'
item '{"entity_id":7,"metadata":{"title":"Émile","category":"rock"}}'
query "RETRIEVE items USING alphabetical_asc"
expect_ids "3 4 2 1 5 7 6 "
call GET "/feed?profile=alphabetical_desc&limit=4"
expect_ids "7 1 5 2 "
cursor=$(sed -n 's/.*"next_cursor":"\([^"]*\)".*/\1/p' <<<"$reply")
item '{"entity_id":8,"metadata":{"title":"aardvark"}}'
item '{"entity_id":9,"metadata":{"title":"Zebra"}}'
call GET "/feed?profile=alphabetical_desc&limit=4&cursor=$cursor"
expect_ids "4 3 8 6 "
query "RETRIEVE items USING new WHERE category = 'rock' ORDER BY title DESC PIN 4 BURY 7 LIMIT 4 EXPLAIN"
expect 200 '"explain":{"terms":[{"term":"title","value":'
expect_ids "4 5 3 6 "
query "RETRIEVE items USING new ORDER BY category, 1"
expect 400
query "RETRIEVE items USING new WHERE year IS NOT NULL ORDER BY category DESC"
expect_ids "3 1 2 "
query "RETRIEVE items USING new ORDER BY length(title)"
expect 400 'unknown function'
query "RETRIEVE items USING new ORDER BY title + 1"
expect 400 'is not a number but text'
for id in 5 6 7 8 9; do
    call DELETE "/items/$id"
    expect 200
done

# Exploration: half of the places are for those that few have seen; item 2 is the best by score.
call POST /profiles '{"text":"profile curious version 1 { score sum(view, all) + 1 / (1 + age_hours); explore 50%; }"}'
expect 200 curious
call GET "/feed?profile=curious&seed=3&limit=2"
expect 200 '"explored":{"impressions":0.0,"positives":0.0,"draw":0.'
[[ $(ids) = "2 "* ]] || fail "the best by score comes first: $reply"
page=$(ids)
call GET "/feed?profile=curious&seed=3&limit=2"
expect_ids "$page"
call GET "/feed?profile=curious&seed=3&limit=4"
[ "$(ids | tr ' ' '\n' | sort | tr '\n' ' ')" = "1 2 3 4 " ] || fail "not each once: $(ids)"

# Explain shows what each condition was expected to match and did.
query "RETRIEVE items USING old WHERE category = 'jazz' AND year > 1990 EXPLAIN"
expect 200 '"filter":[{"text":"AND","depth":0' '"text":"category = '"'jazz'"'","depth":1,"estimated":2' '"matched":1'

# What is missing, with its place in the text.
query "RETRIEVE items USING old WHERE liked"
expect 400 '"code":"missing_input"' '`liked` needs user_id' '"column":32'
query "RETRIEVE items USING old FOR USER 7 WHERE friends_engaged(like)"
expect 200 '"matched":0'
query "RETRIEVE items USING old WHERE similarity > 0.5"
expect 400 '"code":"missing_input"' '`similarity` needs a vector, an item or a user (`vector`, `similar_to` or `user_id`)' '"column":32'
query "RETRIEVE items USING old FOR USER 7 WHERE similarity > 0.5"
expect 200 '"matched":0'
query "RETRIEVE items USING old WHERE ann OR mmr(0.5)"
expect 501 '"code":"no_condition"' '`ann` gives candidates'
query "RETRIEVE items USING old WHERE in_collection('later')"
expect 400 'unknown collection `later`'
query "RETRIEVE items USING old WHERE yaer = 3"
expect 400 'did you mean `year`?' '"column":32'
query "RETRIEVE items USING old WHER year = 3"
expect 400 'did you mean `WHERE`?'
query "SEARCH items FOR 'tides'"
expect 200 '"profile":"search@1"' '"text_score":'
expect_ids "1 "
query "SUGGEST 'ti' LIMIT 3"
expect 200 '"suggestions":'
call POST /query '{"quary":"RETRIEVE items"}'
expect 400 'quary'

# Errors found behind the parser have their place, too.
query "RETRIEVE items USING trendng"
expect 400 'did you mean `trending`?' '"field":"profile"' '"line":1,"column":22,"offset":21'
query "RETRIEVE items USING old FIELDS title, nope"
expect 400 '"field":"fields"' '"index":1' '"column":40'
query "RETRIEVE items USING old PIN 1, 1"
expect 400 'placed twice' '"index":1' '"column":33'
query "RETRIEVE items USING old AFTER 'junk'"
expect 400 '"code":"invalid_cursor"' '"column":32'
query "SUGGEST 'ite' LIMIT 101"
expect 400 '1 to 100' '"column":21'
query "RETRIEVE items USING old ORDER BY year + affinity(creator) DESC"
expect 400 '"detail":"the order `year + affinity(creator) DESC` needs user_id"' '"column":42'
call POST /feed '{"profile":"old","sort":"param(x)"}'
expect 400 'the order `param(x)` needs the parameter `x`' 'params.x of the request, WITH x = 1 of a query'
call POST /feed '{"profile":"old","sort":"distance_km(place, param(la), 2)","params":{"la":95}}'
expect 400 'the parameter `la` is a latitude, and 95 is none' '"field":"params.la"'
call POST /experiments '{"text":"experiment e version 1 { arm new@1; arm old@77; }"}'
expect 400 'versions of it: 1' '"column":41'
query "RETRIEVE items USING search"
expect 400 'the profile `search` needs a query' '"column":22'
query "RETRIEVE items USING old FIELDS limit"
expect 400 'unknown field `limit`' '"column":33'
query "RETRIEVE items USING old WHERE year <> 2000"
expect 400 '`!=` is not equal'
query "RETRIEVE items USING old WHERE near(place, 1, 2)"
expect 400 'near(field, latitude, longitude, kilometres)'
call GET "/feed?profile=old&exclude=1,b"
expect 400 "not an id: 'b'" '"field":"exclude"' '"index":1'
call POST /feed '{"profile":"old","pin":["abc"]}'
expect 400 "not an id: 'abc'" '"code":"bad_id"'
call POST /feed '{"profile":"old","pin":[-1]}'
expect 400 "not an id: -1" '"code":"bad_id"'
call GET "/feed?profile=old&exclude=99999999999999999999"
expect 400 "id out of range: '99999999999999999999'"
call GET "/feed?profile=old&limit=-1"
expect 400 "not an integer from 1 to 1000: '-1'"
call GET "/feed/compare?profile=new&with=nope"
expect 400 'unknown profile `nope`' '"field":"with"'
# Nobody named the profile that lacks its signals.
call POST /feed '{}'
expect 400 'it is the default: nothing names a profile' 'USING name of a query' '"code":"profile_unavailable"'
query "RETRIEVE items"
expect 400 'it is the default: nothing names a profile' '"column":1'
call POST /feed '{"profile":"trending"}'
expect 400 'unknown signal `share`'
[[ $reply != *'default'* ]] || fail "somebody named it: $reply"
# What is empty says nothing.
call GET "/feed?profile=old&filter=&sort=&facets=&group_by=&cursor="
expect_ids "1 2 3 4 "

# By a field with a default: it is what an item without the field is ordered by, and shows.
query "RETRIEVE items USING old ORDER BY price DESC"
expect_ids "4 1 2 3 "
[ "$(jq -c '[.items[].score]' <<<"$reply")" = "[12,9.5,9.5,3]" ] || fail "not sorted by what is shown: $reply"
query "RETRIEVE items USING old ORDER BY price"
expect_ids "3 1 2 4 "

# A retired version stays one, also with the same text.
lost='{"text":"profile lost version 1 { score 1; }"}'
call POST /profiles "$lost"
expect 200
call DELETE /profiles/lost
call POST /profiles "$lost"
expect 409 'profile `lost` has a version 1 already, which is retired' 'the next free one is 2'

# What was read, in its normal form, which reads as itself and gives the same page; and so profiles.
query "retrieve items explain limit 2 where  ((year>1990)) and not (category = 'pop' or year=5) using old"
expect_ids "2 3 "
normal=$(jq -r .query <<<"$reply")
[ "$normal" = "RETRIEVE items USING old WHERE year > 1990 AND NOT (category = 'pop' OR year = 5) LIMIT 2 EXPLAIN" ] ||
    fail "normal form: $normal"
query "$normal"
expect_ids "2 3 "
[ "$(jq -r .query <<<"$reply")" = "$normal" ] || fail "normal form of itself: $reply"
query "RETRIEVE items USING old"
jq -e 'has("query") | not' <<<"$reply" >/dev/null || fail "nobody asked for the query: $reply"
call POST /profiles '{"text":"profile rough version 1 {order score asc; score ((sum(view, all)) * 2)+(1);\n# why\npenalty 0.50 when (year>1990);}"}'
expect 200
call GET /profiles/rough
normal=$(jq -r .normalized <<<"$reply")
want='profile rough version 1 {
    candidates scan;
    score sum(view, all) * 2 + 1;
    penalty 0.5 when year > 1990;
    order score asc;
}'
[ "$normal" = "$want" ] || fail "normal form: $normal"
call POST /profiles "$(jq -n --arg text "${normal/rough/smooth}" '{text: $text}')"
expect 200 '"created":true'
call GET /profiles/smooth
[ "$(jq -r .normalized <<<"$reply")" = "${want/rough/smooth}" ] || fail "normal form of itself: $reply"
[ "$("$bin/tidalctl" profile show rough --normalized --url "http://127.0.0.1:$port")" = "$want" ] || fail "profile show --normalized"

# The command.
export TIDAL_URL=http://127.0.0.1:$port
table=$("$bin/tidalctl" query "RETRIEVE items USING old WHERE category = 'jazz' FACETS category EXPLAIN") || fail "tidalctl query"
for text in "query: RETRIEVE items USING old WHERE category = 'jazz' FACETS category EXPLAIN" "rank" "title=Tides" "facet category" "filter" "2 of 4 matched"; do
    [[ $table == *"$text"* ]] || fail "expected '$text' in: $table"
done
"$bin/tidalctl" query --json "RETRIEVE items USING old" | grep -q '"items":' || fail "tidalctl query --json"
"$bin/tidalctl" query "RETREIVE items" 2>"$work/error" && fail "tidalctl query accepts anything"
grep -q 'did you mean `RETRIEVE`?' "$work/error" || fail "no hint in: $(cat "$work/error")"
stop_server INT
finish
