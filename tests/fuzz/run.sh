#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs fuzz targets, two at a time: the seeds in tests/fuzz/corpus, what earlier
# runs found (build/fuzz-corpus), then new inputs for SECONDS_EACH seconds each
# (default 60). Prints TAP; what made a target fail is left in build/fuzz-findings
# and shown with the last lines of its report.
#
# Usage: tests/fuzz/run.sh [NAME…]    NAME: image, model, …; all when none
set -u
cd "$(dirname "$0")/../.." || exit 2
seconds=${SECONDS_EACH:-60}
arch=$(clang -dumpmachine); arch=${arch%%-*}
programs=build/$arch-fuzzer-address-undefined/fuzz
names=("$@")
[ ${#names[@]} -eq 0 ] && names=($(cd tests/fuzz && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//'))
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1

# fuzz NAME: writes its verdict to build/fuzz-findings/NAME.tap
fuzz() {
	local name=$1 found=build/fuzz-corpus/$1 out=build/fuzz-findings
	mkdir -p "$found" "$out"
	nice -n 5 timeout -k 10 $((seconds + 120)) "$programs/fuzz_$name" \
		-max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
		-max_len="$(cat "tests/fuzz/corpus/$name.max_len" 2>/dev/null || echo 4096)" \
		-artifact_prefix="$out/$name-" -print_final_stats=1 -verbosity=1 \
		"$found" "tests/fuzz/corpus/$name" >"$out/$name.log" 2>&1
	local rc=$? runs
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$name.log")
	if [ $rc -eq 0 ]; then echo "ok - fuzz $name: ${runs:-0} executions"
	else echo "not ok - fuzz $name: exit status $rc after ${runs:-?} executions"; tail -n 40 "$out/$name.log" | sed 's/^/# /'
	fi >"$out/$name.tap"
}

for name in "${names[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "${FUZZ_JOBS:-2}" ]; do wait -n; done
	fuzz "$name" &
done
wait
status=0
for name in "${names[@]}"; do
	cat "build/fuzz-findings/$name.tap"
	grep -q '^ok' "build/fuzz-findings/$name.tap" || status=1
done
exit $status
