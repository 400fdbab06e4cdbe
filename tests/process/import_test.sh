#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# Imports through the door: archives with a mapping, JSON lines, progress, rejected rows, and kills
# of either side: nothing twice, nothing lost.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

rows=${ROWS:-40000}
mkdir "$work/files"
cat >"$work/files/mapping.yaml" <<'YAML'
files:
  - file: items.csv
    items: {id: id, created_at: first_signal, fields: {title: title}}
  - file: plays.tsv
    format: tsv
    signals: {item: item, user: user, at: {column: at, unit: s}, emit: [view]}
YAML
seq 100 | awk 'BEGIN {print "id,title"} {print $1 ",\"title, " $1 "\""}' >"$work/files/items.csv"
seq "$rows" | awk 'BEGIN {OFS = "\t"; print "item", "user", "at"} {print 1 + $1 % 100, $1, 1500000000 + $1}' \
    >"$work/files/plays.tsv"
archive() { tar --format=ustar -C "$work/files" -cf - mapping.yaml items.csv plays.tsv; }
# post QUERY TYPE FILE: sets status and reply.
post() {
    status=$(curl -s -o "$work/reply" -w '%{http_code}' -H "Content-Type: $2" --data-binary "@$3" "http://127.0.0.1:$port/import?$1")
    reply=$(cat "$work/reply")
}
exported() { curl -s "http://127.0.0.1:$port/export/signals?signals=view" | grep -c '"signal":'; }
# until_state ID STATE: polls with a deadline.
until_state() {
    local deadline=$((SECONDS + 120))
    until call GET "/import/$1" && [[ $reply == *"\"state\":\"$2\""* ]]; do
        [ $SECONDS -gt $deadline ] && fail "import $1 is not $2: $reply" && return
        [[ $reply == *'"state":"failed"'* ]] && fail "import $1 failed: $reply" && return
        read -rt 0.05 <> <(:)
    done
}

start_server standalone --data-dir "$work/data" --shards 2 --checkpoint-interval-ms 500 || finish
archive >"$work/archive.tar"

# Refused, and nothing written.
post "id=a&time_shift=start:now" application/x-tar "$work/archive.tar"
expect 400 'end:now'
post "id=a" text/csv "$work/files/items.csv"
expect 415 'application/x-tar'
post "id=a" application/x-tar "$work/files/items.csv"
expect 400 'not a header' 'offset'
tar --format=ustar -C "$work/files" -cf "$work/no_mapping.tar" items.csv
post "id=a" application/x-tar "$work/no_mapping.tar"
expect 400 'no mapping'
tar --format=ustar -C "$work/files" -cf "$work/missing.tar" mapping.yaml items.csv
post "id=a" application/x-tar "$work/missing.tar"
expect 404 'plays.tsv'
head -c 3000 "$work/archive.tar" >"$work/cut.tar"
post "id=a" application/x-tar "$work/cut.tar"
expect 400 'cut off'
call GET /import/unheard-of
expect 404
call GET /import/a
expect 200 '"state":"failed"'
[ "$(exported)" = 0 ] || fail "a refused import wrote $(exported) signals"

# kill -9 of the server in the middle; the same archive again goes on, under the same shift.
curl -s -o /dev/null -H 'Content-Type: application/x-tar' --data-binary "@$work/archive.tar" \
    "http://127.0.0.1:$port/import?id=b&time_shift=end:now&wait=false"
