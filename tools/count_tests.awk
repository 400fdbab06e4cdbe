# Counts one stage of ./test. Input: ctest's JUnit file, then the gtest XML files. Output, separated by
# tabs: "passed N", "failed N", "skipped N", and one "failure TEST CASE" per failed case.
# A ctest test `x` whose program `x_test` wrote no gtest report counts as one case; so does a failure
# that the report does not know of (a leak at exit, a crash: gtest writes only at the end).

function attribute(name,    text) {
    if (!match($0, "[ \t]" name "=\"[^\"]*\"")) return ""
    text = substr($0, RSTART, RLENGTH)
    sub(/^[^"]*"/, "", text)
    sub(/"$/, "", text)
    return text
}

FNR == 1 {
    ++file
    program = FILENAME
    sub(/.*\//, "", program)
    sub(/\.xml$/, "", program)
    test = program
    sub(/_test(_[0-9]+)?$/, "", test)
}

file == 1 && /<testcase / {
    name = attribute("name")
    status[name] = attribute("status")
    order[++tests] = name
}
file == 1 && /<skipped / && /SKIP_RETURN_CODE/ { status[name] = "skipped" }

file > 1 && /<testsuite / {
    reported[test] = 1
    disabled = attribute("disabled") + attribute("skipped")
    bad = attribute("failures") + attribute("errors")
    failed[test] += bad
    skipped += disabled
    passed += attribute("tests") - disabled - bad
}

file > 1 && /<testcase / { current = attribute("classname") "." attribute("name") }
file > 1 && /<failure / && current != "" {
    failures = failures "failure\t" test "\t" current "\n"
    current = ""
}

END {
    for (i = 1; i <= tests; ++i) {
        name = order[i]
        ok = status[name] == "run"
        if (status[name] == "disabled" || status[name] == "skipped") {
            ++skipped
            continue
        }
        if (status[name] == "notrun") {
            ++failed[name]
            failures = failures "failure\t" name "\tdid not run: its program was not built\n"
        } else if (name in reported) {
            if (!ok && failed[name] == 0) {
                ++failed[name]
                failures = failures "failure\t" name "\tended badly after its cases\n"
            }
        } else if (ok) {
            ++passed
        } else {
            ++failed[name]
            failures = failures "failure\t" name "\t\n"
        }
    }
    for (name in failed) total_failed += failed[name]
    printf "passed\t%d\nfailed\t%d\nskipped\t%d\n%s", passed, total_failed, skipped, failures
}
