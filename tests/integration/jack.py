# SPDX-License-Identifier: GPL-3.0-or-later
"""A JACK server without a card: a sound card that keeps real time, may be
stopped, killed and started again, and whose sound lands in a file. A card does
not wait for a busy machine, and neither may its stand-in: where it is allowed, the
server and whoever plays in a test of samples run with REALTIME priority, as a
desktop's sound server does."""
import os
import shutil
import signal
import subprocess
import time


def _realtime():
    prefix = ["chrt", "--fifo", "10"]
    try:
        done = subprocess.run([*prefix, "true"], stderr=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        return []
    return prefix if done.returncode == 0 else []


REALTIME = _realtime()
INCLUDE = "</usr/share/alsa/alsa.conf>\n"


# JACK's register of servers has eight places, and one that was killed keeps its
# place until a server of the same name starts. So few names, used again.
NAMES = [f"descry-test-{number}" for number in range(4)]


def available():
    return bool(shutil.which("jackd"))


def _running(name):
    done = subprocess.run(["jack_wait", "-s", name, "-c"], capture_output=True, text=True,
                          env=dict(os.environ, JACK_NO_START_SERVER="1"), check=False)
    return done.stdout.startswith("running")


class Jack:
    """The server; capture.raw in the folder holds what was played last."""

    def __init__(self, folder, rate=22050, period=512):
        self.folder, self.rate, self.period, self.server = folder, rate, period, None
        self.capture = os.path.join(folder, "capture.raw")
        self.name = next(name for name in NAMES if not _running(name))
        self.settings = {"JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1"}
        self.env = dict(os.environ, **self.settings)
        self.start()

    def start(self):
        self.server = subprocess.Popen([*REALTIME, "jackd", "-n", self.name, "-r", "-d", "dummy", "-r", str(self.rate),
                                        "-p", str(self.period)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env=self.env)
        for _ in range(300):
            if _running(self.name):
                return
            time.sleep(0.1)
        raise AssertionError("the JACK server does not start")

    def send(self, number):
        """SIGSTOP wedges the card, SIGCONT lets it go on, SIGKILL pulls it out."""
        self.server.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        self.server.send_signal(signal.SIGCONT)
        self.server.send_signal(number)
        try:
            self.server.wait(20)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()

    def alsa(self, exact=True):
        """What a program's environment needs to play here. Exact: every rate is
        taken, and captured before anything is converted; otherwise the server's."""
        jack = "pcm.out { type jack playback_ports { 0 system:playback_1 } }\n"
        capture = 'pcm.capture { type file slave { pcm %s } file "' + self.capture + \
            '" format raw }\n'
        if exact:
            text = jack + capture % "{ type plug slave.pcm out }" + \
                "pcm.!default { type plug slave { pcm capture format S16_LE channels 1 } }\n"
        else:
            text = jack + capture % "out" + "pcm.!default capture\n"
        path = os.path.join(self.folder, "asound.conf")
        with open(path, "w") as file:
            file.write(INCLUDE + text)
        return {**self.settings, "ALSA_CONFIG_PATH": path}
