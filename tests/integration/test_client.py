# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 1800
"""The client `descry`: commands, exit statuses, output, and what bad input is
answered, through the daemon and alone. What each kind of bad input was answered
is written to build/test-logs/bad-input.txt."""
import json
import os
import re
import shutil
import subprocess
import tempfile

from harness import (BUILD, DESCRY, DESCRYD, MODEL, PHOTOS, ROOT, SANITIZED, Bus, Skip, daemon, descry,
                     need_model, run, test, wait_for)

COFFEE = os.path.join(PHOTOS, "coffee.png")
ROCKET = os.path.join(PHOTOS, "rocket.jpg")
ANSWERS = os.path.join(ROOT, "build/test-logs/bad-input.txt")


def local(*arguments, **options):
    return descry("describe", "--local", "--model", MODEL, *arguments, **options)


@test
def usage():
    """a wrong command line ends with 2 and says how to go on"""
    for arguments in ([], ["dance"], ["describe"], ["describe", "--beam"], ["say"],
                      ["describe", "--beam", "0", COFFEE], ["describe", "--beam", "x", COFFEE],
                      ["describe", "--local=1", COFFEE], ["describe", "--flavour", COFFEE],
                      ["stop", "now"], ["status", "x"], ["set", "rate"], ["set", "rate", "x"],
                      ["describe", "--model", MODEL, COFFEE], ["describe", "-z", COFFEE],
                      ["describe", "--verbosity", "loud", COFFEE]):
        answer = descry(*arguments)
        assert answer.returncode == 2, (arguments, answer)
        assert answer.stderr.startswith("descry: ") and answer.stdout == "", (arguments, answer)


@test
def help_texts():
    """every command has help that names its options"""
    overview = descry("--help").stdout
    names = re.findall(r"^  ([a-z]+(?: [a-z]+)?)(?= |$)", overview.split("Exit statuses")[0], re.M)
    assert {"describe", "say", "stop", "repeat", "status", "voices"} <= set(names), names
    for name in names:
        answer = descry(*name.split(), "--help")
        assert answer.returncode == 0 and "--json" in answer.stdout, name
    assert re.fullmatch(r"descry \d+\.\d+\.\d+\n", descry("--version").stdout)


@test
def documents_are_current():
    """manual pages, completion and default configuration are those of the tables"""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([os.path.join(ROOT, "config/write-documents.sh"), BUILD, folder],
                       check=True)
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name)) as new, \
                    open(os.path.join(ROOT, "config", name)) as kept:
                assert new.read() == kept.read(), \
                    f"config/{name} is not what the programs write: run `make documents`"


@test
def manual_pages():
    """the manual pages are clean for mandoc"""
    if not shutil.which("mandoc"):
        raise Skip("mandoc is not installed")
    for page in ("descry.1", "descryd.8", "descry.conf.5"):
        answer = subprocess.run(["mandoc", "-T", "lint", "-W", "warning",
                                 os.path.join(ROOT, "config", page)],
                                capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout


@test
def completion():
    """the completion offers commands, options and files"""
    script = ('source "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); '
              '_descry; printf "%s\\n" "${COMPREPLY[@]}"')

    def complete(*words):
        return subprocess.run(["bash", "-c", script, "-", os.path.join(ROOT,
                              "config/completion.bash"), *words], capture_output=True, text=True,
                              check=True, cwd=PHOTOS).stdout.split()
    assert complete("descry", "desc") == ["describe"]
    assert "--alternatives" in complete("descry", "describe", "--a")
    assert "coffee.png" in complete("descry", "describe", "cof")


@test
def local_description():
    """--local describes without a bus, on standard output and in JSON"""
    need_model()
    without = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere", "XDG_RUNTIME_DIR": "/nowhere"}
    answer = local("-q", COFFEE, environment=without)
    assert answer.returncode == 0 and answer.stdout.endswith(".\n"), answer
    assert answer.stdout.count("\n") == 1 and answer.stderr == "", answer
    both = local("--json", "--alternatives", "2", COFFEE, ROCKET, environment=without)
    first, second = (json.loads(line) for line in both.stdout.splitlines())
    assert first["caption"] == answer.stdout.strip() and first["file"] == COFFEE
    assert second["file"] == ROCKET and len(second["details"]["alternatives"]) == 1
    answer = descry("describe", "-q", COFFEE, environment=without)
    assert answer.returncode == 3 and "--local" in answer.stderr, answer


@test
def no_sound_card_alone():
    """without a sound card --local says so once, however many pictures there are"""
    need_model()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "asound.conf")
        with open(path, "w") as file:
            file.write("pcm.!default { type hw card 31 }\nctl.!default { type hw card 31 }\n")
        answer = local(COFFEE, ROCKET, environment={"ALSA_CONFIG_PATH": path})
    assert answer.returncode == 0 and answer.stdout.count("\n") == 2, answer
    lines = answer.stderr.splitlines()
    assert sum("sound card" in line for line in lines) == 1, lines
    assert len(lines) == len(set(lines)), lines


