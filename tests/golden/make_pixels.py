#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes pixels.txt: for each photo of tests/photos its size and the CRC-32 of
its pixels after Pillow decoded it in full, made it RGB and resized it to
299 by 299 with BILINEAR. Pillow's filter is what the model was trained behind,
so the engine must give the same bytes from the same decoded pixels.

Usage: tests/golden/make_pixels.py > tests/golden/pixels.txt"""
import glob
import os
import zlib

from PIL import Image

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "photos")
print("# photo width height crc32-of-299x299-rgb; made by make_pixels.py")
for path in sorted(glob.glob(os.path.join(root, "*.png")) + glob.glob(os.path.join(root, "*.jpg"))):
    image = Image.open(path).convert("RGB")
    small = image.resize((299, 299), Image.BILINEAR)
    print(os.path.basename(path), *image.size, "%08x" % zlib.crc32(small.tobytes()))
