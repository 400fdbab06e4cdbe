#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2154  # bin, root, work, port, status and reply come from lib.sh
# Cohorts, through the doors of the real programs: what they refuse, whose signals count, what a page says where
# too little is known; the same after kill -9 and after a clean stop.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

put_cohort() { # TEXT
    call POST /cohorts "$(jq -n --arg text "$1" '{text: $text}')"
}
first() { # PATH ID
    call GET "$1"
    expect 200
    [ "$(jq -r '.items[0].entity_id' <<<"$reply")" = "$2" ] || fail "$1: expected $2 first: $reply"
}
ids() { # PATH IDS
    call GET "$1"
    expect 200
    [ "$(jq -r '[.items[].entity_id] | tostring' <<<"$reply")" = "$2" ] || fail "$1: expected $2: $reply"
}
query() { call POST /query "$(jq -n --arg text "$1" '{query: $text}')"; }

start_server standalone --data-dir "$work/data" --shards 2 || finish
for id in 1 2 3 4; do
    call POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"item $id\"}}"
    expect 200
done
call POST /users '{"entity_id":1,"metadata":{"language":"fr","region":"paris"}}'
call POST /users '{"entity_id":2,"metadata":{"language":"fr","region":"lyon"}}'
call POST /users '{"entity_id":3,"metadata":{"language":"de","region":"bonn"}}'
call POST /users '{"entity_id":4,"metadata":{"language":"fr"}}'
call POST /users '{"entity_id":5,"metadata":{"language":"fr","region":"lyon"}}'
expect 200

put_cohort "cohort french version 1 { tracks view, like; at_least 2 events; where language = 'fr'; }"
expect 200 '"name":"french"' '"created":true'
put_cohort "cohort parisian version 1 { parent french; tracks view; at_least 2 events; where region = 'paris'; }"
expect 200 '"created":true'
put_cohort "cohort lost version 1 { tracks view; where lanuage = 'fr'; }"
expect 400 '"code":"unknown_field"' '"field":"text"' 'language' '"column":'
put_cohort "cohort lost version 1 { tracks veiw; where language = 'fr'; }"
expect 400 '"code":"unknown_signal"' 'view'
put_cohort "cohort lost version 1 { parent frensh; tracks view; where language = 'fr'; }"
expect 400 '"code":"unknown_cohort"' 'french'
put_cohort "cohort lost version 1 { tracks view; where created_within 7d; }"
expect 400 'by what they did or by time passing'
put_cohort "cohort lost version 1 { tracks view; where language = 'fr' }"
expect 400 '"column":'
call POST /cohorts '{"text":"cohort lost version 1 { tracks view; where region IS NOT NULL; }","dry_run":true}'
expect 200 '"created":false'
call GET /cohorts/lost
expect 404
call DELETE /cohorts/french
expect 409 '"code":"cohort_in_use"' 'parisian'
call GET /feed?profile=cohort_trending
expect 400 '"code":"missing_input"' '"field":"cohort"'
call GET '/feed?profile=cohort_trending&cohort=fren'
expect 400 '"code":"unknown_cohort"' '"field":"cohort"'
call POST /profiles '{"text":"profile bad version 1 { score cohort(sum(view, 30d)); }"}'
expect 400 'windows of cohorts: 24h 7d'
call POST /profiles '{"text":"profile bad version 1 { score cohort(unique(view, 30d)); }"}'
expect 400 'windows of cohorts: 24h 7d'
call POST /profiles '{"text":"profile bad version 1 { score cohort(unique(like, 24h)); }","dry_run":true}'
expect 200 'unique(like, 24h) is 0: the schema does not keep distinct users of this signal'

# One by one and as a bulk; item 4 is everybody's, 2 the French's, 1 the Parisians'.
for _ in 1 2 3 4 5; do
    call POST /signals '{"entity_id":4,"signal":"view","user_id":3}'
    expect 200