deadline=$((SECONDS + 60))
until call GET /import/b && [[ $reply =~ \"accepted\":[1-9] ]]; do
    [ $SECONDS -gt $deadline ] && fail "no progress: $reply" && break
done
expect 200 '"percent":' '"rows_per_s":' '"seconds_left":'
[[ $reply == *'"state":"running"'* ]] || fail "killed after its end: $reply"
stop_server KILL
start_server standalone --data-dir "$work/data" --checkpoint-interval-ms 500 || finish
call GET /import/b
expect 404 'since the server started'
[ -z "$(ls "$work/data/import")" ] || fail "files of a dead import are left: $(ls "$work/data/import")"
post "id=b&time_shift=end:now" application/x-tar "$work/archive.tar"
expect 200 '"state":"finished"' '"rejected":0' '"percent":100.0'
[[ $reply =~ \"skipped\":[1-9] ]] || fail "nothing was skipped: $reply"
[ "$(exported)" = "$rows" ] || fail "$(exported) signals of $rows"
newest=$(curl -s "http://127.0.0.1:$port/export/signals?from=$(date -u -d '5 minutes ago' +%Y-%m-%dT%H:%M:%SZ)" | grep -c '"signal":')
[ "$newest" -gt 0 ] || fail "nothing moved to now"
post "id=b&time_shift=end:now" application/x-tar "$work/archive.tar"
expect 200 '"imported_before":true' '"accepted":0'

# kill -9 of the client in the middle of its body; a second run writes what is missing.
curl -s --limit-rate 200k -o /dev/null -H 'Content-Type: application/x-ndjson' --data-binary @- \
    "http://127.0.0.1:$port/import?id=c" < <(seq 20000 | awk '{print "{\"entity_id\":1,\"signal\":\"view\",\"user_id\":" $1 "}"}') &
client=$!
deadline=$((SECONDS + 60))
until call GET /import/c && [[ $reply =~ \"accepted\":[1-9] ]]; do
    [ $SECONDS -gt $deadline ] && fail "no progress: $reply" && break
done
kill -9 $client
wait $client 2>/dev/null
deadline=$((SECONDS + 60))
until call GET /import/c && [[ $reply == *'"state":"failed"'* ]]; do
    [ $SECONDS -gt $deadline ] && fail "the cut import goes on: $reply" && break
done
seq 20000 | awk '{print "{\"entity_id\":1,\"signal\":\"view\",\"user_id\":" $1 "}"}' >"$work/lines"
post "id=c" application/x-ndjson "$work/lines"
expect 200 '"state":"finished"' '"rejected":0'
[[ $reply =~ \"skipped\":[1-9] ]] || fail "nothing was skipped: $reply"
[ "$(exported)" = $((rows + 20000)) ] || fail "$(exported) signals"

# Bad rows are kept with their reasons, wherever they were found out.
printf 'item\tuser\tat\n1\t1\t1500000000\n1\tx\t1500000000\n999\t1\t1500000000\n' >"$work/files/plays.tsv"
"$bin/tidalctl" import --url "http://127.0.0.1:$port" --id d --mapping "$work/files/mapping.yaml" \
    --rejects "$work/rejects" "$work/files" >"$work/imported" 2>"$work/progress" || fail "tidalctl: $(cat "$work/progress")"
grep -q '"accepted":101,"skipped":0,"rejected":2' "$work/imported" || fail "import: $(cat "$work/imported")"
grep -q 'rows/s' "$work/progress" || fail "no progress: $(cat "$work/progress")"
[ "$(wc -l <"$work/rejects")" = 2 ] || fail "rejects: $(cat "$work/rejects")"
grep -q '"line":3.*"text":"1\\tx\\t1500000000"' "$work/rejects" || fail "rejects: $(cat "$work/rejects")"
grep -q '"line":4.*"text":"999\\t1\\t1500000000"' "$work/rejects" || fail "rejects: $(cat "$work/rejects")"

# JSON lines with a mapping: killed in the middle, gone on with; bad lines are kept with their reasons.
mkdir "$work/visits"
cat >"$work/visits/mapping.yaml" <<'YAML'
files:
  - file: visits.ndjson
    format: ndjson
    signals: {item: track, user: who, at: {column: when, unit: s}, emit: [share, {type: like, when: part > 0.5}]}
YAML
# kill_within_visits: tidalctl sends $visits good lines between bad ones and sees the server die; fails when it was over before.
kill_within_visits() {
    {
        echo '{"track":998,"who":1,"when":1500000000,"part":0.1}'
        seq "$visits" | awk '{printf "{\"track\":%d,\"who\":%d,\"when\":%d,\"part\":%s,\"unused\":[1]}\n", 1 + $1 % 100, $1, 1500000000 + $1, $1 % 4 == 0 ? "0.75" : "0.25"}'
        printf '%s\n' '{"track":1,"who":1' '{"track":999,"who":1,"when":1500000000,"part":0.1}' '{"track":1,"who":"x","when":1500000000,"part":0.1}'
    } >"$work/visits/visits.ndjson"
    shares=$((shares + visits)) deadline=$((SECONDS + 120))
    : >"$work/visits.rejected"
    send_visits &
    client=$!
    until [ -s "$work/visits.rejected" ]; do
        kill -0 $client 2>/dev/null || break
        [ $SECONDS -gt $deadline ] && fail "no row is rejected" && break
        pause
    done
    stop_server KILL
    wait $client
    local ended=$?
    start_server standalone --data-dir "$work/data" --checkpoint-interval-ms 500 || finish
    [ $ended != 0 ]
}
send_visits() {
    "$bin/tidalctl" import --url "http://127.0.0.1:$port" --id "v$visits" --mapping "$work/visits/mapping.yaml" \
        --rejects "$work/visits.rejected" "$work/visits" >"$work/imported" 2>"$work/progress"
}
visits=20000 shares=0
until kill_within_visits; do
    [ $visits -gt 400000 ] && fail "each import ends before it can be killed" && break
    visits=$((2 * visits))
done
grep -q '"line":1,' "$work/visits.rejected" || fail "rejected before the kill, and not kept: $(cat "$work/visits.rejected")"
send_visits || fail "tidalctl: $(cat "$work/progress")"
grep -q '"rejected":4' "$work/imported" || fail "import: $(cat "$work/imported")"
grep -q '"skipped":[1-9]' "$work/imported" || fail "nothing was skipped: $(cat "$work/imported")"
[[ $(tr '\r' '\n' <"$work/progress") != *' 0 rows/s'* ]] || fail "rows per second before there is a row: $(cat "$work/progress")"
for want in share:$shares like:$((shares / 4)); do
    got=$(curl -s "http://127.0.0.1:$port/export/signals?signals=${want%:*}" | grep -c '"signal":')
    [ "$got" = "${want#*:}" ] || fail "JSON lines with a mapping: $got of $want"
done
# Of the whole import, however often it is sent.
for run in gone-on again; do
    for line in 1 $((visits + 2)) $((visits + 3)) $((visits + 4)); do
        [ "$(grep -c "\"line\":$line," "$work/visits.rejected")" = 1 ] || fail "$run: line $line is not once in $(cat "$work/visits.rejected")"
    done
    [ "$(wc -l <"$work/visits.rejected")" = 4 ] || fail "$run: $(cat "$work/visits.rejected")"
    send_visits || fail "tidalctl: $(cat "$work/progress")"
    grep -q '"accepted":0,.*"imported_before":true' "$work/imported" || fail "again: $(cat "$work/imported")"
done

# Other data under an id is refused; what begins with the same is gone on with.
sed '2s/"who":1,/"who":7,/' "$work/visits/visits.ndjson" >"$work/other" && mv "$work/other" "$work/visits/visits.ndjson"
send_visits && fail "other data was taken: $(cat "$work/imported")"
grep -q 'another id' "$work/progress" || fail "no advice: $(cat "$work/progress")"
sed '2s/"who":7,/"who":1,/' "$work/visits/visits.ndjson" >"$work/other" && mv "$work/other" "$work/visits/visits.ndjson"
echo '{"track":1,"who":1,"when":1500000000,"part":0.1}' >>"$work/visits/visits.ndjson"
send_visits || fail "tidalctl: $(cat "$work/progress")"
grep -q '"accepted":1,' "$work/imported" || fail "one line more: $(cat "$work/imported")"
printf '%s\n' '{"entity_id":7001}' '{"entity_id":7002}' >"$work/lines"
post id=nl application/x-ndjson "$work/lines"
expect 200 '"accepted":2'
printf '%s\n' '{"entity_id":7003}' '{"entity_id":7004}' '{"entity_id":7005}' >"$work/lines"
post id=nl application/x-ndjson "$work/lines"
expect 422 '"code":"import_differs"' '"import":"nl"' '"rows_before":2' 'another id'
call GET /items/7005
expect 404
printf '%s\n' '{"entity_id":7001}' '{"entity_id":7002}' '{"entity_id":7005}' >"$work/lines"
post id=nl application/x-ndjson "$work/lines"
expect 200 '"accepted":1,"skipped":2'
call GET '/import/nl/rejects?from=x'
expect 400 'number of bytes'

# JSON lines with a shift that depends on the last of them.
printf '%s\n' '{"entity_id":1,"signal":"like","at":1400000000000}' '{"entity_id":1,"signal":"like","at":1400000100000}' >"$work/likes"
post "id=e&time_shift=end:now" application/x-ndjson "$work/likes"
expect 200 '"accepted":2'
call GET /items/1/signals
expect 200 '"like":{'
call GET /import
expect 200 '"imports":[' '"id":"e"' "\"id\":\"v$visits\""
until_state "v$visits" finished
finish
