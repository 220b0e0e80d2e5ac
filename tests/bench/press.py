#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a press to the sound that acknowledges it, and to the first word, as a
listener at the loudspeaker has it: a JACK server without a card keeps real time, and
every sample that leaves it is recorded. The short sounds are known sample by sample;
the first sample that belongs to none of them is the first of the speech. The camera
is the pretended one; it starts at once and gives thirty pictures a second, so a real
one adds its own start and exposure to the cold figure.

    tests/bench/press.py [COUNT [HOLD...]]    HOLD: shared, always, never; all if none
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
from camera import CONFIG, LONG, Camera     # noqa: E402
from harness import BUILD, wait_for         # noqa: E402
from jack import INCLUDE, Jack              # noqa: E402

TAP = os.path.join(BUILD, "tools/jack_tap")
SPEAK = os.path.join(BUILD, "tools/speak")
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 10
HOLDS = sys.argv[2:] or ["shared", "never"]
RATE, PERIOD = 22050, 256
SOUNDS = ("tick", "shutter", "error", "press", "pause", "resume")     # enum tts_sound
ALIKE = 100     # samples that have to be those of a sound for it to be one


def render(folder):
    """The samples of every short sound, from the first that is not zero."""
    rendered = []
    for number in range(len(SOUNDS)):
        path = os.path.join(folder, "sound.wav")
        subprocess.run([SPEAK, "wav=" + path], input=f"sound {number}\nsleep 300\n", text=True,
                       check=True, stdout=subprocess.DEVNULL)
        samples = np.fromfile(path, "<i2")[22:]
        rendered.append(np.trim_zeros(samples) / 32768)
    return rendered


def connect(folder, jack):
    """ALSA plays through the server, for all that starts from here."""
    path = os.path.join(folder, "asound.conf")
    with open(path, "w") as file:
        file.write(INCLUDE + "pcm.out { type jack playback_ports { 0 system:playback_1 } }\n"
                   "pcm.!default { type plug slave { pcm out format FLOAT channels 1 } }\n")
    os.environ.update(jack.settings, ALSA_CONFIG_PATH=path)


def press(camera):
    """Presses, and stops the speech when it has begun; the time of the press."""
    begun = time.monotonic()
    camera.interface.Press("look")
    wait_for(lambda: camera.daemon.property("Speaking"), LONG, "speech")
    time.sleep(0.8)
    camera.interface.Stop()
    wait_for(lambda: not camera.daemon.property("Speaking"), LONG, "silence")
    time.sleep(1.2)
    return begun


def presses(hold, warm):
    """The times of COUNT presses after a first one, which nobody measures."""
    times = []
    with Camera(config=CONFIG.replace("warm = 1", f"warm = {60 if warm else 0}"),
                arguments=("--set", "sounds.hold=" + hold, "--set", "speech.wav=")) as camera:
        press(camera)
        for _ in range(COUNT):
            if not warm:
                wait_for(lambda: camera.interface.Sources()[0]["state"] == "closed",
                         LONG, "a closed camera")
            times.append(press(camera))
    return times


def known(samples, sounds):
    """Which short sound begins with the first of these samples, and how much of it is
    heard; a sound is cut short by the next. None where it is no sound."""
    lengths = []
    for sound in sounds:
        size = min(len(sound), len(samples))
        other = np.flatnonzero(np.abs(samples[:size] - sound[:size]) > 2 ** -14)
        lengths.append(other[0] if len(other) else size)
    best = int(np.argmax(lengths))
    return (best, lengths[best]) if lengths[best] >= ALIKE else None


def listen(samples, sounds):
    """Where the first short sound is heard and where the first word is. A camera that is
    warm may have its picture before the press has sounded; then its shutter is heard."""
    heard, at = None, 0
    while True:
        rest = np.flatnonzero(samples[at:])
        if not len(rest):
            raise SystemExit("no word is heard after a press")
        at += rest[0]
        found = known(samples[at:], sounds)
        if not found:
            return heard, at
        if heard is None:
            heard = at
        at += found[1]


def spread(name, values):
    values = [1000 * v for v in values if v is not None]
    if not values:
        print(f"{name}: never heard")
        return
    print(f"{name}: median {statistics.median(values):.0f} ms, least {min(values):.0f}, "
          f"most {max(values):.0f}, of {len(values)}")


def measure(folder, hold, warm, sounds):
    path = os.path.join(folder, "heard.raw")
    tap = subprocess.Popen([TAP, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                           stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    try:
        times = presses(hold, warm)
    finally:
        output, _ = tap.communicate("")
    periods = np.array([line.split()[1:] for line in output.splitlines()
                        if line.startswith("at ")], float)
    samples = np.fromfile(path, "<f4")

    def at(time):
        return int(np.interp(time * 1e6, periods[:, 1], periods[:, 0]))

    def since(begun, place):
        return np.interp(place, periods[:, 0], periods[:, 1]) / 1e6 - begun

    places = [at(begun) for begun in times] + [len(samples)]
    sound, word = [], []
    for begun, a, b in zip(times, places, places[1:]):
        heard, spoken = listen(samples[a:b], sounds)
        sound.append(None if heard is None else since(begun, a + heard))
        word.append(since(begun, a + spoken))
    state = f"sounds.hold = {hold}, camera {'warm' if warm else 'cold'}"
    spread(f"press to sound, {state}", sound)
    spread(f"press to first word, {state}", word)


def main():
    with tempfile.TemporaryDirectory() as folder:
        sounds = render(folder)
        jack = Jack(folder, RATE, PERIOD)
        connect(folder, jack)
        try:
            for hold in HOLDS:
                for warm in (False, True):
                    measure(folder, hold, warm, sounds)
        finally:
            jack.stop()


main()
