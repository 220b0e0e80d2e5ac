#!/bin/bash
# LANE: machines
# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 1800
# A fresh machine: a minimal Debian root with make and nothing else, into which
# only the repository is copied. `make run` must install what it needs, build and
# describe; then the unit tests are built and run there. Once for Debian 12 and
# once for Debian 13; SUITES chooses. Needs root and the package archive.
{ # read whole before it runs: the file may change meanwhile
set -u
cd "$(dirname "$0")/../.." || exit 2
skip() { echo "1..1"; echo "ok 1 - fresh machines # SKIP $1"; exit 0; }
[ -n "${ROOTS:-}" ] || skip "takes ten minutes; ROOTS=1 runs it"
[ "$(id -u)" = 0 ] || skip "needs root"
command -v mmdebstrap >/dev/null && command -v systemd-nspawn >/dev/null || skip "mmdebstrap or systemd-nspawn is not installed"
n=0 bad=0
result() { # result STATUS NAME FILE: prints one TAP line, and the file's end on failure
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else
		bad=1; echo "not ok $n - $2"; tail -n 40 "$3" | sed 's/^/# /'
	fi
}
work=$(mktemp -d /var/tmp/descry-fresh.XXXXXX)
trap 'rm -rf "$work"' EXIT
log=$work/log
for suite in ${SUITES:-bookworm trixie}; do
	root=$work/$suite
	mmdebstrap --variant=minbase --include=make "$suite" "$root" >"$log" 2>&1
	result $? "$suite: a minimal root" "$log"
	mkdir "$root/descry"
	git ls-files -z | tar -c --null -T - --ignore-failed-read 2>/dev/null | tar -x -C "$root/descry"
	inside() { systemd-nspawn -q -D "$root" --chdir=/descry --register=no --keep-unit --pipe "$@" 2> >(grep -v "Attempted to remove" >&2); }
	inside make run >"$log" 2>&1 && [ "$(grep -cE '^[a-z_]+\.(png|jpg): [A-Z].*\.$' "$log")" -ge 4 ]
	result $? "$suite: make run describes the photos" "$log"
	grep -E '\.(png|jpg): ' "$log" | sed 's/^/# /'
	[ -s "$root/descry/build/$(uname -m)/run/captions.wav" ] || compgen -G '/dev/snd/pcm*p' >/dev/null
	result $? "$suite: the captions were spoken" "$log"
	inside sh -c 'make -s deps-core && make -s -j"$(nproc)" unit' >"$log" 2>&1
	result $? "$suite: the unit tests build" "$log"
	inside sh -c 'for t in build/*/test_*; do [ -x "$t" ] || continue; timeout 300 "$t" >/tmp/out 2>&1 ||
		{ echo "$t failed"; tail -n 15 /tmp/out; f=1; }; n=$((${n:-0} + 1)); done; [ "${n:-0}" -gt 10 ] && exit ${f:-0}' >"$log" 2>&1
	result $? "$suite: the unit tests pass" "$log"
	rm -rf --one-file-system "$root"
done
echo "1..$n"
exit $bad
}
