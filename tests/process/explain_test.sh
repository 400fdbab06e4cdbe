#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, work, port, status and reply come from lib.sh
# Why an item has its score: at every door the terms, added in order, are the score to the last bit,
# and each feature says whether something stands in for what the item lacks.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

cat >"$work/schema.yaml" <<'YAML'
items:
  fields:
    title: text
    category: keyword
    year: {type: int, default: 1903}
    price: float
    place: geo
  embeddings:
    default: {dimensions: 2}
users:
  fields:
    language: keyword
signals:
  view: {polarity: neutral, half_life: 1d, unique: 24h}
  like: {polarity: positive, half_life: 7d, sets: [liked]}
  share: {polarity: positive, half_life: 7d}
  comment: {polarity: positive, half_life: 7d}
  skip: {polarity: negative, half_life: 7d}
  impression: {half_life: 7d}
YAML
start_server standalone --data-dir "$work/data" --schema "$work/schema.yaml" --shards 2 || finish
tell() { # PATH, lines from standard input
    curl -s -H 'Content-Type: application/x-ndjson' --data-binary @- "http://127.0.0.1:$port$1" >"$work/told"
    grep -q '"rejected":0' "$work/told" || fail "$1: $(tail -n 2 "$work/told")"
}
call POST /cohorts "$(jq -n '{text: "cohort french version 1 { tracks view, like; at_least 1 events; where language = '"'fr'"'; }"}')"
expect 200
call POST /users '{"entity_id":7,"metadata":{"language":"fr"}}'
expect 200
for i in {1..40}; do
    fields="\"title\":\"tide number $i\",\"category\":\"c$((i % 3))\""
    [ $((i % 2)) = 0 ] && fields+=",\"year\":$((1950 + i))"
    [ $((i % 3)) = 0 ] && fields+=",\"price\":$i.1,\"place\":{\"lat\":$i.7,\"lon\":11.3}"
    echo "{\"entity_id\":$i,\"creator_id\":$((100 + i % 5)),\"metadata\":{$fields}}"
done | tell /items
for i in {1..40}; do
    [ $((i % 4)) = 0 ] || echo "{\"entity_id\":$i,\"values\":[0.$i,0.3]}"
done | tell /embeddings
for i in {1..40}; do
    for signal in view like share comment skip; do
        echo "{\"entity_id\":$i,\"signal\":\"$signal\",\"weight\":$((i * 7 % 97 + 1)).375,\"user_id\":$((i % 6 + 4))}"
        [ $((i % 2)) = 0 ] || echo "{\"entity_id\":$((i * 3 % 40 + 1)),\"signal\":\"$signal\",\"weight\":0.625,\"user_id\":$((i % 4 + 4))}"
    done
done | tell /signals
relate() { # KIND CREATOR
    call POST /relationships "{\"user_id\":7,\"kind\":\"$1\",\"creator_id\":$2}"
    expect 200
}
relate follows 101

# adds_up WHAT: every item of the last reply, which has some.
adds_up() {
    [ "$status" = 200 ] || fail "$1: $status: $reply"
    jq -e '[.. | objects | select(has("score") and has("rank"))] |
        length > 0 and all(.score as $score | (.explain.features | type == "array") and
            (reduce .explain.terms[].value as $value (0; . + $value)) == $score)' <<<"$reply" >/dev/null ||
        fail "$1: terms do not add up: $(jq -c '[.. | objects | select(has("score") and has("rank")) | {score, explain}] | .[:3]' <<<"$reply")"
}
# explained PROFILE_BODY TERM...: under that profile the terms of every item are just these.
number=0
explained() {
    local body=$1
    shift
    number=$((number + 1))
    call POST /profiles "$(jq -n --arg text "profile p$number version 1 { $body }" '{text: $text}')"
    expect 200
    call GET "/feed?profile=p$number&user_id=7&cohort=french&similar_to=1&limit=30&explain=true"
    adds_up "$body"
    jq -e --arg terms "$(printf '%s\n' "$@")" '.items | all(([.explain.terms[].term] | join("\n")) == $terms)' <<<"$reply" >/dev/null ||
        fail "$body: other terms: $(jq -c '.items[0].explain.terms' <<<"$reply")"
}

explained 'score sum(view, all) + sum(view, all);' 'sum(view, all)' 'sum(view, all)'
explained 'let a = log1p(sum(like, 7d)); score a + a - a + 0.1 * a;' a a -a '0.1 * a'
explained 'score log1p(positive(all)) / 3; penalty 0.7 when sum(view, all) > 0; penalty 0.7 when sum(view, all) > 0;' \
    'log1p(positive(all)) / 3' 'penalty 0.7 when sum(view, all) > 0' 'penalty 0.7 when sum(view, all) > 0'
explained 'score 0.1 * sum(like, all) - 0.3 * sum(skip, all) - 5; penalty 0.5 when year > 1970; penalty 0.9 when price;' \
    '0.1 * sum(like, all)' '-(0.3 * sum(skip, all))' -5 'penalty 0.5 when year > 1970' 'penalty 0.9 when price'
