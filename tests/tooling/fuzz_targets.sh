#!/usr/bin/env bash
# Every fuzz target begins with inputs somebody chose, and the documents name no target that is not there.
set -euo pipefail
cd "$1"
bad=0
names=""
while read -r source; do
    name=$(basename "$source" .cc)
    names+=" $name "
    case $source in
        fuzz/*) corpus=fuzz/corpus/$name ;;
        *) corpus=$(dirname "$(dirname "$source")")/testdata/fuzz/$name ;;
    esac
    if ! [ -d "$corpus" ] || [ -z "$(ls -A "$corpus")" ]; then
        echo "$source: no inputs in $corpus; put one of each form there"
        bad=1
    fi
done < <(find fuzz src -name '*_fuzz.cc' 2>/dev/null | LC_ALL=C sort)
while IFS=: read -r file line name; do
    [[ $names == *" $name "* ]] && continue
    echo "$file:$line: names the fuzz target $name, which is not there"
    bad=1
done < <(grep -rnoE --include='*.md' '\b[a-z0-9]+(_[a-z0-9]+)*_fuzz\b' docs src README.md ARCHITECTURE.md CONTRIBUTING.md 2>/dev/null)
exit $bad
