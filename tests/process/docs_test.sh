#!/usr/bin/env bash
# shellcheck disable=SC2154  # bin, root, work, port and reply come from lib.sh
# Every code block of the documents, in order, page by page, each page against a server of its own.
#   sh tour      run; must not fail; each line "# -> text" of it must be in what it prints, "# no -> text" must not
#   sh servers   commands that serve until they are stopped: each with --print-config, which checks its flags
#   sh build     commands about the tree itself: what they start and the presets they name must be there
#   profile, experiment, policy, filter, expression, query    must be accepted by the server
#   requests     a METHOD, a path and a body each: must be answered 200
#   json         must be JSON
#   yaml         a schema: a server must start with it; a mapping on the page whose unit test parses it
#   ebnf         on the pages whose unit test holds it against the parser
#   cpp          compiled into a program that embedded_test.sh runs, or lines of the example that it runs
#   cmake        configured as somebody's project, whose program includes the header
#   text         read by people: a figure or a formula, no command and nothing that is sent
# A page starts with the sample; the line `<!-- server: ARGUMENTS -->` starts it otherwise, where PAGE is its folder, `none`
# not at all: such a page starts its own, each with its number in a file *.pid, on ports 127.0.0.1:95xx that are others in
# a test.
# What is indented and not fenced would be run by nobody: it is refused.
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
# check_tree_commands TEXT: a program of the tree, or one that is built in it, and presets by their names.
check_tree_commands() {
    local line word program
    while read -r line; do
        line=${line%%#*}
        for word in $line; do case $word in
            *=* | -* | nice | 19) ;;
            *) program=$word && break ;;
        esac; done
        case $program in
            build/release/bin/*) grep -rq "${program##*/}\b\|$(basename "${program%_test}")" --include=CMakeLists.txt src || fail "$page: nothing builds $program" ;;
            cmake | ninja) ;;
            *) [ -x "$program" ] || fail "$page: no program $program" ;;
        esac
        for word in $(grep -o -- '--preset [a-z]*' <<<"$line" | cut -d' ' -f2); do
            jq -e --arg name "$word" '.configurePresets | any(.name == $name)' CMakePresets.json >/dev/null || fail "$page: no preset $word"
        done
    done < <(grep . <<<"$1")
}
check_schema() { # TEXT
    local pid
    echo "$1" >"$work/schema.yaml"
    : >"$work/schema.log" # else what the server before said may be read
    tidal-server standalone --ephemeral --schema "$work/schema.yaml" --listen 127.0.0.1:0 >"$work/schema.log" 2>&1 &
    pid=$!
    schema_is_read() { grep -q '^serving on' "$work/schema.log" || ! kill -0 $pid 2>/dev/null; }
    poll 60 schema_is_read
    grep -q '^serving on' "$work/schema.log" || fail "$page: no schema: $(cat "$work/schema.log")"
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
}
check_cmake() { # TEXT
    local project=$work/project
    mkdir -p "$project"
    ln -sfn "$root" "$project/tidaldb"
    printf 'cmake_minimum_required(VERSION 3.25)\nproject(shop CXX)\n%s\n' "$1" >"$project/CMakeLists.txt"
    printf '#include "tidal/tidal.h"\nint main() { int unused; return tidal::Library::open({}).ok() ? 0 : 1; }\n' >"$project/shop.cc"
    { cmake -G Ninja -S "$project" -B "$project/build" && ninja -C "$project/build" CMakeFiles/shop.dir/shop.cc.o &&
        ninja -C "$project/build" -t query shop; } >"$work/project.log" 2>&1 || fail "$page: $1: $(tail -n 20 "$work/project.log")"
    grep -q libembed.a "$work/project.log" || fail "$page: the program is not linked with the library: $(tail -n 20 "$work/project.log")"
}
run_block() { # KIND TEXT
    local text=$2 want output method path
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
        'sh servers')
            while read -r want; do
                [ -z "${want%%#*}" ] && continue
                (cd "$work/page" && eval "${want%%#*} --print-config") >"$work/printed" 2>&1 || fail "$page: $want: $(cat "$work/printed")"
            done <<<"$text"
            ;;
        'sh build') check_tree_commands "$text" ;;
        profile | experiment) tidalctl "$1" put --dry-run - <<<"$text" >/dev/null || fail "$page: refused: $text" ;;
        policy) tidalctl policy put page --dry-run - <<<"$text" >/dev/null || fail "$page: refused: $text" ;;
        expression) tidalctl profile put --dry-run - <<<"profile block version 1 { score $text; }" >/dev/null || fail "$page: refused: $text" ;;
        filter)
            curl -s --get "http://127.0.0.1:$port/feed" -d profile=new --data-urlencode "filter=$text" | grep -q '"items":' ||
                fail "$page: refused: $text"
            ;;
        query) tidalctl query "$text" >/dev/null || fail "$page: refused: $text" ;;
        requests)
            while read -r method path want; do
                [ -z "$method" ] && continue
                call "$method" "$path" "$want"
                [ "$status" = 200 ] || fail "$page: $method $path $want: $status $reply"
            done <<<"$text"
            ;;
        json) jq -es 'length == 1' <<<"$text" >/dev/null 2>&1 || fail "$page: no JSON: $text" ;;
        yaml)
            if grep -q '^files:' <<<"$text"; then
                [ "$page" = docs/reference/mapping.md ] || fail "$page: a mapping that nothing parses: $text"
            else
                check_schema "$text"
            fi
            ;;
        ebnf)
            grep -rqF "grammar_of(\"${page#docs/}\")" src/query/tests || fail "$page: a grammar that nothing holds against the parser"
            ;;
        cpp)
            [ "$page" = docs/guides/embedding.md ] ||
                while read -r want; do
                    grep -qF "$want" examples/embedded/main.cc || fail "$page: not in the example: $want"
                done <<<"$text"
            ;;
        cmake) check_cmake "$text" ;;
        text)
            want=$(grep -E '^ *(tidal|curl |(GET|POST|PUT|DELETE) /|\{)|;$' <<<"$text") &&
                fail "$page: a text block with what could be run or parsed: $want"
            ;;
        *) fail "$page: a block of kind '$1', which nothing checks" ;;
    esac
    blocks=$((blocks + 1))
}

