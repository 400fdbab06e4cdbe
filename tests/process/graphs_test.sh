#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work, port, reply and status come from lib.sh
# What is near, through graphs made in the background, through the doors of the real programs: the
# way that explain tells, every effort, filters, changes, and the same at once after a restart, from
# the graphs' files, or after a while without them.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

# A second slot, whose vectors are long enough that their codes are worth comparing.
sed 's/^\( *\)default: {dimensions: 4.*/&\n\1wide: {dimensions: 128, metric: cosine, storage: f32}/' "$root/config/default-schema.yaml" >"$work/schema.yaml"
start_graphs() {
    start_server standalone --data-dir "$work/data" --schema "$work/schema.yaml" --graph-vectors-min 1000 --checkpoint-interval-ms 1000 || finish
}
start_graphs
items=15000
awk -v n=$items 'BEGIN { for (i = 1; i <= n; i++)
    printf "{\"entity_id\":%d,\"metadata\":{\"title\":\"t\",\"category\":\"%s\"}}\n", i, i % 50 == 0 ? "rare" : "many" }' >"$work/items"
# On a ring, a little apart in two more dimensions: near in number is near.
awk -v n=$items 'BEGIN { for (i = 1; i <= n; i++) { a = i * 6.283185307 / n
    printf "{\"entity_id\":%d,\"slot\":\"default\",\"values\":[%.6f,%.6f,%.6f,0.1]}\n", i, cos(a), sin(a), 0.001 * (i % 7) } }' >"$work/vectors"
awk -v n=$items 'BEGIN { srand(5); for (i = 1; i <= n; i++) {
    printf "{\"entity_id\":%d,\"slot\":\"wide\",\"values\":[%.2f", i, rand() - 0.5
    for (at = 1; at < 128; at++) printf ",%.2f", rand() - 0.5
    print "]}" } }' >"$work/wide"
bulk() {
    reply=$(curl -s -H 'Content-Type: application/x-ndjson' --data-binary "@$2" "http://127.0.0.1:$port$1")
    [[ $reply == *'"rejected":0'* || $reply != *'"error"'* ]] || fail "bulk $1: ${reply:0:300}"
}
bulk /items "$work/items"
bulk /embeddings "$work/vectors"
bulk /embeddings "$work/wide"
call POST /profiles '{"text":"profile near_wide version 1 { candidates ann(wide) limit 10; score similarity(wide); }"}'
expect 200
call POST /profiles '{"text":"profile near version 1 { candidates ann(default) limit 10; score similarity(default); }"}'
expect 200

