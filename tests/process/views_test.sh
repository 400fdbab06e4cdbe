#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work, port and reply come from lib.sh
# Pages from top views are those of a scan, through the real server; /metrics says which they were.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

items=9000
metric() { # NAME: summed over shards
    curl -s "http://127.0.0.1:$port/metrics" | awk -v name="tidal_shard_$1" 'index($0, name "{") == 1 {sum += $2} END {print sum + 0}'
}
load() { # PATH: NDJSON from standard input
    curl -sf -H 'Content-Type: application/x-ndjson' -T - -X POST "http://127.0.0.1:$port$1" >/dev/null || fail "load $1"
}
signals() { # SEED COUNT
    awk -v seed="$1" -v n="$2" -v items=$items 'BEGIN {srand(seed); for (i = 0; i < n; i++)
        printf "{\"entity_id\":%d,\"signal\":\"%s\",\"user_id\":%d}\n", 1 + int(items * rand() ^ 3), rand() < 0.8 ? "view" : "share", 1 + int(500 * rand())}' |
        load /signals
}
# page PATH: what a feed says, without the names of profile and cursor and the work it took.
page() {
    call GET "$1"
    expect 200
    sed -E 's/"(profile|next_cursor)":"[^"]*"//g; s/"(scored|took_us)":[0-9]+//g' <<<"$reply"
}
same() { # QUERY
    local viewed scanned
    viewed=$(page "/feed?profile=trending&limit=30$1")
    scanned=$(page "/feed?profile=scanned&limit=30$1")
    [ "$viewed" = "$scanned" ] || fail "with '$1' the view shows $viewed, the scan $scanned"
}

start_server standalone --data-dir "$work/data" --shards 2 || finish
# The same score, but dependent on the request: it has no view.
score=$(sed -n 's/^    score \(.*\);$/\1/p' "$root/src/ranking/profiles/trending.profile")
call POST /profiles "{\"text\":\"profile scanned version 1 { score $score + 0 * random(seed); }\"}"
expect 200 '"created":true'
seq $items | awk -v q='"' '{printf "{%sentity_id%s:%d,%smetadata%s:{%stitle%s:%si%s,%syear%s:%d}%s}\n", q, q, $1, q, q, q, q, q, q, q, q, 1990 + $1 % 30,
    $1 % 50 == 0 ? ",\"publish_at\":\"2099-01-01T00:00:00Z\"" : $1 % 51 == 0 ? ",\"expires_at\":\"2020-01-01T00:00:00Z\"" : ""}' | load /items
signals 1 20000

# The first page is scanned; a view is made; then pages come from it.
deadline=$((SECONDS + 60))
until page "/feed?profile=trending" >/dev/null && [ "$(metric view_pages)" -gt 0 ]; do
    [ $SECONDS -lt $deadline ] || { fail "no page comes from a view"; break; }
    read -rt 0.1 <> <(:) || true
done
[ "$(metric view_misses)" -gt 0 ] || fail "no page was scanned while the view was made"
for round in 1 2 3; do
    signals $((round + 1)) 500
    call DELETE "/items/$((round + 2))"
    call POST /items "{\"entity_id\":$((round + 10)),\"expires_at\":\"2021-01-01T00:00:00Z\"}"
    expect 200
    before=$(metric view_pages)
    same ""
    same "&exclude=1,2"
    same "&filter=year%20%3E%201999"
    same "&facets=year%20ranges%20(2000)"
    [ "$(metric view_pages)" -ge $((before + 8)) ] || fail "round $round was not read from views"
done
# Through the pages of a sequence nothing comes twice or is left out.
call GET "/feed?profile=trending&limit=100"
first=$(grep -o '"entity_id":[0-9]*' <<<"$reply")
cursor=$(sed -n 's/.*"next_cursor":"\([^"]*\)".*/\1/p' <<<"$reply")
call GET "/feed?profile=trending&limit=100&cursor=$cursor"
second=$(grep -o '"entity_id":[0-9]*' <<<"$reply")
call GET "/feed?profile=scanned&limit=200"
both=$(grep -o '"entity_id":[0-9]*' <<<"$reply")
[ "$first"$'\n'"$second" = "$both" ] || fail "two pages of 100 are not one of 200"

# What a negative weight takes away comes back by time alone. Such items are scored with each page; the
# others still come from the view, also after the node was killed.
few() { # WHAT: the page is that of a scan, and little was scored for it
    same ""
    call GET "/feed?profile=trending&limit=30"
    expect 200
    [ "$(jq .scored <<<"$reply")" -lt 200 ] || fail "$1: $(jq .scored <<<"$reply") items are scored for a page"
}
risers() { curl -s "http://127.0.0.1:$port/metrics" | awk '/^tidal_shard_view_risers\{/ {sum += $2} END {print sum + 0}'; }
missed() { # REASON
    curl -s "http://127.0.0.1:$port/metrics" | grep '^tidal_shard_view_misses{' | grep "reason=\"$1\"" | awk '{sum += $2} END {print sum + 0}'
}
reads_views() { # of both shards
    local before
    before=$(metric view_pages)
    page "/feed?profile=trending" >/dev/null && [ "$(metric view_pages)" -ge $((before + 2)) ]
}
two_hours_ago=$(date -u -d '2 hours ago' +%FT%TZ)
call POST /signals "[{\"entity_id\":2,\"signal\":\"share\",\"weight\":-1000},
    {\"entity_id\":20,\"signal\":\"share\",\"weight\":-1000,\"at\":\"$two_hours_ago\"},
    {\"entity_id\":21,\"signal\":\"view\",\"weight\":-1000}]"
expect 200
few "after three negative weights"
[ "$(risers)" = 3 ] || fail "$(risers) items may rise, of 3"
signals 7 500
few "and other signals"
stop_server KILL
start_server standalone --data-dir "$work/data" --shards 2 || finish
poll 60 reads_views || fail "no page comes from a view after a restart"
few "after a restart"
[ "$(risers)" = 3 ] || fail "$(risers) items may rise after a restart, of 3"
[ "$(missed negative_weights)" = 0 ] || fail "$(missed negative_weights) pages were scanned for negative weights"

# So many that they are not kept: pages are scanned, say so, and come from views again once it is over.
now=$(date -u +%FT%TZ)
flood() { # WEIGHT: all in one hour
    seq 100 3900 | awk -v weight="$1" -v at="$now" '{printf "{\"entity_id\":%d,\"signal\":\"share\",\"weight\":%d,\"at\":\"%s\"}\n", $1, weight, at}' | load /signals
}
flood -5000
same ""
# A new view may have been begun meanwhile: it ends where the flood is seen.
scanned_for_negatives() { page "/feed?profile=trending" >/dev/null && [ "$(missed negative_weights)" -gt 0 ]; }
poll 60 scanned_for_negatives || fail "a flood of negative weights: $(curl -s "http://127.0.0.1:$port/metrics" | grep view)"
flood 6000
poll 120 reads_views || fail "views do not come back after a flood: $(curl -s "http://127.0.0.1:$port/metrics" | grep view)"
few "after a flood"
finish
