#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds what the virtual Raspberry Pi boots: Debian's arm64 kernel, and an initial
# file system with busybox, the kernel modules of the devices, Descry as its arm64
# package installs it, and the libraries that it needs. The counterpart of build.sh,
# which takes all of that from the machine it runs on; here it comes out of a Debian
# root with arm64 libraries, in which the package was built.
#
# Usage: tests/qemu/build-pi.sh ROOT FOLDER
#   ROOT    the Debian root, the repository with its packages in ROOT/descry
#   FOLDER  where to put vmlinuz and initrd
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../integration/roots.sh"
mkdir -p "$2"
root=$(cd "$1" && pwd) out=$(cd "$2" && pwd)
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
tree=$top/tree
mkdir -p "$tree"/{bin,etc,proc,sys,dev,tmp,run,out,root,usr/share} "$top"/{kernel,other,descry}

# fetch PACKAGE…: arm64 packages, by the root's own package manager; prints their paths
fetch() {
	local name
	mkdir -p "$root/fetched"
	in_root "$root" --chdir=/fetched \
		apt-get -qq -o APT::Sandbox::User=root download "${@/%/:arm64}" >&2
	for name in "$@"; do ls "$root/fetched/${name}"_*_arm64.deb; done
}

# --- the kernel -------------------------------------------------------------------
package=$(in_root "$root" apt-cache depends linux-image-arm64:arm64 |
	sed -n 's/.*Depends: \(linux-image-[^:]*\):arm64.*/\1/p' | head -n 1)
release=${package#linux-image-}
for deb in $(fetch "$package"); do dpkg-deb -x "$deb" "$top/kernel"; done
from=$top/kernel/lib/modules/$release to=$tree/lib/modules/$release
mkdir -p "$to"
cp "$from"/modules.builtin* "$from"/modules.order "$to"
depmod -b "$top/kernel" "$release"
for module in vivid snd-aloop uinput evdev virtio_blk virtio_pci gpio_pl061 gpio_keys; do
	modprobe -d "$top/kernel" -S "$release" --show-depends "$module"
done | awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
	path=${file#"$top/kernel/"}
	mkdir -p "$tree/$(dirname "$path")"
	cp "$file" "$tree/$path"
done
depmod -b "$tree" "$release"
cp "$top/kernel/boot/vmlinuz-$release" "$out/vmlinuz"

# --- Descry as installed, and the programs around it -------------------------------
for deb in "$root"/descry/build/packages/descry_*_arm64.deb \
	"$root"/descry/build/packages/descry-model-en_*_all.deb; do
	dpkg-deb -x "$deb" "$top/descry"
done
for deb in $(fetch busybox-static dbus-daemon dbus-bin alsa-utils libexpat1 libaudit1 libcap-ng0 \
	libapparmor1); do
	dpkg-deb -x "$deb" "$top/other"
done
cp "$top/descry"/usr/bin/{descry,descryd} "$top"/descry/usr/lib/descry/descry-{worker,speech} "$root/descry/build/aarch64/tools/press" \
	"$top/other"/usr/bin/{dbus-daemon,dbus-send,arecord} "$tree/bin/"
cp "$top/other/bin/busybox" "$tree/bin/"
cp "$top/descry"/usr/share/descry/models/*.gguf "$tree/root/model.gguf"
cp -r "$root/usr/share/alsa" "$tree/usr/share/"
mkdir -p "$tree/usr/lib/aarch64-linux-gnu"
cp -r "$root/usr/lib/aarch64-linux-gnu/espeak-ng-data" "$tree/usr/lib/aarch64-linux-gnu/"
# add_libraries FILE: the libraries that it names, and those that these name
add_libraries() {
	local name found
	for name in $(aarch64-linux-gnu-readelf -d "$1" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p') \
		ld-linux-aarch64.so.1; do
		[ ! -e "$tree/lib/$name" ] || continue
		found=$(find "$root/lib/aarch64-linux-gnu" "$root/usr/lib/aarch64-linux-gnu" "$top/other" \
			-name "$name" 2>/dev/null | head -n 1)
		[ -n "$found" ] || { echo "$name, which ${1##*/} needs, is not there" >&2; return 1; }
		cp -L "$found" "$tree/lib/$name"
		add_libraries "$found"
	done
}
for program in "$tree"/bin/*; do [ "${program##*/}" = busybox ] || add_libraries "$program"; done
cp "$here/init" "$tree/init"
cp "$here/bus.conf" "$here/asound.conf" "$tree/etc/"
cat "$here/descry.conf" "$here/gpio.conf" >"$tree/etc/descry.conf"
chmod 755 "$tree/init"
echo 'root:x:0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
(cd "$tree" && find . | cpio -o -H newc --quiet) >"$out/initrd"
