#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking and watching through a camera that is preloaded into the daemon: its
formats, its faults and what is said of them, bad pictures, the lens covered."""
import os
import re
import time

from PIL import Image, ImageEnhance, ImageFilter

from camera import CONFIG, LONG, SIZE, Camera, jpeg, picture
from harness import (PHOTOS, Bus, Caller, Daemon, cpu_seconds, descry, heard, need_model, options_of,
                     run, test, wait_for)

said = {}


def local(image):
    """The caption of a picture without any camera."""
    path = "/tmp/descry-test-camera.png"
    image.save(path)
    done = descry("describe", "--local", "--quiet", "--model",
                  os.environ.get("DESCRY_MODEL", "engine/models/descry-en.gguf"), path)
    os.unlink(path)
    assert done.returncode == 0, done
    return done.stdout.strip()


def words(caption):
    return set(re.findall(r"\w+", caption.lower()))


@test
def formats():
    """MJPG, YUYV, NV12 and GREY frames give the caption of the picture itself"""
    need_model()
    for format in ("MJPG", "YUYV", "NV12", "GREY"):
        image = picture("coffee.png")
        if format == "GREY":
            image = image.convert("L").convert("RGB")
        with Camera(format + ":640x480", image=image) as camera:
            caption, details = camera.look(anything=True)
            assert (int(details["width"]), int(details["height"])) == SIZE, details
            assert f"{format} 640x480" in camera.daemon.log()
        # the last bits of colour may turn a word, not the sentence
        alone = words(local(image))
        assert len(words(caption) & alone) >= 0.6 * len(alone), (format, caption, alone)


@test
def nearest_size():
    """the format and size nearest the configured ones are taken"""
    need_model()
    with Camera("YUYV:1920x1080 YUYV:800x600 YUYV:160x120 GREY:640x480") as camera:
        _, details = camera.look(anything=True)
        assert "GREY 640x480" in camera.daemon.log()
        assert (int(details["width"]), int(details["height"])) == SIZE
    with Camera("YUYV:1920x1080 YUYV:800x600 YUYV:160x120", control="short",
                config=CONFIG.replace("[watch]", "format = yuyv\n[watch]")) as camera:
        camera.fault()     # every frame is too short
        assert "YUYV 800x600" in camera.daemon.log()


@test
def exposure():
    """frames are dropped until the brightness is steady"""
    need_model()
    with Camera("GREY:640x480", control="ramp=12") as camera:
        _, details = camera.look(anything=True)
        log = camera.daemon.log()
        frames, level = re.search(r"settled after (\d+) frames at brightness (\d+)", log).groups()
        wanted = sum(picture().convert("L").histogram()[i] * i for i in range(256)) / 640 / 480
        assert 12 <= int(frames) <= 15, log
        assert abs(int(level) - wanted) <= 3, (log, wanted)


@test
def never_stale():
    """a warm camera gives the picture that is there after the request"""
    need_model()
    with Camera(config=CONFIG.replace("warm = 1", "warm = 300")) as camera:
        first, _ = camera.look()
        assert camera.interface.Sources()[0]["state"] == "warm"
        camera.show(picture("chelsea.png"))
        second, _ = camera.look()
        assert second != first, (first, second)
        camera.show(picture())
        assert camera.look()[0] == first


@test
def joined():
    """ten presses at once are one picture and one description"""
    need_model()
    with Camera() as camera:
        caller = Caller(camera.bus)
        jobs = [int(caller.interface.SubmitLook(options_of(speak=False))) for _ in range(10)]
        captions = {caller.wait(job)[0] for job in jobs}
        assert len(captions) == 1, captions
        assert camera.daemon.log().count("described camera:front") == 1
        caller.close()


@test
def faults():
    """each fault is said in a sentence, and the next press works again"""
    need_model()
    cases = [("absent", "NoCamera"), ("busy", "NoCamera"), ("denied", "NoCamera"),
             ("busy-stream", "NoCamera"), ("refuse", "NoCamera"), ("stall", "Timeout"),
             ("short", "BadImage"), ("corrupt", "BadImage"), ("flagged", "BadImage")]
    with Camera() as camera:
        caption, _ = camera.look()
        for fault, name in cases:
            # each fault meets a closed camera
            wait_for(lambda: camera.interface.Sources()[0]["state"] == "closed", LONG,
                     "the warm time")
            camera.show(words=fault)
            got, sentence = camera.fault()
            said[fault] = sentence
            assert got == name, (fault, got, sentence)
            assert sentence.endswith(".") and len(sentence) < 160, sentence
            camera.show()
            assert camera.look()[0] == caption, fault
        # in the middle, while the camera is open
        for fault, name in (("unplug", "NoCamera"), ("stall", "Timeout")):
            camera.look()
            camera.show(words=fault)
            got, sentence = camera.fault()
            said[fault + " while open"] = sentence
            assert got == name, (fault, got, sentence)
            camera.show()
            assert camera.look()[0] == caption, fault
        assert camera.daemon.status()["worker_restarts"] == 0


@test
def slow_start():
    """a camera that starts slowly does not hold up the bus"""
    need_model()
    with Camera(control="slow=4000", config=CONFIG.replace("open-timeout = 8",
                                                           "open-timeout = 60")) as camera:
        caller = Caller(camera.bus)
        job = int(caller.interface.SubmitLook(options_of(speak=False)))
        for _ in range(3):
            assert camera.interface.Sources()[0]["state"] == "opening"
        assert not caller.described
        assert caller.wait(job)[0].endswith(".")
        caller.close()


@test
def bad_pictures():
    """a bad picture is answered with what to do, with its scores, and not described"""
    need_model()
    good = picture("coffee.png")
    turned = picture("rocket.jpg").rotate(35, Image.BICUBIC, expand=True)
    middle = [(turned.width - 420) // 2, (turned.height - 315) // 2]
    turned = turned.crop((*middle, middle[0] + 420, middle[1] + 315)).resize(SIZE)
    cases = [
        ("dark", ImageEnhance.Brightness(good).enhance(0.02)),
        ("bright", Image.blend(good, Image.new("RGB", SIZE, "white"), 0.97)),
        ("tilted", turned),
        ("blurred", good.filter(ImageFilter.GaussianBlur(24))),
        ("uniform", Image.new("RGB", SIZE, (140, 120, 90))),
    ]
    with Camera() as camera:
        for kind, image in cases:
            camera.show(image)
            sentence, details = camera.look()
            quality = details["quality"]
            said["picture " + kind] = sentence
            assert quality["verdict"] == "refuse", (kind, sentence, quality)
            assert float(quality["scores"][quality["kind"]]) > 0.5
            assert "words" not in details and "confidence" not in details
            described, details = camera.look(anything=True)
            assert described != sentence and details["quality"]["verdict"] == "doubt"
        done = descry("look", "-q")
        assert done.returncode == 17 and done.stdout.strip() == sentence, done
    # limits are the user's
    with Camera(config=CONFIG + "[quality]\n" + "".join(
            f"{k}-refuse = 2\n" for k in ("dark", "bright", "covered", "blurred", "tilted",
                                          "uniform", "not-photo")), image=cases[0][1]) as camera:
        _, details = camera.look()
        assert details["quality"]["verdict"] != "refuse" and "words" in details


@test
def watching():
    """watching describes what changes, once, and nothing while it is still or off"""
    need_model()
    with Camera() as camera:
        camera.watch(True)
        assert camera.daemon.property("Watching")
        camera.wait_for_log("described watch:front")
        wait_for(lambda: camera.watching()["sentences"] == 1, LONG, "the first sentence")
        wait_for(lambda: camera.watching()["glances"] > 12, LONG, "a dozen glances")
        assert camera.watching()["captions"] == 1, camera.watching()
        # lighter and darker is no change, another picture is
        camera.show(ImageEnhance.Brightness(picture()).enhance(0.75))
        seen = camera.watching()["glances"]
        wait_for(lambda: camera.watching()["glances"] > seen + 10, LONG, "ten glances")
        assert camera.watching()["captions"] == 1, camera.watching()
        camera.show(picture("chelsea.png"))
        wait_for(lambda: camera.watching()["sentences"] == 2, LONG, "the second sentence")
        assert "cat" in camera.daemon.log().rsplit("described watch:front", 1)[1]
        camera.watch(False)
        assert not camera.daemon.property("Watching")
        assert "watching" not in camera.daemon.status()
        wait_for(lambda: camera.interface.Sources()[0]["state"] == "closed", LONG, "the warm time")
        camera.show(picture())
        time.sleep(1)
        assert camera.daemon.log().count("described watch:front") == 2


@test
def covered_lens():
    """a covered lens pauses watching, uncovering resumes it"""
    need_model()
    with Camera() as camera:
        camera.watch(True)
        wait_for(lambda: camera.watching()["sentences"] == 1, LONG, "the first sentence")
        camera.show(Image.new("RGB", SIZE, (9, 7, 8)))
        wait_for(lambda: camera.watching()["covered"], LONG, "covered")
        camera.wait_for_log("the lens is covered")
        seen = camera.watching()["glances"]
        wait_for(lambda: camera.watching()["glances"] > seen + 3, LONG, "glances")
        assert camera.watching()["captions"] == 1, camera.watching()
        camera.show(picture("chelsea.png"))
        wait_for(lambda: not camera.watching()["covered"], LONG, "uncovered")
        camera.wait_for_log("the lens is free")
        wait_for(lambda: camera.watching()["sentences"] == 2, LONG, "the second sentence")


@test
def unplugged_while_watching():
    """a camera unplugged and plugged in again is told of both times, and watching goes on"""
    need_model()
    with Camera() as camera:
        camera.watch(True)
        wait_for(lambda: camera.watching()["sentences"] == 1, LONG, "the first sentence")
        camera.show(words="unplug")
        wait_for(lambda: "unplugged" in str(camera.watching()["trouble"]), LONG, "the trouble")
        said["unplug while watching"] = str(camera.watching()["trouble"])
        time.sleep(2)
        camera.show(picture("chelsea.png"))
        camera.wait_for_log("the camera works again")
        wait_for(lambda: camera.watching()["sentences"] == 2, LONG, "the next sentence")
        assert camera.watching()["trouble"] == ""


@test
def unplugged_while_warm():
    """a warm camera that is unplugged, and one that is back, is told of without a press"""
    need_model()
    with Camera(config=CONFIG.replace("warm = 1", "warm = 300").replace(
            "[camera", "[log]\nlevel = debug\n[camera", 1)) as camera:
        caption, _ = camera.look()
        assert camera.interface.Sources()[0]["state"] == "warm"
        camera.show(words="unplug")
        camera.wait_for_log("saying: The camera front was unplugged.")
        said["unplug while warm"] = re.findall("saying: (.*)", camera.daemon.log())[-1]
        time.sleep(3)
        assert camera.daemon.log().count("unplugged") == 2, "said or logged again"
        camera.show()
        camera.wait_for_log("saying: The camera works again.")
        wait_for(lambda: camera.interface.Sources()[0]["state"] == "warm", LONG, "the warm camera")
        assert camera.look()[0] == caption
        # a press in between is answered itself, and nothing is said twice
        camera.show(words="unplug")
        camera.wait_for_log("saying: The camera front was unplugged.", 2)
        assert camera.fault()[0] == "NoCamera"
        camera.show()
        assert camera.look()[0] == caption
        time.sleep(3)
        assert camera.daemon.log().count("saying: The camera") == 3


@test
def a_key_wins():
    """a look in the middle of watching is answered, and watching waits"""
    need_model()
    with Camera() as camera:
        camera.watch(True)
        caption, _ = camera.look()
        assert caption.endswith(".")
        camera.interface.Press("look")
        camera.wait_for_log("described camera:front", 2)


@test
def duty():
    """watching keeps within the configured processor time"""
    need_model()
    with Camera(config=CONFIG + "duty = 5\nmoving = 500\nmotion = 0.01\n") as camera:
        pictures = [picture(n) for n in ("coffee.png", "chelsea.png", "astronaut.png")]
        begun = time.monotonic()
        pids = [int(camera.daemon.status()[k]) for k in ("pid", "worker_pid")]
        used = -sum(map(cpu_seconds, pids))
        camera.watch(True)
        while time.monotonic() - begun < 20:
            camera.show(pictures[camera.shown % 3])
            time.sleep(0.3)
        used += sum(map(cpu_seconds, pids))
        share = 100 * used / (time.monotonic() - begun)
        status = camera.watching()
        print(f"# a view that never rests, at most 5%: {share:.1f}% by the kernel's clocks, "
              f"{float(status['duty']):.1f}% by its own, {status['captions']} captions")
        # one caption may overdraw the account
        assert share < 5 + 100 * 1.0 / 20, (share, status)


def wakeups(pid):
    """Voluntary context switches of all threads: each is a wake-up before it slept again."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as file:
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(), re.M)[1])
    return total


