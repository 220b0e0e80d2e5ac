#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the Debian packages from the working tree into a folder. The packaging
# files live here and not in debian/ at the top, so that the top level stays what
# a reader of the source needs; a copy of the tree gets them where the tools look.
# Usage: systemd/debian/build.sh VERSION OUTPUT [ARCHITECTURE] -- BUILD_PACKAGE…
set -eu
version=$1 output=$2 architecture=$(dpkg --print-architecture)
shift 2
[ "$1" = -- ] || { architecture=$1; shift; }
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$output"
output=$(cd "$output" && pwd)
tree=$output/descry-$version
rm -rf "$tree"
mkdir -p "$tree"
(cd "$root" && { git ls-files -z 2>/dev/null || find . -path ./build -prune -o -type f -print0; }) |
	(cd "$root" && tar -c --null -T - --ignore-failed-read) | tar -x -C "$tree"
cp -a "$root/systemd/debian" "$tree/debian"
cd "$tree"
rm -f debian/build.sh
depends=$(printf '%s, ' "$@" | sed -E 's/\b(gcc|make|libc6-dev), //g; s/, $//')
sed -i "s/@BUILD_DEPENDS@/$depends/; s/@VERSION@/$version/" debian/control debian/changelog
if [ -e daemon/orca/descry_addon.py ]; then
	sed -i -e '/^@ORCA@$/{r debian/control.orca' -e 'd}' debian/control
else
	sed -i '/^@ORCA@$/d' debian/control
	rm -f debian/descry-orca.*
fi
rm -f debian/control.orca
if [ "$architecture" = "$(dpkg --print-architecture)" ]; then
	dpkg-buildpackage -b -us -uc
else
	DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -b -us -uc -a"$architecture" -Pcross,nocheck -d
fi
