# What failed tests printed, from ctest's LastTest.log: of each the name and the last 60 lines, without
# those that say of a gtest case only that it ran. ./test prints this last, since what stands in the
# middle of a long output is soon cut out of it.
BEGIN { kept_max = 60 }

/^[0-9]+\/[0-9]+ Testing: / {
    name = $3
    lines = 0
    inside = 0
}
/^<end of output>$/ { inside = 0 }
inside && !/^\[( RUN      |       OK |----------)\]/ && !/^$/ { output[lines++ % kept_max] = $0 }
/^Output:$/ && !inside {
    inside = 1
    getline  # the rule below it
}
/^Test (Failed|Timed Out)\.$/ || /^Test .*Exception/ {
    printf "-- %s printed%s:\n", name, (lines > kept_max ? ", in the end" : "")
    for (i = lines > kept_max ? lines - kept_max : 0; i < lines; ++i) print output[i % kept_max]
}
