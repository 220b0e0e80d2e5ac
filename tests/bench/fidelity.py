# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts how many photos get the same words from the encoder in 8 bits as from
the same network in floats, and what the difference costs in CIDEr-D, source by
source.

Photos are described in pieces, each kept in FOLDER, so that an interrupted run
goes on where it stopped; a folder serves one model.

Usage: fidelity.py MODEL CAPTIONS IMAGES FOLDER [COUNT]
COUNT photos of each source, evenly spread; all without it.
Environment: BUILD (build/x86_64), PIECES (how many may be described now), PLAIN=1
(the search alone, without consensus among its candidates)"""

import json
import os
import platform
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DESCRY = os.path.join(ROOT, os.environ.get("BUILD", "build/" + platform.machine()), "descry")
PIECE = 100


def evaluate(*arguments):
    answer = subprocess.run([DESCRY, "eval", "--json", *arguments], check=True,
                            stdout=subprocess.PIPE)
    return json.loads(answer.stdout)


def chosen(photos, count):
    """`count` photos of each source, evenly spread."""
    kept = []
    for source in sorted({p["source"] for p in photos}):
        of_source = [p for p in photos if p["source"] == source]
        n = min(count, len(of_source))
        kept += [of_source[i * len(of_source) // n] for i in range(n)]
    return kept


def write_part(path, photos, annotations):
    ids = {p["id"] for p in photos}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"images": photos,
                   "annotations": [a for a in annotations if a["image_id"] in ids]}, file)


def describe(model, images, folder, name, photos, annotations, flags):
    """The captions of one piece, from its file where it has been described before."""
    path = os.path.join(folder, name + ".json")
    if not os.path.exists(path):
        part = os.path.join(folder, "part.json")
        write_part(part, photos, annotations)
        found = evaluate("--captions", part, "--images", images, "--model", model, "--list",
                         *flags)["captions"]
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(found, file)
        os.rename(path + ".new", path)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    model, captions, images, folder = sys.argv[1:5]
    pieces = int(os.environ.get("PIECES", "1000"))
    plain = ["--plain"] if os.environ.get("PLAIN") == "1" else []
    with open(captions, encoding="utf-8") as file:
        everything = json.load(file)
    photos, annotations = everything["images"], everything["annotations"]
    if len(sys.argv) == 6:
        photos = chosen(photos, int(sys.argv[5]))
    os.makedirs(folder, exist_ok=True)
    said = {"bytes": [], "floats": []}
    for at in range(0, len(photos), PIECE):
        if pieces == 0:
            print("%d of %d photos are done; run it again for the rest." % (at, len(photos)))
            return
        pieces -= 1
        for kind, flags in (("bytes", plain), ("floats", ["--floats", *plain])):
            said[kind] += describe(model, images, folder, "%s-%d" % (kind, at),
                                   photos[at:at + PIECE], annotations, flags)
    part = os.path.join(folder, "part.json")
    write_part(part, photos, annotations)
    scores = {}
    for kind, found in said.items():
        results = os.path.join(folder, kind + ".json")
        with open(results, "w", encoding="utf-8") as file:
            json.dump([{"image_id": c["image_id"], "caption": c["caption"]} for c in found], file)
        answer = evaluate("--captions", part, "--results", results)
        scores[kind] = {s["source"]: s["cider_d"] for s in answer["sources"] or [answer]}
    words = {kind: {c["image_id"]: c["caption"] for c in found} for kind, found in said.items()}
    for source in sorted({p["source"] for p in photos}):
        ids = [p["id"] for p in photos if p["source"] == source and p["id"] in words["floats"]]
        same = sum(words["bytes"].get(i) == words["floats"][i] for i in ids)
        in_bytes, in_floats = scores["bytes"].get(source), scores["floats"].get(source)
        print("%s: %d of %d captions are the same (%.1f%%)" % (source, same, len(ids),
                                                             100 * same / max(1, len(ids))))
        if in_bytes is not None and in_floats is not None:
            print("  CIDEr-D %.4f in 8 bits, %.4f in floats, difference %+.4f"
                  % (in_bytes, in_floats, in_bytes - in_floats))
    ids = list(words["floats"])
    same = sum(words["bytes"].get(i) == words["floats"][i] for i in ids)
    print("all: %d of %d captions are the same (%.1f%%)" % (same, len(ids), 100 * same / len(ids)))


if __name__ == "__main__":
    main()
