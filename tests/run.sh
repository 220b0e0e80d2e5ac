#!/bin/bash
# Runs every test and counts. Each test program or script prints TAP on its
# standard output ("ok 1 - …", "not ok 2 - …", "ok 3 - … # SKIP reason"); this
# script adds the counts up and ends with one line, "N passed, N failed, N
# skipped". A program that crashes, exits non-zero without a "not ok", hangs or
# tests nothing counts as one failure.
#
# Two lanes run side by side. Tests that build whole systems, and mostly wait for
# package installations and emulators, say so in their first lines with
# "# LANE: machines"; everything else shares the other lane, one at a time. A
# line "# TIMEOUT: seconds" replaces the usual limit of 600.
#
# Usage: tests/run.sh [NAME…]    NAME: part of a test's file name; all when none
set -u
cd "$(dirname "$0")/.." || exit 2
limit=${TEST_TIMEOUT:-}
logs=build/test-logs
mkdir -p "$logs"

# wanted FILE: whether the command line names this test
wanted() {
	[ ${#names[@]} -eq 0 ] && return 0
	local n
	for n in "${names[@]}"; do [[ $1 == *"$n"* ]] && return 0; done
	return 1
}

# setting KEY FILE: what a test's first lines say of it
setting() { sed -n "1,6s/^# $1: //p" "$2" 2>/dev/null; }

# tally LABEL COMMAND…: runs one test and leaves its counts in a result file
tally() {
	local label=$1; shift
	local log=$logs/${label//\//_}.log started=$SECONDS rc ok bad skip own limit=$limit
	own=$(setting TIMEOUT "${@: -1}")
	timeout -k 10 "${limit:=${own:-600}}" "$@" >"$log" 2>"$log.err" </dev/null
	rc=$?
	# cmocka writes "not ok" before the SKIP of a test that it left out
	sed -i -E 's/^not (ok [0-9]+ # SKIP)/\1/' "$log"
	skip=$(grep -cE '^ok .*# SKIP' "$log")
	ok=$(( $(grep -cE '^ok( |$)' "$log") - skip ))
	bad=$(grep -cE '^not ok( |$)' "$log")
	if [ "$bad" -eq 0 ]; then
		if [ $rc -eq 124 ] || [ $rc -eq 137 ]; then bad=1; echo "not ok - still running after $limit s" >>"$log"
		elif [ $rc -ne 0 ]; then bad=1; echo "not ok - exit status $rc" >>"$log"
		elif [ $((ok + skip)) -eq 0 ]; then bad=1; echo "not ok - ran no test" >>"$log"; fi
	fi
	echo "$ok $bad $skip $label" >"$log.result"
	{
		echo "$label: $ok passed, $bad failed, $skip skipped, $((SECONDS - started)) s"
		grep -E '^ok .*# SKIP' "$log" | sed 's/^/  /'
		if [ "$bad" -gt 0 ]; then
			grep -E -A12 '^not ok' "$log" | head -n 60 | sed 's/^/  /'
			tail -n 40 "$log.err" | sed 's/^/  /'
		fi
	} >"$log.summary"
	cat "$log.summary"
}

# integration LANE: the integration tests of a lane
integration() {
	local t lane
	for t in tests/integration/test_*.sh tests/integration/test_*.py; do
		[ -e "$t" ] && wanted "$t" || continue
		lane=$(setting LANE "$t")
		[ "${lane:-main}" = "$1" ] || continue
		case $t in
		*.py) tally "$(basename "$t")" env BUILD="build/$arch" /usr/bin/python3 "$t" ;;
		*) tally "$(basename "$t")" env BUILD="build/$arch" bash "$t" ;;
		esac
	done
}

# unit VARIANT FOLDER: the unit tests of one build
unit() {
	local t n
	for t in tests/unit/test_*.c; do
		n=$(basename "$t" .c)
		wanted "$n" && tally "$n$1" "build/$2/$n"
	done
}

build() { # build VARIABLES…: one variant of the programs and the unit tests
	if ! make -j"$(nproc)" "$@" programs unit >"$logs/build.log" 2>&1; then
		tail -n 60 "$logs/build.log"
		echo "The build failed: make $*"
		echo "0 passed, 1 failed"
		exit 1
	fi
}

names=("$@")
arch=$(${CC:-gcc} -dumpmachine); arch=${arch%%-*}
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1

rm -f "$logs"/*.result
build ${CI:+WERROR=1}
build SANITIZE=address,undefined
integration machines &
unit '' "$arch"
integration main
unit ' (address, undefined)' "$arch-address-undefined"
wait

passed=0 failed=0 skipped=0
while read -r ok bad skip label; do
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
	[ "$bad" -gt 0 ] && echo "Failed: $label"
done < <(cat "$logs"/*.result 2>/dev/null)
[ $((passed + failed + skipped)) -eq 0 ] && failed=1 && echo "No test was run."
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
