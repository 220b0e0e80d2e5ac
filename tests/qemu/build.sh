#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds what the virtual machine of the device tests boots: Debian's own kernel,
# and an initial file system with busybox, the kernel modules of the devices
# (vivid, snd-aloop, uinput, evdev, virtio), the programs under test with every
# library they need, and the data of eSpeak NG and ALSA. Nothing is installed
# and nothing runs as root: packages are unpacked into a folder.
#
# Usage: tests/qemu/build.sh BUILD FOLDER
#   BUILD   where descryd was built (build/x86_64)
#   FOLDER  where to put vmlinuz, base.cpio (kept between runs) and top.cpio
set -eu
build=$1 out=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
mkdir -p "$out"
out=$(cd "$out" && pwd)

package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
release=${package#linux-image-}

# --- the part that changes with the kernel only ---------------------------------
if [ "$(cat "$out/release" 2>/dev/null)" != "$release" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	(cd "$work" && apt-get download -qq "$package" 2>/dev/null)
	dpkg-deb -x "$work"/linux-image-*.deb "$work/package"
	tree=$work/tree
	from=$work/package/lib/modules/$release
	to=$tree/lib/modules/$release
	mkdir -p "$to" "$tree/bin"
	cp "$from"/modules.builtin* "$from"/modules.order "$to"
	depmod -b "$work/package" "$release"
	wanted="vivid snd-aloop uinput evdev virtio_blk virtio_pci"
	for module in $wanted; do
		modprobe -d "$work/package" -S "$release" --show-depends "$module"
	done | awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
		path=${file#"$work/package/"}
		mkdir -p "$tree/$(dirname "$path")"
		cp "$file" "$tree/$path"
	done
	depmod -b "$tree" "$release"
	cp /bin/busybox "$tree/bin/busybox"
	(cd "$tree" && find . | cpio -o -H newc --quiet) >"$out/base.cpio"
	cp "$work/package/boot/vmlinuz-$release" "$out/vmlinuz"
	echo "$release" >"$out/release"
fi

# --- the part that is under test ------------------------------------------------
top=$(mktemp -d)
trap 'rm -rf "$top" "${work:-}"' EXIT
mkdir -p "$top"/{bin,etc,proc,sys,dev,tmp,run,out,root,usr/lib,usr/share}
# copy_program FILE: with the libraries and the loader it names
copy_program() {
	cp "$1" "$top/bin/"
	ldd "$1" | grep -oE '/[^ ]+' | sort -u | while read -r library; do
		[ -e "$top$library" ] || { mkdir -p "$top$(dirname "$library")"; cp -L "$library" "$top$library"; }
	done
}
for program in "$build/descryd" "$build/descry-worker" "$build/descry-speech" "$build/descry" "$build/tools/press" /usr/bin/dbus-daemon \
	/usr/bin/dbus-send /usr/bin/arecord; do
	copy_program "$program"
done
cp -r /usr/share/alsa "$top/usr/share/"
data=$(dirname "$(find /usr/lib /usr/share -name phontab -path '*espeak-ng-data*' | head -n 1)")
mkdir -p "$top$(dirname "$data")"
cp -r "$data" "$top$data"
cp "${DESCRY_MODEL:-$root/engine/models/descry-en.gguf}" "$top/root/model.gguf"
cp "$here/init" "$top/init"
cp "$here/descry.conf" "$here/bus.conf" "$here/asound.conf" "$top/etc/"
chmod 755 "$top/init"
echo 'root:x:0:0:root:/root:/bin/sh' >"$top/etc/passwd"
(cd "$top" && find . | cpio -o -H newc --quiet) >"$out/top.cpio"
cat "$out/base.cpio" "$out/top.cpio" >"$out/initrd"
