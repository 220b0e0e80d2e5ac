# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 900
"""The commands of the laboratory as a person runs them, one after another on the
photos of the repository: a model is looked at, a small decoder trained on a few
captions, gone on with, made smaller, evaluated. And the commands of camera and
keys, over the bus, on a machine without either."""
import json
import os
import tempfile

from harness import (MODEL, PHOTOS, daemon, descry, need_model, run, test, wait_for)

SENTENCES = {
    "astronaut.png": ["a woman in an orange suit", "a smiling woman beside a flag",
                      "a woman with a helmet and a flag"],
    "camera.png": ["a man with a camera in a field", "a man looks through a camera",
                   "a man in a coat with a camera"],
    "chelsea.png": ["a cat looks into the camera", "a brown cat on a blanket",
                    "the face of a brown cat"],
    "coffee.png": ["a cup of coffee on a table", "a cup with a spoon on a plate",
                   "a cup of coffee and a spoon"],
    "raccoon.jpg": ["a raccoon in the grass", "the face of a raccoon", "a raccoon looks up"],
    "rocket.jpg": ["a rocket at its start", "a rocket and much smoke", "a rocket rises at night"],
}


def captions(folder):
    """A caption file of COCO's form."""
    path = os.path.join(folder, "captions.json")
    names = sorted(SENTENCES)
    with open(path, "w") as file:
        json.dump({"images": [{"id": i, "file_name": n} for i, n in enumerate(names)],
                   "annotations": [{"id": 10 * i + k, "image_id": i, "caption": s}
                                   for i, n in enumerate(names)
                                   for k, s in enumerate(SENTENCES[n])]}, file)
    return path


def good(*arguments):
    answer = descry(*arguments, timeout=300)
    assert answer.returncode == 0, (arguments, answer)
    return answer.stdout


def refused(*arguments, status=None):
    """Ends with a sentence and no output, and with no file written."""
    answer = descry(*arguments, timeout=300)
    assert answer.returncode not in (0, -6, -11), (arguments, answer)
    assert status is None or answer.returncode == status, (arguments, answer)
    assert answer.stdout == "" and answer.stderr.strip().endswith("."), (arguments, answer)
    return answer.stderr


@test
def model_info():
    """a model tells what it is, with every layer if wanted"""
    need_model()
    text = good("model", "info", MODEL)
    assert "Inception" in text and "licence" in text.lower(), text
    document = json.loads(good("model", "info", "--json", "--layers", MODEL))
    assert len(document["layers"]) > 90, len(document["layers"])
    assert all("kernel" in layer or "operation" in layer or layer for layer in document["layers"])
    assert len(good("model", "info", "--layers", MODEL).splitlines()) > len(text.splitlines()) + 90
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        file.write(b"no model")
        file.flush()
        refused("model", "info", file.name, status=8)
    refused("model", "info", "/nowhere/model.gguf")


