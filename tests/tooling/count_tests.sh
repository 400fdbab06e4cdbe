#!/usr/bin/env bash
# tools/count_tests.awk: what the last line of ./test adds up.
set -euo pipefail
awk_file=$1/tools/count_tests.awk
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/ctest.xml" <<'XML'
<testsuite name="(empty)" tests="8">
	<testcase name="wal" classname="wal" time="1" status="fail">
	<testcase name="base" classname="base" time="1" status="run">
	<testcase name="leaky" classname="leaky" time="1" status="fail">
	<testcase name="crashed" classname="crashed" time="1" status="fail">
	<testcase name="base_link" classname="base_link" time="0" status="run">
	<testcase name="tooling_format" classname="x" time="0" status="notrun">
		<skipped message="SKIP_RETURN_CODE=77"/>
	<testcase name="unbuilt" classname="unbuilt" time="0" status="notrun">
		<skipped message="Unable to find executable"/>
	<testcase name="off" classname="off" time="0" status="disabled">
</testsuite>
XML
cat >"$folder/wal_test.xml" <<'XML'
<testsuites tests="4" failures="1" disabled="1" errors="0" name="AllTests">
  <testsuite name="Log" tests="3" failures="1" disabled="1" skipped="0" errors="0">
    <testcase name="Appends" status="run" result="completed" classname="Log" />
    <testcase name="Reads" status="run" result="completed" classname="Log">
      <failure message="a" type=""><![CDATA[a]]></failure>
      <failure message="b" type=""><![CDATA[b]]></failure>
    </testcase>
  </testsuite>
  <testsuite name="Replay" tests="1" failures="0" disabled="0" skipped="1" errors="0">
    <testcase name="Real" status="run" result="skipped" classname="Replay">
  </testsuite>
</testsuites>
XML
echo '<testsuite name="Codec" tests="5" failures="0" disabled="0" skipped="0" errors="0">' >"$folder/base_test.xml"
echo '<testsuite name="Leak" tests="2" failures="0" disabled="0" skipped="0" errors="0">' >"$folder/leaky_test.xml"

expected=$(printf '%s\n' $'passed\t9' $'failed\t4' $'skipped\t4' $'failure\twal\tLog.Reads' \
    $'failure\tleaky\tended badly after its cases' $'failure\tcrashed\t' \
    $'failure\tunbuilt\tdid not run: its program was not built')
got=$(awk -f "$awk_file" "$folder/ctest.xml" "$folder/base_test.xml" "$folder/leaky_test.xml" "$folder/wal_test.xml")
diff <(printf '%s\n' "$expected") <(printf '%s\n' "$got")
