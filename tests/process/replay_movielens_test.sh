#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port, server_pid, status and reply come from lib.sh
# Ratings of 22 years replayed into a running server with a mapping, a piece at a time: after each the pages of a month
# and a year equal brute force over the file, also after kill -9 in the middle of a piece and between two pages.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
command -v zstd >/dev/null || exit 77

data=$root/examples/data/movielens-latest-small
days=${DAYS:-330} # of data between two marks
mkdir "$work/films" "$work/piece"
cp "$data/movies.csv.zst" "$work/films"
# In the order of time: user, item, stars, seconds.
zstd -dcq "$data/ratings.csv.zst" | tail -n +2 | tr -d '\r' | sort -t, -k4,4n -s >"$work/ratings"
first=$(head -n 1 "$work/ratings" | cut -d, -f4) last=$(tail -n 1 "$work/ratings" | cut -d, -f4)
cat >"$work/films/mapping.yaml" <<'YAML'
files:
  - file: movies.csv
    items: {id: movieId, created_at: first_signal, fields: {title: title}}
YAML
cat >"$work/piece/mapping.yaml" <<'YAML'
files:
  - file: ratings.csv
    signals:
      item: movieId
      user: userId
      at: {column: timestamp, unit: s}
      emit: [view, {type: like, when: rating >= 4}, {type: dislike, when: rating <= 2}]
YAML

import() { # ID DIRECTORY ARGS...
    "$bin/tidalctl" import --url "http://127.0.0.1:$port" --mapping "$2/mapping.yaml" --id "$1" "${@:3}" "$2" \
        >"$work/imported" 2>"$work/progress"
}
# cut FROM UNTIL: the ratings of that time, as the file of a piece.
cut_piece() {
    awk -F, -v from="$1" -v until="$2" 'BEGIN {print "userId,movieId,rating,timestamp"} $4 >= from && $4 < until' \
        "$work/ratings" >"$work/piece/ratings.csv"
}
# brute PROFILE: what it should show now, "id score" a line, from the ratings so far. A month is the day and the 30 before
# it, a year the week from Monday and the 52 before it, in UTC.
brute() {
    zstd -dcq "$data/movies.csv.zst" | tail -n +2 | cut -d, -f1 >"$work/ids"
    awk -F, -v profile="$1" -v now="$now" '
        function day(s) {return int(s / 86400)}
        function week(s) {return int((day(s) + 3) / 7)}
        FILENAME ~ /ids$/ {count[$1] = 0; next}
        $4 > now {exit}
        profile == "most_viewed" {++count[$2]; next}
        $3 < 4 {next}
        profile == "top_month" && day($4) < day(now) - 30 {next}
        profile == "top_year" && week($4) < week(now) - 52 {next}
        {++count[$2]}
        END {for (id in count) print id, count[id]}' "$work/ids" "$work/ratings" | sort -k2,2nr -k1,1n
}
# show PROFILE: the same of the page behind $cursor, which is the next one's then.
show() {
    call GET "/feed?profile=$1&limit=70&fields=${cursor:+&cursor=$cursor}"
    expect 200
    jq -r '.items[] | "\(.entity_id) \(.score)"' <<<"$reply" | sed 's/\.0$//' >>"$work/shown"
    cursor=$(jq -r '.next_cursor // empty' <<<"$reply")
}
start_again() {
    stop_server KILL
    start_server standalone --data-dir "$work/data" "${clock[@]}" || finish
}
marks=0
check() { # WHEN [BETWEEN]: two pages of each, and what is done between them.
    local profile
    for profile in top_month top_year most_viewed; do
        : >"$work/shown"
        cursor=""
        show "$profile"
        ${2-}
        show "$profile"
        brute "$profile" | head -n 140 >"$work/brute"
        diff "$work/brute" "$work/shown" >"$work/differences" ||
            fail "$profile $1, as of $now: $(head -n 6 "$work/differences")"
    done
    marks=$((marks + 1))
}

clock=(--data-clock 1996-01-01T00:00:00Z)
start_server standalone --data-dir "$work/data" --shards 2 --checkpoint-interval-ms 700 "${clock[@]}" || finish
import films "$work/films" || fail "the films: $(cat "$work/progress")"
from=$first piece=0
while [ "$from" -le "$last" ] && [ "$failed" = 0 ]; do
    piece=$((piece + 1))
    # Not by whole days, so that marks fall into them.
    until=$((from + days * 86400 + 12345))
    cut_piece "$from" "$until"
    from=$until
    [ "$(wc -l <"$work/piece/ratings.csv")" -gt 1 ] || continue
    if [ $piece = 12 ]; then
        # Dies in the middle of it; what was written is there, and the same again writes what is left.
        import "piece$piece" "$work/piece" --replay 100 &
        client=$!
        half=$((now + days * 43200))
        moved() { call GET /items/1/signals && [ "$(date -u -d "$(jq -r .at <<<"$reply")" +%s)" -gt "$half" ]; }
        poll 60 moved || fail "the replay does not move: $reply"
        start_again
        wait "$client" && fail "the client did not see the server die"
        import "piece$piece" "$work/piece" --replay 20000 || fail "piece $piece again: $(cat "$work/progress")"
        [ "$(jq .skipped "$work/imported")" -gt 0 ] || fail "nothing was skipped: $(cat "$work/imported")"
    else
        import "piece$piece" "$work/piece" --replay 20000 || fail "piece $piece: $(cat "$work/progress")"
    fi
    now=$(tail -n 1 "$work/piece/ratings.csv" | cut -d, -f4)
    call GET /items/1/signals
    [ "$(date -u -d "$(jq -r .at <<<"$reply")" +%s)" = "$now" ] || fail "the clock is elsewhere than $now: $reply"
    check "after piece $piece"
    [ $((piece % 9)) != 4 ] || check "after piece $piece and kill -9 between pages" start_again
done
[ $marks -ge 20 ] || fail "$marks marks"
stop_server INT || fail "SIGINT should exit 0"
finish
