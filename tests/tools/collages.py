#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often named things are placed right: pastes two photos side by side, has the
collage described, and looks at each noun that people say of one of the photos and
not of the other. Where the words of direction are given, the noun must be placed on
its photo's side.

Usage: tests/tools/collages.py DESCRY MODEL CAPTIONS IMAGES [COUNT [SEED]]
prints for each bound of the spread how many nouns are placed at all, how many of
these on a side, and how many of these on the right one.

Packages: python3-pil"""
import json
import os
import random
import subprocess
import sys
import tempfile

from PIL import Image

SIDE = 320
SPREADS = (0.12, 0.14, 0.17, 0.20, 0.25, 0.30)


def read_captions(path):
    with open(path, encoding="utf-8") as f:
        data = json.load(f)
    names = {image["id"]: image["file_name"] for image in data["images"]}
    words = {}
    for annotation in data["annotations"]:
        said = words.setdefault(names[annotation["image_id"]], set())
        said.update("".join(c if c.isalpha() else " " for c in annotation["caption"].lower()).split())
    return words


def says(words, noun):
    """Singular and plural count as one, as far as spelling tells."""
    forms = {noun, noun + "s", noun + "es", noun.rstrip("s")}
    return bool(forms & words)


def paste(images, left, right, path):
    collage = Image.new("RGB", (2 * SIDE, SIDE))
    for number, name in enumerate((left, right)):
        photo = Image.open(os.path.join(images, name)).convert("RGB")
        collage.paste(photo.resize((SIDE, SIDE), Image.BICUBIC), (number * SIDE, 0))
    collage.save(path, quality=95)


def describe(descry, model, paths):
    run = subprocess.run([descry, "describe", "--local", "--json", "--anything", "--model", model,
                          *paths], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def measure(descry, model, captions, images, count, seed):
    """(spread, said side, true side) of every noun that one photo has and the other has not."""
    words, rng, found = read_captions(captions), random.Random(seed), []
    names = sorted(words)
    with tempfile.TemporaryDirectory() as folder:
        pairs = [rng.sample(names, 2) for _ in range(count)]
        paths = [os.path.join(folder, "%04d.jpg" % i) for i in range(count)]
        for path, (left, right) in zip(paths, pairs):
            paste(images, left, right, path)
        for document, (left, right) in zip(describe(descry, model, paths), pairs):
            nouns = {place["text"]: place for place in document["details"].get("where", [])}
            for noun, place in nouns.items():
                truth = says(words[left], noun), says(words[right], noun)
                if truth[0] != truth[1] and "across" in place:
                    found.append((place["spread"], place["across"], "left" if truth[0] else "right"))
    return found


def main():
    descry, model, captions, images = sys.argv[1:5]
    count = int(sys.argv[5]) if len(sys.argv) > 5 else 300
    seed = int(sys.argv[6]) if len(sys.argv) > 6 else 1
    found = measure(descry, model, captions, images, count, seed)
    for bound in SPREADS:
        placed = [(said, true) for spread, said, true in found if spread <= bound]
        sided = [(said, true) for said, true in placed if said != "centre"]
        right = sum(said == true for said, true in sided)
        print("Spread up to %.2f: %d placed, %d on a side, %d of them right (%.0f%%)" %
              (bound, len(placed), len(sided), right, 100 * right / max(1, len(sided))))


if __name__ == "__main__":
    main()
