#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port, status and reply come from lib.sh
# Users who are deleted are read out of no archive any more, through kill -9; a backup of before keeps them and says so.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

command -v zstd >/dev/null || exit 77
export TIDAL_CHECKPOINT_INTERVAL_MS=1000
sed '/^users:/,/ids:/ s/ids: u64/ids: string/' "$root/config/default-schema.yaml" >"$work/schema.yaml"
ctl() { TIDAL_URL=http://127.0.0.1:$port "$bin/tidalctl" "$@"; }
# exported [QUERY]: so many lines, which are in $work/exported.
exported() {
    curl -s -o "$work/exported" "http://127.0.0.1:$port/export/signals${1-}"
    grep -c entity_id "$work/exported"
}
post() { # FILE of lines
    status=$(curl -s -o "$work/reply" -w '%{http_code}' -H 'Content-Type: application/x-ndjson' \
        --data-binary "@$1" "http://127.0.0.1:$port/signals")
    [ "$status" = 200 ] || fail "filling: $status $(head -c 300 "$work/reply")"
    lines=$((lines + $(wc -l <"$1")))
}
lines=0
# live USER: what a user does.
live() {
    call POST /users "{\"entity_id\":\"$1\",\"metadata\":{\"region\":\"home-of-$1\"}}"
    expect 200
    local id
    for id in 1 2 3 4; do
        call POST /signals "{\"entity_id\":$id,\"signal\":\"like\",\"user_id\":\"$1\",\"context\":\"said-by-$1\"}"
        expect 200
        lines=$((lines + 1))
    done
    call POST /relationships "{\"user_id\":\"$1\",\"kind\":\"follows\",\"creator_id\":3}"
    expect 200
}
# lines_of COUNT BYTES: views of nobody, with as much context each.
lines_of() {
    awk -v count="$1" -v bytes="$2" 'BEGIN { for (i = 0; i < bytes; ++i) c = c "c"; for (i = 0; i < count; ++i)
        printf "{\"entity_id\":%d,\"signal\":\"view\",\"context\":\"%s\"}\n", i % 40 + 1, c }'
}
lines_of 900 3900 >"$work/large"
# fill: more than a file of the log holds.
fill() { for _ in 1 2 3 4 5; do post "$work/large"; done; }
left_log() { ! grep -qr "$2" "$work/$1/wal"; }
# archived DIR: what its segments hold, unpacked.
archived() { for each in "$work/$1"/archive/*.seg; do tail -c +129 "$each" | zstd -dcq 2>/dev/null; done; }
# sealed DIR USER: the log has gone to the archive, which does not say who that is.
sealed() {
    local round
    for round in 1 2 3 4 5; do # The keys are logged when the first file is sealed.
        poll 10 left_log "$1" "$2" && break
        fill
    done
    left_log "$1" "$2" || fail "$1: the log keeps $2 after $round rounds"
    [ "$(archived "$1" | wc -c)" -gt 100000 ] || fail "$1: no archive"
    [ "$(archived "$1" | grep -ac "$2")" = 0 ] || fail "$1: the archive says $2"
    grep -qr "$2" "$work/$1/archive" && fail "$1: the archive's bytes say $2"
}
# expect_exports NINA BORIS
expect_exports() {
    local got
    got=$(exported '?user_id=nina-of-kyiv')
    [ "$got" = "$1" ] || fail "exports of nina: $got instead of $1"
    got=$(exported '?user_id=boris-of-riga')
    [ "$got" = "$2" ] || fail "exports of boris: $got instead of $2"
    got=$(exported)
    [ "$got" = "$lines" ] || fail "exports: $got instead of $lines"
    [ "$1" != 0 ] || ! grep -q nina "$work/exported" || fail "an export names nina"
}

start() { start_server standalone --data-dir "$work/one" --shards 2 --schema "$work/schema.yaml" --backup-dir "$work/backups"; }
start || finish
for id in {1..40}; do call POST /items "{\"entity_id\":$id,\"creator_id\":$id}"; done
live nina-of-kyiv
live boris-of-riga
fill
sealed one nina-of-kyiv
expect_exports 4 4
call GET '/export/signals?user_id=nina-of-kyiv'
expect 200 '"context":"said-by-nina-of-kyiv"'
stop_server KILL
start || finish
expect_exports 4 4
ctl backup create before >/dev/null || fail "no backup"
call GET /items/1/signals
likes=$(jq .signals.like.counts.all <<<"$reply")
call DELETE /users/nina-of-kyiv
expect 200
expect_exports 0 4
stop_server KILL
start || finish
expect_exports 0 4
fill
sealed one nina-of-kyiv
[ "$(archived one | grep -ac boris-of-riga)" = 0 ] || fail "the archive says boris-of-riga"
expect_exports 0 4
call GET /items/1/signals
[ "$(jq .signals.like.counts.all <<<"$reply")" = "$likes" ] || fail "totals: instead of $likes: $reply"
stop_server INT || fail "the server does not stop"

# The backup of before has her, and says that it may.
"$bin/tidalctl" restore "$work/backups/before" "$work/again" >"$work/out" 2>&1 || fail "restore: $(cat "$work/out")"
grep -q 'delete them again' "$work/out" || fail "restore does not say whom it brings back: $(cat "$work/out")"
start_server standalone --data-dir "$work/again" || finish
[ "$(exported '?user_id=nina-of-kyiv')" = 4 ] || fail "the backup lacks nina"
call DELETE /users/nina-of-kyiv
expect 200
[ "$(exported '?user_id=nina-of-kyiv')" = 0 ] || fail "restored and deleted again, nina is there"
stop_server INT || fail "the restored server does not stop"

finish
