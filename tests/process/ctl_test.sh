#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# tidalctl bench and completion, and how it fails.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

start_server standalone --ephemeral || finish
export TIDAL_URL=http://127.0.0.1:$port
"$bin/tidalctl" bench signals --seconds 0.2 2>"$work/err" && fail "no items, and signals were sent"
grep -q 'the server has no items' "$work/err" || fail "$(cat "$work/err")"
for id in 1 2 3; do
    call POST /items "{\"entity_id\":$id}"
    expect 200
done

requests=0
# What is said on the command line wins over the environment.
TIDAL_URL=http://127.0.0.1:1 "$bin/tidalctl" status --url "http://127.0.0.1:$port" >/dev/null || fail "--url is overridden"
"$bin/tidalctl" --url "http://127.0.0.1:$port" --json status | grep -q '"status":"ok"' || fail "--url before the command"
TIDAL_URL=http://127.0.0.1:1 "$bin/tidalctl" status >/dev/null 2>&1 && fail "TIDAL_URL is ignored"

# Closed loop: every request is counted by the server too.
out=$("$bin/tidalctl" bench signals --seconds 0.3 --connections 2 --batch 10 --json) || fail "bench: $out"
[[ $out =~ \"requests\":([0-9]+) ]] && requests=${BASH_REMATCH[1]}
[[ $out == *'"failed":0'* && $requests -gt 0 ]] || fail "bench: $out"
total=0
for id in 1 2 3; do
    call GET "/items/$id/signals"
    [[ $reply =~ \"view\":\{\"decayed\":[^,]*,\"total\":([0-9]+) ]] && total=$((total + BASH_REMATCH[1]))
done
[ "$total" = $((requests * 10)) ] || fail "$requests requests of 10, $total signals"

# Open loop: as many requests as the rate asks for.
out=$("$bin/tidalctl" bench feed --seconds 0.5 --rate 100 --connections 4 --json) || fail "bench: $out"
[[ $out == *'"requests":50,'* && $out == *'"p99":'* ]] || fail "open loop: $out"
"$bin/tidalctl" bench feed --profile trendin --seconds 0.1 2>"$work/err" && fail "an unknown profile was served"
grep -q "did you mean" "$work/err" || fail "$(cat "$work/err")"
"$bin/tidalctl" bench nothing 2>/dev/null && fail "bench nothing"
"$bin/tidalctl" bench feed --connections 0 2>/dev/null && fail "no connections"

# Completion: a shell that has it offers commands, subcommands and options.
complete_words() {
    bash -c 'eval "$("$0" completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tidalctl; echo "${COMPREPLY[*]}"' \
        "$bin/tidalctl" "$@"
}
[[ " $(complete_words tidalctl '') " == *' import '*' profile '* ]] || fail "words: $(complete_words tidalctl '')"
[[ $(complete_words tidalctl profile re) == retire ]] || fail "words: $(complete_words tidalctl profile re)"
[[ $(complete_words tidalctl profile put --dr) == --dry-run ]] || fail "words: $(complete_words tidalctl profile put --dr)"
finish
