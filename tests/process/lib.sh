# shellcheck shell=bash disable=SC2034  # sourced; root is for the tests
# Shared by the process tests: real programs, real clients, ports the system chooses.
# Usage: . lib.sh BIN_DIR; every check prints what it expected, and `finish` sets the exit code.
set -uo pipefail
bin=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
failed=0
server_pid=""
server_log=$work/server.log
port=""

cleanup() {
    [ -n "$server_pid" ] && kill -9 "$server_pid" 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT

fail() {
    echo "FAILED: $*" >&2
    failed=1
}

# start_server ARGS...: returns once it serves; sets server_pid and port.
start_server() {
    : >"$server_log"
    "$bin/tidal-server" "$@" --listen 127.0.0.1:0 >"$server_log" 2>&1 &
    server_pid=$!
    local deadline=$((SECONDS + 120))
    until port=$(sed -n 's/^serving on http:\/\/127\.0\.0\.1:\([0-9]*\).*/\1/p' "$server_log") && [ -n "$port" ]; do
        if ! kill -0 "$server_pid" 2>/dev/null || [ $SECONDS -gt $deadline ]; then
            fail "the server does not start: $(tail -n 5 "$server_log")"
            server_pid=""
            return 1
        fi
        # Not a wait for something to happen to be done, but the pause of a poll with a deadline.
        read -rt 0.05 <> <(:) || true
    done
}

# stop_server SIGNAL: returns the exit code.
stop_server() {
    kill "-$1" "$server_pid"
    wait "$server_pid" 2>/dev/null
    local code=$?
    server_pid=""
    return $code
}

# call METHOD PATH [BODY [HEADER...]]: sets status and reply.
call() {
    local method=$1 path=$2 body=${3-} header
    shift $(($# < 3 ? $# : 3))
    local args=(-s -X "$method" -o "$work/reply" -w '%{http_code}')
    [ -n "$body" ] && args+=(-H 'Content-Type: application/json' --data-binary "$body")
    for header in "$@"; do args+=(-H "$header"); done
    status=$(curl "${args[@]}" "http://127.0.0.1:$port$path")
    reply=$(cat "$work/reply" 2>/dev/null)
}

# expect STATUS TEXT...: the last call's status, and texts its reply must hold.
expect() {
    local want=$1 text
    shift
    [ "$status" = "$want" ] || fail "expected status $want, got $status: $reply"
    for text in "$@"; do
        [[ $reply == *"$text"* ]] || fail "expected '$text' in: $reply"
    done
}

finish() {
    [ "$failed" = 0 ] && echo "ok"
    exit "$failed"
}
