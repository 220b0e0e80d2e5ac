#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes the default model of a trained one: its decoder in 8 bits, the encoder with
# the ranges that stand here (build.sh), its confidence fitted and judged, the report
# with its curves and the captions of the photos in tests/photos beside it. Takes some
# minutes, most of them for the features of photos that WORKDIR/features does not hold
# yet. `make calibrated TRAINED=… OPTIONS=…` calls this.
#
# Usage: engine/models/calibrate.sh DESCRY WORKDIR TRAINED [OPTION…]
#   DESCRY   the client program
#   WORKDIR  features and pictures that are no photos, kept between runs
#   TRAINED  a model file as `descry train` writes it
#   OPTION   of `descry model quantise`: how its captions are to be searched
# The captioned photos are those of DESCRY_SHARED, ../shared if not set.
set -eu
descry=$(realpath "$1")
mkdir -p "$2"
work=$(realpath "$2")
trained=$(realpath "$3")
here=$(cd "$(dirname "$0")" && pwd)
tools=$here/../../tests/tools
data=${DESCRY_SHARED:-$here/../../../shared}/data
python=/usr/bin/python3
shift 3

# What the probes are fitted on: made pictures, and training photos upside down.
if ! [ -d "$work/non-photos" ]; then
	"$python" "$tools/nonphotos.py" "$work/non-photos.part/made" 60 101
	"$python" "$tools/turned.py" "$data/captions_train.json" "$data/images" 1000 \
		"$work/non-photos.part/turned"
	mv "$work/non-photos.part" "$work/non-photos"
fi
# What they are judged on: other sources, and validation photos upside down.
if ! [ -d "$work/judged-non-photos" ]; then
	"$python" "$tools/nonphotos_other.py" "$work/judged-non-photos.part" 40 202
	"$python" "$tools/turned.py" "$data/captions_val.json" "$data/images" 40 \
		"$work/judged-non-photos.part"
	mv "$work/judged-non-photos.part" "$work/judged-non-photos"
fi
"$descry" model quantise "$trained" "$@" --output "$work/quantised.gguf"
"$here/build.sh" "$descry" "$work" "$work/quantised.gguf"
"$descry" model calibrate "$here/descry-en.gguf" --train "$data/captions_train.json" \
	--captions "$data/captions_val.json" --images "$data/images" \
	--non-photos "$work/non-photos" --judged-non-photos "$work/judged-non-photos" \
	--cache "${FEATURES:-$work/features}" --output "$work/calibrated.gguf" --report "$here"
"$here/build.sh" "$descry" "$work" "$work/calibrated.gguf"
"$python" "$here/../../tests/golden/make_captions.py" "$work/graph.lite" "$here/descry-en.gguf" \
	"$here/../../tests/golden/captions.json" "$here"/../../tests/photos/*.[jp][pn]g
