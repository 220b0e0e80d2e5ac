# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 900
"""The daemon and its worker as a whole under memcheck, and the daemon under
helgrind: a handful of requests of every kind, each answered, and no report of
either tool. Helgrind runs one thread at a time, for which the worker's threads,
which wait for one another without sleeping, would wait minutes."""
import os
import shutil
import signal
import tempfile

import dbus

import harness
from harness import (PHOTOS, ROOT, Caller, Pipe, Skip, daemon, error_name, need_model, options_of,
                     run, test, wait_for)

SUPPRESSIONS = os.path.join(ROOT, "tests/valgrind.supp")
ROCKET = os.path.join(PHOTOS, "rocket.jpg")
CONFIG = f"""[camera shelf]
kind = files
files = {PHOTOS}/*.jpg
"""


def serve(served):
    """A little of everything."""
    wait_for(lambda: served.property("Model") != "", 240, "the model")
    with open(ROCKET, "rb") as photo, open(__file__, "rb") as text:
        caption, _ = served.interface.Describe(dbus.types.UnixFd(photo), options_of(alternatives=2),
                                               timeout=300)
        assert caption.endswith(".")
        assert error_name(served.interface.Describe, dbus.types.UnixFd(text), options_of(),
                          timeout=300) == "org.descry.Error.BadImage"
    assert served.interface.Look(options_of(speak=False, anything=True),
                                 timeout=300)[0].endswith(".")
    caller, pipe = Caller(served.bus), Pipe()
    job = caller.submit(pipe.reader)
    caller.interface.Cancel(dbus.UInt64(job))
    assert caller.wait(job, 120)[0] == "org.descry.Error.Cancelled"
    pipe.close()
    caller.close()
    served.interface.Say("A short sentence.", options_of())
    wait_for(lambda: served.property("Speaking"), 120, "speech")
    wait_for(lambda: not served.property("Speaking"), 120, "silence")
    served.interface.Say("word " * 300, options_of())
    served.interface.Repeat()
    served.interface.Stop()
    served.set_property("Rate", 250)
    error_name(served.interface.Dance)
    served.process.send_signal(signal.SIGHUP)
    assert served.status()["worker_restarts"] == 0


def under(tool, processes, *options):
    if not shutil.which("valgrind"):
        raise Skip("valgrind is not installed")
    if harness.SANITIZED:
        raise Skip("a sanitizer's build cannot run under valgrind")
    need_model()
    with tempfile.TemporaryDirectory() as folder:
        harness.UNDER[:] = ["valgrind", "-q", "--tool=" + tool, "--suppressions=" + SUPPRESSIONS,
                            f"--log-file={folder}/report.%p", *options]
        with daemon("--set", "caption.timeout=200", config=CONFIG) as served:
            serve(served)
            assert served.stop() == 0, served.log()
        reports = []
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name)) as file:
                # "--": remarks, that it does not know seccomp(2) for one; "==": errors
                reports.append("".join(line for line in file if not line.startswith("--")))
        assert len(reports) >= processes, reports
        assert not "".join(reports), "\n".join(reports)


@test
def memcheck():
    """the daemon serves under memcheck without an error or a definite leak"""
    under("memcheck", 2, "--trace-children=yes", "--leak-check=full", "--errors-for-leak-kinds=definite",
          "--show-leak-kinds=definite")


@test
def helgrind():
    """the daemon serves under helgrind without a race that locks should have kept away"""
    under("helgrind", 1)


run()
