#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that the daemon and its processes hold after captions, as resident set (pages
shared with others counted whole) and as proportional set (each page divided by the
number of processes that have it), and the mappings of the worker that hold most.

    tests/bench/resident.py [PHOTO [CAPTIONS]]
"""
import collections
import os
import sys
import time

import dbus

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
from harness import PHOTOS, daemon, options_of      # noqa: E402

PHOTO = sys.argv[1] if len(sys.argv) > 1 else os.path.join(PHOTOS, "chelsea.png")
CAPTIONS = int(sys.argv[2]) if len(sys.argv) > 2 else 1


def rollup(pid):
    """Resident and proportional set in MiB."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line and "kB" in line)
    return tuple(int(fields[name].split()[0]) / 1024 for name in ("Rss", "Pss"))


def mappings(pid):
    """Proportional set in KiB by what is mapped; anonymous mappings each for itself."""
    sums, name = collections.Counter(), ""
    with open(f"/proc/{pid}/smaps") as file:
        for line in file:
            words = line.split()
            if not words[0].endswith(":"):
                name = words[5] if len(words) > 5 else "anonymous " + words[0]
            elif words[0] == "Pss:":
                sums[name] += int(words[1])
    return sums


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


with daemon() as served:
    served.wait_model()
    for _ in range(CAPTIONS):
        with open(PHOTO, "rb") as photo:
            served.interface.Describe(dbus.types.UnixFd(photo), options_of(), timeout=60)
        served.wait_idle()
    time.sleep(1)
    worker = int(served.status()["worker_pid"])
    processes = [("daemon", served.process.pid), ("worker", worker)]
    processes += [("speech", pid) for pid in children(served.process.pid) if pid != worker]
    for name, pid in processes:
        print("%s: resident %.1f MiB, proportional %.1f MiB" % (name, *rollup(pid)))
    print("\n".join(f"  {kib:6d} KiB {name}" for name, kib in mappings(worker).most_common(16)))
