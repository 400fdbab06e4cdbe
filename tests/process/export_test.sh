#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port, status and reply come from lib.sh
# Signals as they were logged, through HTTP: an export that is cut in the middle, by its client or by kill -9 of the server,
# goes on after the last line that came; nothing comes twice, nothing is left out. Cells of CSV are what lines are.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

export TIDAL_CHECKPOINT_INTERVAL_MS=1000
start() { start_server standalone --data-dir "$work/data" --shards 3; }
# export_to FILE QUERY [CURL ARGS...]
export_to() { curl -s -o "$1" "${@:3}" "http://127.0.0.1:$port/export/signals?$2"; }
post() { # FILE of lines
    status=$(curl -s -o "$work/reply" -w '%{http_code}' -H 'Content-Type: application/x-ndjson' \
        --data-binary "@$1" "http://127.0.0.1:$port/signals")
    [ "$status" = 200 ] && tail -n 1 "$work/reply" | grep -q '"rejected":0' || fail "signals: $status $(tail -c 300 "$work/reply")"
}

start || finish
for id in {1..40}; do
    call POST /items "{\"entity_id\":$id,\"creator_id\":7}"
    expect 200
done
# What cells have to be quoted for, and what is no plain line.
call POST /signals '{"entity_id":1,"signal":"like","user_id":"18446744073709551615","weight":0.5,"context":"a \"quoted\", b"}' 'Idempotency-Key: k-1,2'
expect 200
call POST /signals '{"entity_id":2,"signal":"view","user_id":5,"context":"two\nlines","at":"2026-01-01T00:00:00Z"}'
expect 200
call POST /signals '{"entity_id":3,"signal":"skip","weight":-2,"context":{"slot":"top","list":[1,"b"]}}'
expect 200
call POST /signals '{"undo":"k-1,2","entity_id":1}'
expect 200
# More than a file of the log holds, so that the archive has the first part.
awk 'BEGIN { for (i = 0; i < 1600; ++i) c = c "c"; for (i = 0; i < 14000; ++i)
    printf "{\"entity_id\":%d,\"signal\":\"%s\",\"user_id\":%d,\"context\":\"%d %s\"}\n", i % 40 + 1, i % 3 ? "view" : "like", i % 97, i, c }' >"$work/lines"
post "$work/lines"
archived() { compgen -G "$work/data/archive/*.seg" >/dev/null; }
poll 30 archived || fail "nothing is archived"
export_to "$work/whole" '' || fail "the export is cut"
total=$(wc -l <"$work/whole")
[ "$total" = 14004 ] || fail "14004 signals, and $total lines"
[ "$(jq -r 'select(.context | type == "string") | .context | split(" ")[0] | tonumber? // empty' "$work/whole" | sort -n | uniq | wc -l)" = 14000 ] ||
    fail "not every signal is there"
[ "$(jq -r .position "$work/whole" | sort -u | wc -l)" = "$total" ] || fail "two lines have one position"

# whole_lines FILE OUT: those that came whole; what is behind the last line break was cut.
whole_lines() { head -n "$(wc -l <"$1")" "$1" >>"$2"; }
last_position() { tail -n 1 "$1" | jq -r .position; }

# The client goes away in the middle, again and again.
resumed_by_bytes() { # BYTES
    local position="" cuts=0
    : >"$work/got"
    while [ "$(wc -l <"$work/got")" -lt "$total" ] && [ $cuts -lt 100 ]; do
        export_to - "position=$position" | head -c "$1" >"$work/part"
        [ "$(wc -l <"$work/part")" -gt 0 ] || break
        whole_lines "$work/part" "$work/got"
        position=$(last_position "$work/got")
        cuts=$((cuts + 1))
    done
    [ $cuts -gt 2 ] || fail "cut after $1 bytes: only $cuts parts"
    cmp "$work/whole" "$work/got" >&2 || fail "cut after $1 bytes, in $cuts parts: another export"
}
resumed_by_bytes 3000000
resumed_by_bytes 7654321

