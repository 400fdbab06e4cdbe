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
    expect_ids "2 3 "
    search 'query=interstelar'
    expect_ids "4 "
    search 'query=matrix'
    expect_ids "2 3 "
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
stop_server TERM || fail "exit code after SIGTERM"
finish
