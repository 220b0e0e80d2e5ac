#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits the logistic models of engine/quality.c and writes
engine/quality_weights.h. Photos come from the train split only, which
report_quality.py never looks at.

Usage: make tools && tests/tools/fit_quality.py [PHOTOS [MEASURES.npz]]
PHOTOS: how many (default 1500). MEASURES.npz keeps the measures, so that a
change of the models needs no second pass over the pictures."""
import os
import random
import sys

import numpy as np

import degrade
import nonphotos
from quality_sets import ROOT, Measurer, load, photos

# The measures that bear on each kind, and what it is fitted against.
SUBSETS = {
    "dark": "mean log-p98 log-p50 black log-deviation",
    "bright": "mean log-from-p02 log-from-p50 white log-deviation",
    "covered": "mean log-p50 log-deviation sharp-least sharp-most structured flat log-texture "
               "redness saturation log-coarse entropy",
    "blurred": "sharp-least sharp-most structured log-texture log-deviation correlation flat",
    "tilted": "upright tilt-peak tilt-ratio structured",
    "uniform": "log-deviation structured flat log-texture log-coarse correlation entropy "
               "saturation",
    "not-photo": "mean white black log-deviation sharp-least sharp-most structured flat "
                 "log-texture correlation equal steps entropy top-colour top-colours saturation "
                 "log-coarse upright",
}
NONPHOTOS = ("text", "window", "diagram", "icon", "noise")


def collect(count):
    """Rows of measures by set name."""
    measure = Measurer()
    rng = random.Random(5)
    paths = photos("train")
    rng.shuffle(paths)
    sets = {}

    def add(name, image):
        sets.setdefault(name, []).append(measure(image))

    for path in paths[:count]:
        image = load(path)
        add("clean", image)
        for kind, levels in degrade.LEVELS.items():
            strong = [v for v in levels if v >= degrade.STRONG[kind]]
            worse = degrade.degrade(kind, image, rng.choice(strong), rng)
            add(kind, degrade.compress(worse, rng) if rng.random() < 0.7 else worse)
        mild = rng.choice([("dark", 2), ("bright", 1), ("blurred", 1), ("motion", 5),
                           ("covered", 0.25)])
        add("mild", degrade.degrade(mild[0], image, mild[1], rng))
    for _ in range(count // 2):
        add("uniform", degrade.uniform(rng))
        for kind in NONPHOTOS + ("gradient",):
            image = nonphotos.KINDS[kind](rng)
            add(kind, degrade.compress(image, rng) if rng.random() < 0.5 else image)
    return measure, {name: np.array(rows) for name, rows in sets.items()}


def fit(x, y, weight, ridge=1e-3):
    """Logistic regression by Newton's method on standardised columns."""
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    z = np.hstack([(x - mean) / deviation, np.ones((len(x), 1))])
    w = np.zeros(z.shape[1])
    penalty = np.full(len(w), ridge * weight.sum())
    penalty[-1] = 0
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(z @ w, -30, 30)))
        gradient = z.T @ (weight * (p - y)) + penalty * w
        hessian = (z * (weight * p * (1 - p))[:, None]).T @ z + np.diag(penalty + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        w -= step
        if np.abs(step).max() < 1e-8:
            break
    raw = w[:-1] / deviation
    return raw, w[-1] - raw @ mean


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    cache = sys.argv[2] if len(sys.argv) > 2 else None
    if cache and os.path.exists(cache):
        stored = np.load(cache)
        names = list(stored["names"])
        sets = {k: stored[k] for k in stored.files if k != "names"}
    else:
        measure, sets = collect(count)
        names = measure.names
        if cache:
            np.savez(cache, names=np.array(names), **sets)
    features = names[names.index("motion") + 1:]
    first = names.index("motion") + 1
    drawn = ["text", "window", "diagram", "icon"]
    # What each kind must not be mistaken for. Clean and mild photos come twice.
    negatives = {
        "dark": ["covered"] + drawn,
        "bright": drawn,
        "covered": ["uniform", "gradient", "blurred", "motion", "dark"] + drawn,
        "blurred": ["uniform", "gradient", "covered", "dark"] + drawn,
        "tilted": [],
        "uniform": ["covered", "blurred", "motion", "dark", "bright"] + drawn,
        "not-photo": ["blurred", "dark", "bright", "tilted", "motion", "uniform", "covered"],
    }
    positives = {kind: [kind] for kind in SUBSETS}
    positives["blurred"] = ["blurred", "motion"]
    positives["uniform"] = ["uniform", "gradient"]
    positives["not-photo"] = list(NONPHOTOS)
    rows = []
    for kind, subset in SUBSETS.items():
        columns = [first + features.index(n) for n in subset.split()]
        good = ["clean", "clean", "mild", "mild"] + negatives[kind]
        parts = [sets[k][:, columns] for k in positives[kind] + good]
        target = [1.0] * len(positives[kind]) + [0.0] * len(good)
        x = np.vstack(parts)
        y = np.repeat(target, [len(part) for part in parts])
        # every set weighs the same, and good and bad ones in all: 0.5 means as
        # likely as not
        weight = np.concatenate([np.full(len(part), 1 / len(part) /
                                         (len(good) if t == 0 else len(positives[kind])))
                                 for part, t in zip(parts, target)]) * len(y) / 2
        w, bias = fit(x, y, weight)
        score = x @ w + bias
        limit = np.quantile(sets["clean"][:, columns] @ w + bias, 0.995)
        print("%-10s %5.1f%% of the strong ones at 0.5%% of the clean ones" %
              (kind, 100 * np.mean(score[y == 1] > limit)), file=sys.stderr)
        full = np.zeros(len(features) + 1)
        full[[features.index(n) for n in subset.split()]] = w
        full[-1] = bias
        rows.append((kind, full))
    path = os.path.join(ROOT, "engine", "quality_weights.h")
    with open(path, "w", encoding="utf-8") as f:
        f.write("/* SPDX-License-Identifier: GPL-3.0-or-later */\n/*\n"
                " * quality_weights.h: written by tests/tools/fit_quality.py; one row a kind of\n"
                " * trouble, in the order of enum engine_quality_kind: a weight for each measure\n"
                " * in the order of enum quality_feature, then the bias.\n */\n"
                "static const float quality_weights[ENGINE_QUALITY_KINDS][QUALITY_FEATURES + 1] = {\n")
        for kind, full in rows:
            f.write("\t{\t/* %s */\n" % kind)
            for i in range(0, len(full), 6):
                f.write("\t\t" + " ".join("%.5gf," % v if "." in "%.5g" % v or "e" in "%.5g" % v
                                          else "%.5g.0f," % v for v in full[i:i + 6]) + "\n")
            f.write("\t},\n")
        f.write("};\n")


if __name__ == "__main__":
    main()
