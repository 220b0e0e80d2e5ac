# SPDX-License-Identifier: GPL-3.0-or-later
"""`descry eval --calibration` and `descry model calibrate` from end to end, on pictures
cut from the photos of this repository.

What people say of the pictures is made here from what the search finds first: of some
the very caption, so that it is right, of the others words that support nothing. So the
shares that the report must give are known. Prints TAP.
"""
import json
import os
import random
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

from PIL import Image

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DESCRY = os.path.join(ROOT, os.environ.get("BUILD", "build/x86_64"), "descry")
MODEL = os.environ.get("DESCRY_MODEL", os.path.join(ROOT, "engine/models/descry-en.gguf"))
PHOTOS = os.path.join(ROOT, "tests/photos")
PICTURES = 40
number = 0
bad = 0


def check(good, name, detail=""):
    """One line of TAP."""
    global number, bad
    number += 1
    if not good:
        bad = 1
    print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)
    if not good and detail:
        print(f"# {detail}")


def descry(*arguments):
    """The objects that the client prints."""
    done = subprocess.run([DESCRY, *arguments, "--json"], capture_output=True, text=True,
                          timeout=1800, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def cut_pictures(folder):
    """Windows of the photos, the same each time."""
    chance = random.Random(9)
    names = sorted(name for name in os.listdir(PHOTOS) if name.endswith((".png", ".jpg")))
    photos = [Image.open(os.path.join(PHOTOS, name)).convert("RGB") for name in names]
    for i in range(PICTURES):
        photo = photos[i // 2 % len(photos)]
        side = int(min(photo.size) * chance.uniform(0.5, 1.0))
        left = chance.randint(0, photo.width - side)
        top = chance.randint(0, photo.height - side)
        photo.crop((left, top, left + side, top + side)).resize((299, 299)).save(
            os.path.join(folder, f"{i:02}.png"))


def write_captions(path, captions):
    """In COCO's format, of two sources."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"images": [{"id": i, "file_name": f"{i:02}.png",
                               "source": ("one", "two")[i // 2 % 2]}
                              for i in range(PICTURES)],
                   "annotations": [{"image_id": i, "caption": text}
                                   for i, texts in enumerate(captions) for text in texts]}, file)


def close(a, b):
    """Figures of one computation."""
    return abs(a - b) < 1e-6


def check_figures(sources, is_right):
    """Against what is known, and against each other."""
    judged = {name: [i for i in range(1, PICTURES, 2) if ("one", "two")[i // 2 % 2] == name]
              for name in ("one", "two")}
    check(sorted(s["source"] for s in sources) == ["one", "two"], "both sources are judged")
    for source in sources:
        numbers = judged[source["source"]]
        search, consensus = source["search"], source["consensus"]
        right = sum(is_right[i] for i in numbers) / len(numbers)
        bins = consensus["reliability"]
        error = sum(b["captions"] * abs(b["confidence"] - b["right"]) for b in bins) / len(numbers)
        check(consensus["captions"] == len(numbers) and
              sum(b["captions"] for b in bins) == len(numbers) and sum(source["bands"]) ==
              len(numbers), f"{source['source']}: every second picture counts once")
        check(close(search["right"], right) and close(search["risk"][-1], 1 - right),
              f"{source['source']}: what is right is found", f"{search['right']} {right}")
        check(close(consensus["risk"][-1], 1 - consensus["right"]) and
              close(consensus["expected_calibration_error"], error),
              f"{source['source']}: errors agree with the tables")
        check(source["statements_right"] <= source["statements"] <= len(numbers) and
              source["things_right"] <= source["things"],
              f"{source['source']}: no more is right than is said")


def without_times(report):
    """What must not differ between two judgements."""
    kept = {key: value for key, value in report.items() if not key.endswith("_ms")}
    for source in kept["sources"]:
        source.pop("isotonic", None)
    return kept


def main():
    with tempfile.TemporaryDirectory() as work:
        images, cache = os.path.join(work, "images"), os.path.join(work, "cache")
        captions, train = os.path.join(work, "captions.json"), os.path.join(work, "train.json")
        os.mkdir(images)
        cut_pictures(images)
        common = ["--captions", captions, "--images", images, "--cache", cache]

        write_captions(captions, [["some words that support nothing"]] * PICTURES)
        listed = descry("eval", "--model", MODEL, "--plain", "--list", *common)[-1]["captions"]
        said = [line["caption"] for line in sorted(listed, key=lambda line: line["image_id"])]
        check(len(said) == PICTURES, "every picture has a caption", f"{len(said)}")
        is_right = [i % 4 == 1 or i % 3 == 0 for i in range(PICTURES)]
        write_captions(captions, [[text if right else "some words that support nothing"]
                                  for text, right in zip(said, is_right)])
        report = descry("eval", "--calibration", "--model", MODEL, *common)[-1]
        check_figures(report["sources"], is_right)

        # a fit of its own: what it reports of the model is what the model is judged by
        write_captions(train, [[text, text] for text in said])
        fitted = os.path.join(work, "fitted.gguf")
        folder = os.path.join(work, "report")
        fit = descry("model", "calibrate", MODEL, "--train", train, *common, "--output", fitted,
                     "--report", folder)[-1]
        check(all("isotonic" in source for source in fit["sources"]),
              "isotonic regression is judged beside a fit")
        again = descry("eval", "--calibration", "--model", fitted, *common)[-1]
        check(all("isotonic" not in source for source in again["sources"]),
              "a model is judged without a fit")
        check(without_times(fit) == without_times(again),
              "the model's own confidence gives the report of its fit again")
        with open(os.path.join(folder, "calibration.md"), encoding="utf-8") as file:
            text = file.read()
        for source in fit["sources"]:
            figure = f"{source['consensus']['expected_calibration_error']:.3f}"
            check(f"## {source['source']}\n" in text and figure in text,
                  f"{source['source']}: the page has its figures")
            curve = ElementTree.parse(os.path.join(folder, f"risk-{source['source']}.svg"))
            names = [element.tag.rsplit("}", 1)[-1] for element in curve.getroot()]
            check("title" in names and "desc" in names and names.count("polyline") == 3,
                  f"{source['source']}: the curve is a picture that can be read aloud")
    print(f"1..{number}")
    return bad


if __name__ == "__main__":
    sys.exit(main())
