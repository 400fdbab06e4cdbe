#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# What a user did shapes what that user is shown: through HTTP, over kills of the server.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

serve() { start_server standalone --data-dir "$work/data" --shards 3 || finish; }
restart() { # SIGNAL
    stop_server "$1"
    serve
}
ids() { jq -r '[.items[].entity_id | tostring] | join(" ")' <<<"$reply"; }
expect_ids() { # IDS WHAT
    if [ "$status" != 200 ] || [ "$(ids)" != "$1" ]; then fail "$2: expected '$1', got $status: $reply"; fi
}
signal() { # USER SIGNAL ITEM [KEY]
    call POST /signals "{\"entity_id\":$3,\"signal\":\"$2\",\"user_id\":$1}" ${4:+"Idempotency-Key: $4"}
    expect 200
}
feed() { call GET "/feed?profile=new&fields=&$1"; }

serve
for id in 1 2 3 4 5 6 7 8 9; do
    call POST /items "{\"entity_id\":$id,\"created_at\":\"2026-01-0${id}T00:00:00Z\",\"metadata\":{\"title\":\"Film $id\",\"year\":200$id}}"
    expect 200
done

# A hidden item is shown to everybody but who hid it, from then on, on later pages too.
feed "user_id=7&limit=3"
expect_ids "9 8 7" "the first page"
cursor=$(jq -r .next_cursor <<<"$reply")
signal 7 hide 5
signal 7 hide 9 key-of-9
feed "user_id=7&limit=3&cursor=$cursor"
expect_ids "6 4 3" "the next page of who hid 5"
feed "user_id=7&limit=20"
expect_ids "8 7 6 4 3 2 1" "after two hides"
feed "user_id=8&limit=20"
expect_ids "9 8 7 6 5 4 3 2 1" "for somebody else"
feed "limit=20"
expect_ids "9 8 7 6 5 4 3 2 1" "for nobody"
call GET "/feed?profile=new&fields=&user_id=7&pin=9,5&limit=3"
expect_ids "8 7 6" "pinned all the same"
call GET "/feed?profile=trending&fields=&user_id=7&limit=20"
[[ " $(ids) " != *" 5 "* && " $(ids) " != *" 9 "* ]] || fail "trending shows what is hidden: $reply"
call POST /query '{"query":"RETRIEVE items USING new FOR USER 7 FIELDS NONE LIMIT 20"}'
expect_ids "8 7 6 4 3 2 1" "a query for the user"

# Filters on what the user did, negated and nested, with estimates.
signal 7 view 8
signal 7 view 7
signal 7 like 7
signal 7 save 6
filter() { # FILTER CURL-ARGS...: of user 7
    status=$(curl -s -G "http://127.0.0.1:$port/feed" -d profile=new -d fields= -d user_id=7 "${@:2}" \
        --data-urlencode "filter=$1" -o "$work/reply" -w '%{http_code}')
    reply=$(cat "$work/reply")
}
filter "seen"
expect_ids "8 7" "seen"
filter "NOT seen AND year > 2002"
expect_ids "6 4 3" "not seen"
filter "saved OR (seen AND NOT liked)"
expect_ids "8 6" "nested"
filter "NOT (seen OR saved)"
expect_ids "4 3 2 1" "neither"
filter "NOT seen" -d explain=true
expect 200 '"text":"NOT seen"' '"estimated":' '"matched":5'
filter "in_progress"
expect 400 '"code":"unknown_state"' 'sets: [in_progress]'
curl -s -G "http://127.0.0.1:$port/feed" -d profile=new --data-urlencode "filter=NOT seen" -o "$work/reply"
reply=$(cat "$work/reply")
[[ $reply == *'needs user_id'*'"code":"missing_input"'* ]] || fail "without a user: $reply"

# It is there after a kill, after a clean stop, which makes a checkpoint, and after a kill behind that.
for how in KILL TERM KILL; do
    restart $how
    feed "user_id=7&limit=20"
    expect_ids "8 7 6 4 3 2 1" "after SIG$how"
    filter "NOT (seen OR saved)"
    expect_ids "4 3 2 1" "a filter after SIG$how"
