#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The unit tests whose subject runs on several threads, under the thread
# sanitizer and, where locks are all they use, under valgrind's helgrind; those of
# the daemon under memcheck. The whole network would take an hour under these
# tools; what is listed here finishes in minutes. Tests that assert how soon a
# started program answers are left out of valgrind, which is too slow for them.
set -u
cd "$(dirname "$0")/../.." || exit 2
arch=$(${CC:-gcc} -dumpmachine); arch=${arch%%-*}
logs=build/test-logs/threads
mkdir -p "$logs"
export CMOCKA_MESSAGE_OUTPUT=TAP
# OpenBLAS has threads of its own that no tool is told about
export OPENBLAS_NUM_THREADS=1

thread_tests="threadpool tts tts_ring tts_text loop source decoder"
# lock-free parts are left out: helgrind knows locks, not atomic operations
helgrind_tests="loop config"
memcheck_tests="config loop variant mjpeg gesture scene meaning sentence tts_ring tts_text"

number=0 status=0
report() { # report LABEL LOG RC
	number=$((number + 1))
	if [ "$3" -eq 0 ]; then echo "ok $number - $1"; return; fi
	echo "not ok $number - $1: exit status $3"
	tail -n 60 "$2" | sed 's/^/# /'
	status=1
}

if make -s -j"$(nproc)" SANITIZE=thread unit >"$logs/build.log" 2>&1; then
	for t in $thread_tests; do
		[ -x "build/$arch-thread/test_$t" ] || continue
		TSAN_OPTIONS="halt_on_error=1 suppressions=tests/tsan.supp" timeout -k 5 300 \
			"build/$arch-thread/test_$t" >"$logs/thread-$t.log" 2>&1
		report "$t under the thread sanitizer" "$logs/thread-$t.log" $?
	done
else
	report "the thread sanitizer's build" "$logs/build.log" 1
fi

if command -v valgrind >/dev/null; then
	for t in $helgrind_tests; do
		timeout -k 5 300 valgrind -q --tool=helgrind --error-exitcode=99 \
			--suppressions=tests/valgrind.supp "build/$arch/test_$t" \
			>"$logs/helgrind-$t.log" 2>&1
		report "$t under helgrind" "$logs/helgrind-$t.log" $?
	done
	for t in $memcheck_tests; do
		timeout -k 5 300 valgrind -q --error-exitcode=99 --leak-check=full \
			--errors-for-leak-kinds=definite --suppressions=tests/valgrind.supp \
			"build/$arch/test_$t" >"$logs/memcheck-$t.log" 2>&1
		report "$t under memcheck" "$logs/memcheck-$t.log" $?
	done
else
	number=$((number + 1))
	echo "ok $number - valgrind # SKIP valgrind is not installed"
fi
exit $status