# The server dies in the middle: the client is told, and goes on where it was.
: >"$work/got"
: >"$work/part"
export_to "$work/part" '' --limit-rate 4M &
client=$!
has_begun() { [ "$(stat -c %s "$work/part")" -gt 2000000 ]; }
poll 30 has_begun || fail "no bytes of the export"
stop_server KILL
wait $client && fail "the client of a server that was killed is told nothing"
whole_lines "$work/part" "$work/got"
[ "$(wc -l <"$work/got")" -gt 100 ] && [ "$(wc -l <"$work/got")" -lt "$total" ] || fail "$(wc -l <"$work/got") lines before the kill"
start || finish
export_to "$work/part" "position=$(last_position "$work/got")" || fail "the rest is cut"
whole_lines "$work/part" "$work/got"
cmp "$work/whole" "$work/got" >&2 || fail "another export after kill -9"

# The position of the last line goes on with what is written later, also after kill -9.
newest=$(last_position "$work/whole")
export_to "$work/part" "position=$newest"
[ ! -s "$work/part" ] || fail "behind the last line: $(head -c 300 "$work/part")"
printf '{"entity_id":%d,"signal":"share","user_id":9}\n' 4 5 6 >"$work/later"
post "$work/later"
for after in "" KILL; do
    if [ -n "$after" ]; then stop_server $after; start || finish; fi
    export_to "$work/part" "position=$newest"
    [ "$(jq -sc 'map([.entity_id, .signal, .user_id]) | sort' "$work/part")" = '[[4,"share",9],[5,"share",9],[6,"share",9]]' ] ||
        fail "what was written later ${after:+after SIG$after}: $(cat "$work/part")"
done
# A position is of the export, whatever of it is asked for.
middle=$(sed -n 7000p "$work/whole" | jq -r .position)
export_to "$work/part" "position=$middle&signals=like&user_id=5"
cmp <(tail -n +7001 "$work/whole" | jq -c 'select(.signal == "like" and .user_id == 5) | .position') <(jq -c .position "$work/part") >&2 ||
    fail "a filtered export from the middle"
call GET '/export/signals?position=abc'
expect 400 '"field":"position"'
call GET '/export/signals?format=xml'
expect 400 '"field":"format"'

# CSV: the cells of each line.
rows_of() { # FILE of lines
    jq -r 'def cell: if . == null then "" else (if type == "object" then tojson else tostring end)
            | if test("[,\"\r\n]") then "\"" + gsub("\""; "\"\"") + "\"" else . end end;
        def weight: if . == null then "" elif floor == . then "\(floor).0" else tostring end;
        [(.entity_id | cell), (.signal | cell), (.weight | weight), .at, (.user_id | cell), (.creator_id | cell),
            (.session_id | cell), (.context | cell), (.undo | cell), .position] | join(",")' "$1"
}
header=entity_id,signal,weight,at,user_id,creator_id,session_id,context,undo,position
# Shard by shard, so that what came later is not at the end.
export_to "$work/lines" ''
middle=$(sed -n 7000p "$work/lines" | jq -r .position)
rows_of "$work/lines" >"$work/rows"
for text in '1,like,0.5,' ',18446744073709551615,' '"a ""quoted"", b"' '"{""slot"":""top"",""list"":[1,""b""]}"' '"k-1,2"' '"two'; do
    grep -qF -- "$text" "$work/rows" || fail "the rows that are expected have no $text"
done
for after in "" KILL; do
    if [ -n "$after" ]; then stop_server $after; start || finish; fi
    export_to "$work/csv" 'format=csv' -D "$work/head"
    grep -qi '^content-type: text/csv' "$work/head" || fail "$(cat "$work/head")"
    cmp <(echo $header; cat "$work/rows") "$work/csv" >&2 || fail "cells are not what lines are ${after:+after SIG$after}"
    export_to "$work/csv" "format=csv&position=$middle"
    [ "$(head -n 1 "$work/csv")" = $header ] || fail "no names in the first row: $(head -n 1 "$work/csv" | head -c 200)"
    cmp <(tail -n +7001 "$work/lines" | rows_of /dev/stdin) <(tail -n +2 "$work/csv") >&2 || fail "CSV from the middle ${after:+after SIG$after}"
done
[ "$("$bin/tidalctl" export --format csv --position "$middle" --url "http://127.0.0.1:$port" | md5sum)" = "$(md5sum <"$work/csv")" ] ||
    fail "tidalctl export --format csv --position"
stop_server INT || fail "SIGINT should exit 0"
finish
