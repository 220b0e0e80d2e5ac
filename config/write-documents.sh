#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Writes what is generated from the programs' tables: the default configuration,
# the manual pages (text by hand around lists from the tables) and the completion.
# Usage: config/write-documents.sh BUILD_FOLDER TARGET_FOLDER
set -eu
here=$(dirname "$0") build=$1 target=$2

# fill TEMPLATE OUTPUT MARK COMMAND…: replaces the line MARK by the output
fill() {
	local template=$1 output=$2 mark=$3; shift 3
	"$@" >"$output.part"
	sed -e "/^$mark\$/{r $output.part" -e 'd}' "$template" >"$output"
	rm -f "$output.part"
}
"$build/descryd" --print-config >"$target/descry.conf"
"$build/descry" --print-completion >"$target/completion.bash"
fill "$here/descry.1.in" "$target/descry.1" @COMMANDS@ "$build/descry" --print-manual
fill "$here/descry.conf.5.in" "$target/descry.conf.5" @KEYS@ "$build/descryd" --print-manual
cp "$here/descryd.8.in" "$target/descryd.8"