done

# An undo brings back what nothing else hides.
signal 7 hide 4 key-of-4
signal 7 hide 4
for id in 9 4; do
    call POST /signals "{\"undo\":\"key-of-$id\",\"entity_id\":$id}"
    expect 200
done
feed "user_id=7&limit=20"
expect_ids "9 8 7 6 3 2 1" "after undos"
restart KILL
feed "user_id=7&limit=20"
expect_ids "9 8 7 6 3 2 1" "after undos and a kill"

# An item made again is another item; a user who is deleted did nothing, in any shard.
call DELETE /items/5
expect 200
call POST /items '{"entity_id":5,"created_at":"2026-01-05T00:00:00Z","metadata":{"title":"New 5"}}'
expect 200
feed "user_id=7&limit=20"
expect_ids "9 8 7 6 5 3 2 1" "an item made again"
call POST /users '{"entity_id":7,"metadata":{}}'
expect 200
call DELETE /users/7
expect 200
for after in "" KILL; do
    [ -z "$after" ] || restart $after
    feed "user_id=7&limit=20"
    expect_ids "9 8 7 6 5 4 3 2 1" "of a deleted user ${after:+after SIG$after}"
    filter "seen OR saved OR liked"
    expect_ids "" "states of a deleted user ${after:+after SIG$after}"
done
# Relationships: the same states, and creators.
relate() { # METHOD KIND BODY
    call "$1" /relationships "{\"user_id\":9,\"kind\":\"$2\",$3}"
    expect 200
}
for id in 1 2 3; do
    call PATCH /items/$id "{\"creator_id\":$((id + 100))}"
    expect 200
done
relate POST hides '"item_id":9'
relate POST saves '"item_id":8'
signal 9 hide 7
relate POST blocks '"creator_id":101'
relate POST follows '"creator_id":102'
relate POST follows '"creator_id":103'
relate POST mutes '"creator_id":103'
for after in "" KILL TERM; do
    [ -z "$after" ] || restart $after
    feed "user_id=9&limit=20"
    expect_ids "8 6 5 4 3 2" "hides and blocks ${after:+after SIG$after}"
    call GET "/feed?profile=new&fields=&user_id=9&limit=20&filter=followed+OR+saved"
    expect_ids "8 3 2" "followed or saved"
    call GET "/feed?profile=following&fields=&user_id=9"
    expect_ids "3 2" "of followed creators"
    call GET /users/9/relationships
    [ "$(jq -r '[.relationships[] | .kind + " " + ((.item_id // .creator_id) | tostring)] | join(",")' <<<"$reply")" = \
        "hides 7,hides 9,saves 8,follows 102,follows 103,blocks 101,mutes 103" ] || fail "relationships: $reply"
done
for id in 2 3; do
    call POST /signals "{\"entity_id\":$id,\"signal\":\"like\",\"weight\":$id}"
    expect 200
done
call GET "/feed?profile=most_liked&fields=&limit=2&explain=true"
expect_ids "3 2" "for nobody 3 is the most liked"
call GET "/feed?profile=most_liked&fields=&limit=2&user_id=9&explain=true"
expect_ids "2 3" "muted"
[[ $reply == *"muted creator"* ]] || fail "explain does not tell of muting: $reply"

# Affinity: likes less dislikes on a creator's items, there at once and after a kill, undone with its signal.
call POST /profiles '{"text":"profile loved version 1 { score affinity(creator); }"}'
expect 200
call PATCH /items/4 '{"creator_id":104}'
expect 200
relate DELETE mutes '"creator_id":103'
by_affinity() { # IDS WHAT
    call GET "/feed?profile=loved&fields=&limit=3&user_id=9" "" ${token:+"Tidal-Token: $token"}
    expect_ids "$1" "$2"
}
signal 9 like 4 key-of-love
signal 9 like 2
token=$(jq -r .token <<<"$reply")
call POST /signals '{"entity_id":3,"signal":"dislike","user_id":9}'
by_affinity "2 4 5" "two creators are liked"
signal 9 complete 4
token=$(jq -r .token <<<"$reply")
for after in "" KILL TERM KILL; do
    [ -z "$after" ] || restart $after
    by_affinity "4 2 5" "one is liked more ${after:+after SIG$after}"
