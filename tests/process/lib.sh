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

declare -A node_pid=() node_http=() node_peer=()  # of start_node, by name
declare -A proxy_port=() other_port=()            # of begin_proxy, likewise

cleanup() {
    local pid
    for pid in $server_pid "${node_pid[@]}"; do
        kill -9 "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
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
        pause
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
    local args=(-s --max-time 60 -X "$method" -o "$work/reply" -w '%{http_code}')
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

# Not a wait for something to happen to be done, but the pause of a poll with a deadline.
pause() { read -rt 0.05 <> <(:) || true; }

# poll SECONDS COMMAND...: until the command succeeds; fails after so many seconds.
poll() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -le $deadline ] || return 1
        pause
    done
}

# Nodes of a cluster have names; each keeps its directory ($work/NAME) and its ports over restarts.
# free_port: below the ports the system gives out by itself.
free_port() {
    local candidate
    for _ in {1..200}; do
        candidate=$((RANDOM % 20000 + 11000))
        [[ " ${node_http[*]} ${node_peer[*]} ${proxy_port[*]} ${other_port[*]} " == *" $candidate "* ]] && continue
        (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || break
    done
    echo "$candidate"
}

is_serving() { grep -q '^serving on http' "$work/$1.log"; }
has_ended() { ! kill -0 "${node_pid[$1]}" 2>/dev/null; }
serves_or_ended() { is_serving "$1" || has_ended "$1"; }

# start_node NAME COMMAND ARGS...: returns once it serves. Elections are quick, so that tests are.
start_node() {
    local name=$1 command=$2
    shift 2
    [ -n "${node_http[$name]-}" ] || node_http[$name]=$(free_port)
    [ -n "${node_peer[$name]-}" ] || node_peer[$name]=$(free_port)
    : >"$work/$name.log"
    "$bin/tidal-server" "$command" --data-dir "$work/$name" --listen "127.0.0.1:${node_http[$name]}" \
        --peer-listen "127.0.0.1:${node_peer[$name]}" --heartbeat-ms 50 --election-ms-min 500 \
        --election-ms-max 1000 "$@" >"$work/$name.log" 2>&1 &
    node_pid[$name]=$!
    poll 60 serves_or_ended "$name" && is_serving "$name" && return
    fail "node $name does not start: $(tail -n 5 "$work/$name.log")"
    return 1
}

# begin_proxy NAMES...: a network between nodes that are yet to start, to be cut; it numbers them in this order. A node is
# started with `--peer-advertise "127.0.0.1:${proxy_port[NAME]}"`, or other_port, and its process is known by $work/NAME.pid.
begin_proxy() {
    local name nodes=()
    for name in "$@"; do
        node_http[$name]=$(free_port)
        node_peer[$name]=$(free_port)
        proxy_port[$name]=$(free_port)
        other_port[$name]=$(free_port)
        nodes+=(--node "${proxy_port[$name]},${other_port[$name]}:${node_peer[$name]}:$work/$name.pid")
    done
    : >"$work/proxy.log"
    "$bin/tidal-history" proxy "${nodes[@]}" >"$work/proxy.log" 2>&1 &
    node_pid[proxy]=$!
    poll 10 grep -q '^proxy on' "$work/proxy.log" || fail "the proxy: $(cat "$work/proxy.log")"
    control_port=$(sed -n 's/^proxy on 127.0.0.1:\([0-9]*\)$/\1/p' "$work/proxy.log")
}
set_links() { curl -s --max-time 5 -d "$1" "http://127.0.0.1:$control_port/links" >/dev/null; }
# links CHANGES: "1>2 cut, 2>* delay 30": tests/history/README.md.
links() { poll 60 set_links "$1" || fail "the proxy does not take '$1'"; }
proxy_stats() { curl -s --max-time 5 "http://127.0.0.1:$control_port/stats" | jq -r "$1"; }  # JQ

# end_node NAME SIGNAL: returns the exit code.
end_node() {
    kill "-$2" "${node_pid[$1]}"
    wait "${node_pid[$1]}" 2>/dev/null
    local code=$?
    unset "node_pid[$1]"
    return $code
}

# on NAME METHOD PATH [BODY [HEADER...]]: call, to that node.
on() {
    port=${node_http[$1]}
    call "${@:2}"
}

# get NAME PATH JQ: what that node answers, through jq; empty when it does not answer.
get() { curl -s --max-time 15 "http://127.0.0.1:${node_http[$1]}$2" | jq -r "$3" 2>/dev/null; }

# same_contents NODES...: their replicas hold the same as of the same records. Ticks are logged all the while, so nodes that
# are asked one after the other may be a record apart: for poll.
same_contents() {
    local node jobs=()
    for node in "$@"; do
        get "$node" '/cluster/shards?content_hash=on' '[.shards[] | [.shard, .content_index, .content_hash]] | tostring' >"$work/contents.$node" &
        jobs+=($!)
    done
    wait "${jobs[@]}"
    for node in "$@"; do
        [ -s "$work/contents.$node" ] && cmp -s "$work/contents.$node" "$work/contents.$1" || return 1
    done
}

finish() {
    [ "$failed" = 0 ] && echo "ok"
    exit "$failed"
}
