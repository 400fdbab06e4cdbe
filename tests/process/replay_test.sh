#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# A replay happens at the data's time: windows are those of the moment, before and after a kill.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

hours=960 # forty days, a view an hour
mkdir "$work/files"
cat >"$work/files/mapping.yaml" <<'YAML'
files:
  - file: plays.csv
    signals: {item: item, user: user, at: {column: at, unit: s}, emit: [view]}
  - file: items.csv
    items: {id: id, created_at: first_signal, fields: {title: title}}
YAML
printf 'id,title\n1,watched\n' >"$work/files/items.csv"
# Neither the files nor their rows are in the order of time.
seq $hours | awk 'BEGIN {print "item,user,at"} {print "1," $1 "," 1500000000 + 3600 * ($1 * 7 % 960)}' >"$work/files/plays.csv"
replay() { # PACE
    "$bin/tidalctl" import --url "http://127.0.0.1:$port" --mapping "$work/files/mapping.yaml" --id r --replay "$1" \
        "$work/files" >"$work/imported" 2>"$work/progress"
}
# window NAME: what item 1 counts in it.
window() { sed "s/.*\"view\":{[^{]*\"counts\":{[^}]*\"$1\":\([0-9]*\).*/\1/" <<<"$reply"; }

start_server standalone --data-dir "$work/now" || finish
replay 10 && fail "replayed by the world's clock"
grep -q -e '--data-clock' "$work/progress" || fail "no advice: $(cat "$work/progress")"
stop_server INT || fail "SIGINT should exit 0"

clock=(--data-clock 2017-07-01T00:00:00Z)
start_server standalone --data-dir "$work/data" --shards 2 "${clock[@]}" || finish
replay 5 &
client=$!
# Somewhere in the middle: the last day has a day's views, whatever the world's clock says.
deadline=$((SECONDS + 60))
until call GET /items/1/signals && [ "$status" = 200 ] && [[ $(window all) =~ ^[0-9]+$ ]] && [ "$(window all)" -gt 200 ]; do
    [ $SECONDS -gt $deadline ] && fail "the replay does not move: $reply" && break
done
day=$(window 24h) all=$(window all)
[ "$day" -ge 20 ] && [ "$day" -le 26 ] || fail "$day views in the last day after $all"
[ "$all" -lt $hours ] || fail "the replay ran at once"
stop_server KILL
wait "$client" && fail "the client did not see the server die"

start_server standalone --data-dir "$work/data" "${clock[@]}" || finish
call GET /items/1/signals
[ "$(window 24h)" -ge 20 ] || fail "the clock was lost with the server: $reply"
replay 1000 || fail "the second replay: $(cat "$work/progress")"
grep -q '"data_time":"2017-08-23T01:40:00Z' "$work/imported" || fail "ended elsewhere: $(cat "$work/imported")"
grep -q '"skipped":[1-9]' "$work/imported" || fail "nothing was skipped: $(cat "$work/imported")"
call GET /items/1/signals
expect 200 '"at":"2017-08-23T01:40:00Z'
[ "$(window all)" = $hours ] || fail "$(window all) views of $hours"
[ "$(window 24h)" -ge 24 ] && [ "$(window 24h)" -le 25 ] || fail "$(window 24h) views in the last day"
finish
