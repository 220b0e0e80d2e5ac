#!/bin/bash
# LANE: machines
# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 1800
# A fresh machine: a minimal Debian root with make and nothing else, into which
# only the repository is copied. `make run` must install what it needs, build and
# describe; then the unit tests are built and run there, the core of `make check`.
# Once for Debian 12 and once for Debian 13; SUITES chooses. Needs root and the
# package archive.
{ # read whole before it runs: the file may change meanwhile
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/integration/roots.sh
need_roots "fresh machines"
work=$(mktemp -d /var/tmp/descry-fresh.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
log=$work/log
for suite in ${SUITES:-bookworm trixie}; do
	root=$work/$suite
	make_root "$root" "$suite" --include=make >"$log" 2>&1
	result $? "$suite: a minimal root" "$log"
	copy_repository "$root/descry"
	inside() { in_root "$root" --chdir=/descry "$@"; }

	inside make run >"$log" 2>&1 && [ "$(grep -cE '^[a-z_]+\.(png|jpg): [A-Z].*\.$' "$log")" -ge 4 ]
	result $? "$suite: make run describes the photos" "$log"
	grep -E '\.(png|jpg): ' "$log" | sed 's/^/# /'
	[ -s "$root/descry/build/$(uname -m)/run/captions.wav" ] || compgen -G '/dev/snd/pcm*p' >/dev/null
	result $? "$suite: the captions were spoken" "$log"

	inside sh -c 'make -s deps-core && make -s -j"$(nproc)" unit' >"$log" 2>&1
	result $? "$suite: the unit tests build" "$log"
	run_units "$suite: " "$root" ""
	keep_packages "$root"
	rm -rf --one-file-system "$root"
done
finish
}
