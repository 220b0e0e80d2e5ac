#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes a trained model ready to ship: its decoder in 8 bits, its confidence fitted
# and judged, the report with its curves beside this script. Takes some minutes, most
# of them for the features of photos that WORKDIR/features does not hold yet.
# `make calibrated` calls this; build.sh then makes the default model of OUTPUT.
#
# Usage: engine/models/calibrate.sh DESCRY WORKDIR TRAINED OUTPUT [OPTION…]
#   DESCRY   the client program
#   WORKDIR  features and pictures that are no photos, kept between runs
#   TRAINED  a model file as `descry train` writes it
#   OUTPUT   the model file to write
#   OPTION   of `descry model quantise`: how its captions are to be searched
# The captioned photos are those of DESCRY_SHARED, ../shared if not set.
set -eu
descry=$(realpath "$1")
mkdir -p "$2"
work=$(realpath "$2")
trained=$(realpath "$3")
output=$(realpath "$4")
here=$(cd "$(dirname "$0")" && pwd)
tools=$here/../../tests/tools
data=${DESCRY_SHARED:-$here/../../../shared}/data
python=/usr/bin/python3
shift 4

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
"$descry" model calibrate "$work/quantised.gguf" --train "$data/captions_train.json" \
	--captions "$data/captions_val.json" --images "$data/images" \
	--non-photos "$work/non-photos" --judged-non-photos "$work/judged-non-photos" \
	--cache "${FEATURES:-$work/features}" --output "$output" --report "$here"
