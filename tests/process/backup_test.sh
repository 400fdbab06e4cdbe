#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# A backup of a server that is written to; its restored twin; what must be refused; kill -9 in the middle.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

ctl() { "$bin/tidalctl" "$@" --url "http://127.0.0.1:$port"; }
backups=$work/backups
serve() { start_server standalone --data-dir "$1" --shards 2 --backup-dir "$backups"; }

# signals FROM COUNT: views with event times of their own, so that exports can be compared.
signals() {
    awk -v from="$1" -v count="$2" 'BEGIN { for (i = from; i < from + count; ++i)
        printf "{\"entity_id\":%d,\"signal\":\"%s\",\"user_id\":%d}\n", i % 200 + 1, i % 3 ? "view" : "like", i % 50 + 1 }' |
        curl -s -o "$work/bulk" -w '%{http_code}' -H 'Content-Type: application/x-ndjson' \
            --data-binary @- "http://127.0.0.1:$port/signals"
}
exported() { ctl export | sed 's/,"position":"[^"]*"//' | sort >"$1"; }
counts() { for i in 1 7 100 200; do curl -s "http://127.0.0.1:$port/items/$i/signals" | grep -o '"count":[0-9]*' | tr '\n' ' '; done; }
feed() { curl -s "http://127.0.0.1:$port/feed?profile=most_viewed&limit=50" | grep -o '"entity_id":[0-9]*' | tr '\n' ' '; }

# personal: what four users see and said, without what passes with time.
ids() { curl -s "http://127.0.0.1:$port/feed?limit=200&user_id=$1&$2" | grep -o '"entity_id":[0-9]*' | sort | tr '\n' ' '; }
personal() {
    local user
    for user in 1 2 3 4; do
        for asked in 'profile=for_you&seed=7' 'profile=new' 'profile=new&filter=liked' 'profile=new&filter=seen'; do
            echo "$user $asked: $(ids "$user" "$asked")"
        done
        curl -s "http://127.0.0.1:$port/users/$user/relationships"
        echo
        curl -s "http://127.0.0.1:$port/users/$user/sessions" | sed 's/"tokens":[0-9.]*//'
        echo
    done
}
relate() { # METHOD USER KIND TARGET
    call "$1" /relationships "{\"user_id\":$2,\"kind\":\"$3\",$4}"
    expect 200
}
# hidden_stay_so: user 1 hid 5, and 11 with a signal; their creator 3 is blocked by user 2, who ended the hide of 9.
hidden_stay_so() {
    for profile in 'profile=for_you&seed=7' profile=new; do
        [[ "$(ids 1 "$profile")" =~ :(5|11)\  ]] && fail "$1: user 1 is shown what they hid"
    done
    [[ "$(ids 1 profile=new)" == *:6\ * ]] || fail "$1: user 1 is not shown what they did not hide"
    # Creators are i % 9 + 1.
    [[ "$(ids 2 profile=new)" =~ :(2|11|20|29|200)\  ]] && fail "$1: user 2 is shown whom they block"
    [[ "$(ids 2 profile=new)" == *:9\ * ]] || fail "$1: user 2 is not shown what they hide no longer"
}

start_server standalone --data-dir "$work/none" || finish
call POST /backups '{"name":"one"}'
expect 501 'no_backup_dir' '--backup-dir'
stop_server INT || fail "the server does not stop"

serve "$work/data" || finish
for i in $(seq 200); do printf '{"entity_id":%d,"creator_id":%d,"metadata":{"title":"item %d"}}\n' "$i" $((i % 9 + 1)) "$i"; done |
    curl -s -o /dev/null -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port/items"
[ "$(signals 1 20000)" = 200 ] || fail "signals are refused: $(head -c 300 "$work/bulk")"

relate POST 1 hides '"item_id":5'
call POST /signals '{"entity_id":11,"signal":"hide","user_id":1,"idempotency_key":"hide 11"}'
expect 200
call POST /signals '{"entity_id":13,"signal":"hide","user_id":1,"idempotency_key":"hide 13"}'
expect 200
call POST /signals '{"undo":"hide 13","entity_id":13}'
expect 200
relate POST 1 follows '"creator_id":4'
relate POST 2 blocks '"creator_id":3'
relate POST 2 hides '"item_id":9'
relate DELETE 2 hides '"item_id":9'
relate POST 3 friends '"friend_id":4'
call POST /sessions '{"user_id":4}'
expect 200
session=$(grep -o '"session_id":"\?[0-9]*' <<<"$reply" | grep -o '[0-9]*$')
call POST /signals "{\"entity_id\":77,\"signal\":\"like\",\"session_id\":\"$session\"}"
expect 200
hidden_stay_so "before the backup"

# Bad names and bodies.
for name in '..' 'a/b' '/etc/x' 'a.b' ''; do
    call POST /backups "{\"name\":\"$name\"}"
    expect 400 'name'
done
call POST /backups '{"path":"/tmp/x"}'
expect 400 'path'
call GET /backups/none
expect 404
[ -z "$(ls -A "$backups")" ] || fail "a refused name made something: $(ls -A "$backups")"

