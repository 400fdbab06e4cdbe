#!/usr/bin/env bash
# clang-format settles layout.
set -euo pipefail
command -v clang-format >/dev/null || { echo "skipped: clang-format is not installed"; exit 77; }
cd "$1"
if git rev-parse --git-dir >/dev/null 2>&1; then
    files=$(git ls-files '*.h' '*.cc')
else
    files=$(find src tests sim bench fuzz examples tools -name '*.h' -o -name '*.cc' 2>/dev/null)
fi
bad=$(echo "$files" | xargs -r ls -d 2>/dev/null | xargs -r clang-format --dry-run 2>&1 |
    sed -n 's/^\([^:]*\):[0-9]*:.*clang-format-violations.*/\1/p' | sort -u)
[ -z "$bad" ] && exit 0
echo "not formatted; run: clang-format -i" $bad
exit 1
