# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 1800
"""Faults, each caused for real, and what the user hears of each. The table of
what was heard is written to build/test-logs/faults.txt. Faults of cameras and of
the bus, two daemons and systemd's restart have their tests beside their subjects
(test_camera.py, test_service.py, test_packages.sh) and lines in the same table."""
import array
import contextlib
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import tempfile
import time
import zlib

import dbus

from harness import (CRASH, DESCRYD, MODEL, PHOTOS, ROOT, SANITIZED, Bus, Caller, Daemon, Pipe,
                     Skip, daemon, descry, error_name, heard, need_model, need_preloading,
                     options_of, run, test, wait_for, wall_clock)
from jack import Jack, available

ERROR = "org.descry.Error."
COFFEE = os.path.join(PHOTOS, "coffee.png")
ROCKET = os.path.join(PHOTOS, "rocket.jpg")


def spoken(served):
    return re.findall(r"^debug: saying: (.*)$", served.log(), re.M)


def says(served, fault, expected):
    """Waits until the daemon has said something that matches, and notes it down."""
    wait_for(lambda: any(re.search(expected, s) for s in spoken(served)), 30,
             f"{expected!r} to be said, not {spoken(served)}")
    heard(fault, next(s for s in spoken(served) if re.search(expected, s)))


def describe(served, path=COFFEE, **options):
    with open(path, "rb") as photo:
        return served.interface.Describe(dbus.types.UnixFd(photo), options_of(**options),
                                         timeout=120)


def still_well(served):
    """The daemon describes and speaks as if nothing had been."""
    before = len(spoken(served))
    caption, _ = describe(served)
    assert caption.endswith(".")
    wait_for(lambda: len(spoken(served)) > before, 10, "the caption to be said")
    assert served.process.poll() is None


@test
def crash_is_told():
    """a picture that crashes the engine: said, and the next is described"""
    need_model()
    with daemon() as served:
        served.wait_model()
        pipe, caller = Pipe(), Caller(served.bus)
        caller.submit(pipe.reader)
        os.kill(int(served.status()["worker_pid"]), CRASH)
        says(served, "the engine crashes on a picture", "other pictures can be described")
        pipe.close()
        still_well(served)


@test
def crashes_in_a_row():
    """a worker that crashes again and again is restarted ever more slowly"""
    need_model()
    with daemon() as served:
        served.wait_model()
        caller = Caller(served.bus)
        started = time.monotonic()
        for _ in range(4):
            wait_for(lambda: served.status()["worker_pid"] != 0, 20, "the worker")
            pipe = Pipe()
            job = caller.submit(pipe.reader, speak=False)
            wait_for(lambda: served.status()["worker_pid"] != 0, 20, "the worker")
            os.kill(int(served.status()["worker_pid"]), signal.SIGKILL)
            assert caller.wait(job)[0] == ERROR + "Crashed"
            pipe.close()
        assert time.monotonic() - started > 0.1 + 0.2
        assert served.status()["worker_restarts"] == 4
        still_well(served)


@test
def hang_is_told():
    """a picture that never ends: given up after the configured time, and said"""
    need_model()
    with daemon("--set", "caption.timeout=4") as served:
        served.wait_model()
        pipe, caller = Pipe(), Caller(served.bus)
        caller.submit(pipe.reader)
        says(served, "a description that does not end", "more than 4 seconds")
        pipe.close()
        served.set_property("Rate", 200)
        still_well(served)


@test
def speech_crash_is_told():
    """a text that crashes eSpeak NG: said, and what waits is spoken"""
    with daemon() as served:
        for _ in range(2):
            wait_for(served.speech_pid, 10, "the process that speaks")
            before = os.path.getsize(served.wav)
            served.interface.Say("A very long text. " * 900, options_of())
            served.interface.Say("what waited", options_of(priority="next"))
            wait_for(lambda: os.path.getsize(served.wav) > before, 20, "the first samples")
            pid = served.speech_pid()
            os.kill(pid, CRASH)
            wait_for(lambda: served.speech_pid() not in (0, pid), 20, "another process")
            says(served, "eSpeak NG crashes over a text", "text could not be spoken")
            wait_for(lambda: not served.property("Speaking"), 60, "the end of speech")
        assert len(re.findall("other texts can be spoken", served.log())) == 2
        assert len(re.findall("saying: This text could not", served.log())) == 2
        # its process is not missed when it ends at rest
        os.kill(served.speech_pid(), signal.SIGKILL)
        before = os.path.getsize(served.wav)
        served.interface.Say("the voice works", options_of())
        wait_for(lambda: os.path.getsize(served.wav) > before + 30000, 20, "speech")
        assert len(re.findall("other texts can be spoken", served.log())) == 2