@test
def no_model_alone():
    """a missing model file is answered with what to do about it"""
    answer = descry("describe", "--local", "--model", "/nowhere/model.gguf", "-q", COFFEE)
    assert answer.returncode == 8 and answer.stdout == "", answer
    for part in ("/nowhere/model.gguf", "descry-model-en", "--model FILE"):
        assert part in answer.stderr, answer


@test
def standard_input():
    """a picture on standard input is described, from a file and from a pipe"""
    need_model()
    with open(COFFEE, "rb") as photo:
        by_file = local("-q", "-", stdin=photo)
    with subprocess.Popen(["cat", COFFEE], stdout=subprocess.PIPE) as cat:
        by_pipe = local("-q", "-", stdin=cat.stdout)
    assert by_file.returncode == by_pipe.returncode == 0, (by_file, by_pipe)
    assert by_file.stdout == by_pipe.stdout == local("-q", COFFEE).stdout


@test
def daemon_and_local_agree():
    """the daemon and --local give the same document, and several files in turn"""
    need_model()
    with daemon():
        photos = sorted(os.path.join(PHOTOS, p) for p in os.listdir(PHOTOS)
                        if p.endswith((".png", ".jpg")))
        served = [json.loads(line) for line in
                  descry("describe", "--json", *photos).stdout.splitlines()]
        alone = [json.loads(line) for line in local("--json", *photos).stdout.splitlines()]
        assert len(served) == len(alone) == len(photos)
        for a, b in zip(served, alone):
            a["details"].pop("timings")
            b["details"].pop("timings")
            assert a == b, (a, b)
        plain = descry("describe", "-q", *photos)
        assert plain.stdout.splitlines() == [f"{d['file']}: {d['caption']}" for d in alone]


@test
def speech_of_several():
    """the sentences of several files are spoken one after the other"""
    need_model()
    with daemon() as served:
        assert descry("describe", COFFEE, ROCKET).returncode == 0
        wait_for(lambda: not served.property("Speaking"), 60, "the end of speech")
    with tempfile.TemporaryDirectory() as folder:
        wav = os.path.join(folder, "speech.wav")
        assert local("--wav", wav, COFFEE).returncode == 0
        one = os.path.getsize(wav)
        assert local("--wav", wav, COFFEE, ROCKET).returncode == 0
        assert os.path.getsize(wav) > one * 1.5 > 30000


@test
def voice_commands():
    """say, repeat, stop, set, status and voices do what they say"""
    with daemon() as served:
        assert descry("repeat").returncode == 16
        assert descry("say", "one", "two").returncode == 0
        assert descry("repeat").returncode == 0
        assert descry("stop").returncode == 0
        assert descry("set", "rate", "320").returncode == 0
        assert served.property("Rate") == 320
        assert descry("set", "voice", "de").returncode == 0
        answer = descry("set", "voice", "klingon-x")
        assert answer.returncode == 12 and answer.stderr, answer
        status = json.loads(descry("status", "--json").stdout)
        assert status["rate"] == 320 and status["voice"] == "de", status
        assert "rate: 320\n" in descry("status").stdout
        answer = descry("say", "--priority", "soon", "x")
        assert answer.returncode == 10 and "now, next, idle" in answer.stderr, answer
    voices = [json.loads(line) for line in descry("voices", "--json").stdout.splitlines()]
    assert any(v["language"] == "en-gb" or v["language"] == "en" for v in voices)
    assert len(voices) > 50


