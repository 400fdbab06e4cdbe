#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# What every route has in common: versions and conditions, packed bodies, ids that are carried through,
# several writes of one connection under way at once.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

start_server standalone --data-dir "$work/data" --shards 2 || finish
url=http://127.0.0.1:$port

# header NAME: of the last reply that `ask` got. ask CURL_ARGS...: sets status and reply.
ask() {
    : >"$work/reply"
    status=$(curl -s -D "$work/head" -o "$work/reply" -w '%{http_code}' "$@")
    reply=$(tr -d '\0' <"$work/reply")
}
header() { sed -n "s/^$1: \(.*\)\r$/\1/Ip" "$work/head"; }
json=(-H 'Content-Type: application/json')

# Versions: a GET's ETag, 304 while it stands, 412 once it does not.
ask "${json[@]}" -d '{"entity_id":1,"metadata":{"title":"Tides"}}' "$url/items"
expect 200
first=$(header ETag)
[ -n "$first" ] || fail "a write answers an ETag"
ask "$url/items/1"
expect 200 '"title":"Tides"'
[ "$(header ETag)" = "$first" ] || fail "the ETag of a GET is $(header ETag), not the write's $first"
ask -H "If-None-Match: \"1\", $first" "$url/items/1"
expect 304
[ "$(header ETag)" = "$first" ] || fail "a 304 carries the ETag"
[ -s "$work/reply" ] && fail "a 304 has no body"
ask -X PATCH "${json[@]}" -H "If-Match: $first" -d '{"metadata":{"year":1999}}' "$url/items/1"
expect 200
second=$(header ETag)
[ "$second" != "$first" ] || fail "a change has another ETag"
ask -H "If-None-Match: $first" "$url/items/1"
expect 200 '"year":1999'
ask -X PATCH "${json[@]}" -H "If-Match: $first" -d '{"metadata":{"year":2000}}' "$url/items/1"
expect 412 '"code":"precondition_failed"'
ask "${json[@]}" -H "If-Match: $first" -d '{"entity_id":1,"metadata":{"year":2000}}' "$url/items"
expect 412
ask -X DELETE -H "If-Match: $first" "$url/items/1"
expect 412
ask "${json[@]}" -H 'If-Match: *' -d '{"entity_id":99,"metadata":{"year":2000}}' "$url/items"
expect 404
ask -X DELETE -H 'If-None-Match: *' "$url/items/1"
expect 400 '"field":"If-None-Match"'
ask "$url/items/1"
expect 200 '"year":1999'
ask -X DELETE -H "If-Match: $second" "$url/items/1"
expect 200
ask -H "If-None-Match: $second" "$url/items/1"
expect 404

# Packed bodies, both ways.
seq 1 200 | sed 's/.*/{"entity_id":&,"metadata":{"title":"A title that is long enough to be worth it &"}}/' >"$work/items"
gzip -k "$work/items"
zstd -q -k "$work/items"
for packed in gzip:gz zstd:zst; do
    ask -H 'Content-Type: application/x-ndjson' -H "Content-Encoding: ${packed%:*}" --data-binary "@$work/items.${packed#*:}" "$url/items"
    expect 200 '{"accepted":200,"rejected":0}'
    ask -H "Accept-Encoding: ${packed%:*}" "$url/feed?profile=new&limit=100"
    [ "$(header Content-Encoding)" = "${packed%:*}" ] || fail "the feed is not packed by ${packed%:*}"
    if [ "${packed%:*}" = gzip ]; then gzip -dc <"$work/reply"; else zstd -dcq <"$work/reply"; fi >"$work/plain"
    [[ $(cat "$work/plain") == *'"rank":100'* ]] || fail "the unpacked feed lacks its last item"
    [ "$(wc -c <"$work/reply")" -lt $(($(wc -c <"$work/plain") / 3)) ] || fail "the feed is hardly smaller"
