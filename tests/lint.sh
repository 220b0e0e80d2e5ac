#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Three static checkers over the engine, the speech module, the daemon and the
# client; any finding fails. What is suppressed names its reason: for clang-tidy in
# .clang-tidy, for cppcheck and gcc below, for single lines beside them.
#
# Usage: tests/lint.sh [cppcheck|tidy|analyzer]…    all three when none
# FILES="a.c b.c" checks those alone.
set -u
cd "$(dirname "$0")/.." || exit 2
checkers=("$@")
[ ${#checkers[@]} -eq 0 ] && checkers=(cppcheck tidy analyzer)
packages=$(make -s print-PKGS)
flags=(-std=c17 -D_GNU_SOURCE -I. '-DDESCRY_VERSION="0"' '-DDESCRY_PREFIX="/usr"')
read -r -a library_flags <<<"$(pkg-config --cflags $packages)"
make -s "$(make -s print-GENERATED)/engine/lab/onnx.pb-c.h"
library_flags+=("-I$(make -s print-GENERATED)")
# kernels with intrinsics need their own flags and hold nothing but arithmetic
mapfile -t files < <(ls engine/*.c engine/lab/*.c tts/*.c daemon/*.c daemon/client/*.c)
[ -n "${FILES:-}" ] && read -r -a files <<<"$FILES"
logs=build/lint
mkdir -p "$logs"
status=0

verdict() { # verdict NAME LOG: fails when the log is not empty
	if [ -s "$2" ]; then
		echo "not ok - $1"
		head -n 100 "$2" | sed 's/^/  /'
		status=1
	else
		echo "ok - $1: ${#files[@]} files"
	fi
}

run_cppcheck() {
	# jansson's header is given for its loop macros; others are not read.
	# uninitvar, legacyUninitvar, uninitStructMember: arrays filled by index up to a count are
	#   taken for uninitialised; gcc's and clang's analysers follow the count
	# arrayIndexThenCheck: strings end before the limit does
	# nullPointerRedundantCheck: does not see that a macro or a goto leaves the function
	nice -n 5 cppcheck -q -j"$(nproc)" --std=c11 --enable=warning,performance,portability \
		--inline-suppr --suppress=missingIncludeSystem --suppress=uninitvar \
		--suppress=legacyUninitvar --suppress=uninitStructMember \
		--suppress=nullPointerRedundantCheck --suppress=arrayIndexThenCheck \
		--include=/usr/include/jansson.h \
		"${flags[@]/-std=c17/-D__x86_64__}" "${files[@]}" >"$logs/cppcheck.log" 2>&1
	verdict cppcheck "$logs/cppcheck.log"
}

run_tidy() {
	printf '%s\n' "${files[@]}" | nice -n 5 xargs -P"$(nproc)" -n 1 \
		sh -c 'clang-tidy --quiet "$@" -- '"$(printf '%q ' "${flags[@]}" "${library_flags[@]}")" tidy \
		2>/dev/null >"$logs/tidy.log"
	grep -aE '(warning|error):' "$logs/tidy.log" | sort -u >"$logs/tidy.short"
	verdict clang-tidy "$logs/tidy.short"
}

run_analyzer() {
	# -Wno-analyzer-malloc-leak, -Wno-analyzer-file-leak and -Wno-analyzer-fd-leak: gcc 12 loses
	#   what a `ret_` parameter hands to the caller; leaks are the address sanitizer's business
	# -Wno-analyzer-use-of-uninitialized-value: the same for what a callee fills
	# -Wno-analyzer-null-… and …-possible-null-… -dereference and -argument: gcc 12 does not carry a
	#   checked pointer through an aggregate; clang's analyser does
	# -Wno-analyzer-shift-count-overflow: gcc 12 takes a vector's lanes for its bits
	printf '%s\n' "${files[@]}" | nice -n 5 xargs -P"$(nproc)" -I{} \
		timeout 300 gcc "${flags[@]}" "${library_flags[@]}" -O1 -fanalyzer \
		-Wno-analyzer-malloc-leak -Wno-analyzer-file-leak -Wno-analyzer-fd-leak \
		-Wno-analyzer-use-of-uninitialized-value -Wno-analyzer-null-dereference \
		-Wno-analyzer-possible-null-dereference -Wno-analyzer-null-argument \
		-Wno-analyzer-possible-null-argument -Wno-analyzer-shift-count-overflow \
		-c {} -o /dev/null >"$logs/analyzer.log" 2>&1
	grep -aE 'Wanalyzer|error:' "$logs/analyzer.log" | sort -u >"$logs/analyzer.short"
	verdict "gcc -fanalyzer" "$logs/analyzer.short"
}

for checker in "${checkers[@]}"; do "run_$checker"; done
exit $status
