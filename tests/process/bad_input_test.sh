#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# Every mistake a client can make gets a 4xx that names it, and changes nothing.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

start_server standalone --data-dir "$work/data" || finish
call POST /items '{"entity_id":1,"metadata":{"title":"Jazz Piano","year":1999},"creator_id":3}'
expect 200
call POST /signals '{"entity_id":1,"signal":"view","at":"2026-01-01T00:00:00Z"}'
expect 200

snapshot() {
    call GET /items/1
    printf '%s\n' "$reply"
    call GET /creators/3/signals
    sed 's/"at":"[^"]*"//; s/"decayed":[^,]*//g' <<<"$reply"
    call GET /health
    sed 's/.*\("items":[0-9]*,"users":[0-9]*,"creators":[0-9]*\).*/\1/' <<<"$reply"
}
snapshot >"$work/before"

# status | code | field | method | path | body
while IFS='|' read -r want code field method path body; do
    [ -z "$want" ] && continue
    call "$method" "$path" "$body"
    expect "$want" "\"code\":\"$code\"" '"title":' '"detail":'
    [ -n "$field" ] && expect "$want" "\"field\":\"$field\""
done <<'CASES'
400|unknown_field|colour|POST|/items|{"entity_id":2,"colour":"red"}
400|unknown_field|metadata.tilte|POST|/items|{"entity_id":2,"metadata":{"tilte":"x"}}
400|wrong_type|metadata.title|POST|/items|{"entity_id":2,"metadata":{"title":7}}
400|wrong_type|metadata.year|POST|/items|{"entity_id":2,"metadata":{"year":"1999"}}
400|wrong_type|metadata.year|POST|/items|{"entity_id":2,"metadata":{"year":1999.5}}
400|wrong_type|metadata.genres|POST|/items|{"entity_id":2,"metadata":{"genres":[1]}}
400|missing_field|entity_id|POST|/items|{"metadata":{"title":"x"}}
400|bad_id|entity_id|POST|/items|{"entity_id":-1}
400|bad_id|entity_id|POST|/items|{"entity_id":1.5}
400|bad_number||POST|/items|{"entity_id":18446744073709551616}
400|bad_id|entity_id|POST|/items|{"entity_id":"18446744073709551616"}
400|bad_id|entity_id|POST|/items|{"entity_id":"one"}
400|invalid_argument|entity_id|POST|/items|{"entity_id":2,"entity_id":3}
400|invalid_argument|created_at|POST|/items|{"entity_id":2,"created_at":"yesterday"}
400|wrong_type||POST|/items|[1,2]
400|not_json||POST|/items|{"entity_id":2,
400|not_json||POST|/items|{"entity_id":2} x
400|not_json||POST|/items|{"entity_id":NaN}
400|too_deep||POST|/items|{"entity_id":2,"metadata":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}
400|invalid_argument|publish_at|POST|/users|{"entity_id":2,"publish_at":5}
404|unknown_item||PATCH|/items/77|{"metadata":{"title":"x"}}
404|unknown_item||DELETE|/items/77|
404|unknown_item||GET|/items/77|
404|unknown_item||GET|/items/77/signals|
400|bad_id|entity_id|GET|/items/seven|
400|unknown_signal|signal|POST|/signals|{"entity_id":1,"signal":"veiw"}
400|missing_field|signal|POST|/signals|{"entity_id":1}
404|unknown_item|entity_id|POST|/signals|{"entity_id":77,"signal":"view"}
400|invalid_argument|weight|POST|/signals|{"entity_id":1,"signal":"view","weight":0.0000001}
400|invalid_argument|weight|POST|/signals|{"entity_id":1,"signal":"view","weight":2000000}
400|bad_number||POST|/signals|{"entity_id":1,"signal":"view","weight":1e999}
400|wrong_type|weight|POST|/signals|{"entity_id":1,"signal":"view","weight":"1"}
400|at_in_future|at|POST|/signals|{"entity_id":1,"signal":"view","at":"2999-01-01T00:00:00Z"}
400|bad_id|user_id|POST|/signals|{"entity_id":1,"signal":"view","user_id":-4}
400|invalid_argument|weight|POST|/signals|{"undo":"k","entity_id":1,"weight":2}
404|unknown_undo_key|undo|POST|/signals|{"undo":"k","entity_id":1}
400|bad_id|session_id|POST|/signals|{"undo":"k","entity_id":1,"session_id":"mine"}
404|unknown_session|session_id|POST|/signals|{"undo":"k","entity_id":1,"session_id":1025}
400|wrong_dimension|values|POST|/embeddings|{"entity_id":1,"values":[1,2,3]}
400|zero_vector|values|POST|/embeddings|{"entity_id":1,"values":[0,0,0,0]}
400|unknown_slot|slot|POST|/embeddings|{"entity_id":1,"slot":"images","values":[1,2,3,4]}
400|invalid_argument|values[1]|POST|/embeddings|{"entity_id":1,"values":[1,1e300,3,4]}
400|not_json||POST|/embeddings|{"entity_id":1,"values":[1,NaN,3,4]}
400|not_json||POST|/search|{"query":"jazz","vector":[NaN,0,0,0]}
400|invalid_argument|vector[0]|GET|/search?query=jazz&vector=nan,0,0,0|
400|invalid_argument|vector[1]|GET|/search?query=jazz&vector=0,-inf,0,0|
400|wrong_dimension|vector|GET|/search?query=jazz&vector=1,2,3|
400|invalid_argument|stats|GET|/search?query=jazz&stats=rough|
404|unknown_item||POST|/embeddings|{"entity_id":77,"values":[1,2,3,4]}
400|unknown_profile|profile|GET|/feed?profile=trendign|
400|invalid_argument|limit|GET|/feed?limit=0|
400|invalid_argument|limit|GET|/feed?limit=1001|
400|invalid_argument|limit|GET|/feed?limit=ten|
400|unknown_parameter|limt|GET|/feed?limt=10|
400|invalid_cursor|cursor|GET|/feed?cursor=abc|
400|invalid_argument|token|GET|/feed?token=abc|
400|write_concern|w|POST|/items?w=|{"entity_id":2}
400|write_concern|w|POST|/items?w=3|{"entity_id":2}
400|invalid_argument|wait|POST|/items?wait=1|{"entity_id":2}
400|invalid_argument|wait|POST|/signals?wait=indexed&w=memory|{"entity_id":1,"signal":"view"}
400|unknown_parameter|await|POST|/items?await=indexed|{"entity_id":2}
404|unknown_path||GET|/itmes|
405|method_not_allowed||PUT|/items|{}
400|invalid_argument||PUT|/schema|{"schema":"kinds: ["}
409|schema_not_an_addition||PUT|/schema|{"schema":"signals:\n  view: {half_life: 1h}\n"}
409|single_node||POST|/health/drain|
CASES

# Types a web form can send, foreign hosts, no type at all, and a body over the limit.
call POST /items '' 'Content-Type: text/plain' && expect 415
status=$(curl -s -o "$work/reply" -w '%{http_code}' -H 'Content-Type: text/plain' --data-binary '{"entity_id":2}' "http://127.0.0.1:$port/items")
expect 415
status=$(curl -s -o "$work/reply" -w '%{http_code}' -H 'Host: evil.example' "http://127.0.0.1:$port/health")
expect 403
head -c 17000000 /dev/zero | tr '\0' ' ' >"$work/huge"
status=$(curl -s -o "$work/reply" -w '%{http_code}' -H 'Content-Type: application/json' -H 'Expect:' --data-binary "@$work/huge" "http://127.0.0.1:$port/items")
expect 413
status=$(curl -s -o "$work/reply" -w '%{http_code}' -H "X-Long: $(head -c 20000 /dev/zero | tr '\0' x)" "http://127.0.0.1:$port/health")
expect 431

# Half a request, and a client that goes away.
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'POST /items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"entity_id":2' >&3
exec 3>&-

snapshot >"$work/after"
diff "$work/before" "$work/after" || fail "refused requests changed something"

# Bad lines in the middle of a bulk: each is answered, good lines are kept.
printf '%s\n' '{"entity_id":1,"signal":"like"}' 'not json' '{"entity_id":1,"signal":"lik"}' '' \
    '{"entity_id":99,"signal":"like"}' '{"entity_id":1,"signal":"like"}' >"$work/bulk"
curl -s -H 'Content-Type: application/x-ndjson' --data-binary "@$work/bulk" "http://127.0.0.1:$port/signals" >"$work/answers"
mapfile -t answer <"$work/answers"
[ "${#answer[@]}" = 7 ] || fail "expected 6 answers and a summary: $(cat "$work/answers")"
for i in 0 5; do [[ ${answer[$i]} == *'"status":"ok"'* ]] || fail "line $((i + 1)): ${answer[$i]}"; done
[[ ${answer[1]} == *'"code":"not_json"'*'"line":2'* ]] || fail "line 2: ${answer[1]}"
[[ ${answer[2]} == *'"code":"unknown_signal"'*'"line":3'* ]] || fail "line 3: ${answer[2]}"
[[ ${answer[3]} == *'"line":4'* ]] || fail "line 4: ${answer[3]}"
[[ ${answer[4]} == *'"code":"unknown_item"'*'"line":5'* ]] || fail "line 5: ${answer[4]}"
[ "${answer[6]}" = '{"accepted":2,"rejected":4}' ] || fail "summary: ${answer[6]}"
call GET /items/1/signals
expect 200 '"like":{"decayed":' '"total":2.0'

# A text of ten thousand words is answered for its first ones. Of ten thousands of words that begin alike
# a beginning finds the most frequent, the last in the alphabet here; looking at them is little work.
awk 'BEGIN { printf "{\"query\":\""; for (i = 0; i < 10000; i++) printf "w%d ", i; printf "jazz\"}" }' >"$work/many_words"
call POST /search "@$work/many_words"
expect 200 'only the first' '"items":[]'
awk 'BEGIN { for (i = 0; i < 100; i++) { printf "{\"entity_id\":%d,\"metadata\":{\"title\":\"", 1000 + i
    for (j = 0; j < 1000; j++) printf "q%c%c%c%05d ", 97 + i % 25, 97 + j % 26, 97 + j % 23, 1000 * i + j; print "\"}}" } }' >"$work/large"
for id in 1 2 3 4; do echo "{\"entity_id\":$((2000 + id)),\"metadata\":{\"title\":\"qzzz\"}}"; done >>"$work/large"
curl -s -H 'Content-Type: application/x-ndjson' --data-binary "@$work/large" "http://127.0.0.1:$port/items" >"$work/answers"
[ "$(tail -n 1 "$work/answers")" = '{"accepted":104,"rejected":0}' ] || fail "summary: $(tail -n 1 "$work/answers")"
call GET '/search?query=q*&limit=20&explain=true&fields=category'
expect 200 'a prefix stands for more words than are searched for: the most frequent are' '"term":"qzzz"'
for id in 2001 2002 2003 2004; do [[ $reply == *"\"entity_id\":$id"* ]] || fail "not found by its beginning: $reply"; done
stop_server INT || fail "SIGINT should exit 0"
finish
