#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Lines of daemon, engine and tts that the unit and integration tests run, by
# gcovr; the report is build/coverage/index.html. Tests that build whole systems
# are left out: they run packages, not this build.
set -u
cd "$(dirname "$0")/.." || exit 2
make -s -j"$(nproc)" COVERAGE=1 programs unit || exit 1
arch=$(${CC:-gcc} -dumpmachine); arch=${arch%%-*}
build=build/$arch-coverage
export BUILD=$build REQUESTS=2000
find "$build" -name '*.gcda' -delete
mkdir -p build/coverage
for t in tests/unit/test_*.c; do
	timeout 600 "$build/$(basename "$t" .c)" >/dev/null 2>&1 || echo "$(basename "$t" .c) failed"
done
for t in tests/integration/test_*.py; do
	timeout 900 /usr/bin/python3 "$t" >/dev/null 2>&1 || echo "$(basename "$t") failed"
done
gcovr -r . --object-directory "$build" -f 'daemon/' -f 'engine/' -f 'tts/' \
	--html-details build/coverage/index.html --txt build/coverage/report.txt \
	--json-summary build/coverage/summary.json --exclude-unreachable-branches
for module in daemon engine tts; do
	gcovr -r . --object-directory "$build" -f "$module/" -s -o /dev/null | sed -n "s/^lines/$module: lines/p"
done
