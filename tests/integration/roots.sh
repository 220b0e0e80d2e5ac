# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What the tests share that build whole Debian systems in a folder: TAP, the
# making of a minimal root, and commands inside one. Sourced from the
# repository's top folder; needs root and the package archive.
#
# Packages are fetched once: those that one root has installed lie in
# build/roots/packages and are linked into the next. Nothing else outlives a test,
# and none of the roots is written out to the disk in earnest, since each is
# thrown away: no sync while packages are unpacked, nor inside.

tap=0 tap_bad=0

# result STATUS NAME [FILE]: prints one TAP line, and the file's end on failure
result() {
	tap=$((tap + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap - $2"
	else
		tap_bad=1
		echo "not ok $tap - $2"
		[ -z "${3:-}" ] || tail -n 40 "$3" | sed 's/^/# /'
	fi
}

# from_lines FILE NAME: a TAP line for each "yes - …" and "no - …" that was written
# elsewhere, the other lines as they are; NAME fails where there is none of them
from_lines() {
	local line before=$tap
	while IFS= read -r line; do
		case $line in
		"yes - "*) result 0 "${line#yes - }" ;;
		"no - "*) result 1 "${line#no - }" ;;
		*) echo "# ${line#\# }" ;;
		esac
	done <"$1"
	[ $tap -gt "$before" ] || result 1 "$2" "$1"
}

# finish: the plan; ends the test
finish() {
	echo "1..$tap"
	exit $tap_bad
}

# need_roots NAME TOOL…: leaves the test out where it cannot run
need_roots() {
	local name=$1 tool why=
	shift
	[ "$(id -u)" = 0 ] || why="needs root"
	for tool in mmdebstrap systemd-nspawn "$@"; do
		command -v "$tool" >/dev/null || why="$tool is not installed"
	done
	[ -z "$why" ] || { echo "ok 1 - $name # SKIP $why"; echo "1..1"; exit 0; }
}

# link_packages FROM TO: hard links, or copies on another file system
link_packages() {
	local package
	for package in "$1"/*.deb; do
		[ -e "$package" ] && [ ! -e "$2/${package##*/}" ] || continue
		ln "$package" "$2/" 2>/dev/null || cp "$package" "$2/"
	done
}

# make_root FOLDER SUITE OPTION…: a minimal root; the options are mmdebstrap's
make_root() {
	local folder=$1 suite=$2 packages status
	shift 2
	packages=$PWD/build/roots/packages
	mkdir -p "$packages"
	mmdebstrap --variant=minbase --hook-dir=/usr/share/mmdebstrap/hooks/eatmydata \
		--skip=download/empty,essential/unlink,cleanup/apt \
		--setup-hook='mkdir -p "$1/var/cache/apt/archives"' \
		--setup-hook='bash -c ". tests/integration/roots.sh; link_packages build/roots/packages \"$1/var/cache/apt/archives\""' \
		"$@" "$suite" "$folder"
	status=$?
	[ $status = 0 ] && keep_packages "$folder"
	return $status
}

# keep_packages FOLDER: for the next root
keep_packages() {
	link_packages "$1/var/cache/apt/archives" build/roots/packages
}

# copy_repository FOLDER: what is in the repository and nothing else
copy_repository() {
	rm -rf "$1"
	mkdir "$1"
	git ls-files -z | tar -c --null -T - --ignore-failed-read 2>/dev/null | tar -x -C "$1"
}

# in_root FOLDER OPTION… COMMAND…: runs a command inside; the options are systemd-nspawn's
in_root() {
	local folder=$1
	shift
	systemd-nspawn -q -D "$folder" --register=no --keep-unit --suppress-sync=yes --pipe "$@" \
		2> >(grep -v "Attempted to remove" >&2)
}

# run_units PREFIX FOLDER NAMES [EMULATOR…]: the unit tests that were built inside,
# or those of these names, each a TAP line; the emulator, a command inside, runs them
run_units() {
	local prefix=$1 folder=$2 names=$3 test name skipped started out=$2/tmp/unit.log
	local shared=${DESCRY_SHARED:-../shared} with=()
	shift 3
	[ $# -eq 0 ] || with+=(--setenv=DESCRY_EMULATED="$*")
	[ -d "$shared" ] && with+=(--bind-ro="$(realpath "$shared")":/shared --setenv=DESCRY_SHARED=/shared)
	for test in "$folder"/descry/build/*/test_*; do
		name=${test##*/}
		[ -x "$test" ] && [ ! -d "$test" ] && [[ " ${names:-$name} " == *" $name "* ]] || continue
		started=$SECONDS
		in_root "$folder" --chdir=/descry --setenv=CMOCKA_MESSAGE_OUTPUT=TAP "${with[@]}" \
			timeout "${UNIT_TIMEOUT:-300}" "$@" "${test#"$folder/descry/"}" >"$out" 2>&1
		result $? "$prefix$name" "$out"
		skipped=$(grep -cE '^(not )?ok [0-9]+ # SKIP' "$out")
		echo "# $(($(grep -cE '^(ok|not ok [0-9]+ # SKIP)' "$out") - skipped)) passed, $skipped skipped," \
			"$((SECONDS - started)) s"
	done
}
