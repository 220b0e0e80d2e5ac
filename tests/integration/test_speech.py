#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
What comes out of the loudspeaker, proven two ways: sample by sample against
eSpeak NG's own program in a fresh process, and by a speech recogniser that
chooses among whole sentences and has never seen the samples. The sound card is
an ALSA file plug-in, over nothing, or over a JACK server that keeps real time.
Then the sound cards that are not: none, one that hangs, one that goes away.
"""
import os
import shutil
import statistics
import subprocess
import tempfile
import time

import numpy as np

from jack import REALTIME, Jack, available

BUILD = os.environ.get("BUILD", "build/x86_64")
SPEAK = os.path.join(BUILD, "tools/speak")
TAP = os.path.join(BUILD, "tools/jack_tap")
T = tempfile.mkdtemp(prefix="descry-speech-")
ALSA = "</usr/share/alsa/alsa.conf>\n"
SENTENCE = "A man riding a wave on top of a surfboard."
LONG = ("This sentence is long enough to be cut in the middle of it by the stop key, "
        "and it goes on and on, until nobody wants to hear any more of it at all.")
# a file as a sound card is emptied by whoever opens it next, so nothing is held
HELD, ALONE = "hold=0", "hold=2"
RATE = 22050    # eSpeak NG's
number = 0


def report(name, passed, why="", skip=None):
    global number
    number += 1
    if skip:
        print(f"ok {number} - {name} # SKIP {skip}", flush=True)
        return
    print(f"{'ok' if passed else 'not ok'} {number} - {name}", flush=True)
    if not passed and why:
        print("# " + str(why).replace("\n", "\n# "), flush=True)


def file(name):
    return os.path.join(T, name)


def alsa(text):
    with open(file("asound.conf"), "w") as f:
        f.write(text)
    return dict(os.environ, ALSA_CONFIG_PATH=file("asound.conf"))


def speak(script, *arguments, env=None):
    """Runs the driver over a list of commands; returns it when it has ended."""
    return subprocess.run([*REALTIME, SPEAK, *arguments], input="\n".join(script) + "\n", text=True,
                          capture_output=True, timeout=120, env=env)


def speak_to(jack, script, exact=True, ears=None):
    """The same over a JACK server. Once in some hundred openings on a busy machine the
    server overlooks a new client for up to ten seconds, the time-out of its own poll:
    a card that does not answer, which Descry reports. Then the server is started
    anew, and the script with it. `ears` gets what the listener's program printed."""
    for _ in range(3):
        tap = subprocess.Popen([*REALTIME, TAP], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, stderr=subprocess.DEVNULL, env=jack.env)
        done = speak(script, ALONE, env=card(jack, exact))
        heard = tap.communicate("")[0].splitlines()
        if "The sound card does not answer." not in done.stdout:
            break
        print("# the JACK server overlooked a client", flush=True)
        jack.stop()
        jack.start()
    if ears is not None:
        ears.extend(heard)
    return done


def lines(done, word):
    """The lines of the driver's output whose second word is this one."""
    return [line.split(None, 2) for line in done.stdout.splitlines()
            if len(line.split()) > 1 and line.split()[1] == word and line[0].isdigit()]


