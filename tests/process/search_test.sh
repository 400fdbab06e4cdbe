#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# Searches through the doors of the real programs, and after a restart by kill -9.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

ids() { grep -o '"entity_id":[0-9]*' <<<"$reply" | sed 's/.*://' | tr '\n' ' '; }
expect_ids() { [ "$(ids)" = "$1" ] || fail "expected items '$1', got '$(ids)' in: $reply"; }
search() {
    call GET "/search?token=$token&$1"
    expect 200
}

start_server standalone --data-dir "$work/data" --shards 3 || finish
# The runbook's calls, as printed.
call POST /items '{"entity_id":1,"metadata":{"title":"Jazz Piano","category":"music"}}'
expect 200 '"status":"ok"'
call GET '/search?query=jazz%20piano&limit=5'
expect 200 '"entity_id":1' '"rank":1' '"text_score":' '"title":"Jazz Piano"' '"profile":"search@1"'

add() { call POST /items "{\"entity_id\":$1,\"metadata\":{\"title\":\"$2\",\"category\":\"$3\",\"year\":$4}}"; }
add 2 'The Matrix' film 1999
add 3 'The Matrix Reloaded' film 2003
add 4 'Interstellar' film 2014
add 5 'Piano Lessons for the Impatient' music 2001
add 6 'Jazz Pawnshop' music 1977
add 7 'The Piano' film 1993
add 8 '東京物語' film 1953
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
for one in 2 3 4 5 6 7; do
    call GET "/items/$one?token=$token"
    expect 200
done

matrices="2 3 "
answers() {
    search 'query=jazz%20piano'
    expect_ids "1 6 7 5 "
    search 'query=jazz%20AND%20piano'
    expect_ids "1 "
    search 'query=piano%20-jazz'
    expect_ids "7 5 "
    search 'query=%22the%20piano%22'
    expect_ids "7 "
    search 'query=title:inter*'
    expect_ids "4 "
    search 'query=%E6%9D%B1%E4%BA%AC'
    expect_ids "8 "
    # One that is mistyped, in its middle and at its end; what is found as it stands is not guessed at.
    search 'query=matrx'
    expect_ids "$matrices"
    search 'query=interstelar'
    expect_ids "4 "
    search 'query=matrix'
    expect_ids "$matrices"
    search 'query=piano%20%23film'
    expect_ids "7 "
    search 'query=piano%20-%23film'
    expect_ids "1 5 "
    search 'query=%23music'
    expect_ids "6 5 1 "
    search 'query=%23music%20OR%20pawnshop'
    expect_ids "6 "
    search "query=piano&filter=category%20=%20'film'&facets=category"
    expect_ids "7 "
    expect 200 '"facets"' '"film"'
    # Another profile orders what the query finds.
    search 'query=piano&profile=new'
    expect_ids "7 5 1 "
    search 'query=piano&sort=year%20DESC'
    expect_ids "5 7 1 "
    search 'query=piano&limit=2'
    local cursor
    cursor=$(sed -n 's/.*"next_cursor":"\([^"]*\)".*/\1/p' <<<"$reply")
    search "query=piano&limit=2&cursor=$cursor"
    [ "$(ids | wc -w)" = 1 ] || fail "the second page of three items: $reply"
}
answers

# Liked ones come first among answers that are alike.
call POST /items '{"entity_id":9,"metadata":{"title":"Blue Reef"}}'
call POST /items '{"entity_id":10,"metadata":{"title":"Blue Reef"}}'
for user in 1 2 3 4 5 6; do
    call POST /signals "{\"entity_id\":10,\"signal\":\"like\",\"user_id\":$user}"
done
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
search 'query=blue%20reef'
expect_ids "10 9 "

