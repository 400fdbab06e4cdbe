#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work, port, reply and status come from lib.sh
# What a schema says of searches, through the door: languages, stop words, weights of fields, users as what is
# found, and slots of every storage and metric, of every kind; the same after kill -9.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

{
    cat <<'YAML'
items:
  fields:
    german: {type: text, language: german}
    english: {type: text, language: english, stop_words: [the, of]}
    plain: {type: text, language: none, k1: 0, b: 0}
    loud: {type: text, language: none, boost: 8}
  embeddings:
YAML
    for metric in cosine l2 dot; do
        for storage in f32 f16 int8; do echo "    ${metric}_$storage: {dimensions: 4, metric: $metric, storage: $storage}"; done
    done
    cat <<'YAML'
users:
  fields: {bio: text}
  embeddings: {taste: {dimensions: 2, metric: cosine, storage: f16}}
creators:
  fields: {name: text}
  embeddings: {style: {dimensions: 2, metric: dot, storage: int8}}
signals:
  like: {polarity: positive, half_life: 7d, sets: [liked]}
YAML
} >"$work/schema.yaml"
start() { start_server standalone --data-dir "$work/data" --schema "$work/schema.yaml" --shards 2 || finish; }
start

ids() { grep -o '"entity_id":[0-9]*' <<<"$reply" | sed 's/.*://' | tr '\n' ' '; }
expect_ids() { [ "$(ids)" = "$1" ] || fail "expected '$1', got '$(ids)' in: $reply"; }
search() { # WORDS [PARAMETERS]
    call GET "/search?query=$(jq -rn --arg words "$1" '$words | @uri')${2-}"
    expect 200
}
bulk() { # PATH, lines on the standard input
    curl -s -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port$1" >"$work/answers"
    [[ $(tail -n 1 "$work/answers") == *'"rejected":0}' ]] || fail "$1: $(cat "$work/answers")"
}

bulk /items <<'LINES'
{"entity_id":1,"metadata":{"german":"Alte Häuser am Fluss"}}
{"entity_id":2,"metadata":{"english":"Häuser of the rising"}}
{"entity_id":3,"metadata":{"english":"Houses of the holy","german":"Flüsse"}}
{"entity_id":4,"metadata":{"plain":"piano"}}
{"entity_id":5,"metadata":{"plain":"piano piano piano and some other words"}}
{"entity_id":6,"metadata":{"loud":"piano in a row of many words, which takes of its weight"}}
{"entity_id":7,"metadata":{"plain":"pianos"}}
{"entity_id":8,"metadata":{"plain":"ภาษาไทยง่ายมาก"}}
{"entity_id":9,"metadata":{"plain":"東京物語"}}
LINES
words() {
    search haus
    expect_ids "1 "
    search fluss
    expect_ids "3 1 "
    search 'german:fluss -english:house'
    expect_ids "1 "
    search house
    expect_ids "3 "
    search 'english:the'
    expect_ids ""
    search '"houses of the holy"'
    expect_ids "3 "
    search '"houses holy"'
    expect_ids ""
    # Alike however often and among how many words; the boost is what puts the first there. Without stems the plural is a typo.
    search piano
    expect_ids "6 4 5 7 "
    [ "$(jq '.items[1].text_score == .items[2].text_score and .items[0].text_score > 2 * .items[1].text_score' <<<"$reply")" = true ] ||
        fail "k1, b and boost: $reply"
    search ไทย
    expect_ids "8 "
    search 京物
    expect_ids "9 "
    search 京東
    expect_ids ""
}
words

bulk /users <<'LINES'
{"entity_id":21,"metadata":{"bio":"Plays the piano at night"}}
{"entity_id":22,"metadata":{"bio":"Pianist and painter"}}
{"entity_id":23,"metadata":{"bio":"Paints nights"}}
LINES
bulk /creators <<'LINES'
{"entity_id":31,"metadata":{"name":"Night Painters"}}
{"entity_id":32,"metadata":{"name":"Day Painters"}}
LINES
bulk /embeddings <<'LINES'
{"entity_id":21,"kind":"user","values":[1,0]}
{"entity_id":22,"kind":"user","values":[1,1]}
{"entity_id":23,"kind":"user","slot":"taste","values":[0,1]}
{"entity_id":31,"kind":"creator","values":[1,2]}
{"entity_id":32,"kind":"creator","slot":"style","values":[3,1]}
LINES
call POST /profiles '{"text":"profile like_me version 1 { candidates ann(taste, vector); score similarity(taste); }"}'
expect 200
call POST /profiles '{"text":"profile in_style version 1 { candidates ann(style, vector); score similarity(style); }"}'
expect 200
kinds() {
    search night '&kind=user&profile=old'
    expect_ids "21 23 "
    search painter '&kind=user&profile=old'
    expect_ids "22 "
    search night '&kind=creator'
    expect_ids "31 "
    search night
    expect_ids ""
    call POST /query "{\"query\":\"SEARCH users FOR 'piano' USING old\"}"
    expect 200
    expect_ids "21 "
    call GET '/feed?kind=user&profile=like_me&vector=0.1,1'
    expect 200
    expect_ids "23 22 21 "
    call GET '/feed?kind=creator&profile=in_style&vector=1,0'
    expect 200
    expect_ids "32 31 "
    jq -e '(.items[0].score - 3 | fabs < 0.03) and (.items[1].score - 1 | fabs < 0.03)' <<<"$reply" >/dev/null || fail "dot: $reply"
    call GET '/feed?kind=user&profile=in_style&vector=1,0'
    expect 400
}
kinds

# Item i is at the angle i / 10 and of the length 1 + i / 20; each slot's scores are those of its metric.
metrics="cosine l2 dot" storages="f32 f16 int8"
for metric in $metrics; do
    for storage in $storages; do
        seq 1 9 | jq -c --arg slot "${metric}_$storage" '{entity_id: ., slot: $slot,
            values: [(1 + . / 20) * (. / 10 | cos), (1 + . / 20) * (. / 10 | sin), 0, 0]}'
        printf '{"text":"profile %s version 1 { candidates ann(%s, vector); score similarity(%s); }"}\n' \
            "${metric}_$storage" "${metric}_$storage" "${metric}_$storage" >>"$work/profiles"
    done
done | bulk /embeddings
while read -r profile; do
    call POST /profiles "$profile"
    expect 200
done <"$work/profiles"
near() {
    for metric in $metrics; do
        for storage in $storages; do
            call GET "/feed?profile=${metric}_$storage&vector=1.5,0,0,0"
            expect 200
            jq -e --arg metric "$metric" --argjson most "$([ "$storage" = int8 ] && echo 0.02 || echo 0.001)" '
                def length_of: 1 + . / 20;
                def expected: if $metric == "cosine" then . / 10 | cos
                    elif $metric == "dot" then 1.5 * length_of * (. / 10 | cos)
                    else 1 / (1 + length_of * length_of + 2.25 - 3 * length_of * (. / 10 | cos)) end;
                (.items | length) == 9
                    and all(.items[]; .score - (.entity_id | expected) | fabs < $most)
                    and ([.items[].score] | . == (sort | reverse))' <<<"$reply" >/dev/null || fail "${metric}_$storage: $reply"
        done
    done
    call POST /search '{"query":"piano","vector":[1.5,0,0,0],"profile":"cosine_f32"}'
    expect 200
    expect_ids "4 5 6 7 "
}
near
stop_server KILL
start
words
kinds
near
stop_server TERM || fail "exit code after SIGTERM"
finish
