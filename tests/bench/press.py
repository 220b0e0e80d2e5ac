#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a press to the sound that acknowledges it, and to the first word, as a
listener at the loudspeaker has it: a JACK server without a card keeps real time,
a tap on its output says when sound begins. The camera is the pretended one; it
starts at once and gives thirty pictures a second, so a real one adds its own
start and exposure to the cold figure.

    tests/bench/press.py [COUNT]
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
from camera import CONFIG, LONG, Camera     # noqa: E402
from harness import BUILD, wait_for         # noqa: E402

TAP = os.path.join(BUILD, "tools/jack_tap")
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 10
SPEECH = 0.3    # seconds; a stretch of sound longer than this is no signal but speech


def serve(folder):
    """A JACK server; the environment in which ALSA plays through it."""
    alsa = os.path.join(folder, "asound.conf")
    with open(alsa, "w") as file:
        file.write("</usr/share/alsa/alsa.conf>\n"
                   "pcm.out { type jack playback_ports { 0 system:playback_1 } }\n"
                   "pcm.!default { type plug slave { pcm out format FLOAT channels 1 } }\n")
    environment = {"JACK_DEFAULT_SERVER": f"press{os.getpid()}", "JACK_NO_START_SERVER": "1",
                   "ALSA_CONFIG_PATH": alsa}
    os.environ.update(environment)
    server = subprocess.Popen(["jackd", "-n", environment["JACK_DEFAULT_SERVER"], "-r", "-d", "dummy",
                               "-r", "22050", "-p", "512"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        done = subprocess.run(["jack_wait", "-s", environment["JACK_DEFAULT_SERVER"], "-c"],
                              capture_output=True, text=True, check=False)
        if done.stdout.startswith("running"):
            return server
        time.sleep(0.1)
    raise SystemExit("the JACK server does not start")


def press(camera):
    """Presses and waits until all is said; the time of the press."""
    begun = time.monotonic()
    camera.interface.Press("look")
    wait_for(lambda: camera.daemon.property("Speaking"), LONG, "speech")
    wait_for(lambda: not camera.daemon.property("Speaking"), LONG, "silence")
    time.sleep(0.4)
    return begun


def spread(name, values):
    values = [1000 * v for v in values]
    print(f"{name}: median {statistics.median(values):.0f} ms, least {min(values):.0f}, "
          f"most {max(values):.0f}, of {len(values)}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        server = serve(folder)
        tap = subprocess.Popen([TAP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        presses = {"cold": [], "warm": []}
        try:
            for state, warm in (("cold", 0), ("warm", 60)):
                with Camera(config=CONFIG.replace("warm = 1", f"warm = {warm}"),
                            arguments=("--set", "sounds.hold=always", "--set", "speech.wav=")) as camera:
                    press(camera)
                    for _ in range(COUNT):
                        if state == "cold":
                            wait_for(lambda: camera.interface.Sources()[0]["state"] == "closed",
                                     LONG, "a closed camera")
                        presses[state].append(press(camera))
        finally:
            output, _ = tap.communicate("")
            server.terminate()
            server.wait(20)
        edges = [(line.split()[0], int(line.split()[1]) / 1e6) for line in output.splitlines()]
        stretches = [(a[1], b[1]) for a, b in zip(edges, edges[1:])
                     if a[0] == "on" and b[0] == "off"]
        for state, times in presses.items():
            sounds, words = [], []
            for begun, end in zip(times, times[1:] + [times[-1] + 10]):
                here = [s for s in stretches if begun < s[0] < end]
                sounds.append(here[0][0] - begun)
                words.append(next(a for a, b in here if b - a > SPEECH) - begun)
            spread(f"press to sound, camera {state}", sounds)
            spread(f"press to first word, camera {state}", words)


main()