done
call POST /signals '[{"entity_id":2,"signal":"view","user_id":2},{"entity_id":2,"signal":"view","user_id":2},{"entity_id":2,"signal":"like","user_id":2},{"entity_id":3,"signal":"view"}]'
expect 200
call POST /signals '{"entity_id":1,"signal":"view","user_id":1}' 'Idempotency-Key: one'
expect 200
call POST /signals '{"entity_id":1,"signal":"view","user_id":1}' 'Idempotency-Key: one'
expect 200 '"repeated":true'
first '/feed?profile=trending' 4
call GET '/feed?profile=cohort_trending&cohort=parisian'
expect 200 'cohort `parisian` has 1 events in 7d, fewer than 2: its parent `french` is read instead'
first '/feed?profile=cohort_trending&cohort=parisian' 2
call POST /signals '{"undo":"one","entity_id":1}'
expect 200
call GET /cohorts/parisian
expect 200 '"events_7d":0' '"parent":"french"'
# Moved to Bonn: what follows is nobody's but everybody's.
call PATCH /users/1 '{"metadata":{"language":"de"}}'
call POST /signals '{"entity_id":3,"signal":"view","user_id":1}'
call PATCH /users/1 '{"metadata":{"language":"fr"}}'
for _ in 1 2 3; do call POST /signals '{"entity_id":1,"signal":"view","user_id":1}'; done
expect 200
# Item 3 is viewed by more of the French than any other, and not more often.
call POST /signals '[{"entity_id":3,"signal":"view","user_id":4},{"entity_id":3,"signal":"view","user_id":5}]'
expect 200

call POST /profiles '{"text":"profile people version 1 { candidates scan; require cohort(count(view, 7d)); score cohort(unique(view, 24h)); }"}'
expect 200
call POST /profiles '{"text":"profile counted version 1 { candidates scan; require cohort(count(view, 7d)); score cohort(sum(view, 24h)); }"}'
expect 200

all_hold() { # WHEN
    ids '/feed?profile=counted&cohort=french' '[1,2,3]'
    ids '/feed?profile=people&cohort=french' '[3,1,2]'
    [ "$(jq -c '[.items[].score]' <<<"$reply")" = '[2,1,1]' ] || fail "$1: people: $reply"
    ids '/feed?profile=people&cohort=parisian' '[1]'
    ids '/feed?profile=counted&cohort=parisian' '[1]'
    first '/feed?profile=cohort_trending&cohort=parisian' 1
    call POST /feed '{"profile":"cohort_trending","cohort":"french","limit":1,"explain":true}'
    expect 200 '"entity_id":1' 'cohort(sum(view, 24h))' 'cohort(unique(view, 24h))'
    query "RETRIEVE items USING cohort_trending COHORT french LIMIT 1"
    expect 200 '"entity_id":1'
    query "RETRIEVE items USING people COHORT french LIMIT 1"
    expect 200 '"entity_id":3'
    call GET /cohorts/parisian
    expect 200 '"events_7d":3' '"events_min":2'
    call GET /cohorts
    [ "$(jq -r '[.cohorts[].name] | tostring' <<<"$reply")" = '["french","parisian"]' ] || fail "$1: cohorts: $reply"
}
all_hold "at first"
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
all_hold "after kill -9"
stop_server TERM
start_server standalone --data-dir "$work/data" || finish
all_hold "after a clean stop"

"$bin/tidalctl" cohort show french --url "http://127.0.0.1:$port" | grep -q '^cohort french version 1' || fail "cohort show"
call DELETE /items/1
ids '/feed?profile=counted&cohort=parisian' '[2,3]'
ids '/feed?profile=people&cohort=french' '[3,2]'
"$bin/tidalctl" cohort retire parisian --url "http://127.0.0.1:$port" >/dev/null || fail "cohort retire"
call GET '/feed?profile=cohort_trending&cohort=parisian'
expect 400 '"code":"unknown_cohort"'
stop_server TERM
finish
