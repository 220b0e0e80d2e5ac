#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the quality verdicts on photos that the fit never saw: how many clean
val photos are refused, and how many pictures at each level of each kind of
trouble. Writes a table and curves.

Usage: make quality-report, or
       tests/tools/report_quality.py DIRECTORY [PHOTOS]
DIRECTORY gets report.txt and curves.svg. PHOTOS: how many val photos are
degraded (default 300; all val photos are judged clean)."""
import os
import random
import sys

import numpy as np

import degrade
import nonphotos
from quality_sets import Measurer, load, photos

CLEAN_SHARE = 0.03


def limits_of(path):
    """The default limits, read from engine/quality.c so that they stand once."""
    import re
    with open(path, encoding="utf-8") as f:
        text = f.read()
    found = {}
    for field in ("doubt", "refuse"):
        block = re.search(r"\.%s = \{(.*?)\}" % field, text, re.S).group(1)
        found[field] = [float(v) for v in re.findall(r"= ([0-9.]+)f?", block)]
    return found


def collect(count):
    measure = Measurer()
    rng = random.Random(11)
    paths = photos("val")
    clean = np.array([measure(load(p)) for p in paths])
    rng.shuffle(paths)
    levels = {}
    for kind, steps in degrade.LEVELS.items():
        for level in steps:
            rows = []
            for path in paths[:count]:
                image = degrade.degrade(kind, load(path), level, rng)
                if level and rng.random() < 0.7:
                    image = degrade.compress(image, rng)
                rows.append(measure(image))
            levels[kind, level] = np.array(rows)
    others = {"uniform": np.array([measure(degrade.uniform(rng)) for _ in range(count)])}
    for kind, make in nonphotos.KINDS.items():
        rows = []
        for _ in range(count):
            image = make(rng)
            rows.append(measure(degrade.compress(image, rng) if rng.random() < 0.5 else image))
        others[kind] = np.array(rows)
    others["upside-down"] = np.array([measure(load(p).rotate(180)) for p in paths[:count]])
    return measure, paths, clean, levels, others


def shares(rows, limits, kinds):
    """Shares refused and doubted, and the kind that refuses most often."""
    scores = rows[:, :len(kinds)]
    refused = scores >= np.array(limits["refuse"])
    doubted = (scores >= np.array(limits["doubt"])).any(1) & ~refused.any(1)
    most = kinds[int(refused.sum(0).argmax())] if refused.any() else "none"
    return refused.any(1).mean(), doubted.mean(), most


def svg(curves, path):
    """One panel a kind: share refused (solid) and doubted or refused (dashed)."""
    width, height, columns = 260, 180, 3
    rows = (len(curves) + columns - 1) // columns
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
           'font-family="sans-serif" font-size="11">' % (width * columns, height * rows),
           "<title>Share of val photos refused, by kind and level of degradation</title>",
           '<rect width="100%" height="100%" fill="white"/>']
    for i, (kind, points) in enumerate(curves.items()):
        x0, y0 = i % columns * width + 40, i // columns * height + 24
        w, h = width - 60, height - 64
        out.append('<text x="%d" y="%d">%s</text>' % (x0, y0 - 8, kind))
        out.append('<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#888"/>' %
                   (x0, y0, w, h))
        last = points[-1][0]
        for column, style in ((1, ""), (2, ' stroke-dasharray="4 3"')):
            line = " ".join("%.1f,%.1f" % (x0 + w * p[0] / last, y0 + h * (1 - p[column]))
                            for p in points)
            out.append('<polyline points="%s" fill="none" stroke="#204a87" stroke-width="2"%s/>' %
                       (line, style))
        for level, *_ in points:
            out.append('<text x="%.1f" y="%d" text-anchor="middle">%g</text>' %
                       (x0 + w * level / last, y0 + h + 14, level))
        for share in (0, 0.5, 1):
            out.append('<text x="%d" y="%.1f" text-anchor="end">%d%%</text>' %
                       (x0 - 4, y0 + h * (1 - share) + 4, share * 100))
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")


def main():
    directory = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    os.makedirs(directory, exist_ok=True)
    here = os.path.dirname(os.path.abspath(__file__))
    limits = limits_of(os.path.join(here, "..", "..", "engine", "quality.c"))
    measure, paths, clean, levels, others = collect(count)
    kinds = measure.kinds
    lines = []
    refused, doubted, _ = shares(clean, limits, kinds)
    lines.append("Clean val photos (%d): %.2f%% refused (at most %g%% may be), %.2f%% doubted" %
                 (len(clean), 100 * refused, 100 * CLEAN_SHARE, 100 * doubted))
    for i, kind in enumerate(kinds):
        one = clean[:, i]
        lines.append("  %-10s refused %.2f%%, score at the 97th, 99th, 99.5th and 99.9th "
                     "percentile: %s" %
                     (kind, 100 * np.mean(one >= limits["refuse"][i]),
                      " ".join("%.3f" % v for v in np.quantile(one, [.97, .99, .995, .999]))))
    curves, strong = {}, []
    lines.append("Degraded val photos (%d at each level); * counts as strongly degraded" % count)
    for (kind, level), rows in levels.items():
        refused, doubted, most = shares(rows, limits, kinds)
        is_strong = level >= degrade.STRONG[kind]
        curves.setdefault(kind, []).append((level, refused, refused + doubted))
        strong += [(kind, refused)] * is_strong
        lines.append("  %-8s %5g%s refused %5.1f%%, doubted %5.1f%%, mostly as %s" %
                     (kind, level, "*" if is_strong else " ", 100 * refused, 100 * doubted, most))
    lines.append("Pictures that are no photos, or show nothing (%d each)" % count)
    for kind, rows in others.items():
        refused, doubted, most = shares(rows, limits, kinds)
        lines.append("  %-12s refused %5.1f%%, doubted %5.1f%%, mostly as %s" %
                     (kind, 100 * refused, 100 * doubted, most))
    for name, kept in (("all kinds", lambda k: True), ("without tilt", lambda k: k != "tilted")):
        lines.append("Strongly degraded, %s: %.1f%% refused" %
                     (name, 100 * np.mean([r for k, r in strong if kept(k)])))
    made = [k for k in others if k not in ("texture", "upside-down")]
    lines.append("Non-photos and empty ones (%s): %.1f%% refused" % (
        ", ".join(made), 100 * np.mean([shares(others[k], limits, kinds)[0] for k in made])))
    text = "\n".join(lines) + "\n"
    with open(os.path.join(directory, "report.txt"), "w", encoding="utf-8") as f:
        f.write(text)
    svg(curves, os.path.join(directory, "curves.svg"))
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
