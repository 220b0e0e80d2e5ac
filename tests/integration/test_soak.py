# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 600
"""A soak with the pretended camera and a real sound route (ALSA into nothing):
looks, watching, photos, speech, faults of the camera, reloads and callers that
die, one after another for SOAK minutes (half a minute when it is not set), at a
pace that keeps the daemon and its worker under SOAK_SHARE per cent of one
processor. Resident memory, file descriptors and threads are read whenever
everything rests; the series is written to build/test-logs/soak.csv."""
import contextlib
import os
import random
import signal
import subprocess
import sys
import time

import dbus

from camera import CONFIG, SHIM, Camera, picture
from harness import (PHOTOS, ROOT, Caller, Skip, cpu_seconds, memory, need_model, options_of, run, test,
                     wait_for)

MINUTES = float(os.environ.get("SOAK", "0.5"))
SHARE = float(os.environ.get("SOAK_SHARE", "12")) / 100
SERIES = os.path.join(ROOT, "build/test-logs/soak.csv")
LIMITS = (4096, 2, 0)      # KiB, descriptors, threads
ALSA = ("</usr/share/alsa/alsa.conf>\npcm.!default { type plug slave { pcm { type file "
        "slave.pcm { type null } file /dev/null format raw } format S16_LE channels 1 "
        "rate 22050 } }\n")
DYING = """
import dbus, os, sys
bus = dbus.bus.BusConnection(os.environ["DBUS_SESSION_BUS_ADDRESS"])
proxy = dbus.Interface(bus.get_object("org.descry.Descry1", "/org/descry/Descry1",
                                      introspect=False), "org.descry.Descry1")
with open(sys.argv[1], "rb") as photo:
    for _ in range(4):
        proxy.Submit(dbus.types.UnixFd(photo), dbus.Dictionary({}, signature="sv"))
os.kill(os.getpid(), 9)
"""


class Visit:
    """What one caller after another does to the daemon."""

    def __init__(self, camera):
        self.camera, self.chance, self.counts = camera, random.Random(7), {}
        self.caller = Caller(camera.bus)

    def interface(self):
        return self.caller.interface

    def look(self):
        with contextlib.suppress(dbus.DBusException):
            self.interface().Look(options_of(), timeout=120)

    def describe(self):
        name = self.chance.choice([p for p in sorted(os.listdir(PHOTOS)) if p[-3:] != ".md"])
        with open(os.path.join(PHOTOS, name), "rb") as photo:
            with contextlib.suppress(dbus.DBusException):
                self.interface().Describe(dbus.types.UnixFd(photo), options_of(
                    beam=self.chance.randint(1, 5)), timeout=120)

    def not_a_picture(self):
        with open(__file__, "rb") as text, contextlib.suppress(dbus.DBusException):
            self.interface().Describe(dbus.types.UnixFd(text), options_of(), timeout=120)

    def say(self):
        self.interface().Say("The soak goes on, %d." % self.chance.randrange(10 ** 6),
                             options_of())

    def interrupted(self):
        self.interface().Say("word " * 500, options_of())
        time.sleep(0.05)
        self.interface().Stop()

    def repeat(self):
        with contextlib.suppress(dbus.DBusException):
            self.interface().Repeat()

    def status(self):
        self.interface().Status()

    def settings(self):
        self.camera.daemon.set_property("Rate", self.chance.randint(200, 500))

    def reload(self):
        self.camera.daemon.process.send_signal(signal.SIGHUP)

    def show(self):
        self.camera.show(picture(self.chance.choice(["coffee.png", "chelsea.png", "astronaut.png"])))

    def fault(self):
        self.camera.show(words=self.chance.choice(["unplug", "busy", "corrupt", "absent"]))
        self.look()
        self.camera.show()

    def watch(self):
        self.camera.watch(True)
        time.sleep(2)
        self.show()
        time.sleep(2)
        self.camera.watch(False)

    def dying_caller(self):
        subprocess.run([sys.executable, "-c", DYING, os.path.join(PHOTOS, "rocket.jpg")],
                       timeout=120, check=False)

    def new_caller(self):
        self.caller.close()
        self.caller = Caller(self.camera.bus)

    def once(self):
        kind = self.chance.choice([self.look] * 4 + [self.describe] * 3 + [
            self.not_a_picture, self.say, self.say, self.interrupted, self.repeat, self.status,
            self.settings, self.reload, self.show, self.fault, self.watch, self.dying_caller,
            self.new_caller])
        kind()
        self.counts[kind.__name__] = self.counts.get(kind.__name__, 0) + 1


@test
def soak():
    """memory, descriptors and threads stay flat while everything is used"""
    need_model()
    if not os.path.exists(SHIM):
        raise Skip("the pretended camera cannot be preloaded into a sanitizer's build")
    os.makedirs(os.path.dirname(SERIES), exist_ok=True)
    arguments = ("--set", "speech.wav=", "--set", "speech.route=own", "--set", "log.level=warning",
                 "--set", "quality.not-photo-refuse=2")
    with Camera(config=CONFIG, arguments=arguments, alsa=ALSA) as camera:
        pids = [int(camera.daemon.status()[k]) for k in ("pid", "worker_pid")]
        pids.append(camera.daemon.speech_pid())
        visit = Visit(camera)

        def threads():
            return memory(pids[0])[2]

        time.sleep(2)  # until the sound card is held
        resting = threads()

        def rest():
            camera.interface.Stop()
            camera.daemon.wait_idle()
            wait_for(lambda: camera.interface.Sources()[0]["state"] == "closed" and
                     not camera.daemon.property("Speaking"), 60, "rest")
            # PortAudio's thread ends a moment after the sentence
            wait_for(lambda: threads() == resting, 60, f"{resting} threads, as at the start")

        begun = time.monotonic()
        used = sum(map(cpu_seconds, pids))
        length = MINUTES * 60
        every = max(length / 120, 3)
        samples, next_sample = [], begun + max(length / 20, 10)
        with open(SERIES, "w") as series:
            series.write("seconds,daemon KiB,daemon descriptors,daemon threads,"
                         "worker KiB,worker descriptors,worker threads,"
                         "speech KiB,speech descriptors,speech threads\n")
            while time.monotonic() - begun < length or len(samples) < 2:
                visit.once()
                while sum(map(cpu_seconds, pids)) - used > SHARE * (time.monotonic() - begun):
                    time.sleep(0.1)
                if time.monotonic() >= next_sample:
                    rest()
                    next_sample = time.monotonic() + every
                    samples.append([memory(pid) for pid in pids])
                    series.write(",".join(map(str, [round(time.monotonic() - begun),
                                                    *sum(samples[-1], ())])) + "\n")
                    series.flush()
        share = (sum(map(cpu_seconds, pids)) - used) / (time.monotonic() - begun)
        print(f"# {time.monotonic() - begun:.0f} s, {100 * share:.1f}% of a processor, "
              f"{sum(visit.counts.values())} acts: {visit.counts}")
        for i, name in enumerate(("daemon", "worker", "speech")):
            for k, unit in enumerate(("KiB", "descriptors", "threads")):
                values = [sample[i][k] for sample in samples]
                print(f"# {name} {unit}: first {values[0]}, last {values[-1]}, "
                      f"least {min(values)}, most {max(values)}, of {len(values)} readings")
                assert values[-1] <= values[0] + LIMITS[k], (name, unit, values)
        status = camera.daemon.status()
        assert "speech_trouble" not in status, status
        assert status["worker_restarts"] == 0 and int(status["pid"]) == pids[0]
        assert camera.daemon.speech_pid() == pids[2]
        visit.caller.close()


run()
