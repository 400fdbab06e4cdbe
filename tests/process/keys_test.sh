#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port, status and reply come from lib.sh
# API keys: none is asked for until there is one; roles; what survives a restart; --require-keys.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

start_server standalone --data-dir "$work/data" || finish
export TIDAL_URL=http://127.0.0.1:$port
"$bin/tidalctl" key create shop --role writer >/dev/null 2>"$work/err" && fail "the first key is a writer's"
grep -q 'role admin' "$work/err" || fail "$(cat "$work/err")"
admin=$("$bin/tidalctl" key create ops --role admin) || fail "no key"
[[ $admin == tdk1.* ]] || fail "a key: $admin"
"$bin/tidalctl" status >/dev/null 2>&1 && fail "status without a key"
export TIDAL_KEY=$admin
"$bin/tidalctl" status >/dev/null || fail "status with TIDAL_KEY"
writer=$("$bin/tidalctl" key create shop --role writer)
reader=$("$bin/tidalctl" key create page)
"$bin/tidalctl" key create shop >/dev/null 2>"$work/err" && fail "a name is taken twice"
[ "$("$bin/tidalctl" key list --json | jq -c '[.keys[] | [.name, .role]] | sort')" = '[["ops","admin"],["page","reader"],["shop","writer"]]' ] ||
    fail "$("$bin/tidalctl" key list)"
"$bin/tidalctl" key list | grep -q "${writer#tdk1.}" && fail "a list shows keys"
grep -rqF "${writer:10:20}" "$work/data" && fail "a key lies on disk"
grep -qF "${writer:10:20}" "$server_log" && fail "a key is in the log"

# as KEY METHOD PATH [BODY]: sets status and reply.
as() { call "$2" "$3" "${4-}" "Authorization: Bearer $1"; }
checked() {
    call GET /items/1
    expect 401 '"code":"unauthenticated"'
    curl -s -D - -o /dev/null "http://127.0.0.1:$port/metrics" | grep -qi '^WWW-Authenticate: Bearer' || fail "a 401 does not say how"
    as tdk1.wrong GET /health
    expect 401
    call GET /healthz
    expect 200
    as "$writer" POST /items '{"entity_id":1}'
    expect 200
    as "$reader" POST /items '{"entity_id":1}'
    expect 403 '"code":"role"' 'writer'
    as "$reader" GET /items/1
    expect 200
    as "$reader" GET /metrics
    expect 200
    for asked in /search /suggest; do
        as "$reader" POST $asked '{"query":"jazz"}'
        expect 200
    done
    as "$writer" PUT /synonyms/people '{"text":"tv, television"}'
    expect 403 'admin'
    as "$writer" GET /keys
    expect 403 'admin'
    as "$writer" PUT /schema '{"schema":""}'
    expect 403
    # A stream is refused before it is read.
    status=$(curl -s -o "$work/reply" -w '%{http_code}' -H 'Content-Type: application/x-ndjson' -H "Authorization: Bearer $reader" \
        --data-binary '{"entity_id":2}' "http://127.0.0.1:$port/items")
    [ "$status" = 403 ] || fail "a stream by a reader: $status"
}
checked
stop_server TERM || fail "SIGTERM should exit 0"
start_server standalone --data-dir "$work/data" || finish
export TIDAL_URL=http://127.0.0.1:$port
checked
"$bin/tidalctl" key revoke ops >/dev/null 2>"$work/err" && fail "the last admin's key is revoked"
"$bin/tidalctl" key revoke page >/dev/null || fail "revoke"
as "$reader" GET /items/1
expect 401
"$bin/tidalctl" key revoke page >/dev/null 2>&1 && fail "revoked twice"
grep -q 'administrative act' "$server_log" || fail "acts of administrators are not logged"
stop_server TERM

# Before there is a key, nobody but who makes the first one.
start_server standalone --ephemeral --require-keys || finish
unset TIDAL_KEY
call GET /feed?profile=new
expect 401
call POST /keys '{"name":"ops","role":"admin"}'
expect 200
as "$(jq -r .key <<<"$reply")" GET '/feed?profile=new'
expect 200
call POST /keys '{"name":"more","role":"admin"}'
expect 401
finish
