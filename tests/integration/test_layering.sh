#!/bin/bash
# The architecture, checked: daemon may include engine and tts; engine and tts
# include neither each other nor D-Bus nor the daemon; the daemon sees of the
# modules their public headers alone; only the client sees the laboratory.
cd "$(dirname "$0")/../.." || exit 2
n=0 bad=0
# forbid DESCRIPTION PATTERN FILES…
forbid() {
	local what=$1 pattern=$2 hits; shift 2
	n=$((n + 1))
	hits=$(grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]$pattern" "$@" 2>/dev/null)
	if [ -n "$hits" ]; then bad=1; echo "not ok $n - $what"; echo "$hits"; else echo "ok $n - $what"; fi
}
mapfile -t engine < <(find engine -name '*.[ch]')
mapfile -t tts < <(find tts -name '*.[ch]')
mapfile -t daemon < <(find daemon -maxdepth 1 -name '*.[ch]')
mapfile -t client < <(find daemon/client -name '*.[ch]')
mapfile -t runtime < <(find engine -name '*.[ch]' -not -path 'engine/lab/*')
forbid 'engine includes no speech, daemon or D-Bus header' '(tts/|daemon/|dbus/|systemd/|espeak|portaudio)' "${engine[@]}"
forbid 'tts includes no engine, daemon or D-Bus header' '(engine/|daemon/|dbus/|systemd/)' "${tts[@]}"
forbid 'the engine does not know its laboratory' '(engine/)?lab/' "${runtime[@]}"
forbid 'the daemon uses public headers of the modules only' '(engine/([^e]|e[^n]|kernels|lab)|tts/([^t]|t[^t]))' "${daemon[@]}"
forbid 'the client uses public headers of the modules only' '(engine/([^el]|e[^n]|kernels)|tts/([^t]|t[^t]))' "${client[@]}"
forbid 'the daemon does not include its client' 'daemon/client/' "${daemon[@]}"
echo "1..$n"
exit $bad