@test
def model_faults():
    """a model that is missing, cut short, foreign or of another version: said"""
    need_model()
    with open(MODEL, "rb") as file:
        start = bytearray(file.read(1 << 20))
    other = bytearray(start)
    struct.pack_into("<I", other, 4, 99)
    cases = {"missing": None, "cut short": bytes(start), "not a model": b"hello" * 100,
             "of another version": bytes(other)}
    for what, content in cases.items():
        bus = Bus()
        path = os.path.join(bus.folder, "model.gguf")
        if content is not None:
            with open(path, "wb") as file:
                file.write(content)
        served = Daemon(bus, model=path)
        try:
            with open(COFFEE, "rb") as photo:
                assert error_name(served.interface.Describe, dbus.types.UnixFd(photo),
                                  options_of(), timeout=60) == ERROR + "BadModel"
            says(served, f"the model is {what}", "model")
            served.interface.Say("the voice works", options_of())
        finally:
            served.stop()
            bus.close()


@test
def broken_reload_is_told():
    """a configuration broken on reload: said, the old one stays"""
    with daemon() as served:
        with open(served.config, "w") as file:
            file.write("[speech]\nrate = quick\n")
        served.process.send_signal(signal.SIGHUP)
        says(served, "the configuration is broken on reload", "The old one stays")
        assert served.property("Rate") == 175


@test
def broken_start_is_told():
    """a configuration with a mistake at the start: said, and what is right holds"""
    broken = b"[speech]\nrate = 250\nvolume = l\xe4ut\n[caption]\nverbosity = full\n"
    with daemon() as healthy:
        healthy.interface.Stop()
        assert not spoken(healthy)
        assert "configuration_trouble" not in healthy.status()
    with tempfile.TemporaryDirectory() as home:
        path = os.path.join(home, "descry", "descry.conf")
        os.mkdir(os.path.dirname(path))
        with open(path, "wb") as file:
            file.write(broken)
        with daemon("--config", path) as served:
            says(served, "the configuration is broken at the start", "mistake in line 3")
            assert served.property("Rate") == 250 and served.property("Verbosity") == "full"
            assert re.search(r"^error: .*descry.conf, line 3: .* must be a whole number",
                             served.log(), re.M), served.log()
            trouble = served.status()["configuration_trouble"]
            assert "line 3" in trouble and "whole number" in trouble, trouble
            assert len(spoken(served)) == 1
            with open(path, "w") as file:
                file.write("[speech]\nrate = 260\n")
            served.process.send_signal(signal.SIGHUP)
            wait_for(lambda: served.property("Rate") == 260, what="the mended configuration")
            assert "configuration_trouble" not in served.status()
    bus = Bus()
    try:
        for wrong in (("--set", "speech.rate=3"), ("--config", "/nowhere/descry.conf")):
            assert Daemon(bus, *wrong, config="[speech]\npace = 3\n",
                          wait=False).process.wait(20) == 2, wrong
    finally:
        bus.close()


@test
def unreadable_start_is_told():
    """a configuration that cannot be read at the start: said, the defaults hold"""
    bus = Bus()
    path = os.path.join(bus.folder, "descry", "descry.conf")
    os.makedirs(path)
    log = os.path.join(bus.folder, "log")
    with open(log, "wb") as file:
        process = subprocess.Popen(
            [DESCRYD, "--set", "log.level=debug", "--set", "speech.wav=/dev/null"],
            stderr=file, env={**os.environ, "XDG_CONFIG_HOME": bus.folder})
    try:
        def said():
            assert process.poll() is None
            with open(log) as file:
                return "saying: The configuration cannot be used. The defaults are used." \
                    in file.read()
        wait_for(said, what="the sentence")
        heard("the configuration cannot be read at the start",
              "The configuration cannot be used. The defaults are used.")
        assert "not a regular file" in descry("status").stdout
    finally:
        process.terminate()
        process.wait()
        bus.close()