done
call GET "/feed?profile=loved&fields=&limit=1&user_id=9&explain=true"
[[ $reply == *'affinity(creator)'* ]] || fail "explain has no affinity: $reply"
call POST /signals '{"undo":"key-of-love","entity_id":4}'
expect 200
call GET "/feed?profile=loved&fields="
expect 400 '"code":"missing_input"' 'user_id'

# Liked together: users who like films one after the other make them alike, whoever asks.
for id in 1 2 3 4; do
    call POST /embeddings "{\"entity_id\":$id,\"values\":[1,0.$id,0,0]}"
    expect 200
done
call POST /embeddings '{"entity_id":8,"values":[-1,0,0,0]}'
for user in 21 22 23; do
    signal $user like 2
    signal $user like 6
done
signal 24 like 6
signal 24 like 8
signal 25 view 3
signal 25 like 2
token=$(jq -r .token <<<"$reply")
call POST /profiles '{"text":"profile together version 1 { candidates co_engaged(user); score co_engagement; }"}'
expect 200
call POST /profiles '{"text":"profile near version 1 { candidates ann(user); require 1 - state(seen); score similarity; }"}'
expect 200
# What the user prefers is what similarity() is of where a profile has no source that is near to it, too.
call POST /profiles '{"text":"profile alike version 1 { candidates scan; score similarity(default); }"}'
expect 200
call POST /profiles '{"text":"profile all version 1 { candidates scan; score 1; }"}'
expect 200
together() { call GET "/feed?profile=together&fields=&user_id=25" "" "Tidal-Token: $token"; }
like_6() { together && [ "$(ids)" = "6 4" ]; }
shows() { [[ " $(ids) " == *" $1 "* ]]; }
for after in "" KILL TERM KILL; do
    [ -z "$after" ] || restart $after
    poll 10 like_6 || fail "liked together ${after:+after SIG$after}: $reply"
    call GET "/feed?profile=together&fields=&user_id=26"
    expect_ids "" "a user who liked nothing"
    call GET "/feed?profile=near&fields=&user_id=25&limit=3"
    expect_ids "2 1 4" "near to what the user liked, not seen ${after:+after SIG$after}"
    call GET "/feed?profile=alike&fields=&user_id=25&limit=4"
    expect_ids "2 3 1 4" "like what the user liked ${after:+after SIG$after}"
    call GET "/feed?profile=all&fields=&user_id=25&limit=4&sort=similarity(default)%20desc"
    expect_ids "2 3 1 4" "sorted by it ${after:+after SIG$after}"
    call GET "/feed?profile=all&fields=&user_id=25&filter=similarity%3E0.99"
    expect_ids "1 2 3" "filtered by it ${after:+after SIG$after}"
    call GET "/feed?profile=alike&fields=&user_id=26&limit=4"
    expect_ids "1 2 3 4" "a user who liked nothing ${after:+after SIG$after}"
    call GET "/feed?profile=related&fields=&similar_to=2&limit=3"
    expect_ids "4 3 6" "related: close and liked together, then either ${after:+after SIG$after}"
    call GET "/feed?profile=for_you&fields=&user_id=25&limit=20"
    [ "$status" = 200 ] && shows 6 && ! shows 3 && ! shows 2 ||
        fail "for_you has what is liked together, not what was seen or liked ${after:+after SIG$after}: $reply"
done
call GET "/feed?profile=together&fields=&user_id=25&explain=true"
[[ $reply == *'co_engagement'* ]] || fail "explain has no co_engagement: $reply"

