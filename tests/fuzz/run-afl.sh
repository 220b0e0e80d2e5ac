#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The fuzz targets under AFL++, one after another, for SECONDS_EACH seconds each
# (default 300): the seeds, then what afl-fuzz makes of them. What it found is left
# in build/afl/NAME, and a crash fails. Prints TAP.
#
# Usage: tests/fuzz/run-afl.sh [NAME…]    NAME: image, model, …; all when none
set -u
cd "$(dirname "$0")/../.." || exit 2
arch=$(clang -dumpmachine); arch=${arch%%-*}
programs=build/$arch-afl-fuzzer-address-undefined/fuzz
names=("$@")
[ ${#names[@]} -eq 0 ] && names=($(cd tests/fuzz && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//'))
# afl-fuzz wants the abort, and no report of leaks in what it kills
export ASAN_OPTIONS=abort_on_error=1:symbolize=0:detect_leaks=0:allocator_may_return_null=1
export UBSAN_OPTIONS=abort_on_error=1:symbolize=0
export AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1
status=0
for name in "${names[@]}"; do
	out=build/afl/$name
	rm -rf "$out"
	mkdir -p "$out"
	afl-fuzz -V "${SECONDS_EACH:-300}" -t 5000+ -m none -i "tests/fuzz/corpus/$name" -o "$out" \
		-- "$programs/fuzz_$name" >"$out/log" 2>&1
	stats=$out/default/fuzzer_stats
	runs=$(sed -n 's/^execs_done *: //p' "$stats" 2>/dev/null)
	crashes=$(find "$out/default/crashes" -name 'id*' 2>/dev/null | wc -l)
	if [ -n "$runs" ] && [ "$crashes" -eq 0 ]; then
		echo "ok - AFL++ $name: $runs executions," \
			"$(sed -n 's/^corpus_count *: //p' "$stats") inputs kept," \
			"$(sed -n 's/^bitmap_cvg *: //p' "$stats") of the edges"
	else
		echo "not ok - AFL++ $name: ${runs:-no} executions, $crashes crashes in $out"
		tail -n 20 "$out/log" | sed 's/^/# /'
		status=1
	fi
done
exit $status
