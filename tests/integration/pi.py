#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Raspberry Pi 4 under QEMU, as far as there is one: its processor, Debian's
kernel and Descry's arm64 package, with a virtual camera, button and sound card.
One press, one caption; what the card recorded must be eSpeak NG's samples.

Run by test_arm64.sh, which builds the package and the machine. Prints, for each
thing proven, "yes - NAME" or "no - NAME" and the reason.
Usage: pi.py FOLDER (vmlinuz, initrd)"""
import os
import re
import subprocess
import sys
import tempfile

from test_devices import holds, pieces, recording, spoken

LIMIT = 900


def report(passed, name, why=""):
    print(("yes - " if passed else "no - ") + name)
    if not passed:
        print("# " + str(why).replace("\n", "\n# "))


def boot(machine, folder):
    """Runs the machine; returns its console, its logs in `folder`/out."""
    disk = os.path.join(folder, "disk")
    with open(disk, "wb") as file:
        file.truncate(64 << 20)
    try:
        done = subprocess.run(
            ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-accel", "tcg,thread=multi",
             "-smp", "2", "-m", "1536", "-kernel", os.path.join(machine, "vmlinuz"), "-initrd",
             os.path.join(machine, "initrd"), "-append",
             "console=ttyAMA0 quiet panic=-1 scene=look", "-nographic", "-no-reboot", "-nic", "none",
             "-drive", f"file={disk},if=virtio,format=raw"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=False)
        console = done.stdout + done.stderr
    except subprocess.TimeoutExpired as late:
        console = (late.stdout or b"") + f"still running after {LIMIT} s".encode()
    subprocess.run(["tar", "-xf", disk, "-C", folder], capture_output=True, check=False)
    return console.decode(errors="replace")


def read(folder, name):
    try:
        with open(os.path.join(folder, "out", name), errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


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
        if "STEP" not in console or not os.path.exists(os.path.join(folder, "out/look.raw")):
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


main()
