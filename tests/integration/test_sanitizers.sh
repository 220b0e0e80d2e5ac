#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 1500
# The daemon, its worker and the client as a whole in sanitizers' builds: the tests
# over a real bus run against them, and a report of any process fails, also of one
# that answered well. What the suppressions pass over is named in their files. Memory
# that is lost when a process ends is an error, too, wherever it was asked for: the
# libraries that PortAudio and ALSA load stay loaded (tests/sanitizers/libraries.c),
# so that what they lose would bear their names. The tests kill processes, also one
# that is in its leak search; its tracer then says that it cannot read the registers of
# a thread, and that line alone is no finding.
set -u
cd "$(dirname "$0")/../.." || exit 2
arch=$(${CC:-gcc} -dumpmachine); arch=${arch%%-*}
logs=$PWD/build/test-logs/sanitizers
mkdir -p "$logs"
rm -f "$logs"/report.*
export ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1:log_path=$logs/report.address"
export UBSAN_OPTIONS="print_stacktrace=1:log_path=$logs/report.undefined"
export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp:log_path=$logs/report.thread"

number=0 status=0
findings() { # the reports that say more than that a searched process was killed
	local report
	for report in "$logs"/report.*; do
		[ -e "$report" ] || continue
		if grep -qvE '^==[0-9]+==Unable to get registers from thread [0-9]+\.$' "$report"; then
			echo "$report"
		else
			rm -f "$report"
		fi
	done
}
under() { # under SANITIZERS TEST…
	local sanitizers=$1 build=build/$arch-${1//,/-} test log rc found
	shift
	if ! make -s -j"$(nproc)" SANITIZE="$sanitizers" programs >"$logs/build.log" 2>&1; then
		tail -n 30 "$logs/build.log" | sed 's/^/# /'
		echo "not ok $((++number)) - the build with SANITIZE=$sanitizers"
		status=1
		return
	fi
	for test; do
		log=$logs/$test.$sanitizers.log
		BUILD=$build REQUESTS=1000 timeout -k 10 600 /usr/bin/python3 "tests/integration/$test.py" \
			>"$log" 2>&1
		rc=$?
		mapfile -t found < <(findings)
		if [ $rc -eq 0 ] && grep -q '^ok' "$log" && [ ${#found[@]} -eq 0 ]; then
			echo "ok $((++number)) - $test under $sanitizers: $(grep -c '^ok' "$log") tests"
		else
			echo "not ok $((++number)) - $test under $sanitizers: exit status $rc"
			{ grep -A30 '^not ok' "$log"; head -qn 60 "${found[@]}" </dev/null; } | sed 's/^/# /'
			mkdir -p "$logs/seen"
			[ ${#found[@]} -eq 0 ] || mv "${found[@]}" "$logs/seen"
			status=1
		fi
	done
}

under address,undefined test_service test_faults test_client test_screen test_load
under thread test_service test_screen test_load
exit $status
