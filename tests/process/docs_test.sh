#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# Every code block of the documents, in order, page by page, each page against a server of its own.
#   sh tour      run; must not fail; each line "# -> text" of it must be in what it prints, "# no -> text" must not
#   profile, experiment, filter, expression, query    must be accepted by the server
#   text, json, yaml, ebnf    read by people, or by the unit tests of their module
#   cpp                       compiled into a program that embedded_test.sh runs
# A page starts with the sample; the line `<!-- server: ARGUMENTS -->` starts it otherwise, where PAGE is its folder, `none`
# not at all: such a page starts its own, each with its number in a file *.pid, on ports 127.0.0.1:95xx that are others in
# a test.
# Commands that are indented and not fenced would be run by nobody: they are refused.
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

cd "$root" || finish
PATH=$bin:$PATH
declare -A page_ports=()
# with_ports: its input with a free port in the place of each 127.0.0.1:95xx.
with_ports() {
    local text port
    text=$(cat)
    for port in $(grep -o '127\.0\.0\.1:95[0-9][0-9]' <<<"$text" | sort -u | cut -d: -f2); do
        if [ -z "${page_ports[$port]-}" ]; then
            page_ports[$port]=$(free_port)
            node_http[$port]=${page_ports[$port]}
        fi
        text=${text//127.0.0.1:$port/127.0.0.1:${page_ports[$port]}}
    done
    echo "$text"
}
end_page_servers() {
    local file
    for file in "$work"/page/*.pid; do [ -e "$file" ] && kill -9 "$(cat "$file")" 2>/dev/null; done
    page_ports=()
}
trap 'end_page_servers; cleanup' EXIT
run_block() { # KIND TEXT
    local text=$2 want output
    case $1 in
        'sh tour')
            output=$(cd "$work/page" && ROOT=$root bash -euo pipefail -c "${text//localhost:9500/127.0.0.1:$port}" 2>&1) ||
                fail "$page: $text"$'\n'"$output"
            while read -r want; do
                [[ $output == *"$want"* ]] || fail "$page: expected '$want' of: $text"$'\n'"$output"
            done < <(sed -n 's/^# -> //p' <<<"$text")
            while read -r want; do
                [[ $output != *"$want"* ]] || fail "$page: '$want' is in what it prints: $text"$'\n'"$output"
            done < <(sed -n 's/^# no -> //p' <<<"$text")
            ;;
        profile | experiment) tidalctl "$1" put --dry-run - <<<"$text" >/dev/null || fail "$page: refused: $text" ;;
        expression) tidalctl profile put --dry-run - <<<"profile block version 1 { score $text; }" >/dev/null || fail "$page: refused: $text" ;;
        filter)
            curl -s --get "http://127.0.0.1:$port/feed" -d profile=new --data-urlencode "filter=$text" | grep -q '"items":' ||
                fail "$page: refused: $text"
            ;;
        query) tidalctl query "$text" >/dev/null || fail "$page: refused: $text" ;;
        text | json | yaml | ebnf | cpp) return ;;
        *) fail "$page: a block of kind '$1', which nothing checks" ;;
    esac
    blocks=$((blocks + 1))
}

indented=$(awk 'FNR == 1 { fenced = 0 } /^```/ { fenced = !fenced } !fenced && /^    (tidal|curl )/ { print FILENAME ":" FNR ":" $0 }' \
    docs/operations/*.md docs/guides/*.md docs/reference/*.md)
[ -z "$indented" ] || fail "commands outside a fenced block:"$'\n'"$indented"

pages=0 all_blocks=0
while IFS= read -r page; do
    grep -q '^```[a-z]' "$page" || continue
    blocks=0 block="" kind=""
    mkdir -p "$work/page"
    arguments=$(sed -n 's/^<!-- server: \(.*\) -->$/\1/p' "$page")
    if [ "$arguments" = none ]; then
        with_ports <"$page" >"$work/page.md"
    else
        cp "$page" "$work/page.md"
        arguments=${arguments//PAGE/$work/page}
        # shellcheck disable=SC2086  # words of a document of ours
        start_server ${arguments:-demo --sample "$root/examples"} --data-dir "$work/page/data" || finish
        export TIDAL_URL=http://127.0.0.1:$port
    fi
    while IFS= read -r line; do
        case $line in
            '```') [ -n "$kind" ] && run_block "$kind" "$block"; kind="" ;;
            '```'*) kind=${line#'```'} block="" ;;
            *) [ -n "$kind" ] && block+=$line$'\n' ;;
        esac
    done <"$work/page.md"
    if [ "$arguments" = none ]; then end_page_servers; else stop_server INT || fail "$page: the server does not stop"; fi
    rm -rf "$work/page"
    pages=$((pages + 1)) all_blocks=$((all_blocks + blocks))
done < <(git ls-files README.md 'docs/*.md' 2>/dev/null || find README.md docs -name '*.md')
[ "$all_blocks" -ge 13 ] || fail "only $all_blocks blocks in $pages pages"
echo "$all_blocks blocks in $pages pages"
finish