mapfile -t documents < <(git ls-files README.md ARCHITECTURE.md 'docs/*.md' 2>/dev/null || find README.md ARCHITECTURE.md docs -name '*.md')
indented=$(awk 'FNR == 1 { fenced = 0; before = "" } /^```/ { fenced = !fenced }
    !fenced && /^    / && before ~ /^$|^    / { print FILENAME ":" FNR ":" $0 } { before = $0 }' "${documents[@]}")
[ -z "$indented" ] || fail "blocks that are not fenced:"$'\n'"$indented"

# The sample is imported once, and each page has a copy of its own.
start_server demo --sample "$root/examples" --data-dir "$work/sample" || finish
stop_server INT || fail "the sample's server does not stop"
pages=0 all_blocks=0
for page in "${documents[@]}"; do
    grep -q '^```[a-z]' "$page" || continue
    blocks=0 block="" kind=""
    mkdir -p "$work/page"
    arguments=$(sed -n 's/^<!-- server: \(.*\) -->$/\1/p' "$page")
    if [ "$arguments" = none ]; then
        with_ports <"$page" >"$work/page.md"
    else
        cp "$page" "$work/page.md"
        arguments=${arguments//PAGE/$work/page}
        [ -n "$arguments" ] || cp -r "$work/sample" "$work/page/data"
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
done
[ "$all_blocks" -ge 150 ] || fail "only $all_blocks blocks in $pages pages"
echo "$all_blocks blocks in $pages pages"
finish
