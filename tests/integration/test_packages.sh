#!/bin/bash
# LANE: machines
# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 1800
# The Debian packages: built from this tree, clean for lintian, then installed,
# used, upgraded, removed and purged in a minimal Debian root, which is also
# booted with systemd to see activation, restart and the sandbox at work.
# Needs root and the package archive. SUITE chooses another release than bookworm.
{ # read whole before it runs: the file may change meanwhile
set -u
cd "$(dirname "$0")/../.." || exit 2
suite=${SUITE:-bookworm}
. tests/integration/roots.sh
need_roots "Debian packages" lintian dpkg-buildpackage
work=$(mktemp -d /var/tmp/descry-packages.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
log=$work/log

make packages >"$log" 2>&1
result $? "the packages build" "$log"
debs=(build/packages/descry_*_"$(dpkg --print-architecture)".deb build/packages/descry-model-en_*.deb)
orca=(build/packages/descry-orca_*.deb)
[ -e "${orca[0]}" ] && debs+=("${orca[0]}")

# The project has no mail address to put into the packages.
lintian --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog \
	--fail-on error,warning --allow-root build/packages/*.changes >"$log" 2>&1
result $? "lintian has no complaint" "$log"

# An upgrade: the same packages under a higher version
mkdir "$work/debs" "$work/newer"
cp "${debs[@]}" "$work/debs"
for deb in "$work"/debs/descry_*.deb "$work"/debs/descry-model-en_*.deb; do
	dpkg-deb -R "$deb" "$work/unpacked"
	sed -i 's/^Version: .*/Version: 99.0/' "$work/unpacked/DEBIAN/control"
	dpkg-deb -Znone -b "$work/unpacked" "$work/newer" >/dev/null
	rm -rf "$work/unpacked"
done

root=$work/root
make_root "$root" "$suite" \
	--include=systemd,systemd-sysv,dbus,dbus-user-session,systemd-container \
	--customize-hook='mkdir "$1/debs" "$1/newer"' \
	--customize-hook="copy-in $work/debs $work/newer tests/photos /" \
	--customize-hook='chroot "$1" sh -c "apt-get install -y --no-install-recommends /debs/descry_*.deb /debs/descry-model-en_*.deb"' \
	>"$log" 2>&1
result $? "the packages install in a minimal root" "$log"
inside() { in_root "$root" "$@"; }

inside descry describe --local --quiet /photos/coffee.png >"$log" 2>&1 && grep -q '\.$' "$log"
result $? "a photo is described without a bus" "$log"
inside dbus-run-session -- descry describe --quiet /photos/rocket.jpg >"$log" 2>&1 && grep -q '\.$' "$log"
result $? "the first call over the session bus starts the daemon" "$log"
inside dpkg -L descry >"$log" && for file in man/man1/descry.1.gz man/man5/descry.conf.5.gz \
	man/man8/descryd.8.gz bash-completion/completions/descry; do
	grep -qx "/usr/share/$file" "$log" && [ -s "$root/usr/share/$file" ] || echo "no $file" >>"$log"
done && ! grep '^no ' "$log"
result $? "the manual pages and the completion are there" "$log"
inside sh -c 'getent passwd descry && id -nG descry' >"$log" 2>&1
grep -q video "$log" && grep -q audio "$log" && grep -q input "$log"
result $? "the system user exists, with camera, buttons and sound" "$log"
inside sh -c 'test -z "$(find /etc/systemd -name "descryd*")"'
result $? "nothing is enabled by the installation"

# --- a booted system ---------------------------------------------------------
cat >"$root/etc/systemd/system/descry-test.service" <<'EOF'
[Unit]
After=dbus.socket multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /booted.sh
ExecStopPost=/bin/systemctl poweroff --force
StandardOutput=file:/booted.log
StandardError=file:/booted.log
[Install]
WantedBy=multi-user.target
EOF
cat >"$root/booted.sh" <<'EOF'
check() { if (eval "$2") >/tmp/out 2>&1; then echo "yes - $1"; else echo "no - $1"; sed 's/^/# /' /tmp/out; fi; }
main() { systemctl show -p MainPID --value descryd; }
useradd -m -G descry member
useradd -m stranger
as() { runuser -u "$1" -- "${@:2}"; }
check "the first call over the system bus starts the unit" \
	'descry status --system; descry stop --system && systemctl is-active descryd'
check "the unit is ready and runs as its own user" \
	'[ "$(stat -c %U /proc/$(main))" = descry ]'
check "root describes a photo over the system bus" \
	'descry describe --system --quiet /photos/coffee.png | grep -q "\.$"'
check "a member of the group may call" \
	'as member descry describe --system --quiet /photos/coffee.png | grep -q "\.$"'
check "another user is refused" \
	'! as stranger descry stop --system && as stranger descry stop --system 2>&1 | grep -q -i "rejected"'
check "no other user can take the name" \
	'! as stranger dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.RequestName string:org.descry.Descry1 uint32:4'
before=$(main)
kill -9 "$before"
check "after kill -9 systemd starts it again" \
	'for i in $(seq 300); do sleep 0.2; now=$(main); [ "$now" != 0 ] && [ "$now" != '"$before"' ] && descry stop --system && exit 0; done; exit 1'
check "the watchdog is armed" '[ "$(systemctl show -p WatchdogUSec --value descryd)" = 1min ]'
check "the sandbox has no capability" 'grep -q "CapEff:.0000000000000000" /proc/$(main)/status'
check "the sandbox filters system calls" 'grep -q "Seccomp:.2" /proc/$(main)/status'
check "the sandbox has no network" '[ "$(nsenter -t $(main) -n ls /sys/class/net)" = lo ] || [ "$(readlink /proc/$(main)/ns/net)" != "$(readlink /proc/1/ns/net)" ]'
check "the sandbox cannot write" '! nsenter -t $(main) -m touch /usr/x && ! nsenter -t $(main) -m touch /etc/x'
check "no core dump is allowed" 'grep -q "Max core file size *0 *0" /proc/$(main)/limits'
check "exposure is at most 2.0" 'systemd-analyze security --threshold=20 descryd.service'
systemd-analyze security descryd.service | tail -1 | sed 's/^/# /'
echo "[speech]
rate = 7" >/etc/descry/descry.conf
check "a reload with a mistake keeps the daemon" \
	'systemctl reload descryd; for i in $(seq 300); do sleep 0.2; journalctl -u descryd | grep -q "line 2" && exec systemctl is-active descryd; done; exit 1'
rm /etc/descry/descry.conf
loginctl enable-linger member
uid=$(id -u member)
user() { runuser -u member -- env XDG_RUNTIME_DIR=/run/user/$uid DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$uid/bus "$@"; }
check "a lingering user's own daemon is activated through its unit" \
	'for i in $(seq 300); do sleep 0.2; [ -S /run/user/'"$uid"'/bus ] && break; done; user descry describe -q /photos/rocket.jpg | grep -q "\.$" && user systemctl --user is-active descryd'
check "the user unit filters system calls" \
	'grep -q "Seccomp:.2" /proc/$(user systemctl --user show -p MainPID --value descryd)/status'
EOF
inside systemctl enable descry-test.service >/dev/null 2>&1
timeout 400 systemd-nspawn -q -D "$root" --register=no --keep-unit --suppress-sync=yes -b >"$log" 2>&1
[ -s "$root/booted.log" ]
result $? "the root boots with systemd" "$log"
from_lines "$root/booted.log" "the booted root ran its checks"

# --- upgrade, removal -----------------------------------------------------------
inside sh -c 'printf "[speech]\nrate = 200\n" >/etc/descry/descry.conf && apt-get install -y /newer/*.deb' >"$log" 2>&1 &&
	[ "$(inside dpkg-query -W -f '${Version}' descry)" = 99.0 ] && grep -q 'rate = 200' "$root/etc/descry/descry.conf"
result $? "an upgrade keeps the user's configuration" "$log"
inside descry describe --local --quiet /photos/coffee.png >"$log" 2>&1
result $? "a photo is described after the upgrade" "$log"
inside sh -c 'apt-get purge -y descry descry-model-en' >"$log" 2>&1
left=$(inside find / -xdev \( -path /proc -o -path /sys -o -path /debs -o -path /newer -o -path /var/cache -o -path /var/log -o -path "/var/tmp/systemd-private-*" \) -prune -o -name '*descry*' -print | grep -vE '^/(booted|etc/systemd/system/(descry-test|multi-user.target.wants))|^/home')
[ -z "$left" ] || echo "$left" >>"$log"
[ -z "$left" ]
result $? "a purge leaves nothing behind" "$log"
finish
}
