#!/usr/bin/env bash
# tools/failed_output.awk: what ./test prints of failed tests in the end.
set -euo pipefail
awk_file=$1/tools/failed_output.awk
log=$(mktemp)
trap 'rm -f "$log"' EXIT

section() {  # NUMBER NAME VERDICT, the output on standard input
    printf '%s/4 Testing: %s\n%s/4 Test: %s\nCommand: "x"\nOutput:\n----------\n' "$1" "$2" "$1" "$2"
    cat
    printf '<end of output>\nTest time =   0.04 sec\n----------\n%s\n"%s" end time: Dec 01 11:36 UTC\n\n' "$3" "$2"
}
{
    printf '[ RUN      ] A.B\na_test.cc:7: Failure\nOutput:\n[  FAILED  ] A.B (1 ms)\n[ RUN      ] A.C\n[       OK ] A.C (1 ms)\n' | section 1 a 'Test Failed.'
    echo 'all is well' | section 2 b 'Test Passed.'
    seq 100 | section 3 c 'Test Failed.'
    echo 'torn' | section 4 d 'Test Exception: SegFault'
} >"$log"
diff <(
    printf '%s\n' '-- a printed:' 'a_test.cc:7: Failure' 'Output:' '[  FAILED  ] A.B (1 ms)' '-- c printed, in the end:'
    seq 41 100
    printf '%s\n' '-- d printed:' 'torn'
) <(awk -f "$awk_file" "$log")
