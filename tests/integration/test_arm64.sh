#!/bin/bash
# LANE: machines
# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 1800
# The Raspberry Pi's processor: everything cross-built for arm64 in a Debian root
# with arm64 libraries, the unit tests and a description run under QEMU, and the
# arm64 package built. Needs root and the package archive. ARM64_ROOT names a
# folder that keeps the root from one run to the next.
{ # read whole before it runs: the file may change meanwhile
set -u
cd "$(dirname "$0")/../.." || exit 2
skip() { echo "1..1"; echo "ok 1 - arm64 # SKIP $1"; exit 0; }
[ -n "${ROOTS:-}" ] || skip "takes ten minutes; ROOTS=1 runs it"
[ "$(id -u)" = 0 ] || skip "needs root"
[ "$(dpkg --print-architecture)" = amd64 ] || skip "cross-builds from amd64 only"
command -v mmdebstrap >/dev/null && command -v systemd-nspawn >/dev/null || skip "mmdebstrap or systemd-nspawn is not installed"
n=0 bad=0
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else
		bad=1; echo "not ok $n - $2"; tail -n 40 "$3" | sed 's/^/# /'
	fi
}
work=$(mktemp -d /var/tmp/descry-arm64.XXXXXX)
trap 'rm -rf "$work"' EXIT
log=$work/log root=${ARM64_ROOT:-$work/root}
tools='gcc|make|pkg-config|libc6-dev|dbus|espeak-ng-data|protobuf-c-compiler'
libraries=$(make -s print-packages | tr ' ' '\n' | grep -vxE "$tools" | sed 's/$/:arm64/' | paste -sd,)
if [ "$(cat "$root/complete" 2>/dev/null)" != "$libraries" ]; then
	rm -rf --one-file-system "$root"
	mmdebstrap --variant=minbase --architectures=amd64,arm64 \
		--include="crossbuild-essential-arm64,make,pkg-config,pkgconf:arm64,qemu-user-static,dbus,espeak-ng-data,protobuf-c-compiler,debhelper,dpkg-dev,libcmocka-dev:arm64,$libraries" \
		bookworm "$root" >"$log" 2>&1 && echo "$libraries" >"$root/complete"
fi
[ -s "$root/complete" ]
result $? "a root with arm64 libraries" "$log"
rm -rf "$root/descry"
mkdir "$root/descry"
git ls-files -z | tar -c --null -T - --ignore-failed-read 2>/dev/null | tar -x -C "$root/descry"
inside() { systemd-nspawn -q -D "$root" --chdir=/descry --register=no --keep-unit --pipe "$@" 2> >(grep -v "Attempted to remove" >&2); }
inside make -s -j"$(nproc)" CROSS=aarch64-linux-gnu- programs unit >"$log" 2>&1
result $? "the programs and unit tests are cross-built" "$log"
# cortex-a72 is the Raspberry Pi 4's processor; max has the dot products of later ones
for processor in cortex-a72 max; do
	inside sh -c 'for t in build/aarch64/test_*; do [ -x "$t" ] || continue
		timeout 600 qemu-aarch64-static -cpu '$processor' "$t" >/tmp/out 2>&1 ||
		{ echo "$t failed"; tail -n 15 /tmp/out; f=1; }; n=$((${n:-0} + 1)); done; [ "${n:-0}" -gt 10 ] && exit ${f:-0}' >"$log" 2>&1
	result $? "the unit tests pass on $processor" "$log"
done
inside qemu-aarch64-static -cpu cortex-a72 build/aarch64/descry describe --local --quiet \
	--model engine/models/descry-en.gguf tests/photos/coffee.png >"$log" 2>&1
result $? "a photo is described on cortex-a72" "$log"
sed 's/^/# /' "$log"
inside systemd/debian/build.sh "$(make -s print-version)" build/packages arm64 -- gcc >"$log" 2>&1
result $? "the arm64 package is built" "$log"
mkdir -p build/packages
cp "$root"/descry/build/packages/*_arm64.deb build/packages/ 2>/dev/null
echo "1..$n"
exit $bad
}
