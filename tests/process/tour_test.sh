#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# Every command of the README's tour, in order, against a server with the sample; none may fail, and
# each block's expectation (a line "# -> text") must be in what it prints.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

start_server demo --data-dir "$work/data" --sample "$root/examples" || finish
cd "$root" || finish
PATH=$bin:$PATH
export TIDAL_URL=http://127.0.0.1:$port
blocks=0
run_block() {
    local block=$1 output want
    blocks=$((blocks + 1))
    output=$(bash -euo pipefail -c "${block//localhost:9500/127.0.0.1:$port}" 2>&1) || fail "block $blocks: $block"$'\n'"$output"
    while read -r want; do
        [[ $output == *"$want"* ]] || fail "block $blocks: expected '$want' in: $output"
    done < <(sed -n 's/^# -> //p' <<<"$block")
}
block="" inside=0
while IFS= read -r line; do
    case $line in
        '```sh tour') inside=1 block="" ;;
        '```') [ $inside = 1 ] && run_block "$block" && true; inside=0 ;;
        *) [ $inside = 1 ] && block+=$line$'\n' ;;
    esac
done <README.md
[ "$blocks" -ge 8 ] || fail "only $blocks blocks in the tour"
echo "$blocks blocks"
finish
