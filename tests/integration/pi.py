#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Raspberry Pi 4 under QEMU, as far as there is one: its processor, Debian's
kernel and Descry's arm64 package, with a virtual camera and sound card, and two
buttons: a virtual keyboard, pressed from inside, and a line of the board's GPIO
controller, which the kernel's gpio-keys driver makes a key and which is pressed
from outside, by the signal that QEMU gives it. One press of each, a caption for
each; what the card recorded must be eSpeak NG's samples.

Run by test_arm64.sh, which builds the package and the machine. Prints, for each
thing proven, "yes - NAME" or "no - NAME" and the reason.
Usage: pi.py FOLDER (vmlinuz, initrd)"""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading

from test_devices import holds, pieces, recording, spoken

LIMIT = 900


def report(passed, name, why=""):
    print(("yes - " if passed else "no - ") + name)
    if not passed:
        print("# " + str(why).replace("\n", "\n# "))


def press_line(path):
    """A tenth of a second of current on line 3 of the board's GPIO controller."""
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.settimeout(60)
        monitor.connect(path)
        with monitor.makefile("rw") as talk:
            talk.readline()
            for command in "qmp_capabilities", "system_powerdown":
                talk.write(json.dumps({"execute": command}) + "\n")
                talk.flush()
                while "return" not in (answer := json.loads(talk.readline())):
                    if "error" in answer:
                        raise RuntimeError(str(answer))


def boot(machine, folder):
    """Runs the machine; returns its console, its logs in `folder`/out."""
    disk, monitor = os.path.join(folder, "disk"), os.path.join(folder, "monitor")
    with open(disk, "wb") as file:
        file.truncate(64 << 20)
    console = []
    with subprocess.Popen(
            ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-accel", "tcg,thread=multi",
             "-smp", "2", "-m", "1536", "-kernel", os.path.join(machine, "vmlinuz"), "-initrd",
             os.path.join(machine, "initrd"), "-append",
             "console=ttyAMA0 quiet panic=-1 scene=look", "-nographic", "-no-reboot", "-nic", "none",
             "-drive", f"file={disk},if=virtio,format=raw", "-qmp", f"unix:{monitor},server=on,wait=off"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace") as running:
        late = threading.Timer(LIMIT, running.kill)
        late.daemon = True
        late.start()
        for line in running.stdout:
            console.append(line)
            if re.search(r"STEP [\d.]+ press the line:", line):
                press_line(monitor)
        if running.wait() < 0:
            console.append(f"still running after {LIMIT} s\n")
        late.cancel()
    subprocess.run(["tar", "-xf", disk, "-C", folder], capture_output=True, check=False)
    return "".join(console)


def read(folder, name):
    try:
        with open(os.path.join(folder, "out", name), errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def judge_line(folder, steps, said, why):
    """The press from outside: every change of the line, and what was heard."""
    found = re.fullmatch(r"button line: gpio-keys at /dev/input/event\d+, 0 interrupts",
                         steps.get("line", ""))
    # a press and a release of the line, and a second picture
    report(found and steps.get("line described") == "2 pictures, 2 interrupts",
           "a press of a GPIO line takes a picture and describes it, through gpio-keys", why)
    heard = pieces(recording(folder, "line"))
    want = spoken(folder, *said[:2]) if len(said) == 2 else []
    report(len(heard) >= 2 and len(heard[0]) < 0.25 * 22050
           and holds(recording(folder, "line"), want),
           "that press is answered by a sound and by eSpeak NG's samples of the caption, all of them",
           f"{len(want)} samples wanted, heard pieces of {[len(p) for p in heard]}\n{why}")


def main():
    with tempfile.TemporaryDirectory(prefix="descry-pi-") as folder:
        console = boot(sys.argv[1], folder)
        steps = dict(re.findall(r"STEP [\d.]+ ([\w ]+?): ?(.*?)\r?$", console, re.M))
        log = read(folder, "descryd.log")
        why = console[-2000:] + log
        for step in re.findall(r"STEP .*", console):
            print("# " + step.strip())
        report("/dev/video0" in steps.get("devices", "") and "Descry" in steps.get("model", ""),
               "a Cortex-A72 boots with the arm64 package", why)
        report(steps.get("button") == "1" and steps.get("described") == "1",
               "a press of its button takes a picture and describes it", why)
        if not all(os.path.exists(os.path.join(folder, "out", name))
                   for name in ("look.raw", "line.raw")):
            report(False, "the sound card was heard", why)
            return
        look = recording(folder, "look")
        heard = pieces(look)
        report(len(heard) >= 2 and len(heard[0]) < 0.25 * 22050,
               "the press is acknowledged by a sound before anything else", [len(p) for p in heard])
        said = re.findall(r"^debug: saying: (.*)$", log, re.M)
        want = spoken(folder, said[0]) if said else []
        report(holds(look, want),
               "the sound card hears eSpeak NG's samples of the caption, all of them",
               f"{len(want)} samples wanted, heard pieces of {[len(p) for p in heard]}\n{why}")
        print(f"# {len(want)} samples of \"{said[0] if said else ''}\"")
        judge_line(folder, steps, said, why)


main()
