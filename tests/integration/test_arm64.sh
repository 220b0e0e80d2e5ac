#!/bin/bash
# LANE: machines
# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 2400
# The Raspberry Pi's processor: everything cross-built for arm64 in a Debian root
# with arm64 libraries, the unit tests run under QEMU as on a Cortex-A72 (Raspberry
# Pi 4), a photo described there and as on a Cortex-A76 (Raspberry Pi 5, with the
# dot product), the arm64 package built, and a machine booted with it.
# Needs root and the package archive. ARM64_ROOT names a folder that keeps the
# root from one run to the next; UNITS, the unit tests to run instead of all.
{ # read whole before it runs: the file may change meanwhile
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/integration/roots.sh
need_roots "arm64" qemu-system-aarch64 aarch64-linux-gnu-readelf
[ "$(dpkg --print-architecture)" = amd64 ] ||
	{ echo "ok 1 - arm64 # SKIP cross-builds from amd64 only"; echo "1..1"; exit 0; }
work=$(mktemp -d /var/tmp/descry-arm64.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
log=$work/log root=${ARM64_ROOT:-$work/root}
tools='gcc|make|pkg-config|libc6-dev|dbus|espeak-ng-data|protobuf-c-compiler'
libraries=$(make -s print-packages | tr ' ' '\n' | grep -vxE "$tools" | sed 's/$/:arm64/' | paste -sd,)
if [ "$(cat "$root/complete" 2>/dev/null)" != "$libraries" ]; then
	rm -rf --one-file-system "$root"
	make_root "$root" bookworm --architectures=amd64,arm64 \
		--include="crossbuild-essential-arm64,make,pkg-config,pkgconf:arm64,qemu-user-static,dbus,espeak-ng-data,protobuf-c-compiler,debhelper,dpkg-dev,libcmocka-dev:arm64,$libraries" \
		>"$log" 2>&1 && echo "$libraries" >"$root/complete"
fi
[ -s "$root/complete" ]
result $? "a root with arm64 libraries" "$log"
copy_repository "$root/descry"
inside() { in_root "$root" --chdir=/descry "$@"; }
inside make -s -j"$(nproc)" CROSS=aarch64-linux-gnu- programs unit >"$log" 2>&1
result $? "the programs and unit tests are cross-built" "$log"
# tests/unit/emulated.h says what the long ones leave out here
UNIT_TIMEOUT=900
run_units "cortex-a72: " "$root" "${UNITS:-}" qemu-aarch64-static -cpu cortex-a72
for processor in cortex-a72 cortex-a76; do
	inside qemu-aarch64-static -cpu $processor build/aarch64/descry describe --local --quiet \
		--model engine/models/descry-en.gguf tests/photos/coffee.png >"$log" 2>&1 &&
		cp "$log" "$work/$processor"
	result $? "a photo is described on $processor" "$log"
	sed 's/^/# /' "$log"
done
cmp "$work/cortex-a72" "$work/cortex-a76" >"$log" 2>&1
result $? "both processors say the same, with the dot product and without" "$log"
inside systemd/debian/build.sh "$(make -s print-version)" build/packages arm64 -- gcc >"$log" 2>&1
result $? "the arm64 package is built" "$log"
mkdir -p build/packages
cp "$root"/descry/build/packages/*_arm64.deb build/packages/ 2>/dev/null

# --- the whole machine: pressed, it speaks ----------------------------------------
tests/qemu/build-pi.sh "$root" "$work/pi" >"$log" 2>&1
result $? "the kernel, the package and what it needs become a machine" "$log"
/usr/bin/python3 tests/integration/pi.py "$work/pi" >"$log" 2>&1
from_lines "$log" "a machine with a Cortex-A72 was booted"
finish
}