# What a user hides comes through no door, and through each for others.
call PUT /users/25/searches/films '{"query":"SEARCH items FOR '"'film'"' LIMIT 20"}'
expect 200
call PUT /users/26/searches/films '{"query":"SEARCH items FOR '"'film'"' LIMIT 20"}'
expect 200
signal 25 hide 6
doors() { # USER: "DOOR IDS", a line each
    local path
    for path in '/feed?profile=for_you&fields=' '/feed?profile=related&fields=&similar_to=2' '/items/2/related?fields=' \
        '/search?query=film&fields=' '/search?query=film&fields=&sort=year' "/users/$1/searches/films?"; do
        case $path in /users/*) call GET "${path}limit=20" ;; *) call GET "$path&user_id=$1&limit=20" ;; esac
        [ "$status" = 200 ] || fail "$path of $1: $status $reply"
        echo "$path $(ids)"
    done
    call GET "/suggest?query=film&user_id=$1&limit=20"
    expect 200
    echo "suggest $(jq -r '[.suggestions[] | select(.kind == "item") | .entity_id | tostring] | join(" ")' <<<"$reply")"
    call POST /query "{\"query\":\"SUGGEST 'film' FOR USER $1 LIMIT 20\"}"
    expect 200
    echo "SUGGEST $(jq -r '[.suggestions[] | select(.kind == "item") | .entity_id | tostring] | join(" ")' <<<"$reply")"
}
for after in "" KILL TERM KILL; do
    [ -z "$after" ] || restart $after
    doors 25 >"$work/doors"
    while read -r door shown; do
        [[ -n $shown && " $shown " != *" 6 "* ]] || fail "$door shows '$shown' to who hid 6 ${after:+after SIG$after}"
    done <"$work/doors"
    [ "$(wc -l <"$work/doors")" = 8 ] || fail "doors: $(cat "$work/doors")"
    doors 26 >"$work/doors"
    while read -r door shown; do
        [[ " $shown " == *" 6 "* ]] || fail "$door shows '$shown' to who hid nothing ${after:+after SIG$after}"
    done <"$work/doors"
done
call GET "/feed?profile=together&fields="
expect 400 '"code":"missing_input"' 'user_id'
call POST /profiles '{"text":"profile bad version 1 { score state(sen); }"}'
expect 400 '"code":"unknown_state"' 'seen'

relate DELETE hides '"item_id":9'
relate DELETE hides '"item_id":7'
relate DELETE blocks '"creator_id":101'
feed "user_id=9&limit=20"
expect_ids "9 8 7 6 5 4 3 2 1" "nothing hidden or blocked any more"
call GET "/users/9/relationships?kind=saves"
expect 200 '"item_id":8' '"more":false'
"$bin/tidalctl" relationship add 9 hides 6 --url "127.0.0.1:$port" >/dev/null || fail "tidalctl relationship add"
"$bin/tidalctl" relationship list 9 --kind hides --url "127.0.0.1:$port" | grep -q '^hides *item *6 ' || fail "tidalctl relationship list"
"$bin/tidalctl" relationship end 9 hides 6 --url "127.0.0.1:$port" >/dev/null || fail "tidalctl relationship end"
feed "user_id=9&limit=1"
expect_ids "9" "after tidalctl"
call POST /relationships '{"user_id":9,"kind":"hides","item_id":99}'
expect 404 '"code":"unknown_item"'
call POST /relationships '{"user_id":9,"kind":"hides","creator_id":99}'
expect 400 '"field":"creator_id"'
call POST /relationships '{"user_id":9,"kind":"hates","item_id":9}'
expect 400 '"code":"unknown_kind"'
call POST /users '{"entity_id":9,"metadata":{}}'
expect 200
call DELETE /users/9
expect 200
call GET /users/9/relationships
expect 200 '"relationships":[]'
for user in 21 22 23 24 25; do
    call DELETE /users/$user
done
call GET /metrics
expect 200 'tidal_shard_user_states{shard="1"} 0' 'tidal_shard_user_state_bytes{shard="2"} 0'
finish