explained 'score sum(view, 24h) / 7 + if(age_hours < 6, 0.2, 0) + if(age_hours < 6, 0.2, 0); order score asc;' \
    'sum(view, 24h) / 7' 'if(age_hours < 6, 0.2, 0)' 'if(age_hours < 6, 0.2, 0)'
explained 'param x = 0.3; score param(x) * random(7) + param(x) * random(seed) + param(x) * random(7);' \
    'param(x) * random(7)' 'param(x) * random(seed)' 'param(x) * random(7)'
explained 'score decay(view) / 3 + decay(like) / 7 + unique(view, 24h) / 11 + rate(like, per view, 7d) + velocity(share, 24h);' \
    'decay(view) / 3' 'decay(like) / 7' 'unique(view, 24h) / 11' 'rate(like, per view, 7d)' 'velocity(share, 24h)'
explained 'candidates union(recent limit 9, window_top(view, 24h) limit 9 weight 0.3, ann(user) limit 9); score fused + rank(recent) * 7 + similarity(default) / 3 + affinity(creator) + follows(creator) + fused;' \
    fused 'rank(recent) * 7' 'similarity(default) / 3' 'affinity(creator)' 'follows(creator)' fused
explained 'score sum(view, all) + random(3) / 9; explore 30%; diversity max_per_creator 3;' 'sum(view, all)' 'random(3) / 9'
explained 'score year * 0.1 + distance_km(place, 48.1, 11.5) / 1000; order score asc;' 'year * 0.1' 'distance_km(place, 48.1, 11.5) / 1000'
jq -e '[.items[] | (.entity_id % 2 == 1) as $no_year | (.entity_id % 3 != 0) as $no_place |
    (.explain.features | map({key: .feature, value: .}) | from_entries) as $of |
    $of.year.missing == $no_year and ($no_year | not or $of.year.value == 1903) and
    $of["distance_km(place, 48.1, 11.5)"].missing == $no_place] | length > 20 and all' <<<"$reply" >/dev/null ||
    fail "features: $(jq -c '[.items[] | {entity_id, f: .explain.features}] | .[:4]' <<<"$reply")"
# The same feature of a cohort and of everybody are two.
explained 'score cohort(sum(view, 24h)) + sum(view, 24h);' 'cohort(sum(view, 24h))' 'sum(view, 24h)'
jq -e '[.items[].explain | ([.features[].feature] == ["cohort(sum(view, 24h))", "sum(view, 24h)"]) and
    [.features[].value] == [.terms[].value]] | all' <<<"$reply" >/dev/null || fail "features of a cohort: $reply"
jq -e '[.items[].explain.terms | .[0].value != .[1].value] | any' <<<"$reply" >/dev/null || fail "all views are French: $reply"

# The muted are told of; nothing else has another term.
relate mutes 102
relate mutes 103
for profile in most_viewed p2; do
    call GET "/feed?profile=$profile&user_id=7&explain=true&limit=40"
    adds_up "$profile for who mutes"
    jq -e '.items | all(([.explain.terms[].term] | index("muted creator") != null) == (.creator_id | IN(102, 103)))' <<<"$reply" >/dev/null ||
        fail "muting: $(jq -c '.items[0]' <<<"$reply")"
done
for profile in trending hot rising new old controversial hidden_gems shuffle top_year most_liked alphabetical_asc alphabetical_desc for_you notification; do
    call GET "/feed?profile=$profile&user_id=7&explain=true&limit=40&params.daily_cap=40"
    [ "$status" = 200 ] || call GET "/feed?profile=$profile&user_id=7&explain=true&limit=40"
    adds_up "$profile"
done
# Every door.
call GET "/feed?profile=trending&explain=true&sort=year%20desc&pin=4&bury=3&limit=40"
adds_up "another order"
call POST /feed '{"profile":"trending","explain":true,"sort":"title asc","limit":40}'
adds_up "another order, by a text"
call GET "/feed/compare?profile=p1&with=p3&explain=true"
adds_up "a comparison"
call GET "/search?query=tide&explain=true"
adds_up "a search"
call GET "/items/1/related?explain=true"
adds_up "what is related"
call POST /query '{"query":"SEARCH items FOR '"'tide'"' FOR USER 7 VECTOR (0.1, 0.2) EXPLAIN"}'
adds_up "a query"
call GET "/feed?profile=p10&limit=1"
[[ $reply != *explain* ]] || fail "explained though nobody asked: $reply"

export TIDAL_URL=http://127.0.0.1:$port
table=$("$bin/tidalctl" query 'RETRIEVE items USING p10 WHERE year IS NULL AND place IS NULL GROUP BY category PIN 7 LIMIT 1 EXPLAIN') || fail "tidalctl query"
want='entity_id term value
7 year * 0.1 190.3
7 distance_km(place, 48.1, 11.5) / 1000 0
7 = score 190.3

entity_id feature value
7 year 1903 (the item has none)
7 distance_km(place, 48.1, 11.5) 0 (the item has none)'
[[ $(tr -s ' ' <<<"$table") == *"$want"* ]] || fail "expected"$'\n'"$want"$'\n'"in"$'\n'"$table"
[[ $table == *"7          pinned"* && $table == *"group c1"* ]] || fail "no place in $table"
stop_server INT
finish