@test
def from_captions_to_a_model():
    """training, going on from a checkpoint, quantising and evaluating, each by its command"""
    need_model()
    with tempfile.TemporaryDirectory() as folder:
        path, cache = captions(folder), os.path.join(folder, "cache")
        whole, small = (os.path.join(folder, name) for name in ("whole.gguf", "small.gguf"))
        report, checkpoint = (os.path.join(folder, name) for name in ("report.html", "run"))
        common = ["--captions", path, "--images", PHOTOS, "--model", MODEL]
        lesson = ["train", *common, "--cache", cache, "--val", path, "--output", whole, "--hidden",
                  "16", "--min-count", "1", "--batch", "2", "--threads", "1", "--seed", "3",
                  "--checkpoint", checkpoint, "--report", report, "--dropout", "0"]
        good(*lesson, "--epochs", "4")
        assert os.path.getsize(whole) > 1 << 20
        with open(report) as file:
            assert "<svg" in file.read()
        info = json.loads(good("model", "info", "--json", whole))
        assert "16" in json.dumps(info), info
        # the trained model describes, whatever it has learnt
        assert good("describe", "--local", "--quiet", "--model", whole,
                    os.path.join(PHOTOS, "coffee.png")).strip()
        assert "other options" in refused(*lesson, "--epochs", "6", "--resume")
        lines = good(*lesson, "--epochs", "4", "--resume", "--json").splitlines()
        assert all(isinstance(json.loads(line), dict) for line in lines), lines
        # 8 bits: half the size of the decoder, and it still speaks
        good("model", "quantise", "--output", small, whole)
        assert os.path.getsize(small) < os.path.getsize(whole)
        assert good("describe", "--local", "--quiet", "--model", small,
                    os.path.join(PHOTOS, "coffee.png")).strip()
        scores = json.loads(good("eval", "--json", "--captions", path, "--images", PHOTOS, "--model",
                                 small, "--cache", cache).splitlines()[-1])
        assert any("cider" in key.lower() for key in json.dumps(scores).split('"')), scores
        assert "astronaut.png" in good("eval", "--list", "--captions", path, "--images", PHOTOS,
                                       "--model", small, "--cache", cache, "--beam", "1")


@test
def wrong_lessons():
    """what cannot be trained or evaluated is refused in a sentence, and nothing is written"""
    need_model()
    with tempfile.TemporaryDirectory() as folder:
        path, out = captions(folder), os.path.join(folder, "out.gguf")
        empty = os.path.join(folder, "empty.json")
        with open(empty, "w") as file:
            file.write("{}")
        common = ["--images", PHOTOS, "--model", MODEL, "--cache", folder]
        refused("train", *common, "--captions", empty, "--output", out)
        refused("train", *common, "--captions", "/nowhere.json", "--output", out)
        refused("train", "--captions", path, "--images", folder, "--model", MODEL, "--cache", folder,
                "--output", out)
        refused("train", *common, "--captions", path, "--output", out, "--decoder", "crystal",
                status=10)
        refused("train", *common, "--captions", path, "--output", out, "--hidden", "-3", status=10)
        refused("train", *common, "--captions", path, "--output", "/nowhere/out.gguf",
                "--min-count", "1", "--epochs", "1", "--hidden", "8")
        refused("eval", *common, "--captions", empty)
        refused("model", "quantise", "--output", out, "/nowhere.gguf")
        assert not os.path.exists(out)


CAMERA = f"""[camera shelf]
kind = files
files = {PHOTOS}/r*.jpg
[watch]
pause = 1
"""


@test
def camera_and_keys():
    """look, watch, press and devices answer with and without --json"""
    need_model()
    with daemon(config=CAMERA) as served:
        served.wait_model()
        answer = descry("look", "--quiet", "--verbosity", "full")
        assert answer.returncode in (0, 17) and answer.stdout.strip().endswith("."), answer
        answer = descry("look", "--json", "--alternatives", "2", "--camera", "shelf")
        assert answer.returncode in (0, 17) and "caption" in json.loads(answer.stdout), answer
        refused("look", "--camera", "attic")
        refused("look", "--verbosity", "loud", status=2)
        good("watch", "--camera", "shelf", "on")
        wait_for(lambda: served.property("Watching"), 30, "watching")
        good("watch", "off")
        wait_for(lambda: not served.property("Watching"), 30, "the end of it")
        refused("watch", "perhaps", status=2)
        for action in ("status", "repeat", "detail", "stop", "look"):
            good("press", action)
        refused("press", "dance")
        listing = good("devices")
        assert listing.strip(), listing
        document = json.loads(good("devices", "--json"))
        assert isinstance(document, dict), document
        for subject in ("focus", "screen", "clipboard"):
            answer = descry(subject, environment={"DISPLAY": "", "WAYLAND_DISPLAY": ""})
            assert answer.returncode != 0 and answer.stderr.strip().endswith("."), answer


run()
