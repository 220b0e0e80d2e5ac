#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the verdicts on bad pictures as the whole program gives them, pixels and
features together, on photos that no fit saw: how many clean val photos are
refused, and how many pictures at each level of each kind of trouble. Writes a
table and curves.

Usage: make quality-report, or
       tests/tools/report_quality.py DIRECTORY [PHOTOS]
DIRECTORY gets report.txt and curves.svg. PHOTOS: how many val photos are
degraded (default 200; all val photos are judged clean)."""
import json
import os
import random
import subprocess
import sys
import tempfile

import degrade
import nonphotos
from quality_sets import ROOT, load, photos

CLEAN_SHARE = 0.03
MODEL = os.path.join(ROOT, "engine", "models", "descry-en.gguf")
DESCRY = os.path.join(ROOT, "build", os.environ.get("ARCH", os.uname().machine), "descry")


class Judged:
    """What was said of some pictures: shares of them."""

    def __init__(self, images):
        """Describes the pictures, half of them in each of two processes."""
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for number, image in enumerate(images):
                paths.append(os.path.join(folder, "%d.png" % number))
                image.convert("RGB").save(paths[-1], compress_level=1)
            command = [DESCRY, "describe", "--local", "--json", "--threads", "1",
                       "--model", MODEL]
            running = [subprocess.Popen([*command, *paths[part::2]], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
                       for part in range(2) if paths[part::2]]
            lines = [json.loads(line)["details"] for process in running
                     for line in process.communicate()[0].splitlines()]
        if len(lines) != len(paths):
            raise RuntimeError("%d of %d pictures were answered" % (len(lines), len(paths)))
        self.count = len(lines)
        self.kinds = [d["quality"]["kind"] for d in lines if d["quality"]["verdict"] == "refuse"]
        self.refused = len(self.kinds) / self.count
        self.doubted = sum(d["quality"]["verdict"] == "doubt" for d in lines) / self.count
        self.hedged = sum(d["quality"]["verdict"] == "fine" and
                          "unfamiliar" in d.get("reasons", []) for d in lines) / self.count

    def of_kind(self, kind):
        return self.kinds.count(kind) / self.count

    def __str__(self):
        most = max(set(self.kinds), key=self.kinds.count) if self.kinds else "none"
        return "refused %5.1f%%, doubted %5.1f%%, hedged as unfamiliar %5.1f%%, mostly as %s" % (
            100 * self.refused, 100 * self.doubted, 100 * self.hedged, most)


def collect(count):
    rng = random.Random(11)
    paths = photos("val")
    clean = Judged([load(p) for p in paths])
    rng.shuffle(paths)
    levels = {}
    for kind, steps in degrade.LEVELS.items():
        for level in steps:
            images = []
            for path in paths[:count]:
                image = degrade.degrade(kind, load(path), level, rng)
                if level and rng.random() < 0.7:
                    image = degrade.compress(image, rng)
                images.append(image)
            levels[kind, level] = Judged(images)
    others = {"uniform": Judged([degrade.uniform(rng) for _ in range(count)])}
    for kind, make in nonphotos.KINDS.items():
        images = []
        for _ in range(count):
            image = make(rng)
            images.append(degrade.compress(image, rng) if rng.random() < 0.5 else image)
        others[kind] = Judged(images)
    others["upside-down"] = Judged([load(p).rotate(180) for p in paths[:count]])
    return clean, levels, others


def svg(curves, path):
    """One panel a kind: share refused (solid) and refused, doubted or hedged (dashed)."""
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


def mean(values):
    return sum(values) / len(values)


def main():
    directory = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    os.makedirs(directory, exist_ok=True)
    clean, levels, others = collect(count)
    lines = ["Clean val photos (%d; at most %g%% may be refused): %s" %
             (clean.count, 100 * CLEAN_SHARE, clean)]
    for kind in sorted(set(clean.kinds)):
        lines.append("  as %s %.2f%%" % (kind, 100 * clean.of_kind(kind)))
    curves, strong = {}, []
    lines.append("Degraded val photos (%d at each level); * counts as strongly degraded" % count)
    for (kind, level), judged in levels.items():
        is_strong = level >= degrade.STRONG[kind]
        curves.setdefault(kind, []).append(
            (level, judged.refused, judged.refused + judged.doubted + judged.hedged))
        strong += [(kind, judged)] * is_strong
        lines.append("  %-8s %5g%s %s" % (kind, level, "*" if is_strong else " ", judged))
    lines.append("Pictures that are no photos, or show nothing (%d each)" % count)
    for kind, judged in others.items():
        lines.append("  %-12s %s" % (kind, judged))
    for name, kept in (("all kinds", lambda k: True), ("without tilt", lambda k: k != "tilted")):
        lines.append("Strongly degraded, %s: %.1f%% refused" %
                     (name, 100 * mean([j.refused for k, j in strong if kept(k)])))
    made = [k for k in others if k not in ("texture", "upside-down")]
    lines.append("Non-photos and empty ones (%s): %.1f%% refused" % (
        ", ".join(made), 100 * mean([others[k].refused for k in made])))
    lines.append("The same with textures and photos upside down: %.1f%% refused or hedged" % (
        100 * mean([j.refused + j.doubted + j.hedged for j in others.values()])))
    text = "\n".join(lines) + "\n"
    with open(os.path.join(directory, "report.txt"), "w", encoding="utf-8") as f:
        f.write(text)
    svg(curves, os.path.join(directory, "curves.svg"))
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
