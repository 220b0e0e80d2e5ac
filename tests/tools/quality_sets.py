# SPDX-License-Identifier: GPL-3.0-or-later
"""quality_sets.py: photos, and the measures that the engine takes of them for
fit_quality.py."""
import glob
import json
import os
import subprocess

import numpy as np
from PIL import Image

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SHARED = os.environ.get("DESCRY_SHARED", os.path.join(ROOT, "..", "shared"))


def photos(split):
    """Paths of the photos of "train" or "val"."""
    with open(os.path.join(SHARED, "data", "captions_%s.json" % split), encoding="utf-8") as f:
        names = [i["file_name"] for i in json.load(f)["images"]]
    return [os.path.join(SHARED, "data", "images", n) for n in names]


def load(path):
    return Image.open(path).convert("RGB")


class Measurer:
    """The engine's measures, from the program tests/tools/quality_measures.c."""

    def __init__(self):
        pattern = os.path.join(ROOT, "build", os.environ.get("ARCH", os.uname().machine), "tools",
                               "quality_measures")
        program = glob.glob(pattern)[0]
        self.names = subprocess.run([program, "--names"], check=True, capture_output=True,
                                    text=True).stdout.split()
        self.kinds = self.names[:self.names.index("tilt")]
        self.features = self.names[self.names.index("motion") + 1:]
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, image):
        data = image.convert("RGB").tobytes()
        self.process.stdin.write(b"P6 %d %d 255\n" % image.size + data)
        self.process.stdin.flush()
        return np.array(self.process.stdout.readline().split(), float)
