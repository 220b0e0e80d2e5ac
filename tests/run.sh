#!/bin/bash
# Runs every test and counts. Each test program or script prints TAP on its
# standard output ("ok 1 - …", "not ok 2 - …", "ok 3 - … # SKIP reason"); this
# script adds the counts up and ends with one line, "N passed, N failed, N
# skipped". A program that crashes, exits non-zero without a "not ok", hangs or
# tests nothing counts as one failure.
#
# Usage: tests/run.sh [NAME…]    NAME: part of a test's file name; all when none
set -u
cd "$(dirname "$0")/.." || exit 2
passed=0 failed=0 skipped=0 failures=()
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

# tally LABEL COMMAND…: runs one test and adds its counts
tally() {
	local label=$1; shift
	local log=$logs/${label//\//_}.log started=$SECONDS rc ok bad skip own limit=$limit
	# a test that builds whole systems says how long it may take
	own=$(sed -n '1,5s/^# TIMEOUT: //p' "${@: -1}" 2>/dev/null)
	timeout -k 10 "${limit:=${own:-600}}" "$@" >"$log" 2>"$log.err" </dev/null
	rc=$?
	skip=$(grep -cE '^ok .*# SKIP' "$log")
	ok=$(( $(grep -cE '^ok( |$)' "$log") - skip ))
	bad=$(grep -cE '^not ok( |$)' "$log")
	if [ "$bad" -eq 0 ]; then
		if [ $rc -eq 124 ] || [ $rc -eq 137 ]; then bad=1; echo "not ok - still running after $limit s" >>"$log"
		elif [ $rc -ne 0 ]; then bad=1; echo "not ok - exit status $rc" >>"$log"
		elif [ $((ok + skip)) -eq 0 ]; then bad=1; echo "not ok - ran no test" >>"$log"; fi
	fi
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
	echo "$label: $ok passed, $bad failed, $skip skipped, $((SECONDS - started)) s"
	grep -E '^ok .*# SKIP' "$log" | sed 's/^/  /'
	if [ "$bad" -gt 0 ]; then
		failures+=("$label")
		grep -E -A12 '^not ok' "$log" | head -n 60 | sed 's/^/  /'
		tail -n 40 "$log.err" | sed 's/^/  /'
	fi
}

build() { # build VARIABLES…: one variant of the programs and the unit tests
	if ! make -j"$(nproc)" "$@" programs unit >"$logs/build.log" 2>&1; then
		tail -n 60 "$logs/build.log"
		echo "The build failed: make $*"
		echo "$passed passed, $((failed + 1)) failed"
		exit 1
	fi
}

names=("$@")
arch=$(${CC:-gcc} -dumpmachine); arch=${arch%%-*}
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1

build ${CI:+WERROR=1}
for t in tests/unit/test_*.c; do
	n=$(basename "$t" .c)
	wanted "$n" && tally "$n" "build/$arch/$n"
done
for t in tests/integration/test_*.sh tests/integration/test_*.py; do
	[ -e "$t" ] && wanted "$t" || continue
	case $t in
	*.py) tally "$(basename "$t")" env BUILD="build/$arch" /usr/bin/python3 "$t" ;;
	*) tally "$(basename "$t")" env BUILD="build/$arch" bash "$t" ;;
	esac
done
build SANITIZE=address,undefined
for t in tests/unit/test_*.c; do
	n=$(basename "$t" .c)
	wanted "$n" && tally "$n (address, undefined)" "build/$arch-address-undefined/$n"
done

[ ${#failures[@]} -gt 0 ] && printf 'Failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
