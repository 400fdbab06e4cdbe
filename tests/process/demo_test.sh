#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# The demo imports the sample once, prints feeds with titles, and serves; import and export agree.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

start_server demo --data-dir "$work/data" --sample "$root/examples" || finish
grep -q 'Shawshank Redemption' "$server_log" || fail "no titles printed: $(cat "$server_log")"
call GET '/feed?profile=most_liked&limit=3'
expect 200 '"rank":1' '"candidates":9742' '"title":"Shawshank Redemption, The (1994)"'
call GET "/feed?profile=top_all&limit=2&filter=genres%20HAS%20'Sci-Fi'%20AND%20year%20%3E%3D%201999"
expect 200 'Matrix, The (1999)'
signals=$(curl -s "http://127.0.0.1:$port/export/signals" | grep -c '"signal":')
[ "$signals" = 162939 ] || fail "exported $signals signals"
stop_server INT || fail "SIGINT should exit 0"
start_server demo --data-dir "$work/data" --sample "$root/examples" || finish
grep -q 'imported before' "$server_log" || fail "the second run imports again: $(cat "$server_log")"
call GET '/feed?profile=most_liked&limit=1'
expect 200 '"title":"Shawshank Redemption, The (1994)"'
stop_server INT || fail "SIGINT should exit 0"

# The same files through the door.
start_server standalone --data-dir "$work/door" --shards 3 || finish
for _ in 1 2; do
    "$bin/tidalctl" import --url "http://127.0.0.1:$port" --mapping "$root/examples/movielens/mapping.yaml" \
        --time-shift end:now "$root/examples/data/movielens-latest-small" 2>/dev/null >>"$work/imported"
done
grep -q '"accepted":172681,"skipped":0,"rejected":0' "$work/imported" || fail "first import: $(cat "$work/imported")"
tail -n 1 "$work/imported" | grep -q '"accepted":0,.*"imported_before":true' || fail "second import: $(cat "$work/imported")"
call GET '/feed?profile=most_liked&limit=1'
expect 200 '"title":"Shawshank Redemption, The (1994)"'
finish
