#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What `make run` shows: a private message bus, a daemon that the first call
# activates, the photos of this repository described and spoken. Where there is
# no sound card the speech goes into a WAV file, which is named at the end.
# Usage: tests/demo.sh BUILD_FOLDER
set -eu
cd "$(dirname "$0")/.."
build=$PWD/$1
work=$build/run
mkdir -p "$work/dbus-1/services" "$work/config"
cat >"$work/dbus-1/services/org.descry.Descry1.service" <<EOF
[D-BUS Service]
Name=org.descry.Descry1
Exec=$build/descryd --config $work/descry.conf
EOF
{
	echo '[model]'
	echo "path = $PWD/engine/models/descry-en.gguf"
} >"$work/descry.conf"

# A sound card, or the socket of a sound server
if compgen -G '/dev/snd/pcm*p' >/dev/null || [ -S "${XDG_RUNTIME_DIR:-/nowhere}/pulse/native" ]; then
	wav=
else
	wav=$work/captions.wav
	rm -f "$wav"
	printf '[speech]\nwav = %s\n' "$wav" >>"$work/descry.conf"
fi
export XDG_DATA_DIRS=$work:${XDG_DATA_DIRS:-/usr/local/share:/usr/share}
export PATH=$build:$PATH

echo "Descry describes the photos in tests/photos. Each sentence is also spoken."
dbus-run-session -- bash -euc '
	cd tests/photos
	descry describe *.png *.jpg
	while descry status --json | grep -q "\"speaking\":true"; do sleep 0.2; done
	descry status | grep -E "^(version|voice|model_trouble|speech_trouble)" || true
	# ends the daemon, which completes the WAV file
	pid=$(descry status --json | sed -E "s/.*\"pid\":([0-9]+).*/\1/")
	kill "$pid"
	while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
' 2> >(grep -v '^dbus-daemon' >&2)
if [ -n "$wav" ]; then
	echo "There is no sound card here, so the speech was written to $wav."
fi
