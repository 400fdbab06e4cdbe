#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# What a start takes from files instead of making it again: searches and states of users are the same before and
# after kill -9 at any moment, a stop, and with a file of indexed texts that is damaged or gone.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

items=12000
titles() {  # FIRST LAST WORD
    seq "$1" "$2" | sed "s/.*/{\"entity_id\":&,\"metadata\":{\"title\":\"$3 number &\",\"category\":\"film\"}}/"
}
send() {  # PATH
    reply=$(curl -s -T - -X POST -H 'Content-Type: application/x-ndjson' "http://127.0.0.1:$port$1" | tail -n 1)
    [[ $reply == *'"rejected":0'* ]] || fail "not all were taken: $reply"
}
views() {  # FIRST LAST
    seq "$1" "$2" | awk '{printf "{\"entity_id\":%d,\"signal\":\"view\",\"user_id\":%d}\n", $1, $1 % 50}' | send /signals
}

# Everything a search and a feed of a user say, in one text.
answers() {
    local query
    for query in 'piano' 'piano%20number' 'title:num*' 'pinao' 'violin%20-number' '%22violin%20number%22' '11999' 'blue'; do
        call GET "/search?query=$query&limit=40"
        expect 200
        sed 's/"cursor":"[^"]*"//; s/"next_cursor":"[^"]*"//' <<<"$reply" | grep -o '"entity_id":[0-9]*\|"text_score":[0-9.e-]*\|"total":[0-9]*'
    done
    for user in 7 11; do
        call GET "/feed?profile=new&user_id=$user&filter=seen&limit=40"
        echo "$status"
        grep -o '"entity_id":[0-9]*' <<<"$reply"
    done
}
remember() { answers >"$work/$1"; }
same() {
    answers >"$work/now"
    cmp -s "$work/$1" "$work/now" || fail "other answers $2: $(diff "$work/$1" "$work/now" | head -n 5)"
}

start_server standalone --data-dir "$work/data" || finish
titles 1 $items piano | send /items
views 1 5000
remember first
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
same first "after a kill without a checkpoint"
stop_server INT
file=$work/data/store/s0001/items.texts
[ -s "$file" ] || fail "a stop leaves no file of the texts"
start_server standalone --data-dir "$work/data" || finish
same first "after a stop"

# Changes behind the file: new ones, others, and some that go; then a kill in the middle of more.
titles $((items + 1)) $((items + 300)) 'blue violin' | send /items
titles 100 160 violin | send /items
for gone in 5 50 500 5000; do call DELETE "/items/$gone"; done
views 6000 9000
remember second
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
same second "after a kill"
stop_server INT
start_server standalone --data-dir "$work/data" || finish
same second "after a stop with changes behind the file"
for round in 1 2 3; do
    titles 1 4000 "round$round" | curl -s -T - -X POST -H 'Content-Type: application/x-ndjson' "http://127.0.0.1:$port/items" >/dev/null &
    sender=$!
    for _ in $(seq "$round"); do pause; done
    stop_server KILL
    wait "$sender" 2>/dev/null
    start_server standalone --data-dir "$work/data" || finish
done
remember third
stop_server INT
cp "$file" "$work/whole"
start_server standalone --data-dir "$work/data" || finish
same third "after kills in the middle of writes"
stop_server INT

printf 'x' | dd of="$file" bs=1 seek=5000 conv=notrunc status=none
start_server standalone --data-dir "$work/data" || finish
grep -q 'indexed texts cannot be used' "$server_log" || fail "a damaged file goes unnoticed: $(cat "$server_log")"
same third "with a damaged file"
stop_server INT
rm "$file"
start_server standalone --data-dir "$work/data" || finish
same third "without the file"
stop_server INT
[ -s "$file" ] || fail "the file is not made again"
"$bin/tidalctl" fsck --data-dir "$work/data" >"$work/fsck" 2>&1 || fail "fsck: $(cat "$work/fsck")"
start_server standalone --data-dir "$work/data" || finish
same third "with a file made again"
finish
