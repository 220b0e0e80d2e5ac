#!/bin/bash
# LANE: machines
# SPDX-License-Identifier: GPL-3.0-or-later
# Every fuzz target over its seeds and then FUZZ_SECONDS (default 60) of new
# inputs. Long runs: make fuzz T=…
set -u
if ! command -v clang >/dev/null; then
	echo "ok 1 - fuzz # SKIP clang is not installed"
	exit 0
fi
if ! make -s -j"$(nproc)" CC=clang SANITIZE=fuzzer,address,undefined fuzzers >build/fuzz-build.log 2>&1; then
	tail -n 30 build/fuzz-build.log | sed 's/^/# /'
	echo "not ok 1 - the fuzz targets build"
	exit 1
fi
echo "ok 1 - the fuzz targets build"
SECONDS_EACH=${FUZZ_SECONDS:-60} tests/fuzz/run.sh
