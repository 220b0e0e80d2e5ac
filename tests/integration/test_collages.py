#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_collages.py: things named in collages of two photos are placed on the side of
their photo, four times of five at least. Needs the captioned photos of ../shared."""
import os
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import collages

DATA = os.path.join(os.environ.get("DESCRY_SHARED", os.path.join(ROOT, "..", "shared")), "data")
COUNT = 80


def main():
    name = "things named in collages are placed on the side of their photo"
    captions = os.path.join(DATA, "captions_val.json")
    print("1..1")
    if not os.path.exists(captions):
        print("ok 1 %s # SKIP %s is not there" % (name, captions))
        return 0
    descry = os.path.join(ROOT, os.environ.get("BUILD", "build/x86_64"), "descry")
    found = collages.measure(descry, os.path.join(ROOT, "engine", "models", "descry-en.gguf"),
                             captions, os.path.join(DATA, "images"), COUNT, 3)
    sided = [(said, true) for _, said, true in found if said != "centre"]
    right = sum(said == true for said, true in sided)
    print("# %d things placed, %d on a side, %d of them right" % (len(found), len(sided), right))
    # with fewer the share would say little
    fine = len(sided) >= COUNT // 4 and right >= 0.8 * len(sided)
    print("%s 1 %s" % ("ok" if fine else "not ok", name))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
