#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# Profiles and experiments of one's own, over HTTP and tidalctl, before and after kill -9.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

put_profile() { # NAME VERSION SCORE
    call POST /profiles "{\"text\":\"profile $1 version $2 { score $3; }\"}"
}
start_server standalone --data-dir "$work/data" --shards 2 || finish
for id in 1 2 3; do
    call POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"item $id\",\"year\":199$id}}"
    expect 200
    call POST /signals "{\"entity_id\":$id,\"signal\":\"view\",\"weight\":$id}"
    expect 200
done

put_profile own 1 'sum(view, all)'
expect 200 '"name":"own"' '"version":1' '"created":true'
put_profile own 1 'sum(view, all)'
expect 200 '"created":false'
put_profile own 1 'year'
expect 409 '"code":"version_exists"' 'the next free one is 2'
put_profile own 2 '-sum(view, all)'
expect 200 '"created":true'
put_profile trending 7 'year'
expect 409 '"code":"built_in_profile"'
put_profile third 1 'sum(vieww, all)'
expect 400 'did you mean' '"line":1' '"column":37'
put_profile third 1 'sum(view, all'
expect 400 '"column":'
call POST /profiles '{"text":"profile third version 1 { score year; }","dry_run":true}'
expect 200 '"created":false'
call GET /profiles/third
expect 400 '"code":"unknown_profile"'
put_profile third 1 'friends(impression)'
expect 400 '"code":"no_state_of_signal"' 'no state tells who gave `impression`'
put_profile third 1 'fused'
expect 400 'no source of the profile has ranks to fuse'
call GET '/feed?profile=following'
expect 400 '"code":"missing_input"' '"field":"user_id"'
call POST /profiles '{"txt":"profile third version 1 { score year; }"}'
expect 400 '"field":"txt"'

experiment='experiment spring version 1 { arm own@1; arm own@2; }'
call POST /experiments '{"text":"experiment spring version 1 { arm own@1; arm own@9; }"}'
expect 400 '"code":"unknown_profile"' 'versions of it: 1 2'
call POST /experiments "{\"text\":\"$experiment\"}"
expect 200 '"created":true'
call DELETE /profiles/own
expect 409 '"code":"profile_in_use"'

order() { # PATH: the ids of a feed
    call GET "$1"
    expect 200
    ids=$(grep -o '"entity_id":[0-9]*' <<<"$reply" | tr -dc '0-9\n' | tr '\n' ' ')
}
put_profile mixed 1 'fused; candidates union(recent limit 2, window_top(view, all) limit 2); diversity max_per_creator 1'
expect 200 '"created":true'
call POST /items '{"entity_id":4,"metadata":{"title":"item 4"},"creator_id":8}'
expect 200
call POST /items '{"entity_id":5,"metadata":{"title":"item 5"},"creator_id":8}'
expect 200

check() {
    # 5 and 4 are the newest, 3 and 2 the most viewed; 5 and 4 have one creator.
    order '/feed?profile=mixed&limit=3'
    expect 200 '"candidates":4' '"constraints_satisfied":true'
    [ "$ids" = "3 5 2 " ] || fail "mixed: $ids"
    [[ $reply =~ \"next_cursor\":\"([^\"]*)\" ]] || fail "no cursor"
    order "/feed?profile=mixed&limit=3&cursor=${BASH_REMATCH[1]}"
    [ "$ids" = "4 " ] || fail "mixed, second page: $ids"
    order '/feed?profile=mixed&limit=4'
    expect 200 '"constraints_satisfied":false' 'max_per_creator 1` was given up'
    order '/feed?profile=own@1&exclude=4,5'
    [ "$ids" = "3 2 1 " ] || fail "own@1: $ids"
    order '/feed?profile=own&exclude=4,5'
    [ "$ids" = "1 2 3 " ] || fail "own: $ids"
    expect 200 '"profile":"own@2"'
    arms=""
    for user in $(seq 40); do
        order "/feed?experiment=spring&user_id=$user&exclude=4,5"
        expect 200 '"experiment":"spring@1"'
        case $reply in
            *'"profile":"own@1"'*) [ "$ids" = "3 2 1 " ] && arms+=1 ;;
            *'"profile":"own@2"'*) [ "$ids" = "1 2 3 " ] && arms+=2 ;;
        esac
    done
    [[ $arms == *1* && $arms == *2* && ${#arms} = 40 ]] || fail "arms: $arms"
    call GET '/feed?experiment=spring'
    expect 400 '"field":"user_id"'
    call GET '/feed?experiment=sprig&user_id=1'
    expect 400 '"code":"unknown_experiment"' 'spring'
    for both in 'feed?' 'search?query=item&' 'items/1/related?' 'feed/compare?with=new&'; do
        call GET "/${both}experiment=spring&profile=own&user_id=1"
        expect 400 '"code":"profile_and_experiment"' '"field":"experiment"' 'leave out one'
    done
    call POST /feed '{"experiment":"spring","profile":"own","user_id":1}'
    expect 400 '"code":"profile_and_experiment"'
    for none in profile experiment; do
        call GET "/feed?$none="
        expect 400 "\"field\":\"$none\""
        call POST /feed "{\"$none\":\"\"}"
        expect 400 "\"field\":\"$none\""
    done
    call GET '/feed/compare?experiment=spring&with=new&user_id=1'
    expect 200 '"profile":"new@1"' '"experiment":"spring@1"'
    call GET '/feed/compare?profile=own@1&with=own@2&exclude=4,5'
    expect 200 '"common":3' '"moves":[{"entity_id":3,"left_rank":1,"right_rank":3},{"entity_id":1,"left_rank":3,"right_rank":1}]'
    call GET '/feed/compare?profile=own@1'
    expect 400 '"field":"with"'
}
check
before=$arms
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
check
[ "$arms" = "$before" ] || fail "arms changed: $before, $arms"

export TIDAL_URL=http://127.0.0.1:$port
"$bin/tidalctl" profile list | grep -q '^own@2 .* own ' || fail "profile list: $("$bin/tidalctl" profile list)"
"$bin/tidalctl" profile show own@1 >"$work/own" || fail "profile show"
[ "$(cat "$work/own")" = 'profile own version 1 { score sum(view, all); }' ] || fail "show: $(cat "$work/own")"
sed 's/version 1/version 3/' "$work/own" | "$bin/tidalctl" profile put --dry-run - | grep -q 'created *false' || fail "dry run"
sed 's/version 1/version 3/; s/view/viw/' "$work/own" | "$bin/tidalctl" profile put - 2>"$work/refused" && fail "an unknown signal was accepted"
grep -q 'view' "$work/refused" || fail "refusal: $(cat "$work/refused")"
"$bin/tidalctl" experiment list --json | grep -q '"name":"spring"' || fail "experiment list"
"$bin/tidalctl" experiment retire spring >/dev/null || fail "experiment retire"
"$bin/tidalctl" profile retire own >/dev/null || fail "profile retire"
call GET '/feed?profile=own@1'
expect 400 '"code":"unknown_profile"'
put_profile own 2 'year'
expect 409 '"code":"version_exists"' 'the next free one is 3'
"$bin/tidalctl" schema show | grep -q '^signals:' || fail "schema show"
{ "$bin/tidalctl" schema show; } | sed 's/^signals:/signals:\n  zap: {half_life: 1h}/' | "$bin/tidalctl" schema add - | grep -q zap || fail "schema add"
finish
