#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos of a caption file upside down, COUNT of them, spread evenly, as
DIRECTORY/upside-down-NNNN.png.

Usage: tests/tools/turned.py CAPTIONS IMAGES COUNT DIRECTORY

Packages: python3-pil"""
import json
import os
import sys

from PIL import Image


def main():
    captions, images, count, directory = sys.argv[1:]
    with open(captions, encoding="utf-8") as f:
        names = [image["file_name"] for image in json.load(f)["images"]]
    os.makedirs(directory, exist_ok=True)
    for number in range(min(int(count), len(names))):
        name = names[number * len(names) // int(count)]
        photo = Image.open(os.path.join(images, name)).convert("RGB").rotate(180)
        photo.save(os.path.join(directory, "upside-down-%04d.png" % number), compress_level=1)


if __name__ == "__main__":
    main()
