#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits the probe of engine/tilt.c and writes engine/tilt_weights.h: a linear
model on the encoder's pooled features of train photos as they are and turned
(cut so that no corner is empty, or with corners of one colour), then a logistic
model that joins it with the score of the picture's lines, on photos that the
probe did not see. Slightly turned photos count as upright, so that neither the
cut nor the resampling is what is learnt.

Usage: fit_tilt.py [CLEAN [TURNED [MODEL]]]   (default 4000, 500, the shipped one)"""
import os
import random
import subprocess
import sys

import numpy as np
from PIL import Image

import degrade
from quality_sets import ROOT, load, photos

TENSOR = "encoder.Conv2d_1a_3x3.weight"
PULL = 1000     # of the weights towards 0


class Extractor:
    """Scores, and features, of a picture."""

    def __init__(self, model):
        program = os.path.join(ROOT, "build", os.uname().machine, "tools", "quality_measures")
        names = subprocess.run([program, "--names"], check=True, capture_output=True,
                               text=True).stdout.split()
        self.column = names.index("tilted")
        self.process = subprocess.Popen([program, model], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def __call__(self, image):
        data = image.convert("RGB").tobytes()
        self.process.stdin.write(b"P6 %d %d 255\n" % image.size + data)
        self.process.stdin.flush()
        score = float(self.process.stdout.readline().split()[self.column])
        return np.frombuffer(self.process.stdout.read(4 * 2048), "<f4"), score


def small(image):
    factor = 480 / max(image.size)
    if factor >= 1:
        return image
    return image.resize((int(image.width * factor), int(image.height * factor)), Image.BILINEAR)


def turned(image, angle, corners, rng):
    if not corners:
        return degrade.compress(degrade.tilted(image, angle, rng), rng)
    fill = rng.choice([(0, 0, 0), (0, 0, 0), (255, 255, 255), (128, 128, 128)])
    return image.rotate(angle * rng.choice([-1, 1]), Image.BICUBIC, expand=rng.random() < 0.5,
                        fillcolor=fill)


def probe(x, y, weight):
    """Weighted ridge regression on 1 and -1, in its dual form."""
    scale = np.sqrt((x ** 2).mean(0)) + 1e-3
    z = x / scale
    mean = np.average(z, axis=0, weights=weight)
    z -= mean
    root = np.sqrt(weight)
    kernel = root[:, None] * (z @ z.T) * root
    dual = root * np.linalg.solve(kernel + PULL * np.eye(len(y)), root * np.where(y, 1.0, -1.0))
    return z.T @ dual / scale


def logistic(x, y, weight):
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        w += np.linalg.solve((x * (weight * p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(len(w)),
                             x.T @ (weight * (y - p)))
    return w


def fingerprint(model):
    """FNV-1a of the tensor that names the encoder, as engine/tilt.c has it."""
    program = os.path.join(ROOT, "build", os.uname().machine, "tools", "quality_measures")
    return subprocess.run([program, "--fingerprint", model, TENSOR], check=True,
                          capture_output=True, text=True).stdout.strip()


def write(weights, joint, model):
    step = np.abs(weights).max() / 32767
    codes = np.rint(weights / step).astype(int)
    with open(os.path.join(ROOT, "engine", "tilt_weights.h"), "w", encoding="utf-8") as f:
        f.write("/* SPDX-License-Identifier: GPL-3.0-or-later */\n/*\n"
                " * tilt_weights.h: written by tests/tools/fit_tilt.py; a weight for each pooled\n"
                " * feature of the encoder whose tensor has this fingerprint.\n */\n"
                "#include <stdint.h>\n\n")
        f.write(f'#define TILT_TENSOR "{TENSOR}"\n#define TILT_FINGERPRINT {fingerprint(model)}u\n')
        for name, value in (("SCALE", joint[0] * step), ("LINES", joint[1]), ("BIAS", joint[2])):
            f.write(f"#define TILT_{name} {value:.6e}f\n")
        f.write("\nstatic const int16_t tilt_weights[] = {\n")
        for i in range(0, len(codes), 12):
            f.write("\t" + " ".join(f"{c}," for c in codes[i:i + 12]) + "\n")
        f.write("};\n")


def main():
    clean = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    model = sys.argv[3] if len(sys.argv) > 3 else os.path.join(ROOT,
                                                               "engine/models/descry-en.gguf")
    extract, rng = Extractor(model), random.Random(5)
    paths = photos("train")
    rng.shuffle(paths)
    seen, unseen = paths[:clean], paths[clean:clean + 1200]
    upright = [extract(load(p))[0] for p in seen]
    slight, tilted = [], []
    for path in seen[:count]:
        image = small(load(path))
        tilted.append(extract(turned(image, rng.uniform(18, 48), False, rng))[0])
        if rng.random() < 0.35:
            tilted.append(extract(turned(image, rng.uniform(18, 48), True, rng))[0])
        if rng.random() < 0.35:
            slight.append(extract(turned(image, rng.uniform(1, 6), False, rng))[0])
    parts = ((upright, 0.35), (slight, 0.15), (tilted, 0.5))
    x = np.vstack([part for part, _ in parts])
    weight = np.concatenate([np.full(len(part), share / len(part)) for part, share in parts])
    y = np.arange(len(x)) >= len(upright) + len(slight)
    weights = probe(x, y, weight * len(x))
    rows, labels = [], []
    for path in unseen:
        image = load(path)
        for is_tilted in (False, True):
            if is_tilted:
                if len(rows) % 4 != 1:
                    continue
                image = turned(small(image), rng.uniform(20, 45), False, rng)
            pool, score = extract(image)
            score = min(max(score, 1e-6), 1 - 1e-6)
            rows.append([pool @ weights, np.log(score / (1 - score)), 1])
            labels.append(is_tilted)
    labels = np.array(labels)
    share = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum()) * len(labels)
    write(weights, logistic(np.array(rows), labels, share), model)


if __name__ == "__main__":
    main()