near() {
    call POST /feed "{\"profile\":\"near\",\"vector\":[$1],\"explain\":true,\"fields\":[]${2-}}"
    expect 200 '"sources":['
}
ids() { grep -o '"entity_id":[0-9]*' <<<"$reply" | sed 's/.*://' | tr '\n' ' '; }
path() { sed -n 's/.*"path":"\([^"]*\)".*/\1/p' <<<"$reply"; }
expect_path() { [ "$(path)" = "$1" ] || fail "expected the path $1, got '$(path)': ${reply: -500}"; }
# So many vectors that some graph has as they are.
graphed() {
    call GET /metrics
    awk '/^tidal_shard_graph_vectors\{/ { sum += $2 } END { print sum + 0 }' <<<"$reply"
}
wait_for_graphs() {
    local deadline=$((SECONDS + 120))
    until [ "$(graphed)" -ge "$1" ]; do
        [ $SECONDS -gt $deadline ] && fail "only $(graphed) vectors are in graphs" && return
        pause
    done
}
# Every graph has a file, and no file is left of one that another took the place of.
filed() {
    call GET /metrics
    awk '/^tidal_shard_graphs\{/ { graphs += $2 } /^tidal_shard_graphs_filed\{/ { filed += $2 }
        END { exit !(graphs > 0 && graphs == filed) }' <<<"$reply" || return
    [ "$(find "$work/data" -name '*.graph*' | wc -l)" = "$(awk '/^tidal_shard_graphs\{/ { sum += $2 } END { print sum }' <<<"$reply")" ]
}
# Graphs and vectors lie in the files, each mapped: memory has little of either.
read_in_files() {
    call GET /metrics
    awk '/^tidal_shard_(graph|vector)_bytes\{/ { memory += $2 }
        /^tidal_shard_graph_mapped_bytes\{/ { graphs += $2 } /^tidal_shard_vector_mapped_bytes\{/ { vectors += $2 }
        END { exit !(graphs > memory && vectors > 2 * memory) }' <<<"$reply" || return
    [ "$(grep -c '\.graph$' "/proc/$server_pid/maps")" = "$(find "$work/data" -name '*.graph' | wc -l)" ]
}
compare_efforts() {
    near 0.5,-0.8,0.003,0.1 ',"effort":"exact"'
    expect_path scan
    exact=$(ids)
    near 0.5,-0.8,0.003,0.1
    expect_path graph
    [ "$(ids)" = "$exact" ] || fail "graph '$(ids)', exact '$exact'"
    near 0.5,-0.8,0.003,0.1 ',"effort":"high"'
    [ "$(ids)" = "$exact" ] || fail "high '$(ids)', exact '$exact'"
    near 0.5,-0.8,0.003,0.1 ',"filter":"category = '"'rare'"'"'
    expect_path scan
    [ "$(ids | wc -w)" = 10 ] || fail "ten match, and more: '$(ids)'"
    call POST /feed "{\"profile\":\"near_wide\",\"vector\":[0.5$(printf ',0.1%.0s' {1..127})],\"explain\":true,\"fields\":[],\"filter\":\"category = 'rare'\"}"
    expect_path codes
    [ "$(ids | wc -w)" = 10 ] || fail "ten match, and more: '$(ids)'"
}

wait_for_graphs $((2 * items - 2200))
compare_efforts
near 1,0,0,0.1 ',"filter":"category != '"'rare'"'"'
expect_path graph
call POST /query '{"query":"RETRIEVE items USING near VECTOR (1, 0, 0, 0.1) EFFORT EXACT EXPLAIN"}'
expect 200 '"path":"scan"' 'effort=exact compares every candidate'
call GET "/feed?profile=near&vector=1,0,0,0.1&effort=low&explain=true"
expect 200 '"path":"graph"'
call GET "/feed?profile=near&vector=1,0,0,0.1&effort=most"
expect 400 '"field":"effort"' 'unknown effort'
call POST /query '{"query":"RETRIEVE items USING near VECTOR (1, 0, 0, 0.1) EFFORT MOST"}'
expect 400 'LOW, DEFAULT, HIGH or EXACT'

# What changed since the graph counts at once; what is deleted is near to nothing.
call POST '/embeddings' '{"entity_id":2500,"slot":"default","values":[1,0,0,0.1]}'
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$reply")
call DELETE "/items/$items"
call GET "/items/2500?token=$token"
near 1,0,0,0.1
expect_path graph
[[ $(ids) == "2500 "* ]] || fail "the new vector is not first: $(ids)"
[[ " $(ids)" != *" $items "* ]] || fail "a deleted item is shown: $(ids)"

# After a crash, and after a stop, the graphs are there at once. What changed since their files were
# written is compared exactly.
check_changed() {
    near 1,0,0,0.1
    expect_path graph
    [[ $(ids) == "2500 "* ]] || fail "$1: the new vector is not first: $(ids)"
    [[ " $(ids)" != *" $items "* ]] || fail "$1: a deleted item is shown: $(ids)"
}
poll 60 filed || fail "the graphs are not written: $(find "$work/data" -name '*.graph*')"
poll 60 read_in_files || fail "not read in files: $(grep '^tidal_shard_.*_bytes' <<<"$reply"; grep '\.graph' "/proc/$server_pid/maps")"
compare_efforts
call POST '/embeddings' '{"entity_id":7000,"slot":"default","values":[0.5,-0.8,0.003,0.1]}'
near 0.5,-0.8,0.003,0.1
before=$(ids)
for signal in KILL TERM; do
    stop_server $signal
    start_graphs
    check_changed "after $signal"
    near 0.5,-0.8,0.003,0.1
    [ "$(ids)" = "$before" ] || fail "after $signal: '$(ids)', before '$before'"
    [[ $before == "7000 "* ]] || fail "a vector newer than the files is not first: $before"
    poll 60 read_in_files || fail "after $signal: not read in files: $(grep '^tidal_shard_.*_bytes' <<<"$reply")"
    compare_efforts
done

# A damaged file is said, and costs time alone: until the graph is made again all are compared.
poll 60 filed || fail "the graphs are not kept"
stop_server TERM
find "$work/data" -name '*.graph' | while read -r file; do
    printf 'X' | dd of="$file" bs=1 seek=5000 conv=notrunc status=none
done
start_graphs
grep -q 'a file of a graph of vectors cannot be used' "$server_log" || fail "damage is not said: $(cat "$server_log")"
near 0.5,-0.8,0.003,0.1
expect_path scan
[ "$(ids)" = "$before" ] || fail "with a damaged file: '$(ids)', before '$before'"
wait_for_graphs $((2 * items - 2200))
poll 60 filed || fail "the graphs are not written again"
check_changed "after damage"
stop_server TERM
finish