done
printf '{"entity_id":7,"signal":"like"}' | gzip >"$work/signal.gz"
ask "${json[@]}" -H 'Content-Encoding: gzip' --data-binary "@$work/signal.gz" "$url/signals"
expect 200
ask "${json[@]}" -H 'Content-Encoding: br' -d '{}' "$url/signals"
expect 415 '"field":"Content-Encoding"' 'gzip or zstd'
head -c 100000000 /dev/zero | zstd -q >"$work/bomb.zst"
ask "${json[@]}" -H 'Content-Encoding: zstd' --data-binary "@$work/bomb.zst" "$url/signals"
expect 413
# An entity whose reply is packed has an ETag that names the packing; it is as good as the plain one.
printf '{"entity_id":300,"metadata":{"title":"%s"}}' "$(printf 'long %.0s' {1..500})" >"$work/long"
ask "${json[@]}" --data-binary "@$work/long" "$url/items"
expect 200
ask -H 'Accept-Encoding: gzip' "$url/items/300"
packed_tag=$(header ETag)
[[ $packed_tag == *-gzip\" ]] || fail "the ETag of a packed reply is $packed_tag"
ask -H "If-None-Match: $packed_tag" "$url/items/300"
expect 304
ask -X PATCH "${json[@]}" -H "If-Match: $packed_tag" -d '{"metadata":{"year":1999}}' "$url/items/300"
expect 200

# Ids that are carried through.
trace=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
ask -H 'X-Request-Id: mine-1' -H "traceparent: $trace" "$url/healthz"
[ "$(header X-Request-Id)" = mine-1 ] || fail "X-Request-Id is not carried through"
[ "$(header traceparent)" = "$trace" ] || fail "traceparent is not carried through"
ask "$url/healthz"
[[ $(header X-Request-Id) =~ ^[0-9a-f]{16}$ ]] || fail "a request without an id gets one"

# Many writes of one connection under way at once, the last word at the end, and a read that sees all.
request() {
    printf '%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' "$1" "$2" ${#3} "$3"
}
{
    for year in {1800..1999}; do
        request POST /items "{\"entity_id\":5,\"metadata\":{\"year\":$year}}"
        request POST /signals '{"entity_id":5,"signal":"like"}'
    done
    request DELETE /items/6 ''
    printf 'GET /items/5 HTTP/1.1\r\nHost: localhost\r\n\r\n'
    printf 'GET /items/6 HTTP/1.1\r\nHost: localhost\r\n\r\n'
    printf 'GET /items/5/signals HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
} >"$work/pipeline"
exec 3<>"/dev/tcp/127.0.0.1/$port"
cat "$work/pipeline" >&3 &
reply=$(cat <&3)
exec 3>&-
wait $!
answers() { grep -o 'HTTP/1.1 [0-9]*' <<<"$reply" | grep -c "$1"; }
[ "$(answers 200)" = 403 ] || fail "403 good replies, not $(answers 200)"
[ "$(answers 404)" = 1 ] || fail "the deleted item is gone"
[[ $reply == *'"year":1999'* ]] || fail "the last write stands"
[[ $reply == *'"total":200.0'* || $reply == *'"total":2E2'* || $reply == *'"total":200'* ]] || fail "all likes count: ${reply: -600}"

# Neighbours that are handled together keep their own answers: good, wrong, keyed, an array, unknown.
{
    request POST /signals '{"entity_id":8,"signal":"like"}'
    request POST /signals '{"entity_id":8,"signal":"lik"}'
    request POST /signals 'not json'
    request POST /signals '[{"entity_id":8,"signal":"like"},{"entity_id":8,"signal":"like"}]'
    request POST '/signals?w=memory' '{"entity_id":8,"signal":"like"}'
    for _ in 1 2; do
        printf 'POST /signals HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nIdempotency-Key: once\r\nContent-Length: 31\r\n\r\n%s' '{"entity_id":8,"signal":"like"}'
    done
    request POST /signals '{"entity_id":123456789,"signal":"like"}'
    request PATCH /items/123456789 '{"metadata":{"year":1}}'
    request POST /signals '{"entity_id":8,"signal":"like"}'
    printf 'GET /items/8/signals HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
} >"$work/pipeline"
exec 3<>"/dev/tcp/127.0.0.1/$port"
cat "$work/pipeline" >&3
reply=$(cat <&3)
exec 3>&-
found=$(grep -o 'HTTP/1.1 [0-9]*' <<<"$reply" | cut -d' ' -f2 | tr '\n' ' ')
[ "$found" = "200 400 400 200 200 200 200 404 404 200 200 " ] || fail "mixed writes answer $found"
[[ $reply == *'"repeated":true'* ]] || fail "the second of one key is a repeat"
[[ $reply == *'"may_be_lost":true'* ]] || fail "w=memory holds for its own request"
[[ $reply == *'"like":{"decayed":'*'"total":6'* ]] || fail "six likes count: ${reply: -700}"

stop_server TERM || fail "the server stops with code $?"
finish
