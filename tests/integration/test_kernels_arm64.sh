#!/bin/bash
# LANE: machines
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the inner loops and their tests for arm64 and runs them on emulated
# processors: a Cortex-A72 (Raspberry Pi 4, NEON only), a Cortex-A76 (Raspberry
# Pi 5, with the dot product) and one with everything (i8mm).
set -u
cd "$(dirname "$0")/../.." || exit 2
compiler=aarch64-linux-gnu-gcc
emulator=qemu-aarch64-static
tests="test_conv_q8 test_conv_f32 test_winograd_loops test_matvec_q8 test_resize_rows test_threadpool"
processors="cortex-a72 cortex-a76 max"

for tool in $compiler $emulator; do
	if ! command -v $tool >/dev/null; then
		echo "ok 1 - kernels on arm64 # SKIP $tool is not installed"
		echo "1..1"
		exit 0
	fi
done
out=build/aarch64-bare
mkdir -p $out
sources="engine/conv_q8.c engine/implicit_gemm.c engine/winograd.c engine/threadpool.c engine/error.c
	engine/kernels/isa.c engine/kernels/quantise_q8.c
	$(ls engine/kernels/*_{plain,128,neon,neondot,i8mm}.c | grep -v activation_)"
objects=
for source in $sources; do objects="$objects build/aarch64/${source%.c}.o"; done
# shellcheck disable=SC2086
if ! make -s -j"$(nproc)" CROSS=aarch64-linux-gnu- PKG_CONFIG=true $objects >&2; then
	echo "not ok 1 - the kernels build for arm64"
	echo "1..1"
	exit 1
fi
n=0
for test in $tests; do
	# shellcheck disable=SC2086
	if ! $compiler -std=c17 -D_GNU_SOURCE -O2 -g -static -pthread -I. -Itests/tools/bare \
		tests/unit/$test.c $objects -lm -o $out/$test >&2; then
		n=$((n + 1)); echo "not ok $n - $test builds for arm64"
		continue
	fi
	for processor in $processors; do
		n=$((n + 1))
		if timeout 300 $emulator -cpu $processor $out/$test >$out/$test-$processor.log 2>&1; then
			echo "ok $n - $test on $processor"
		else
			echo "not ok $n - $test on $processor"
			sed 's/^/# /' $out/$test-$processor.log
		fi
	done
done
echo "1..$n"
