#!/usr/bin/env bash
# Every folder of src/ with sources says in a README what it is for and how it is tested.
set -euo pipefail
bad=0
for folder in "$1"/src/*/; do
    compgen -G "$folder*.h" >/dev/null || compgen -G "$folder*.cc" >/dev/null || continue
    name=$(basename "$folder")
    if [ ! -f "$folder/README.md" ]; then
        echo "src/$name/README.md: missing; ten lines: purpose, start at, invariants, threads, uses, tests"
        bad=1
    elif [ "$(head -n 1 "$folder/README.md")" != "# $name" ]; then
        echo "src/$name/README.md:1: the first line must be '# $name'"
        bad=1
    fi
done
exit $bad