# At rest: the restored server answers as the source did.
ctl backup create rest >"$work/made" || fail "backup create: $(cat "$work/made")"
exported "$work/source.jsonl"
source_counts=$(counts)
source_feed=$(feed)
personal >"$work/source.personal"
call POST /backups '{"name":"rest"}'
expect 409 'exists'
call GET /backups/rest
expect 200 '"state":"done"' '"schema_fingerprint"' '"log_position"'

# While it is written to: what was acknowledged before it began is in it, nothing is in it twice or in half.
before=$(wc -l <"$work/source.jsonl")
for round in $(seq 20); do signals $((20000 + round * 500)) 500 >/dev/null; done &
writer=$!
ctl --json backup create live >"$work/made" || fail "backup create under writes: $(cat "$work/made")"
wait "$writer"
exported "$work/later.jsonl"
ctl backup list | grep -q live || fail "the list lacks live"

# kill -9 in the middle leaves nothing that looks like a backup; the next start removes it.
for try in 1 2 3 4 5; do
    call POST /backups "{\"name\":\"killed$try\"}"
    expect 202 '"state"'
    stop_server KILL
    serve "$work/data" || finish
    for folder in "$backups"/killed*; do
        [ -e "$folder" ] || continue
        "$bin/tidalctl" verify "$folder" >/dev/null 2>"$work/verify" || fail "half a backup: $(cat "$work/verify")"
        call DELETE "/backups/$(basename "$folder")"
        expect 200
    done
done
[ "$(find "$backups" -mindepth 1 -maxdepth 1 | sort | xargs -n 1 basename | tr '\n' ' ')" = "live rest " ] ||
    fail "left: $(ls "$backups")"
stop_server INT || fail "the server does not stop"

# Verify and restore need no server.
"$bin/tidalctl" verify "$backups/rest" | grep -q '^sound' || fail "verify rest"
"$bin/tidalctl" verify "$backups/live" | grep -q '^sound' || fail "verify live"
"$bin/tidalctl" restore "$backups/rest" "$work/data" 2>"$work/err" && fail "restored over a database"
grep -q 'not empty' "$work/err" || fail "restore over a database says: $(cat "$work/err")"
for name in rest live; do
    "$bin/tidalctl" restore "$backups/$name" "$work/$name" >"$work/out" 2>&1 || fail "restore $name: $(cat "$work/out")"
    "$bin/tidalctl" fsck --data-dir "$work/$name" >"$work/out" 2>&1 || fail "fsck $name: $(cat "$work/out")"
done
start_server standalone --data-dir "$work/rest" || finish
exported "$work/restored.jsonl"
cmp -s "$work/source.jsonl" "$work/restored.jsonl" || fail "exports differ: $(wc -l "$work/source.jsonl" "$work/restored.jsonl")"
[ "$(counts)" = "$source_counts" ] || fail "counts differ: $(counts) instead of $source_counts"
[ "$(feed)" = "$source_feed" ] || fail "feeds differ"
personal >"$work/restored.personal"
cmp -s "$work/source.personal" "$work/restored.personal" ||
    fail "personal state differs: $(diff "$work/source.personal" "$work/restored.personal" | head -c 1000)"
hidden_stay_so "restored"
relate POST 1 hides '"item_id":6'
[[ "$(ids 1 profile=new)" == *:6\ * ]] && fail "the restored server keeps no new hides"
relate DELETE 1 hides '"item_id":5'
call POST /signals '{"undo":"hide 11","entity_id":11}'
expect 200
[[ "$(ids 1 profile=new)" =~ :5\ .*:6\ |:6\ .*:5\  ]] && fail "another hide ended than was asked"
[[ "$(ids 1 profile=new)" == *:11\ * ]] || fail "a hide from before the backup cannot be taken back"
[ "$(signals 1 10)" = 200 ] || fail "the restored server takes no writes"
stop_server INT || fail "the restored server does not stop"
start_server standalone --data-dir "$work/live" || finish
exported "$work/live.jsonl"
[ -z "$(comm -23 "$work/live.jsonl" "$work/later.jsonl")" ] || fail "the live backup has what the source never had"
[ -z "$(comm -23 "$work/source.jsonl" "$work/live.jsonl")" ] || fail "the live backup lacks what was answered before it"
[ "$(wc -l <"$work/live.jsonl")" -ge "$before" ] || fail "the live backup is short"
hidden_stay_so "restored from the live backup"
stop_server INT || fail "the restored server does not stop"

# A flipped byte, then a missing file: named.
victim=$(find "$backups/rest/wal" -name '*.log' | head -n 1)
printf '\377' | dd of="$victim" bs=1 seek=1000 conv=notrunc status=none
"$bin/tidalctl" verify "$backups/rest" 2>"$work/err" && fail "verify does not see a flipped byte"
grep -q "wal/$(basename "$victim")" "$work/err" || fail "the flipped file is not named: $(cat "$work/err")"
"$bin/tidalctl" restore "$backups/rest" "$work/broken" 2>"$work/err" && fail "restored a flipped byte"
grep -q "wal/$(basename "$victim")" "$work/err" || fail "restore does not name the file: $(cat "$work/err")"
rm "$victim"
"$bin/tidalctl" verify "$backups/rest" 2>"$work/err" && fail "verify does not see a missing file"
grep -q 'is missing' "$work/err" || fail "the missing file is not named: $(cat "$work/err")"
finish