@test
def no_sound_card():
    """without a sound card captions are delivered, and the reason is known"""
    need_model()
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "asound.conf")
        with open(config, "w") as file:
            file.write("pcm.!default { type hw card 31 }\nctl.!default { type hw card 31 }\n")
        with daemon("--set", "speech.wav=", "--set", "speech.route=own",
                    environment={"ALSA_CONFIG_PATH": config}) as served:
            caption, _ = describe(served)
            assert caption.endswith(".")
            wait_for(lambda: "speech_trouble" in served.status(), 20, "the reason")
            heard("no sound card", "nothing; `descry status` says: "
                  + str(served.status()["speech_trouble"]))
            assert served.log().count("ALSA lib") == 0
            describe(served, ROCKET)
            reasons = [l for l in served.log().splitlines() if l.startswith("warning: ")]
            assert len(reasons) == len(set(reasons)) <= 2, reasons


LONG = ("This sentence is long enough for the sound card to be lost in the middle of it, and it "
        "goes on and on, until nobody wants to hear any more of it at all, and then on.")


@contextlib.contextmanager
def played(**options):
    """A daemon whose sound card is a JACK server; yields both and a counter of the
    samples that have been heard of the last sentence."""
    if not available():
        raise Skip("jackd is not installed")
    with tempfile.TemporaryDirectory() as folder:
        jack = Jack(folder)

        def sounded():
            if not os.path.exists(jack.capture):
                return 0
            with open(jack.capture, "rb") as file:
                data = file.read()
            data = array.array("h", data[:len(data) // 2 * 2])
            return sum(1 for sample in data if sample)
        try:
            # the file that is the sound card is emptied by whoever opens it next
            with daemon("--set", "speech.wav=", "--set", "speech.route=own",
                        "--set", "sounds.hold=never", environment={
                    **jack.alsa(), **options}) as served:
                served.set_property("Rate", 175)
                yield served, jack, sounded
        finally:
            jack.stop(signal.SIGKILL)


def speaks(served, sounded, text=LONG):
    """The text is heard to the end."""
    def begun():
        # what the JACK server is to blame for: speak_to() in test_speech.py
        if "does not answer" in str(served.status().get("speech_trouble", "")):
            served.interface.Say(text, options_of())
            time.sleep(1)
        return served.property("Speaking")
    served.interface.Say(text, options_of())
    wait_for(begun, 60, "the beginning")
    wait_for(lambda: not served.property("Speaking"), 60, "the end")
    assert "speech_trouble" not in served.status(), served.status()
    assert sounded() > 20000, sounded()


def in_mid_sentence(served, jack, sounded):
    os.unlink(jack.capture)
    served.interface.Say(LONG, options_of())
    wait_for(lambda: sounded() > 10000, 60, "the first half second")
    return sounded()


@test
def card_lost_in_mid_sentence():
    """a sound card pulled out in mid-sentence: known, and the next sentence is heard"""
    with played() as (served, jack, sounded):
        speaks(served, sounded)
        whole = sounded()
        in_mid_sentence(served, jack, sounded)
        jack.stop(signal.SIGKILL)
        wait_for(lambda: "speech_trouble" in served.status(), 60, "the reason")
        wait_for(lambda: not served.property("Speaking"), 60, "the end")
        part, trouble = sounded(), str(served.status()["speech_trouble"])
        assert 10000 < part < whole, (part, whole)
        # while there is none, nothing waits to be spoken later
        served.interface.Say("Nobody hears this.", options_of())
        wait_for(lambda: served.log().count("saying: ") >= 3, 30, "the attempt")
        warnings = [l for l in served.log().splitlines() if l.startswith("warning: ")]
        assert len(warnings) == len(set(warnings)), warnings
        jack.start()
        speaks(served, sounded)
        heard("the sound card is lost in mid-sentence", f"{part / 22050:.1f} s of a sentence of "
              f"{whole / 22050:.1f} s; `descry status` says: {trouble} The first sentence after "
              "its return is heard whole")
        still_well(served)


@test
def card_wedged_in_write():
    """a sound card that takes no more sound: known, and the rest of Descry goes on"""
    with played() as (served, jack, sounded):
        speaks(served, sounded)
        in_mid_sentence(served, jack, sounded)
        jack.send(signal.SIGSTOP)
        wait_for(lambda: "speech_trouble" in served.status(), 60, "the reason")
        trouble = str(served.status()["speech_trouble"])
        # no call waits for the card
        caption, _ = describe(served)
        assert caption.endswith(".")
        served.interface.Stop()
        served.interface.Say("Nobody hears this.", options_of())
        jack.send(signal.SIGCONT)

        def works():
            served.interface.Say("Can you hear me again?", options_of())
            time.sleep(1)
            return "speech_trouble" not in served.status()
        wait_for(works, 90, "the card to be used again")
        served.interface.Stop()
        wait_for(lambda: not served.property("Speaking"), 60, "silence")
        speaks(served, sounded)
        heard("the sound card is wedged in write", "the sentence breaks off; `descry status` says: "
              f"{trouble} What is said after it goes on is heard")


@test
def suspended_in_mid_sentence():
    """a suspend in mid-sentence: the rest of it is heard after the resume"""
    with played() as (served, jack, sounded):
        speaks(served, sounded)
        whole = sounded()
        in_mid_sentence(served, jack, sounded)
        for number, pause in ((signal.SIGSTOP, 2), (signal.SIGCONT, 0)):
            # the kernel stops everybody at once
            served.process.send_signal(number)
            jack.send(number)
            time.sleep(pause)
        wait_for(lambda: not served.property("Speaking"), 60, "the end")
        rest = sounded()
        speaks(served, sounded)
        assert rest > 0.9 * whole, (rest, whole)
        heard("suspend and resume in mid-sentence", "the rest of the sentence after the resume")


@test
def full_disk():
    """a log or WAV file on a full disk: descriptions go on"""
    need_model()
    if not os.path.exists("/dev/full"):
        raise Skip("there is no /dev/full")
    bus = Bus()
    empty = os.path.join(bus.folder, "descry.conf")
    with open("/dev/full", "wb") as full, open(empty, "w"):
        process = subprocess.Popen(
            [os.path.join(ROOT, os.environ.get("BUILD", "build/x86_64"), "descryd"),
             "--config", empty, "--set", "model.path=" + MODEL, "--set",
             "log.level=debug", "--set", "speech.wav=/dev/full"], stderr=full)
    try:
        connection = bus.connect()
        wait_for(lambda: connection.name_has_owner("org.descry.Descry1"), 20, "the daemon")
        answer = descry("describe", COFFEE)
        assert answer.returncode == 0 and answer.stdout.endswith(".\n"), answer
        assert process.poll() is None
        heard("the disk is full under the log", "the caption, as ever")
    finally:
        process.kill()
        process.wait()
        bus.close()


def big_png(path, side):
    """A valid grey PNG of side × side pixels, tiny on disk, huge in memory."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(
            ">I", zlib.crc32(kind + body))
    pack = zlib.compressobj(9)
    row = b"\0" + bytes(side * 3)
    data = b"".join(pack.compress(row) for _ in range(side)) + pack.flush()
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8,
                   2, 0, 0, 0)) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


@test
def out_of_memory():
    """too little memory for a huge photo: said, and the next is described"""
    need_model()
    if SANITIZED:
        raise Skip("a sanitizer needs the address space itself")
    with daemon() as served:
        served.wait_model()
        caption, _ = describe(served, speak=False)
        worker = int(served.status()["worker_pid"])
        with open(f"/proc/{worker}/statm") as file:
            size = int(file.read().split()[0]) * 4096
        resource.prlimit(worker, resource.RLIMIT_AS, (size + (40 << 20), size + (40 << 20)))
        path = os.path.join(served.folder, "huge.png")
        big_png(path, 9000)
        with open(path, "rb") as photo:
            name = error_name(served.interface.Describe, dbus.types.UnixFd(photo),
                              options_of(), timeout=120)
        assert name in (ERROR + "Failed", ERROR + "BadImage", ERROR + "TooLarge",
                        ERROR + "Crashed"), name
        says(served, "out of memory for a huge photo", r"\.$")
        assert served.status()["worker_restarts"] == 0, "it should fail, not crash"
        assert describe(served, speak=False)[0] == caption


@test
def out_of_memory_at_first():
    """too little memory for the first caption: a sentence, no crash in a library"""
    need_model()
    if SANITIZED:
        raise Skip("a sanitizer needs the address space itself")
    answers = set()
    # what opening the model freed may be enough for a small picture, never for the large
    for room, side in ((1, 0), (4, 0), (16, 0), (1, 3000)):
        with daemon() as served:
            served.wait_model()
            picture = ROCKET
            if side:
                picture = os.path.join(served.folder, "large.png")
                big_png(picture, side)
            worker = int(served.status()["worker_pid"])
            with open(f"/proc/{worker}/statm") as file:
                size = int(file.read().split()[0]) * 4096 + (room << 20)
            resource.prlimit(worker, resource.RLIMIT_AS, (size, size))
            try:
                answers.add(str(describe(served, picture)[0]))
            except dbus.DBusException as error:
                assert error.get_dbus_name() == ERROR + "Failed", error
                answers.add(error.get_dbus_message())
                says(served, "out of memory for the first caption", "not enough memory")
            assert served.status()["worker_restarts"] == 0, served.log()
    assert len(answers) > 1, answers


@test
def out_of_descriptors():
    """without free file descriptors the daemon survives, and recovers"""
    need_model()
    with daemon() as served:
        served.wait_model()
        pid = served.process.pid
        describe(served)
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE,
                         (len(os.listdir(f"/proc/{pid}/fd")), limits[1]))
        for _ in range(5):
            with contextlib.suppress(dbus.DBusException):
                describe(served, ROCKET)
            assert served.process.poll() is None, (served.process.poll(), served.log())
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        wait_for(served.running, 20, "the daemon back on the bus")
        answer = descry("describe", COFFEE)
        assert answer.returncode == 0, answer
        heard("out of file descriptors", "the caption again as soon as one is free")


@test
def clock_jump():
    """the wall clock jumps by ten years: nothing expires"""
    need_model()
    need_preloading()
    with wall_clock() as (environment, jump):
        with daemon("--set", "caption.timeout=20", environment=environment) as served:
            served.wait_model()
            pipe, caller = Pipe(), Caller(served.bus)
            job = caller.submit(pipe.reader)
            jump("+10y")
            jump("-10y")
            pipe.send(COFFEE)
            assert caller.wait(job)[0].endswith(".")
            says(served, "the clock jumps", r"\.$")
            pipe.close()


@test
def suspend():
    """all processes stand still for a while, as in a suspend: the job goes on"""
    need_model()
    with daemon("--set", "caption.timeout=20") as served:
        served.wait_model()
        pipe, caller = Pipe(), Caller(served.bus)
        job = caller.submit(pipe.reader)
        worker = int(served.status()["worker_pid"])
        for pid in (served.process.pid, worker):
            os.kill(pid, signal.SIGSTOP)
        time.sleep(1.5)
        for pid in (worker, served.process.pid):
            os.kill(pid, signal.SIGCONT)
        pipe.send(COFFEE)
        assert caller.wait(job)[0].endswith(".")
        says(served, "suspend and resume in mid-description", r"\.$")
        pipe.close()


@test
def watchdog():
    """systemd's watchdog is fed while all is well, and not when the worker hangs"""
    need_model()
    with tempfile.TemporaryDirectory() as folder, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        path = os.path.join(folder, "notify")
        notify.bind(path)
        notify.setblocking(False)
        messages = []

        def collect():
            with contextlib.suppress(BlockingIOError):
                while True:
                    messages.append(notify.recv(4096).decode())
            return messages
        with daemon(environment={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1500000"}) as served:
            wait_for(lambda: "READY=1" in collect(), what="READY=1")
            wait_for(lambda: collect().count("WATCHDOG=1") >= 3, 20, "three feedings")
            worker = int(served.status()["worker_pid"])
            os.kill(worker, signal.SIGSTOP)
            time.sleep(1.2)
            collect()
            fed = messages.count("WATCHDOG=1")
            time.sleep(2)
            assert collect().count("WATCHDOG=1") == fed, "a hanging worker was not noticed"
            assert "stands still" in served.log()
            os.kill(worker, signal.SIGCONT)
            wait_for(lambda: collect().count("WATCHDOG=1") > fed, 20, "feeding again")
            os.kill(served.process.pid, signal.SIGHUP)
            wait_for(lambda: "RELOADING=1" in "".join(collect()), what="RELOADING=1")


@test
def killed_in_mid_speech():
    """SIGTERM in mid-sentence ends the daemon within a second or two"""
    with daemon() as served:
        served.interface.Say("word " * 2000, options_of())
        started = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - started < 5


run()