@test
def idle():
    """neither an idle daemon, nor one with a warm camera, wakes up"""
    need_model()
    with Camera(config=CONFIG.replace("warm = 1", "warm = 300")) as camera:
        pids = [int(camera.daemon.status()[k]) for k in ("pid", "worker_pid")]
        for state in ("closed", "warm"):
            if state == "warm":
                camera.look()
                assert camera.interface.Sources()[0]["state"] == "warm"
            time.sleep(3)
            before = [wakeups(p) for p in pids]
            time.sleep(5)
            after = [wakeups(p) for p in pids]
            woken = [b - a for a, b in zip(before, after)]
            print(f"# wake-ups in 5 s, camera {state}: daemon {woken[0]}, worker {woken[1]}")
            assert woken == [0, 0], (state, woken)


@test
def folder():
    """pictures that arrive in a folder are described one after another"""
    need_model()
    bus = Bus()
    inbox = os.path.join(bus.folder, "inbox")
    os.mkdir(inbox)
    daemon = Daemon(bus, config=f"[camera inbox]\nkind = folder\nfolder = {inbox}\n")
    try:
        daemon.wait_model()
        for i, name in enumerate(("coffee.png", "chelsea.png", "astronaut.png")):
            with open(os.path.join(inbox, f"{i}.jpg"), "wb") as file:
                file.write(jpeg(picture(name)))
        wait_for(lambda: daemon.log().count("described arrival:") == 3, LONG, "three descriptions")
    finally:
        daemon.stop()
        bus.close()


@test
def wrong_settings():
    """a camera that cannot be is named in the log, and the others work"""
    need_model()
    bus = Bus()
    daemon = Daemon(bus, config=f"[camera bad]\nkind = http\nurl = ftp://x/\n[camera good]\n"
                                f"kind = files\nfiles = {PHOTOS}/*.jpg\n")
    try:
        daemon.wait_model()
        assert "needs an address that begins with http" in daemon.log()
        assert [str(s["name"]) for s in daemon.interface.Sources()] == ["good"]
        assert descry("look", "-q").returncode in (0, 17)
        done = descry("look", "-q", "-c", "bad")
        assert done.returncode == 7 and "No camera is configured under the name bad" in done.stderr
    finally:
        daemon.stop()
        bus.close()


def report():
    for fault, sentence in said.items():
        print(f"# {fault}: {sentence}")
        heard("camera, " + fault, sentence)


@test
def sentences():
    """what each fault made the daemon say is on record"""
    report()
    assert said


run()