def wav(path):
    data = open(path, "rb").read()[44:]
    return np.frombuffer(data[:len(data) // 2 * 2], "<i2")


def espeak(text, *arguments):
    subprocess.run(["espeak-ng", "-w", file("reference.wav"), *arguments, text], check=True,
                   timeout=60)
    return np.trim_zeros(wav(file("reference.wav")))


def exact_files():
    cases = [(SENTENCE, ["voice=en-us"], ["-v", "en-us"]),
             (LONG, ["voice=en"], ["-v", "en"]),
             (LONG, ["voice=en-us", "rate=320"], ["-v", "en-us", "-s", "320"]),
             ("Ein Mann reitet auf einer Welle.", ["voice=de", "pitch=70"],
              ["-v", "de", "-p", "70"]),
             (SENTENCE, ["rate=80", "volume=60"], ["-v", "en", "-s", "80", "-a", "60"]),
             ("Человек с ноутбуком Apple, 2 кота.", ["voice=ru"], ["-v", "ru"]),
             (SENTENCE, ["rate=550"], ["-v", "en", "-s", "550"]),
             (SENTENCE, ["rate=900"], ["-v", "en", "-s", "900"])]
    for text, ours, theirs in cases:
        speak(["say " + text, "await finished"], "wav=" + file("out.wav"), *ours)
        got, want = np.trim_zeros(wav(file("out.wav"))), espeak(text, *theirs)
        report(f"the WAV file holds eSpeak NG's samples ({' '.join(ours)})",
               len(want) > 5000 and np.array_equal(got, want), f"{len(got)} and {len(want)}")


def exact_device():
    env = alsa(ALSA + 'pcm.!default { type plug slave { pcm { type file slave.pcm { type null } '
               f'file "{file("capture.raw")}" format raw }} format S16_LE channels 1 '
               'rate 22050 } }\n')
    speak(["say " + LONG, "await finished"], ALONE, env=env)
    got, want = np.fromfile(file("capture.raw"), "<i2"), espeak(LONG, "-v", "en")
    # without a clock this device may take silence between two samples
    report("a sound card without a clock gets eSpeak NG's samples in order",
           np.array_equal(got[got != 0], want[want != 0]), f"{len(got)} and {len(want)}")


GRAMMAR = ["a man riding a wave on top of a surfboard", "two dogs playing in the snow",
           "a woman sitting on a bench", "a plate of food on a table",
           "a train is coming down the tracks",
           # decoys
           "a man riding a horse on top of a hill", "two dogs playing in the sand",
           "a woman walking along a beach", "a plate of fruit on a table",
           "a train is going down the street", "a cat sleeping on a bed",
           "a bathroom with a sink and a toilet"]


def recognise(path):
    subprocess.run(["sox", path, "-r", "16000", "-c", "1", file("16k.wav"), "pad", "0.3", "0.5"],
                   check=True, timeout=60, capture_output=True)
    done = subprocess.run(["pocketsphinx_continuous", "-infile", file("16k.wav"), "-jsgf",
                           file("captions.gram"), "-logfn", "/dev/null"],
                          capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def recogniser():
    with open(file("captions.gram"), "w") as f:
        f.write("#JSGF V1.0;\ngrammar captions;\npublic <s> = "
                + " | ".join(GRAMMAR) + ";\n")
    for caption in GRAMMAR[:5]:
        # preceded by a storm: what was stopped must leave nothing behind
        storm = ["say " + LONG, "next " + LONG, "say " + GRAMMAR[-1], "stop"] * 5
        speak(["say " + caption + ".", "await finished"], "wav=" + file("plain.wav"))
        speak(storm + ["sleep 100", "say " + caption + ".", "await finished"],
              "wav=" + file("storm.wav"))
        plain, after = wav(file("plain.wav")), wav(file("storm.wav"))
        subprocess.run(["sox", file("storm.wav"), file("tail.wav"), "trim",
                        f"{max(0, len(after) - len(plain) - 500)}s"], check=True, timeout=60)
        heard = recognise(file("plain.wav")), recognise(file("tail.wav"))
        report(f"a recogniser hears: {caption}, also after a storm of stops",
               heard == (caption, caption), heard)


def card(jack, exact=True):
    return dict(os.environ, **jack.alsa(exact))


def jack_exact(jack):
    speak_to(jack, ["say " + LONG, "await finished"])
    got = np.trim_zeros(np.fromfile(file("capture.raw"), "<i2"))
    want = espeak(LONG, "-v", "en")
    report("a sound card that keeps time gets eSpeak NG's samples and nothing else",
           np.array_equal(got, want), f"{len(got)} and {len(want)}")


def jack_latency(jack):
    script, rounds, heard = ["sleep 500"], 8, []
    for i in range(rounds):
        script += ["say " + LONG, "next " + LONG, "idle " + LONG, "await started",
                   f"sleep {350 + 37 * i}", "stop", "sleep 800"]
    done = speak_to(jack, script, ears=heard)
    buffer = 512e3 / jack.rate
    on = [int(line.split()[1]) for line in heard if line.startswith("on")]
    off = [int(line.split()[1]) for line in heard if line.startswith("off")]
    say = [int(line.split()[0]) for line in done.stdout.splitlines() if line.endswith("> say")]
    stop = [int(line.split()[0]) for line in done.stdout.splitlines() if line.endswith("> stop")]
    begun = [int(line[0]) for line in lines(done, "started")]
    counts = [len(on), len(off), len(begun)]
    report("stop leaves nothing of what was queued to be heard",
           counts == [rounds] * 3 and len(lines(done, "finished")) == 0, (counts, done.stdout))
    if counts != [rounds] * 3:
        return
    # everything was stopped after less than a second of many
    report("stop cuts the sentence short", max(b - a for a, b in zip(on, off)) < 3000000,
           list(zip(on, off)))
    for what, values in (("call to first sample handed over", zip(begun, say)),
                         ("call to first sample heard", zip(on, say)),
                         ("stop to silence", zip(off, stop))):
        ms = [(a - b) / 1000 for a, b in values]
        print(f"# {what}: median {statistics.median(ms):.1f} ms, most {max(ms):.1f} ms, "
              f"in buffers of {buffer:.1f} ms: median {statistics.median(ms) / buffer:.1f}, "
              f"most {max(ms) / buffer:.1f}")


def jack_press(jack):
    """Short sounds on the stream that is held for them, then after speech that has
    just been stopped; as the listener's side recorded them."""
    speak(["sound 3", "sleep 300"], "wav=" + file("press.wav"))
    press = np.trim_zeros(wav(file("press.wav"))) / 32768
    env = card(jack)
    tap = subprocess.Popen([*REALTIME, TAP, file("heard.raw")], stdin=subprocess.PIPE, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
    script, rounds = ["sleep 1000"], 8
    for i in range(rounds):
        script += ["sound 3", f"sleep {1100 + 37 * i}"]
    alone = speak(script, HELD, env=env)
    script = ["sleep 1000"]
    for i in range(rounds):
        script += ["say " + LONG, "await started", f"sleep {900 + 37 * i}", "stop", "sound 3",
                   "sleep 1500"]
    script += ["sound 3", "say " + SENTENCE, "await finished"]
    after = speak(script, HELD, env=env)
    heard = [int(line.split()[1]) for line in tap.communicate("")[0].splitlines()
             if line.startswith("on")]
    got = np.fromfile(file("heard.raw"), "<f4")
    product = np.correlate(got, press, "valid")
    energy = np.convolve(got ** 2, np.ones(len(press)), "valid")
    # alike in every sample, to within the steps of 16 bits
    at = np.flatnonzero(energy - 2 * product + (press ** 2).sum() < len(press) * 2 ** -28)
    begun = [int(line.split()[0]) for line in alone.stdout.splitlines()
             if line.endswith("> sound")]
    # the eight alone, the one before the last sentence, and the eight after a stop
    # but for those that the last buffer of speech overlaps
    report("each press is heard whole and once",
           len(at) >= rounds + 1 and np.diff(at).min() > len(press) and
           len([t for t in at if t < at[0] + 12 * jack.rate]) >= rounds and
           len(lines(after, "finished")) == 1, (len(at), list(at), after.stdout))
    ms = [(min([t for t in heard if t > a], default=0) - a) / 1000 for a in begun]
    print(f"# press to sound heard: median {statistics.median(ms):.1f} ms, most {max(ms):.1f} ms, "
          f"of which the server's wait for its next buffer takes up to {512e3 / jack.rate:.1f} ms")


def stretches(samples):
    """Where sound stands between stretches of silence of a twentieth of a second."""
    sound = np.flatnonzero(samples)
    if not len(sound):
        return []
    return np.split(sound, np.flatnonzero(np.diff(sound) > RATE // 20) + 1)


def jack_silence(jack):
    """Every sound is heard whole, and nothing but silence after it, held or not, also
    where the server's period is longer than the sound."""
    speak(["sound 3", "sleep 300"], "wav=" + file("press.wav"))
    press = wav(file("press.wav"))
    press = press[np.flatnonzero(press)[0]:np.flatnonzero(press)[-1] + 1] / 32768
    for hold, what in ((HELD, "held"), (ALONE, "opened for each")):
        tap = subprocess.Popen([*REALTIME, TAP, file("heard.raw")], stdin=subprocess.PIPE,
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               env=jack.env)
        done = speak(["sleep 1500"] + ["sound 3", "sleep 2000"] * 4, hold, env=card(jack))
        tap.communicate("")
        got = np.fromfile(file("heard.raw"), "<f4")
        heard = [got[s[0]:s[-1] + 1] for s in stretches(got)]
        report(f"at a period of {jack.period}, {what}: four presses are four sounds and silence",
               len(heard) == 4 and all(len(h) == len(press) and
                                       np.abs(h - press).max() < 2 ** -14 for h in heard),
               ([len(h) for h in heard], len(press), done.stdout))


def jack_resampled(jack):
    done = speak_to(jack, ["say " + SENTENCE, "await finished"], False)
    got = np.trim_zeros(np.fromfile(file("capture.raw"), "<f4")).astype(float)
    subprocess.run(["espeak-ng", "-v", "en", "-w", file("reference.wav"), SENTENCE], check=True)
    subprocess.run(["sox", file("reference.wav"), "-r", str(jack.rate), file("high.wav")],
                   check=True, capture_output=True)
    want = np.trim_zeros(wav(file("high.wav"))).astype(float)
    size = len(got) + len(want)
    product = np.fft.irfft(np.fft.rfft(got, size) * np.conj(np.fft.rfft(want, size)), size)
    alike = product.max() / np.sqrt((got ** 2).sum() * (want ** 2).sum())
    report("a sound card that refuses 22,050 Hz gets the same sound at its own rate",
           alike > 0.99 and len(lines(done, "finished")) == 1, (alike, done.stdout))


def jack_gone(jack):
    driver = subprocess.Popen([*REALTIME, SPEAK], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True, env=card(jack))
    seen = []

    def command(*commands):
        driver.stdin.write("\n".join(commands) + "\n")
        driver.stdin.flush()

    def wait(kind, count):
        """Reads events until so many of the kind have come; "await" bounds the time."""
        for line in driver.stdout:
            if line.split()[1] in ("device", "started", "failed", "finished"):
                seen.append(line.split()[1])
            if line.startswith("no ") or seen.count(kind) >= count:
                return
    command("say " + LONG, "await started", "say " + LONG, "await started")
    wait("started", 2)
    jack.stop()
    command("await failed", "say " + SENTENCE, "await failed")
    wait("failed", 2)
    jack.start()
    command("say " + SENTENCE, "await finished")
    wait("finished", 1)
    driver.communicate(timeout=60)
    kinds = [kind for kind in seen if kind != "started"]
    report("a sound card that went away is reported once, and found again",
           kinds == ["device", "failed", "failed", "device", "finished"] and
           driver.returncode == 0, seen)


def no_card():
    done = speak(["sound 2", "say " + SENTENCE, "await failed", "say " + SENTENCE,
                  "await failed"], env=alsa(ALSA + "pcm.!default { type hw card 31 }\n"))
    device = lines(done, "device")
    report("without a sound card the reason is told once and each utterance fails",
           len(device) == 1 and len(device[0][2]) > 10 and len(lines(done, "failed")) == 2,
           done.stdout)
    report("without a sound card nothing is printed", done.stderr == "", done.stderr)


def hung_card():
    """A file plug-in that writes into a pipe which nobody reads hangs for ever."""
    os.mkfifo(file("fifo"))
    env = alsa(ALSA + "pcm.!default { type plug slave { pcm { type file slave.pcm { type null } "
               f'file "{file("fifo")}" format raw }} rate 22050 format S16_LE }} }}\n')
    done = speak(["say " + LONG, "sleep 200", "stop", "say " + LONG, "await failed",
                  "say " + LONG, "stop"], env=env)
    words = [line.split()[1] for line in done.stdout.splitlines()]
    report("a sound card that hangs holds up neither the caller nor the end",
           done.returncode == 0 and "failed" in words and words.count("stopped") >= 1,
           done.stdout + done.stderr)


def main():
    try:
        exact_files()
        exact_device()
        recogniser()
        no_card()
        hung_card()
        if available() and os.path.exists(TAP):
            for rate, period, tests in (
                    (RATE, 512, (jack_exact, jack_press, jack_silence, jack_latency, jack_gone)),
                    (RATE, 2048, (jack_silence,)),
                    (48000, 512, (jack_resampled,))):
                jack = Jack(T, rate, period)
                try:
                    for test in tests:
                        test(jack)
                finally:
                    jack.stop()
        else:
            report("a sound card that keeps time", True, skip="there is no JACK server")
    finally:
        shutil.rmtree(T)
    print(f"1..{number}")


main()
