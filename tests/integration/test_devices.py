#!/usr/bin/python3
# LANE: machines
# TIMEOUT: 1300
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way on a real kernel: a machine of its own under QEMU, with a V4L2
camera (vivid), a keyboard (uinput) and a sound card (snd-aloop). A key is
pressed, and what the card's other side records must be eSpeak NG's samples of
the caption. tests/qemu/init plays the scene; here it is judged."""
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build/x86_64"))
MACHINE = os.path.join(ROOT, "build/qemu")
MODEL = os.environ.get("DESCRY_MODEL", os.path.join(ROOT, "engine/models/descry-en.gguf"))
LIMIT = 1000
NAMES = ["the machine starts with its devices",
         "the button is found when it is plugged in, and pressed once it takes a picture",
         "the press is acknowledged by a sound before anything else",
         "the recorded sound holds eSpeak NG's samples of the caption, all of them",
         "a double press says it again",
         "a press while it speaks is silence and no second picture",
         "a chord tells the status; a long press turns watching on, another off",
         "a button that is unplugged and plugged in again works again",
         "the camera is listed with its formats"]


def skip(reason):
    print(f"1..{len(NAMES)}")
    for number, name in enumerate(NAMES, 1):
        print(f"ok {number} - {name} # SKIP {reason}")
    sys.exit(0)


def report(passed, why=""):
    report.number += 1
    print(f"{'ok' if passed else 'not ok'} {report.number} - {NAMES[report.number - 1]}")
    if not passed:
        report.bad += 1
        print("# " + str(why).replace("\n", "\n# "))


report.number = report.bad = 0


def boot(folder):
    """Runs the machine; returns its console, its logs in `folder`/out."""
    disk = os.path.join(folder, "disk")
    with open(disk, "wb") as file:
        file.truncate(64 << 20)
    done = subprocess.run(
        ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
         "-m", "1536", "-kernel", os.path.join(MACHINE, "vmlinuz"), "-initrd",
         # a busy host is late with the ticks that the kernel would count at its start
         os.path.join(MACHINE, "initrd"), "-append",
         "console=ttyS0 quiet panic=-1 no_timer_check",
         "-nographic", "-no-reboot", "-nic", "none", "-drive", f"file={disk},if=virtio,format=raw"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=False)
    subprocess.run(["tar", "-xf", disk, "-C", folder], capture_output=True, check=False)
    return done.stdout.decode(errors="replace")


def recording(folder, name):
    return np.fromfile(os.path.join(folder, "out", name + ".raw"), "<i2")


def pieces(sound, gap=2205):
    """What was heard, cut where there was silence for a tenth of a second."""
    heard = np.flatnonzero(sound)
    if not len(heard):
        return []
    cuts = np.flatnonzero(np.diff(heard) > gap)
    starts = np.concatenate(([heard[0]], heard[cuts + 1]))
    ends = np.concatenate((heard[cuts], [heard[-1]])) + 1
    return [sound[a:b] for a, b in zip(starts, ends)]


def spoken(folder, *texts):
    """The samples of the last text, when one process says one after the other:
    eSpeak NG colours an utterance by those before it."""
    lengths = []
    for count in (len(texts) - 1, len(texts)):
        path = os.path.join(folder, "reference.wav")
        script = "".join(f"say {text}\nawait finished\n" for text in texts[:count])
        subprocess.run([os.path.join(BUILD, "tools/speak"), "wav=" + path], input=script, text=True,
                       check=True, timeout=60, stdout=subprocess.DEVNULL)
        with open(path, "rb") as file:
            samples = np.frombuffer(file.read()[44:], "<i2")
        lengths.append(len(samples))
    return np.trim_zeros(samples[lengths[0]:])


def holds(recorded, want):
    """Whether all samples are there, in order and without another between them. An
    emulated processor may come late: the card then plays silence meanwhile."""
    return len(want) > 5000 and want[want != 0].tobytes() in recorded[recorded != 0].tobytes()


def tell_latency(folder, log):
    """How long it took, on this processor: never judged."""
    presses = [[int(n) for n in pair] for pair in
               re.findall(r"pressed at (\d+) us, answered (\d+) us later", log)]
    answers = sorted(later for _, later in presses)
    if answers:
        print(f"# from the key's event to the answer: median {answers[len(answers) // 2] / 1000:.1f} "
              f"ms, most {answers[-1] / 1000:.1f}, of {len(answers)}")
    with contextlib.suppress(FileNotFoundError, AttributeError, IndexError):
        with open(os.path.join(folder, "out/started.txt"), encoding="ascii") as file:
            started = float(re.search(r"trigger_time: ([\d.]+)", file.read()).group(1))
        print("# from the key's event to the first sample that the card takes: "
              f"{1000 * started - presses[0][0] / 1000:.1f} ms")


def judge(folder, console):
    steps = dict(re.findall(r"STEP [\d.]+ ([\w ]+?): ?(.*?)\r?$", console, re.M))
    if "STEP" not in console or "done" not in console:
        for _ in NAMES:
            report(False, console[-2000:])
        return
    with open(os.path.join(folder, "out/descryd.log"), errors="replace") as file:
        log = file.read()
    with open(os.path.join(folder, "out/devices.txt"), errors="replace") as file:
        devices = file.read()
    why = console[-2000:] + log
    report(steps["devices"].split() == ["/dev/snd/pcmC0D0p", "/dev/uinput", "/dev/video0"]
           and "Descry" in steps["model"], why)
    said = re.findall(r"^debug: saying: (.*)$", log, re.M)
    report(steps["button"] == "1" and steps["described"] == "1" and "vivid (/dev/video0)" in log,
           why)
    look = recording(folder, "look")
    heard = pieces(look)
    report(len(heard) >= 2 and len(heard[0]) < 0.25 * 22050, [len(p) for p in heard])
    want = spoken(folder, said[0]) if said else np.zeros(1, "<i2")
    report(holds(look, want), f"{len(want)} samples wanted, heard pieces of {[len(p) for p in heard]}")
    print(f"# {len(want)} samples of \"{said[0] if said else ''}\", "
          + ("without a gap" if want.tobytes() in look.tobytes() else "with silence inserted"))
    tell_latency(folder, log)
    again = spoken(folder, *said[:2]) if said[:1] == said[1:2] else np.zeros(1, "<i2")
    report(steps["repeated"] == "1" and holds(recording(folder, "repeat"), again),
           f"{len(again)} samples wanted: {why}")
    stopped = sum(len(p) for p in pieces(recording(folder, "stop")))
    whole = len(spoken(folder, ", ".join(["one two three four five six seven eight nine ten"] * 6)))
    report("false" in steps["stopped"] and "described 0 looks 1" in steps["stopped"]
           and 0 < stopped < 0.9 * whole, f"{stopped} of {whole} samples: {why}")
    watching = re.findall(r"watching:.*?(true|false)", console)
    report(steps["status"] == "1" and watching == ["true", "false"], why)
    report(steps["gone"] == "1" and steps["described again"] == "1"
           and "descryd ended with 0" in console, why)
    report("/dev/video0: vivid" in devices and re.search(r"YUYV .*640x480", devices)
           and "AT Translated" in devices, devices)


def main():
    if os.uname().machine != "x86_64":
        skip("the virtual machine is an x86_64 one")
    if not os.path.exists(MODEL):
        skip("there is no model file")
    if not shutil.which("qemu-system-x86_64"):
        skip("qemu-system-x86_64 is not installed")
    built = subprocess.run([os.path.join(ROOT, "tests/qemu/build.sh"), BUILD, MACHINE],
                           capture_output=True, text=True, timeout=300, check=False)
    if built.returncode and not os.path.exists(os.path.join(MACHINE, "vmlinuz")):
        skip("the kernel's package cannot be fetched: " + built.stderr.strip()[-100:])
    print(f"1..{len(NAMES)}")
    with tempfile.TemporaryDirectory(prefix="descry-machine-") as folder:
        try:
            console = built.stderr if built.returncode else boot(folder)
        except subprocess.TimeoutExpired as late:
            console = f"still running after {LIMIT} s\n" + (late.stdout or b"").decode(
                errors="replace")
        for step in re.findall(r"STEP .*", console):
            print("# " + step.strip())
        judge(folder, console)
    sys.exit(1 if report.bad else 0)


if __name__ == "__main__":
    main()
