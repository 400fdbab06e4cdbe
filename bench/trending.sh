#!/usr/bin/env bash
# The top 20 and 50 of `trending` while signals arrive: in process, and over HTTP on one connection in turn
# with Redis ZREVRANGE WITHSCORES on stored scores; then PostgreSQL ORDER BY LIMIT (where its programs are).
# usage: bench/trending.sh [ITEMS...]   (needs build/release with TIDAL_BENCH, redis-server)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/server.sh
. bench/server.sh
bin=$PWD/build/release/bin pg=/usr/lib/postgresql/15/bin
[ $# -gt 0 ] || set -- 10000 100000 1000000
work=$(mktemp -d)
chmod 755 "$work"
as_user() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; } # PostgreSQL refuses root.
writers=
cleanup() {
    # shellcheck disable=SC2086  # a list of ids
    [ -z "$writers" ] || kill $writers 2>/dev/null || true
    [ ! -d "$work/pg/data" ] || as_user "$pg/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null || true
    # shellcheck disable=SC2046  # a list of ids
    kill $(jobs -p) 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
zipf() { # FORMAT: 1,000 draws of an item whose head repeats
    awk -v items="$items" -v seed="$RANDOM" -v format="$1" 'BEGIN {srand(seed); for (i = 0; i < 1000; i++)
        {id = 1 + int((items - 1) * rand() ^ 3); printf format "\n", id, id}}'
}
# Both get 1,000 writes each tenth of a second from here, in one request or pipe.
write_redis() { while :; do zipf 'ZINCRBY top 1 %d' | redis-cli -p 9631 --pipe >/dev/null; pause 0.1; done; }
write_tidal() {
    while :; do
        zipf '{"entity_id":%d,"signal":"view","user_id":%d}' |
            curl -s -H 'Content-Type: application/x-ndjson' -T - -X POST 'localhost:9632/signals?w=memory' >/dev/null
        pause 0.1
    done
}
stop_writers() {
    # shellcheck disable=SC2086  # a list of ids
    kill $writers && wait $writers 2>/dev/null || true
    writers=
}

echo "hardware: $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), load $(cut -d' ' -f1 /proc/loadavg)"
echo "versions: $("$bin/tidal-server" --version), $(redis-server --version | cut -d' ' -f1-3)"
refuse_taken 9631 9633
redis-server --port 9631 --dir "$work" --save '' >"$work/redis.log" &
if [ -x "$pg/initdb" ]; then
    mkdir "$work/pg" && { [ "$(id -u)" != 0 ] || chown postgres "$work/pg"; }
    as_user "$pg/initdb" -D "$work/pg/data" -A trust -U bench >/dev/null
    as_user "$pg/pg_ctl" -D "$work/pg/data" -w -o "-p 9633 -k '' -h 127.0.0.1 -c shared_buffers=1GB -c fsync=off" \
        -l "$work/pg/log" start >/dev/null
fi
sql() { psql -h 127.0.0.1 -p 9633 -U bench -qAt postgres "$@"; }

for items in "$@"; do
    echo "== $items items"
    "$bin/api_trending_bench" "$items"

    redis-cli -p 9631 flushall >/dev/null
    seq "$items" | awk 'BEGIN {srand(1)} {print "ZADD top " 20 * rand() " " $1}' | redis-cli -p 9631 --pipe >/dev/null

    begin_server 9632 standalone --data-dir "$work/data"
    seq "$items" | sed 's/.*/{"entity_id":&,"metadata":{"title":"item &"}}/' |
        curl -s -H 'Content-Type: application/x-ndjson' -T - -X POST 'localhost:9632/items' | tail -n 1
    seq 1 3 "$items" | sed 's/.*/{"entity_id":&,"signal":"view","user_id":&}/' |
        curl -s -H 'Content-Type: application/x-ndjson' -T - -X POST localhost:9632/signals | tail -n 1
    end_server # Rows come from the store, not from what was just written.
    begin_server 9632 standalone --data-dir "$work/data"
    until curl -sf 'localhost:9632/feed?profile=trending&limit=1' >/dev/null &&
        curl -s localhost:9632/metrics | grep -q '^tidal_shard_view_pages{shard="1"} [1-9]'; do pause 0.2; done

    # What a request costs that asks for nothing.
    "$bin/round_trips" 3 redis 9631 PING http 9632 /health/live
    # Both are written to while either is asked. With ids and scores alone as Redis gives them, and with every field.
    write_redis &
    writers=$!
    write_tidal &
    writers="$writers $!"
    for limit in 20 50; do
        redis-cli -p 9631 config resetstat >/dev/null
        feed="/feed?profile=trending&limit=$limit"
        "$bin/round_trips" 5 redis 9631 "ZREVRANGE top 0 $((limit - 1)) WITHSCORES" http 9632 "$feed&fields=" http 9632 "$feed"
        redis-cli -p 9631 info commandstats | grep zrevrange
    done
    stop_writers
    end_server
    rm -rf "$work/data"

    if [ -x "$pg/initdb" ]; then
        sql -c 'DROP TABLE IF EXISTS top' -c 'CREATE TABLE top (id bigint, title text, share float8, view float8, viewers float8)' \
            -c "INSERT INTO top SELECT n, 'item ' || n, 20 * random(), 50 * random(), 30 * random() FROM generate_series(1, $items) n" -c 'VACUUM ANALYZE top' 2>/dev/null
        for limit in 20 50; do
            echo "SELECT id, 0.5*ln(1+share) + 0.3*ln(1+view) + 0.2*ln(1+viewers) AS score FROM top ORDER BY score DESC, id LIMIT $limit" >"$work/query.sql"
            # A scan of millions takes seconds: several of them.
            "$pg/pgbench" -h 127.0.0.1 -p 9633 -U bench -n -M prepared -T $((3 + items / 500000)) -f "$work/query.sql" postgres 2>/dev/null |
                sed -n "s/^latency average = /pg    mean of a SELECT, top $limit: /p"
        done
    fi
done
