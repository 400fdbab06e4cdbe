#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# tidalctl bench and completion, how it fails, and --json of every command, whether it succeeds or fails.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

start_server standalone --ephemeral || finish
export TIDAL_URL=http://127.0.0.1:$port
"$bin/tidalctl" bench signals --seconds 0.2 2>"$work/err" && fail "no items, and signals were sent"
grep -q 'the server has no items' "$work/err" || fail "$(cat "$work/err")"
for id in 1 2 3; do
    call POST /items "{\"entity_id\":$id}"
    expect 200
done

requests=0
# What is said on the command line wins over the environment.
TIDAL_URL=http://127.0.0.1:1 "$bin/tidalctl" status --url "http://127.0.0.1:$port" >/dev/null || fail "--url is overridden"
"$bin/tidalctl" --url "http://127.0.0.1:$port" --json status | grep -q '"status":"ok"' || fail "--url before the command"
TIDAL_URL=http://127.0.0.1:1 "$bin/tidalctl" status >/dev/null 2>&1 && fail "TIDAL_URL is ignored"

# Closed loop: every request is counted by the server too.
out=$("$bin/tidalctl" bench signals --seconds 0.3 --connections 2 --batch 10 --json) || fail "bench: $out"
[[ $out =~ \"requests\":([0-9]+) ]] && requests=${BASH_REMATCH[1]}
[[ $out == *'"failed":0'* && $requests -gt 0 ]] || fail "bench: $out"
total=0
for id in 1 2 3; do
    call GET "/items/$id/signals"
    [[ $reply =~ \"view\":\{\"decayed\":[^,]*,\"total\":([0-9]+) ]] && total=$((total + BASH_REMATCH[1]))
done
[ "$total" = $((requests * 10)) ] || fail "$requests requests of 10, $total signals"

# Open loop: as many requests as the rate asks for.
out=$("$bin/tidalctl" bench feed --seconds 0.5 --rate 100 --connections 4 --json) || fail "bench: $out"
[[ $out == *'"requests":50,'* && $out == *'"p99":'* ]] || fail "open loop: $out"
"$bin/tidalctl" bench feed --profile trendin --seconds 0.1 2>"$work/err" && fail "an unknown profile was served"
grep -q "did you mean" "$work/err" || fail "$(cat "$work/err")"
"$bin/tidalctl" bench search --seconds 0.1 2>"$work/err" && fail "searches for nothing"
grep -q -- '--queries FILE' "$work/err" || fail "$(cat "$work/err")"
printf 'matrix\n\nthe "matrix\n' >"$work/queries"
out=$("$bin/tidalctl" bench search --queries "$work/queries" --seconds 0.5 --rate 100 --json) || fail "bench: $out"
[[ $out == *'"requests":50,"failed":0,'* ]] || fail "searches: $out"
"$bin/tidalctl" bench nothing 2>/dev/null && fail "bench nothing"
"$bin/tidalctl" bench feed --connections 0 2>/dev/null && fail "no connections"

# Completion: a shell that has it offers commands, subcommands and options.
complete_words() {
    bash -c 'eval "$("$0" completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tidalctl; echo "${COMPREPLY[*]}"' \
        "$bin/tidalctl" "$@"
}
[[ " $(complete_words tidalctl '') " == *' import '*' profile '* ]] || fail "words: $(complete_words tidalctl '')"
[[ $(complete_words tidalctl profile re) == retire ]] || fail "words: $(complete_words tidalctl profile re)"
[[ $(complete_words tidalctl search r) == run && $(complete_words tidalctl delete --y) == --yes ]] || fail "words: $(complete_words tidalctl search r)"
[[ $(complete_words tidalctl profile put --dr) == --dry-run ]] || fail "words: $(complete_words tidalctl profile put --dr)"

# What there is, on one screen.
"$bin/tidalctl" --help >"$work/help" || fail "--help"
[ "$(wc -l <"$work/help")" -le 45 ] && [ "$(wc -L <"$work/help")" -le 100 ] || fail "--help is too long or too wide: $(cat "$work/help")"

# One JSON value on standard output, as the server's parser sees it.
# json_of CODE TEXT ARGS...: exit code and a text that the value holds.
commands_seen=""
json_of() {
    local want=$1 text=$2 out code
    shift 2
    out=$("$bin/tidalctl" --json "$@" 2>"$work/err")
    code=$?
    [ $code = "$want" ] || fail "exit code $code, not $want: tidalctl --json $*: $out $(cat "$work/err")"
    [[ $out == *"$text"* ]] || fail "expected '$text' of tidalctl --json $*: $out"
    [ "$(wc -l <<<"$out")" = 1 ] || fail "more than one line of tidalctl --json $*: $out"
    printf '%s' "$out" >"$work/value"
    call POST /query "@$work/value"
    [[ $status == 400 && $reply != *'"code":"not_json"'* ]] || fail "not JSON: tidalctl --json $*: $out ($reply)"
    commands_seen+=" $1"
    case $1 in backup | schema | profile | experiment | cohort | collection | model | synonyms | policy | session | node | shard | key | relationship | search) commands_seen+="/${2-}" ;; esac
}
# The check itself: text is seen to be none.
call POST /query 'ok: 3 files'
expect 400 '"code":"not_json"'
stop_server INT || fail "SIGINT should exit 0"

nobody=http://127.0.0.1:1
start_server standalone --data-dir "$work/data" --backup-dir "$work/backups" || finish
export TIDAL_URL=http://127.0.0.1:$port
echo '{"entity_id":1,"metadata":{"title":"one"}}' >"$work/items.jsonl"
printf 'profile own version 1 { score year; }' >"$work/own.profile"
printf "cohort french version 1 { tracks view; where language = 'fr'; }" >"$work/french"
printf 'experiment spring version 1 { arm own@1; arm new@1; }' >"$work/spring"
{
    printf 'tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nfeature_names=year\nfeature_infos=none\n\n'
    printf 'Tree=0\nnum_leaves=1\nleaf_value=0.25\n\n\nend of trees\n'
} >"$work/model"
printf 'version: 1\nkinds: [' >"$work/bad.yaml"
: >"$work/empty"

json_of 0 '"status":"ok"' status
json_of 1 '"code":"unavailable"' status --url $nobody
json_of 0 '"accepted":1' import "$work/items.jsonl" --id first
json_of 1 '"status":"error"' import "$work/absent.jsonl"
printf 'id,title\n1,one\n' >"$work/items.csv"
json_of 1 '"hint":"--mapping' import "$work/items.csv"
printf '%s\n' '{"entity_id":1,' '{"entity_id":1,"signal":"veiw"}' >"$work/bad.jsonl"
json_of 1 '"rejected":2' import "$work/bad.jsonl"
echo '{"entity_id":1,"signal":"view"}' >"$work/signals.jsonl"
json_of 0 '"accepted":1' import "$work/signals.jsonl"
json_of 0 '"signal":"view"' export
json_of 1 '"field":"format"' export --format csv
json_of 1 '"code":"unknown_signal"' export --signals vew
json_of 0 '"entity_id":1' query 'RETRIEVE items USING new LIMIT 3'
json_of 1 '"code":"empty_text"' profile put "$work/empty"
json_of 1 '"line":1,' query 'RETRIEVE items USINF new'
json_of 0 '"status":"ok"' put item 2 '{"metadata":{"title":"two","year":1999},"creator_id":7}'
json_of 1 '"code":"unknown_field"' put item 2 '{"metadata":{"titel":"two"}}'
json_of 1 '"field":"json"' put item 2 '["two"]'
json_of 1 '"field":"entity_id"' put item 2 '{"entity_id":3}'
json_of 2 '"code":"usage"' put film 2 '{}'
echo '{"metadata":{"year":2000}}' | "$bin/tidalctl" put item 2 - >/dev/null || fail "put of standard input"
json_of 0 '"title":"two"' get item 2
[ "$(jq -c '[.metadata.year, .creator_id]' "$work/value")" = '[2000,7]' ] || fail "put changes what it does not name: $(cat "$work/value")"
json_of 1 '"code":"unknown_item"' get item 99
for kind in user creator; do
    json_of 0 '"status":"ok"' put $kind 18446744073709551615 '{}'
    json_of 0 '"entity_id":"18446744073709551615"' get $kind 18446744073709551615
done
json_of 0 '"status":"ok"' signal like 2 --user-id 7 --weight 1.5 --idempotency-key once
json_of 0 '"repeated":true' signal like 2 --user-id 7 --weight 1.5 --idempotency-key once
json_of 1 '"code":"unknown_signal"' signal lick 2
json_of 1 '"code":"unknown_item"' signal like 99
json_of 0 '"like":{' get item 2 --signals
[ "$(jq -c '.signals.like | [.total, .counts.all]' "$work/value")" = '[1.5,1]' ] || fail "one like of 1.5: $(cat "$work/value")"
json_of 0 '"status":"ok"' signal like 2 --idempotency-key gone
json_of 0 '"status":"ok"' undo gone 2
json_of 0 '"repeated":true' undo gone 2
json_of 1 '"code":"unknown_undo_key"' undo never 2
json_of 0 '"like":{' get item 2 --signals
[ "$(jq .signals.like.counts.all "$work/value")" = 1 ] || fail "what was taken back counts: $(cat "$work/value")"
token=$("$bin/tidalctl" signal like 2 --user-id 7 | sed -n 's/^token *//p')
json_of 0 '"entity_id":2' query "RETRIEVE items USING new FOR USER 7 WHERE liked" --token "$token"
[ "$(jq .matched "$work/value")" = 1 ] || fail "what 7 likes: $(cat "$work/value")"
json_of 1 '"field":"token"' query 'RETRIEVE items USING new' --token none
json_of 1 '"field":"token"' get item 2 --token none
shown=$("$bin/tidalctl" query 'RETRIEVE items USING new LOG IMPRESSIONS') || fail "query: $shown"
[[ $shown =~ token:\ ([A-Za-z0-9_-]+) ]] || fail "no token of the impressions: $shown"
json_of 0 '"impression":{' get item 2 --signals --token "${BASH_REMATCH[1]}"
[ "$(jq .signals.impression.counts.all "$work/value")" = 1 ] || fail "the impression is not there: $(cat "$work/value")"
json_of 0 '"status":"ok"' search save 7 mine "RETRIEVE items USING new WHERE year > 1990"
json_of 1 '"field":"query"' search save 7 mine "RETRIEVE itmes"
json_of 0 '"name":"mine"' search list 7
json_of 0 '"entity_id":2' search run 7 mine --limit 1
json_of 0 '"items":[]' search run 7 mine --new
json_of 1 '"code":"unknown_saved_search"' search run 7 yours
[[ $("$bin/tidalctl" search list 7) == *mine*RETRIEVE* && $("$bin/tidalctl" search run 7 mine) == *'title=two'* ]] || fail "searches as text"
json_of 0 '"status":"ok"' search delete 7 mine
json_of 1 '"code":"unknown_saved_search"' search delete 7 mine
json_of 1 '"code":"unavailable"' search list 7 --url $nobody
json_of 0 '"common":2' profile compare new old --user-id 7
[ "$(jq -c '[.left.profile, .right.profile, (.moves | length)]' "$work/value")" = '["new@1","old@1",2]' ] || fail "compare: $(cat "$work/value")"
[[ $("$bin/tidalctl" profile compare new old --filter 'year > 1990' --limit 1) == *'new@1  old@1'*'1     2      2'*'1 on both, 0 of them'* ]] ||
    fail "compare as text: $("$bin/tidalctl" profile compare new old --filter 'year > 1990' --limit 1)"
json_of 1 '"code":"unknown_profile"' profile compare new odd
json_of 1 '"field":"yes"' delete user 18446744073709551615
json_of 0 '"entity_id"' get user 18446744073709551615
json_of 0 '"status":"ok"' delete user 18446744073709551615 --yes
json_of 1 '"code":"unknown_user"' get user 18446744073709551615
json_of 0 '"status":"ok"' delete item 2
json_of 1 '"code":"unknown_item"' delete item 2
json_of 0 '"status":"ok"' relationship add 7 hides 1
json_of 1 '"code":"unknown_item"' relationship add 7 hides 99
json_of 0 '"kind":"hides"' relationship list 7
json_of 1 '"code":"unavailable"' relationship list 7 --url $nobody
json_of 0 '"status":"ok"' relationship end 7 hides 1
json_of 1 '"code":"unavailable"' relationship end 7 hides 1 --url $nobody
json_of 0 '"status":"ok"' relationship add 7 hides 1
json_of 0 '"status":"ok"' delete user 7 --yes
json_of 0 '"relationships":[]' relationship list 7
json_of 1 '"code":"unavailable"' delete user 7 --yes --url $nobody
json_of 0 '"latency_ms"' bench feed --seconds 0.1
json_of 1 'first: unknown profile `trendin`' bench feed --seconds 0.1 --profile trendin
json_of 0 '"schema"' schema show
json_of 1 '"status":"error"' schema show --url $nobody
"$bin/tidalctl" schema show >"$work/schema.yaml"
json_of 0 '"schema"' schema add "$work/schema.yaml"
json_of 1 '"status":"error"' schema add "$work/bad.yaml"
json_of 0 '"profiles"' profile list
json_of 1 '"code":"unavailable"' profile list --url $nobody
json_of 0 '"created":true' profile put "$work/own.profile"
json_of 1 '"status":"error"' profile put "$work/spring"
json_of 0 '"text"' profile show own
json_of 1 '"code":"unknown_profile"' profile show owm
json_of 0 '"created":true' experiment put "$work/spring"
json_of 1 '"status":"error"' experiment put "$work/own.profile"
json_of 0 '"spring' experiment list
json_of 1 '"code":"unavailable"' experiment list --url $nobody
json_of 0 '"experiment":"spring@1"' experiment results spring
json_of 1 '"code":"unknown_experiment"' experiment results sprung
json_of 0 '"created":true' cohort put "$work/french"
json_of 1 '"status":"error"' cohort put "$work/own.profile"
json_of 0 '"french"' cohort list
json_of 1 '"code":"unavailable"' cohort list --url $nobody
json_of 0 '"events_7d":0' cohort show french
json_of 1 '"status":"error"' cohort show frensh
json_of 0 '"status":"ok"' cohort retire french
json_of 0 '"created":true' collection put 'staff picks' --description 'What we like'
json_of 0 '"staff picks"' collection list
json_of 0 '"status":"ok"' collection add 'staff picks' 1 --position 2.5
json_of 0 '"position":2.5' collection show 'staff picks'
json_of 1 '"code":"unknown_collection"' collection show 'staff pics'
json_of 0 '"status":"ok"' collection remove 'staff picks' 1
json_of 1 '"code":"not_in_collection"' collection remove 'staff picks' 1
json_of 0 '"status":"ok"' collection delete 'staff picks'
json_of 1 '"status":"error"' cohort retire french
json_of 0 '"name":"hits"' model put hits "$work/model"
json_of 1 '"status":"error"' model put hits "$work/own.profile"
json_of 0 '"hits"' model list
json_of 1 '"code":"unavailable"' model list --url $nobody
json_of 0 '"text"' model show hits
json_of 1 '"status":"error"' model show hots
json_of 0 '"status":"ok"' model retire hits
json_of 1 '"status":"error"' model retire hits
printf 'tv, television\n' >"$work/synonyms"
json_of 0 '"name":"people"' synonyms put people "$work/synonyms"
json_of 1 '"status":"error"' synonyms put people "$work/own.profile"
json_of 0 '"people"' synonyms list
json_of 1 '"code":"unavailable"' synonyms list --url $nobody
json_of 0 '"text":"tv, television' synonyms show people
json_of 1 '"status":"error"' synonyms show persons
json_of 0 '"status":"ok"' synonyms retire people
json_of 1 '"status":"error"' synonyms retire people
printf 'per_minute 30\n' >"$work/policy"
json_of 0 '"name":"brief"' policy put brief "$work/policy"
json_of 1 '"status":"error"' policy put brief "$work/own.profile"
json_of 0 '"brief"' policy list
json_of 1 '"code":"unavailable"' policy list --url $nobody
json_of 0 '"text":"per_minute 30' policy show brief
json_of 1 '"status":"error"' policy show brieff
json_of 0 '"policy":"brief@1"' session open 5 --policy brief --agent bot --annotate page=home
session=$(jq .session_id "$work/value")
json_of 1 '"code":"unknown_policy"' session open 5 --policy brieff
json_of 0 "\"session_id\":$session" session list 5
json_of 1 '"code":"unavailable"' session list 5 --url $nobody
json_of 0 '"status":"ok"' session signal "$session" like 1 --sequence 1
json_of 0 '"repeated":true' session signal "$session" like 1 --sequence 1
json_of 1 '"code":"unknown_signal"' session signal "$session" lick 1
json_of 0 '"status":"ok"' session signal "$session" like 1 --idempotency-key mistaken
json_of 1 '"code":"unknown_undo_key"' undo mistaken 1
json_of 0 '"status":"ok"' undo mistaken 1 --session "$session"
json_of 0 '"repeated":true' undo mistaken 1 --session "$session"
json_of 0 '"page":"cart"' session annotate "$session" --annotate page=cart --sequence 2
json_of 1 '"status":"error"' session annotate "$session" --annotate page
json_of 0 '"reward":1' session show "$session"
json_of 1 '"code":"unknown_session"' session show 77
json_of 0 '"state":"closed"' session close "$session"
json_of 1 '"code":"unknown_session"' session close 77
json_of 0 '"status":"ok"' policy retire brief
json_of 1 '"status":"error"' policy retire brief
json_of 0 '"status":"ok"' experiment retire spring
json_of 1 '"status":"error"' experiment retire spring
json_of 0 '"status":"ok"' profile retire own
json_of 1 '"status":"error"' profile retire own
json_of 0 '"state":"done"' backup create b1
json_of 1 '"code":"conflict"' backup create b1
json_of 0 '"b1"' backup list
json_of 1 '"code":"unavailable"' backup list --url $nobody
json_of 0 '"state":"done"' backup create b2
json_of 0 '' backup delete b2
json_of 1 '"status":"error"' backup delete b2
json_of 0 '"status":"ok"' verify "$work/backups/b1"
json_of 0 '"status":"ok"' restore "$work/backups/b1" "$work/restored"
json_of 1 '"status":"error"' restore "$work/backups/b1" "$work/restored"
json_of 1 '"status":"error"' verify "$work/backups/b2"
# Held by the server.
json_of 1 '"code":"conflict"' fsck --data-dir "$work/data"
json_of 1 '"pid":'"$server_pid" paths --data-dir "$work/data"
json_of 1 '"code":"conflict"' diagnostics --data-dir "$work/data"
json_of 0 '"status":"ok"' fsck --data-dir "$work/restored"
json_of 0 '"what":"the log"' paths --data-dir "$work/restored"
json_of 0 '"shards_declared":1' diagnostics --data-dir "$work/restored"
# Of a cluster: not of this server. Their answers are in the cluster's tests.
json_of 1 '"status":"error"' node list --url $nobody
json_of 1 '"status":"error"' node token --url $nobody
json_of 1 '"status":"error"' node remove 2 --url $nobody
json_of 1 '"status":"error"' shard list --url $nobody
json_of 1 '"status":"error"' shard transfer 1 --url $nobody
json_of 1 '"status":"error"' key create ops --url $nobody
json_of 1 '"status":"error"' key list --url $nobody
json_of 1 '"status":"error"' key revoke ops --url $nobody
json_of 0 '"script":"' completion bash
json_of 2 '"code":"usage"' completion zsh
json_of 2 '"hint":"did you mean' statsu
json_of 2 '"code":"usage"' backup

# Damage: all of it, in the value.
file=$(ls "$work"/backups/b1/wal/*.log | head -n 1)
printf '\377' | dd of="$file" bs=1 seek=100 conv=notrunc status=none
json_of 1 '"status":"damaged"' verify "$work/backups/b1"
[[ $(cat "$work/value") == *'"damage":["'*.log* ]] || fail "the damaged file is not named: $(cat "$work/value")"
json_of 1 '"status":"error"' restore "$work/backups/b1" "$work/again"
file=$(ls "$work"/restored/wal/*.log | head -n 1)
printf '\377' | dd of="$file" bs=1 seek=100 conv=notrunc status=none
json_of 1 '"damaged_places":1' fsck --data-dir "$work/restored"
[[ $(cat "$work/value") == *'"harmless":false'* ]] || fail "the damage is not listed: $(cat "$work/value")"

# Nothing was left out.
for command in $(complete_words tidalctl ''); do
    case $command in
        -*) ;;
        backup | schema | profile | experiment | cohort | collection | model | synonyms | policy | session | node | shard | key | relationship | search)
            for sub in $(complete_words tidalctl "$command" ''); do
                [[ $sub == -* || " $commands_seen " == *" $command/$sub "* ]] || fail "no --json of $command $sub was tried"
            done
            ;;
        *) [[ " $commands_seen " == *" $command "* ]] || fail "no --json of $command was tried" ;;
    esac
done

# says TEXT ARGS...: whatever the exit code.
says() {
    "$bin/tidalctl" "${@:2}" >"$work/out" 2>&1
    grep -q "$1" "$work/out"
}
# A directory that cannot be written: looked at all the same, with the server's own lock respected.
stop_server INT || fail "SIGINT should exit 0"
mkdir "$work/frozen"
if mount --bind "$work" "$work/frozen" 2>/dev/null && mount -o remount,ro,bind "$work/frozen" 2>/dev/null; then
    trap 'umount "$work/frozen"; cleanup' EXIT
    touch "$work/frozen/x" 2>/dev/null && fail "the mount is not read-only"
    says ' 0 damaged places' fsck --data-dir "$work/frozen/data" || fail "fsck of a read-only directory: $(cat "$work/out")"
    says 'identity of the cluster' paths --data-dir "$work/frozen/data" || fail "paths of a read-only directory: $(cat "$work/out")"
    says '"shards_declared":1' diagnostics --data-dir "$work/frozen/data" || fail "diagnostics of a read-only directory: $(cat "$work/out")"
    says 'the backup is damaged' verify "$work/frozen/backups/b1" || fail "verify of a read-only backup: $(cat "$work/out")"
    rm "$work/data/LOCK"
    says ' 0 damaged places' fsck --data-dir "$work/frozen/data" || fail "fsck without the file LOCK: $(cat "$work/out")"
    start_server standalone --data-dir "$work/data" || finish
    TIDAL_URL=http://127.0.0.1:$port "$bin/tidalctl" status >/dev/null || fail "status"
    says 'in use by another process' fsck --data-dir "$work/frozen/data" || fail "a server has it, and fsck says: $(cat "$work/out")"
    stop_server INT || fail "SIGINT should exit 0"
    umount "$work/frozen"
    trap cleanup EXIT
else
    echo "not tried here: a read-only mount"
fi
finish