def bad_inputs(folder):
    """Yields (what, path, expected exit statuses); 0 stands for described with a warning."""
    def put(name, data):
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path
    with open(ROCKET, "rb") as file:
        jpeg = file.read()
    with open(COFFEE, "rb") as file:
        png = file.read()
    yield "a file that is not there", os.path.join(folder, "nothing.jpg"), {4}
    yield "an empty file", put("empty.jpg", b""), {4}
    yield "text", put("text.jpg", b"This is not a picture.\n" * 50), {4}
    yield "a GIF", put("picture.gif", b"GIF89a\x10\x00\x10\x00\x80\x00\x00" + b"\0" * 64), {4}
    yield "random bytes", put("noise.png", os.urandom(20000)), {4}
    for tenth in range(10):
        yield (f"a JPEG cut after {tenth} tenths", put(f"cut{tenth}.jpg",
               jpeg[:max(3, len(jpeg) * tenth // 10)]), {0, 4} if tenth >= 3 else {4})
    for tenth in (1, 5, 9):
        yield f"a PNG cut after {tenth} tenths", put(f"cut{tenth}.png",
                                                     png[:len(png) * tenth // 10]), {0, 4}
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    for side, what in ((30001, "a PNG of 30,001 pixels a side"),
                       (20000, "a PNG of 400 megapixels"), (0xFFFFFFFF, "a PNG header of -1")):
        body = b"IHDR" + side.to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
        import zlib
        yield what, put(f"huge{side}.png", header[:12] + body +
                        zlib.crc32(body).to_bytes(4, "big") + png[33:200]), {4, 5}
    sof = jpeg.index(b"\xff\xc0" if b"\xff\xc0" in jpeg else b"\xff\xc2")
    yield "a JPEG header of 65,535 pixels a side", put(
        "huge.jpg", jpeg[:sof + 5] + b"\xff\xff\xff\xff" + jpeg[sof + 9:]), {4, 5}
    yield "a file over 64 MiB", put("large.jpg", jpeg + b"\0" * (65 << 20)), {5}
    yield "a JPEG named .txt", put("photo.txt", jpeg), {0}
    yield "a PNG named .jpg", put("photo.jpg", png), {0}
    yield "a directory", folder, {4}
    fifo = os.path.join(folder, "fifo")
    os.mkfifo(fifo)
    yield "a named pipe that nobody writes to", fifo, {15}
    yield "a device", "/dev/zero", {4}
    secret = put("secret.jpg", jpeg)
    os.chmod(secret, 0)
    yield "a file that may not be read", secret, {4}


@test
def bad_input():
    """every kind of bad input is answered with a sentence, by the daemon and alone"""
    need_model()
    lines = []
    # root may read anything: then another user asks
    prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] \
        if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder, daemon() as served:
        os.chmod(folder, 0o755)
        for what, path, expected in bad_inputs(folder):
            answers = []
            if what == "a file that may not be read":
                answers.append(subprocess.run(
                    [*prefix, DESCRY, "describe", "--local", "--model", MODEL, "-q", path],
                    capture_output=True, text=True, timeout=60, check=False))
            else:
                answers.append(descry("describe", "-q", path))
                answers.append(local("-q", path))
            for answer in answers:
                assert answer.returncode in expected, (what, answer)
                text = answer.stderr.strip()
                if answer.returncode == 0:
                    assert answer.stdout.endswith(".\n"), (what, answer)
                else:
                    assert answer.stdout == "" and re.search(r"[.!]$", text), (what, answer)
                # one sentence a line: at most that it is cut, and that it looks bad
                assert len(text.splitlines()) <= (1 if answer.returncode else 2), (what, answer)
            outcome = answers[0]
            lines.append(f"{what}: status {outcome.returncode}: "
                         + (outcome.stdout + outcome.stderr).replace(folder, "").strip()
                         .replace("\n", " "))
        assert served.status()["worker_restarts"] == 0, "a bad picture crashed the worker"
    os.makedirs(os.path.dirname(ANSWERS), exist_ok=True)
    with open(ANSWERS, "w") as file:
        file.write("\n".join(lines) + "\n")


@test
def damaged_models():
    """a model damaged at 100 places is refused with a sentence or describes"""
    need_model()
    import random
    chance = random.Random(7)
    with open(MODEL, "rb") as file:
        whole = bytearray(file.read())
    refused = described = 0
    # the first half megabyte holds metadata and tables, the rest weights
    places = [chance.randrange(1 << 19) for _ in range(80)] + \
             [chance.randrange(len(whole)) for _ in range(20)]
    if SANITIZED:
        places = places[::10]     # each run takes seconds there
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.NamedTemporaryFile(suffix=".gguf", dir=folder) as file:
        file.write(whole)
        file.flush()
        for place in places:
            file.seek(place)
            file.write(bytes([whole[place] ^ chance.randrange(1, 256)]))
            file.flush()
            answer = descry("describe", "--local", "--model", file.name, "-q", COFFEE)
            assert answer.returncode in (0, 1, 8), (place, answer)
            if answer.returncode:
                refused += 1
                assert answer.stderr.strip().endswith("."), (place, answer)
            else:
                described += 1
            file.seek(place)
            file.write(whole[place:place + 1])
            file.flush()
        for size in (0, 3, 24, 1000, len(whole) // 2, len(whole) - 4096):
            os.truncate(file.name, size)
            answer = descry("describe", "--local", "--model", file.name, "-q", COFFEE)
            assert answer.returncode == 8, (size, answer)
            file.seek(0)
            file.write(whole)
            file.flush()
    with open(ANSWERS, "a") as file:
        file.write(f"a model damaged at 100 places: {refused} refused, {described} described\n")


run()
