# shellcheck shell=bash disable=SC2154  # sourced; bin and work are the measurement's
# A server to be measured: the one that was begun here, on a port where no other answers.

pause() { read -rt "$1" <> <(:) || true; } # SECONDS

# refuse_taken PORT...: of 127.0.0.1. What is left over from another run would be measured in the new server's place.
refuse_taken() {
    local port
    for port in "$@"; do
        if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "port $port is taken: what answers there is not what is to be measured; end it first (ss -ltnp 'sport = :$port' names it)" >&2
            exit 2
        fi
    done
}

# begin_server PORT ARGS...: `tidal-server ARGS`, its log in $work/tidal.log; returns once it serves. Sets server, its process.
begin_server() {
    local port=$1
    shift
    refuse_taken "$port"
    "$bin/tidal-server" "$@" --listen "127.0.0.1:$port" >"$work/tidal.log" 2>&1 &
    server=$!
    # Its own word that it has the port, not only an answer there.
    until grep -q "^serving on http://127.0.0.1:$port" "$work/tidal.log" && curl -sf "127.0.0.1:$port/healthz" >/dev/null; do
        kill -0 "$server" 2>/dev/null || {
            echo "the server on port $port has ended before it served: $(tail -n 5 "$work/tidal.log")" >&2
            exit 1
        }
        pause 0.02
    done
}

end_server() {
    kill "$server"
    wait "$server" 2>/dev/null || true
}

# begin_text_server PORT: for items that have a title and are searched by it. Exports TIDAL_URL.
begin_text_server() {
    cat >"$work/schema.yaml" <<'YAML'
items: {ids: u64, fields: {title: {type: text}}}
users: {ids: u64}
creators: {ids: u64}
signals: {view: {polarity: neutral, half_life: 1d, windows: [1h, 24h, 7d, all]}}
YAML
    begin_server "$1" standalone --data-dir "$work/data" --schema "$work/schema.yaml"
    export TIDAL_URL=http://127.0.0.1:$1
}

print_hardware() {
    echo "hardware: $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1); load before: $(cut -d' ' -f1 /proc/loadavg)"
}