# Changed, deleted, unpublished.
call PATCH /items/9 '{"metadata":{"title":"Green Reef"}}'
expect 200
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
search 'query=blue'
expect_ids "10 "
search 'query=green'
expect_ids "9 "
call DELETE /items/10
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
search 'query=%22blue%20reef%22'
expect_ids ""
call POST /items '{"entity_id":11,"metadata":{"title":"Blue later"},"publish_at":"2099-01-01T00:00:00Z"}'
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
search 'query=%22blue%20later%22'
expect_ids ""

# Other doors.
call POST /search "{\"query\":\"matrix\",\"limit\":1,\"filter\":\"year > 2000\"}"
expect 200
expect_ids "3 "
call POST /query "{\"query\":\"SEARCH items FOR 'matrix' WHERE year < 2000\"}"
expect 200
expect_ids "2 "
table=$(TIDAL_URL=http://127.0.0.1:$port "$bin/tidalctl" query "SEARCH items FOR 'jazz piano' LIMIT 1") || fail "tidalctl query"
[[ $table == *"Jazz Piano"* ]] || fail "expected the item in: $table"
call POST /profiles '{"text":"profile by_text version 1 { candidates scan; score 2 * bm25; order score desc; }"}'
expect 200
search 'query=matrix&profile=by_text'
expect_ids "2 3 "

# Words and a vector: the places of both lists are added.
call POST /embeddings '{"entity_id":2,"values":[1,0,0,0]}'
call POST /embeddings '{"entity_id":4,"values":[0.9,0.1,0,0]}'
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
search 'query=reloaded&vector=1,0,0,0'
expect 200 '"profile":"hybrid@1"' '"vector_score":1'
[ "$(ids | wc -w)" = 3 ] || fail "expected the word and the two that are near: $reply"
search 'query=matrix&vector=1,0,0,0&limit=1'
expect_ids "2 "
search 'query=matrix&vector=1,0,0,0&profile=search'
expect 200 'vector: nothing of search@1 or the filter reads it'
call GET '/search?query=matrix&vector=1,0'
expect 400 '"code":"wrong_dimension"'

call POST /items '{"entity_id":12,"metadata":{"title":"Piano of seventy"},"creator_id":70}'
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
search 'query=piano%20creator:70'
expect_ids "12 "
search 'query=creator:70'
expect_ids "12 "
# What has no creator is by none of those that are left out.
search 'query=matrix%20-creator:70&profile=by_text'
expect_ids "2 3 "
call DELETE /items/12
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")

# Synonyms, of one word and of several; what is quoted is taken as it is.
call PUT /synonyms/people '{"text":"film noir, the matrix\nkeyboard => piano"}'
expect 200 '"name":"people"' '"version":1'
synonyms() {
    search 'query=keyboard&limit=2'
    expect_ids "1 7 "
    search 'query=film%20noir&filter=year%20%3C%202000'
    expect_ids "2 "
    search 'query=%22keyboard%22'
    expect_ids ""
    call GET /synonyms/people
    expect 200 '"text":"film noir, the matrix\nkeyboard => piano"'
}
synonyms
call PUT /synonyms/people '{"text":"keyboard"}'
expect 400 '"line":1' '"field":"text"'
call GET /synonyms/none
expect 404
call PUT /synonyms/gone '{"text":"a, b"}'
call DELETE /synonyms/gone
expect 200
call GET /synonyms
expect 200 '"synonyms":[{"name":"people"'

# What was found is marked, also what was meant by a mistyped word.
search 'query=piano&limit=1&highlight=title'
expect 200 '"highlights":{"title":"Jazz <em>Piano</em>"}'
search 'query=matrx&limit=1&highlight=title'
expect 200 '<em>Matrix</em>'
call POST "/query?token=$token" "{\"query\":\"SEARCH items FOR 'lesson*' HIGHLIGHT title\"}"
expect 200 'Piano <em>Lessons</em> for the Impatient'
call GET '/search?query=piano&highlight=category'
expect 400 '"field":"highlight"' 'no field of texts'
call GET '/feed?highlight=title'
expect 400 '"field":"highlight"'

# Creators and users are found and ranked, too.
call POST /creators '{"entity_id":70,"metadata":{"name":"Blue Note"}}'
call POST /creators '{"entity_id":71,"metadata":{"name":"Blue Train Ensemble"}}'
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
search 'query=note&kind=creator'
expect_ids "70 "
call POST "/query?token=$token" "{\"query\":\"SEARCH creators FOR 'blue' USING new\"}"
expect 200
expect_ids "71 70 "
call GET "/feed?kind=creator&profile=old&token=$token"
expect 200
expect_ids "70 71 "
call GET '/search?query=note&kind=creature'
expect 400 '"field":"kind"'
call GET '/feed?kind=creator&log_impressions=true'
expect 400 '"field":"log_impressions"'

# Suggestions: the most liked first, mistyped ones last, each text once; queries once three asked.
suggested() { jq -r '[.suggestions[] | select(.kind != "query") | .text] | join("|")' <<<"$reply"; }
expect_suggested() { [ "$(suggested)" = "$1" ] || fail "expected '$1', got '$(suggested)' in: $reply"; }
for user in 1 2 3; do
    call POST /signals "{\"entity_id\":3,\"signal\":\"like\",\"user_id\":$user}"
done
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
call POST /items '{"entity_id":20,"metadata":{"title":"The Matrix"}}'
token2=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
call GET "/items/20?token=$token2"
matrices="3 2 20 "
suggestions() {
    call GET "/suggest?query=mat&token=$token"
    expect 200 '"kind":"item"' '"entity_id":3'
    expect_suggested "The Matrix Reloaded|The Matrix"
    call GET '/suggest?query=the%20matrix%20rel'
    expect_suggested "The Matrix Reloaded"
    call GET '/suggest?query=matrx'
    expect_suggested "The Matrix Reloaded|The Matrix"
    call GET '/suggest?query=blue%20n'
    expect 200 '"kind":"creator"' '"entity_id":70'
    expect_suggested "Blue Note"
    call GET '/suggest?query=%E6%9D%B1'
    expect_suggested "東京物語"
    call POST /suggest '{"query":"MAT","limit":2,"filter":"year < 2000"}'
    expect 200
    expect_suggested "The Matrix"
}
suggestions
call POST /query "{\"query\":\"SUGGEST 'inter' LIMIT 3\"}"
expect 200
expect_suggested "Interstellar"
table=$(TIDAL_URL=http://127.0.0.1:$port "$bin/tidalctl" query "SUGGEST 'inter'") || fail "tidalctl query SUGGEST"
[[ $table == *Interstellar*item* ]] || fail "expected the title in: $table"
call GET '/suggest?query=jazz%20pi'
expect_suggested "Jazz Piano"
expect 200 '{"text":"jazz piano","kind":"query"'
call POST /relationships '{"user_id":9,"kind":"hides","item_id":3}'
token2=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
call GET "/suggest?query=mat&user_id=9&token=$token2"
expect_suggested "The Matrix"
call GET /suggest
expect 400 '"code":"missing_query"'
call GET '/suggest?query=a&limit=101'
expect 400 '"field":"limit"'
call GET '/suggest?query='
expect 200 '"suggestions":[]'
call GET '/suggest?query=%22%28%20OR%20-'
expect 200 '"suggestions":[]'

# Saved searches: what is new since the last look.
call PUT /users/7/searches/jazz '{"query":"SEARCH items FOR '"'jazz'"' WHERE category = '"'music'"'"}'
expect 200 '"status":"ok"'
call GET /users/7/searches/jazz
expect_ids "1 6 "
call GET '/users/7/searches/jazz?new=true'
expect_ids ""
add 30 'New jazz' music 2026
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
call GET "/users/7/searches/jazz?new=true&token=$token"
expect_ids "30 "
call POST /users/7/searches/jazz/look ''
expect 200
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
saved() {
    call GET "/users/7/searches?token=$token"
    expect 200 '{"name":"jazz","query":"SEARCH items FOR '"'jazz'"
    call GET '/users/7/searches/jazz?new=true'
    expect_ids ""
    call GET '/users/7/searches/jazz?limit=1'
    expect 200 '"next_cursor":"' '"entity_id":'
}
saved
call PUT /users/7/searches/wrong '{"query":"SEARCH items FOR"}'
expect 400 '"field":"query"'
call PUT /users/7/searches/wrong '{"query":"SUGGEST '"'a'"'"}'
expect 400 'SUGGEST is not kept'
call GET /users/7/searches/none
expect 404 '"code":"unknown_saved_search"'
call DELETE /users/7/searches/none
expect 404 '"code":"unknown_saved_search"'
call PUT /users/8/searches/jazz '{"query":"RETRIEVE items USING new"}'
call POST /users '{"entity_id":8}'
call DELETE /users/8
expect 200
call GET /users/8/searches
expect 200 '"searches":[]'
call DELETE /items/30
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")

# Each hit says how it was found: by its words, its vector, and what its places in both lists add up to.
close_to() { jq -e ".items[] | select(.entity_id == $1) | .$2 - ($3) | fabs < 1e-12" <<<"$reply" >/dev/null || fail "$2 of $1 is not $3: $reply"; }
search 'query=matrix&vector=1,0,0,0'
close_to 2 fused_score '1/61 + 1/61'
close_to 4 fused_score '1/62'
close_to 2 vector_score 1
[ "$(jq '[.items[] | select(.fused_score)] | length' <<<"$reply")" = 4 ] || fail "not every hit has a fused score: $reply"
[ "$(jq '.items[] | select(.entity_id == 3) | has("vector_score")' <<<"$reply")" = false ] || fail "a vector that is not there: $reply"
call POST /profiles '{"text":"profile steep version 1 { candidates union(text(query) weight 2, ann(default, vector)) rank_base 1; score fused; }"}'
expect 200
search 'query=matrix&vector=1,0,0,0&profile=steep'
close_to 2 fused_score '2/2 + 1/2'
close_to 2 score '2/2 + 1/2'
close_to 3 score '2/4'
call POST /profiles '{"text":"profile flat version 1 { candidates union(text(query), recent) rank_base -1; score fused; }"}'
expect 400 'a rank_base from 0 to 10000'
search 'query=jazz%20piano&profile=new'
close_to 1 fused_score '1/61'
table=$(TIDAL_URL=http://127.0.0.1:$port "$bin/tidalctl" query "SEARCH items FOR 'jazz piano' LIMIT 1") || fail "tidalctl query"
[[ $table == *text_score*fused_score*entity_id* ]] && [[ $table == *0.0163934* ]] || fail "expected the parts of the score in: $table"

# Counts are those of all shards, asked for or not; what is answered is found, asked for or not.
search 'query=jazz%20piano'
same=$(jq -c '.items' <<<"$reply")
search 'query=jazz%20piano&stats=exact'
[ "$(jq -c '.items' <<<"$reply")" = "$same" ] || fail "stats=exact changes scores: $reply"
call POST /search '{"query":"jazz piano","stats":"exact"}'
expect 200 '"entity_id":1'
call GET '/search?query=jazz&stats=rough'
expect 400 '"field":"stats"' 'stats=exact'
call POST /search '{"query":"jazz","stats":"rough"}'
expect 400 '"field":"stats"'
for round in 1 2 3 4 5; do
    call POST '/items?wait=indexed' "{\"entity_id\":$((50 + round)),\"metadata\":{\"title\":\"Found at once $round\"}}"
    expect 200 '"status":"ok"'
    call GET "/search?query=%22at%20once%20$round%22"
    expect_ids "$((50 + round)) "
    call DELETE "/items/$((50 + round))?wait=indexed"
    expect 200
    call GET "/search?query=%22at%20once%20$round%22"
    expect_ids ""
done
call POST '/items?wait=indexed&w=memory' '{"entity_id":50}'
expect 400 '"field":"wait"' 'w=local'
call POST '/items?wait=applied' '{"entity_id":50}'
expect 400 '"field":"wait"' 'wait=indexed'

# Which way the words took, and why.
explained() { jq -c '.sources[] | select(.source == "text(query)")' <<<"$reply"; }
path_of() { # QUERY PATHS [PARAMETERS]: where a page is full, what is mistyped is not looked for.
    search "query=$1&explain=true&profile=search${3-&limit=1}"
    [ "$(explained | jq -rs 'map(.path) | join(" ")')" = "$2" ] || fail "'$1' is not by $2: $reply"
}
path_of jazz union
path_of 'jazz%20piano' union
[ "$(explained | jq -c '[.terms[] | select(.field == "title") | [.term, .documents]]')" = '[["jazz",2],["piano",3]]' ] || fail "terms: $reply"
[ "$(explained | jq '.candidates == 4 and .postings == 5 and .looked_at >= 4 and .scored == 4 and (.why | length > 20)')" = true ] || fail "counts: $reply"
path_of 'jazz%20AND%20piano' intersection
[ "$(explained | jq '.candidates')" = 1 ] || fail "one has both: $reply"
path_of '%22the%20piano%22' phrase
path_of '(jazz%20AND%20piano)%20OR%20matrix' cursors
path_of 'inter*' union
[ "$(explained | jq -r '.terms[0].of')" = 'inter*' ] || fail "what a beginning stands for: $reply"
path_of matrx 'none typos+union' '&limit=20'
[ "$(explained | jq -rs '.[1].terms[0] | .term + " " + .of + " " + (.edits | tostring)')" = 'matrix matrx 1' ] || fail "what a mistyped word stands for: $reply"
path_of xylophone 'none typos+none'
path_of jazz 'union typos+union' '&limit=20'
call GET "/search?query=piano&profile=new&explain=true&limit=1&token=$token"
[ "$(explained | jq -r .path)" = union ] || fail "a profile without sources of texts: $reply"
search 'query=jazz&vector=1,0,0,0&explain=true&limit=1'
[ "$(jq -r '[.sources[].source] | join(" ")' <<<"$reply")" = 'text(query) ann(default, vector)' ] || fail "both sources: $reply"
search 'query=jazz'
[ "$(jq 'has("sources")' <<<"$reply")" = false ] || fail "not asked for: $reply"
table=$(TIDAL_URL=http://127.0.0.1:$port "$bin/tidalctl" query "SEARCH items FOR 'jazz AND piano' EXPLAIN") || fail "tidalctl query"
[[ $table == *"text(query)"*intersection* ]] || fail "expected the way in: $table"

# Odd text is answered; what is no search is an error.
search 'query=%22jazz'
expect 200 'plain words: a quotation mark is not closed'
expect_ids "1 6 "
search 'query=nosuch:jazz'
expect 200 'names no text field'
search 'query='
expect 200 '"items":[]' 'no words to search for'
search 'query=(((-*%22%22%20AND%20OR'
search "query=$(printf 'w%s%%20' {1..3000} | head -c 15000)jazz"
expect 200 'only the first 256 words'
call GET /search
expect 400 '"code":"missing_query"' '"field":"query"'
call GET '/feed?profile=search'
expect 400 '"code":"missing_query"'
call GET '/search?query=jazz&profile=nosuch'
expect 400 '"code":"unknown_profile"'
call GET '/search?querry=jazz'
expect 400 '"code":"unknown_parameter"' 'query'
call POST /search '{"query":7}'
expect 400 '"field":"query"'

stop_server KILL
start_server standalone --data-dir "$work/data" || finish
answers
search 'query=green'
expect_ids "9 "
search 'query=blue'
expect_ids ""
suggestions
synonyms
saved
search 'query=note&kind=creator'
expect_ids "70 "
search 'query=reloaded&vector=1,0,0,0'
expect 200 '"profile":"hybrid@1"' '"vector_score":1'
stop_server TERM || fail "exit code after SIGTERM"
finish
