#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# Models: put, called by a profile, replaced, kept over kill -9, and refused when a profile would break.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

model_text() { # FEATURES THRESHOLD: 10 where the first feature is above it, else 1; plus 0.25
    printf 'tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nfeature_names=%s\nfeature_infos=none none\n\n' "$1"
    printf 'Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=%s\ndecision_type=2\nleft_child=-1\nright_child=-2\n' "$2"
    printf 'leaf_value=1 10\nis_linear=0\nshrinkage=1\n\n\nTree=1\nnum_leaves=1\nleaf_value=0.25\n\n\nend of trees\n'
}
put_model() { # NAME FEATURES THRESHOLD
    status=$(model_text "$2" "$3" | curl -s -o "$work/reply" -w '%{http_code}' -X PUT -H 'Content-Type: application/octet-stream' \
        --data-binary @- "http://127.0.0.1:$port/models/$1")
    reply=$(cat "$work/reply")
}
scores() { # the scores of the feed in the order of ids
    call GET '/feed?profile=trees&explain=true'
    expect 200
    grep -o '"entity_id":[0-9]*,"rank":[0-9]*,"score":[-0-9.E+]*' <<<"$reply" | sed 's/"entity_id":\([0-9]*\).*"score":/\1=/' | sort | tr '\n' ' '
}

start_server standalone --data-dir "$work/data" --shards 2 || finish
for id in 1 2 3; do
    call POST /items "{\"entity_id\":$id,\"metadata\":{\"title\":\"item $id\",\"year\":199$id}}"
    expect 200
done
profile='{"text":"profile trees version 1 { let late = 2 * year; score model(hits); }"}'
call POST /profiles "$profile"
expect 400 '"code":"unknown_model"' '"column":'
put_model hits 'late year' 3983
expect 200 '"name":"hits"' '"version":1' '"created":true'
put_model hits 'late year' 3983
expect 200 '"version":1' '"created":false'
put_model hots 'late year' 1
expect 200
call POST /profiles "${profile/hits/hitz}"
expect 400 'did you mean `hits`?'
call POST /profiles "$profile"
expect 200 '"created":true'
[ "$(scores)" = "1=1.25 2=10.25 3=10.25 " ] || fail "scores: $(scores)"

put_model hits 'late watched' 3983
expect 409 '"code":"model_in_use"' 'profile `trees@1`' 'watched'
put_model 'Hits' 'late year' 1
expect 400 '"field":"name"'
call PUT /models/hits '{"text":"tree\nversion=v4\n"}'
expect 400 '"line":'
call PUT /models/hits '{"txt":"tree"}'
expect 400 '"field":"txt"'
head -c 4194305 /dev/zero >"$work/large"
status=$(curl -s -o "$work/reply" -w '%{http_code}' -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$work/large" \
    "http://127.0.0.1:$port/models/hits")
reply=$(cat "$work/reply")
expect 413 '"bytes_max":4194304'
call DELETE /models/hits
expect 409 '"code":"model_in_use"'
call DELETE /models/none
expect 404
call GET /models/none
expect 404 '"field":"name"'
[ "$(scores)" = "1=1.25 2=10.25 3=10.25 " ] || fail "scores after refusals: $(scores)"

put_model hits 'late year' 3985
expect 200 '"version":2' '"created":true'
call POST /profiles '{"text":"profile late version 1 { let late = 2 * year; let tree = model(hits); require model(hits) > 2; score tree; }"}'
expect 200
check() {
    [ "$(scores)" = "1=1.25 2=1.25 3=10.25 " ] || fail "scores of version 2: $(scores)"
    # What a request sorts by knows them, too.
    call GET '/feed?profile=late&sort=year'
    expect 200 '"entity_id":3,"rank":1,"score":1993' '"matched":1'
    call GET '/feed?profile=late&sort=tree%2Bmodel(hits)'
    expect 200 '"entity_id":3,"rank":1,"score":20.5'
    call GET /models
    expect 200 '"name":"hits","version":2' '"trees":2,"inputs":["late","year"]' '"name":"hots","version":1'
    call GET /models/hits
    expect 200 'threshold=3985'
}
check
stop_server KILL
start_server standalone --data-dir "$work/data" || finish
check
stop_server INT
start_server standalone --data-dir "$work/data" || finish
check

export TIDAL_URL=http://127.0.0.1:$port
"$bin/tidalctl" model show hits >"$work/shown" || fail "model show"
diff "$work/shown" <(model_text 'late year' 3985) || fail "the text came back changed"
"$bin/tidalctl" model put --dry-run hits "$work/shown" | grep -q 'version *2' || fail "dry run of the same text"
sed 's/3985/1/' "$work/shown" | "$bin/tidalctl" model put hits - | grep -q 'version *3' || fail "model put"
"$bin/tidalctl" model list | grep -q '^hits@3 .* 2 trees of late year$' || fail "model list: $("$bin/tidalctl" model list)"
"$bin/tidalctl" profile retire trees >/dev/null || fail "profile retire"
"$bin/tidalctl" profile retire late >/dev/null || fail "profile retire"
"$bin/tidalctl" model retire hits >/dev/null || fail "model retire"
call GET /models
expect 200 '"models":[{"name":"hots"'
put_model hits 'late year' 1
expect 200 '"version":4' '"created":true'
finish
