#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Lines of daemon, engine and tts that the unit and integration tests run, by
# gcovr, and the figure for all three; below COVERAGE_BAR (85) per cent it fails.
# The reports are build/coverage/index.html and report.txt. Left out are tests that
# run another build than this one (packages, fresh machines, other processors,
# sanitizers, fuzzing, valgrind), need a machine of their own, or watch what is
# written, which this build does.
#
# Usage: tests/coverage.sh [unit|integration|report]…    all three when none;
# counts add up until `unit` begins anew
set -u
cd "$(dirname "$0")/.." || exit 2
arch=$(${CC:-gcc} -dumpmachine); arch=${arch%%-*}
build=build/$arch-coverage
export BUILD=$build REQUESTS=${REQUESTS:-1000}
elsewhere=" test_devices test_soak test_valgrind test_import_torchvision test_privacy "
phases=("$@")
[ ${#phases[@]} -eq 0 ] && phases=(unit integration report)
mkdir -p build/coverage

verdict() { # verdict NAME STATUS
	[ "$2" -eq 0 ] || echo "$1 failed: its lines count all the same"
}

run_unit() {
	make -s -j"$(nproc)" COVERAGE=1 programs unit || exit 1
	find "$build" -name '*.gcda' -delete
	local t
	for t in tests/unit/test_*.c; do
		t=$(basename "$t" .c)
		timeout 600 "$build/$t" >"build/coverage/$t.log" 2>&1
		verdict "$t" $?
	done
}

run_integration() {
	local t
	for t in tests/integration/test_*.py; do
		t=$(basename "$t" .py)
		[[ $elsewhere == *" $t "* ]] && continue
		timeout 900 /usr/bin/python3 "tests/integration/$t.py" >"build/coverage/$t.log" 2>&1
		verdict "$t" $?
	done
}

run_report() {
	gcovr -r . --object-directory "$build" -f 'daemon/' -f 'engine/' -f 'tts/' \
		--html-details build/coverage/index.html --txt build/coverage/report.txt \
		--json-summary build/coverage/summary.json --exclude-unreachable-branches
	/usr/bin/python3 - build/coverage/summary.json "${COVERAGE_BAR:-85}" <<-'END'
		import json, sys
		with open(sys.argv[1]) as file:
		    files = json.load(file)["files"]
		total = [0, 0]
		for module in ("daemon", "engine", "tts"):
		    of = [f for f in files if f["filename"].startswith(module + "/")]
		    covered, lines = (sum(f[k] for f in of) for k in ("line_covered", "line_total"))
		    total = [total[0] + covered, total[1] + lines]
		    print(f"{module}: {100 * covered / max(lines, 1):.1f}% of {lines} lines")
		share = 100 * total[0] / max(total[1], 1)
		print(f"daemon, engine and tts: {share:.1f}% of {total[1]} lines")
		sys.exit(share < float(sys.argv[2]))
	END
}

for phase in "${phases[@]}"; do "run_$phase"; done
