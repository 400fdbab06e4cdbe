#!/usr/bin/env bash
# Scripts parse, and pass shellcheck where it is installed.
set -euo pipefail
cd "$1"
scripts=$(find run test .ci tools tests examples bench deploy -type f 2>/dev/null |
    while read -r file; do head -c 30 "$file" | grep -qaE '^#!.*(bash|/sh)' && echo "$file"; done || true)
for script in $scripts; do bash -n "$script"; done
if command -v shellcheck >/dev/null; then
    # shellcheck disable=SC2086
    shellcheck --severity=warning --exclude=SC2034 $scripts  # a sourced library uses them
fi
