# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture on the clipboard, over a real X server: small ones come whole, large
ones in pieces, as PNG and as JPEG; text is no picture; an owner that does not
answer is given up; nothing there is said."""
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import dbus

from harness import (PHOTOS, Skip, daemon, heard, need_model, options_of, run, test, wait_for)

COFFEE = os.path.join(PHOTOS, "coffee.png")
ROCKET = os.path.join(PHOTOS, "rocket.jpg")


# xclip hands its data to whoever asks, whatever for
TEXT = """
import gi
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, Gtk
Gtk.Clipboard.get(Gdk.SELECTION_CLIPBOARD).set_text("a cat", -1)
print("owned", flush=True)
Gtk.main()
"""


@contextlib.contextmanager
def screen():
    """An X server on a free display; yields its name."""
    if not shutil.which("Xvfb") or not shutil.which("xclip"):
        raise Skip("Xvfb or xclip is not installed")
    reader, writer = os.pipe()
    server = subprocess.Popen(["Xvfb", "-displayfd", str(writer), "-screen", "0", "320x200x24",
                               "-nolisten", "tcp", "-noreset"], pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as number:
            yield ":" + number.readline().strip()
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def copied(display, path, kind):
    """Puts a file on the clipboard, which the yielded process owns."""
    owner = subprocess.Popen(["xclip", "-quiet", "-selection", "clipboard", "-t", kind, "-i", path],
                             env={**os.environ, "DISPLAY": display}, stderr=subprocess.DEVNULL)

    def owned():
        done = subprocess.run(["xclip", "-selection", "clipboard", "-o", "-t", "TARGETS"],
                              capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, "DISPLAY": display})
        return kind in done.stdout
    try:
        wait_for(owned, 60, "the clipboard's owner")
        yield owner
    finally:
        owner.send_signal(signal.SIGCONT)
        owner.kill()
        owner.wait()


def described(served):
    return served.interface.DescribeClipboard(options_of(speak=False), timeout=120)


def refused(served):
    try:
        described(served)
    except dbus.DBusException as error:
        return error.get_dbus_name().rsplit(".", 1)[1], error.get_dbus_message()
    raise AssertionError("it was not refused")


@test
def pictures():
    """a picture on the clipboard is described like the file it came from"""
    need_model()
    with screen() as display, daemon(environment={"DISPLAY": display}) as served:
        served.wait_model()
        # xclip hands over in one piece what is smaller than a quarter of a request (4 MiB)
        with tempfile.NamedTemporaryFile(suffix=".png") as large:
            with open(COFFEE, "rb") as file:
                large.write(file.read() + b"\0" * (6 << 20))
            large.flush()
            for path, kind in ((COFFEE, "image/png"), (ROCKET, "image/jpeg"),
                               (large.name, "image/png")):
                with open(path, "rb") as photo:
                    expected = served.interface.Describe(dbus.types.UnixFd(photo),
                                                         options_of(speak=False), timeout=120)
                with copied(display, path, kind):
                    caption, details = described(served)
                assert caption == expected[0], (path, caption, expected[0])
                assert details["width"] == expected[1]["width"]


@test
def not_pictures():
    """text, nothing, and an owner that hangs are told apart from a picture"""
    with screen() as display, daemon(environment={"DISPLAY": display}) as served:
        name, sentence = refused(served)
        assert name == "NoData" and sentence.endswith("."), (name, sentence)
        heard("nothing on the clipboard", sentence)
        owner = subprocess.Popen([sys.executable, "-c", TEXT], stdout=subprocess.PIPE,
                                 env={**os.environ, "DISPLAY": display})
        try:
            assert owner.stdout.readline() == b"owned\n"
            assert refused(served) == (name, sentence)
        finally:
            owner.kill()
            owner.wait()
        with copied(display, COFFEE, "image/png") as owner:
            owner.send_signal(signal.SIGSTOP)
            assert refused(served)[1].endswith(".")
            # others are served meanwhile and after
            served.interface.Say("Still here.", options_of())


@test
def lies():
    """a clipboard that calls text a picture is answered like any bad picture"""
    need_model()
    with screen() as display, daemon(environment={"DISPLAY": display}) as served:
        with copied(display, __file__, "image/png"):
            name, sentence = refused(served)
            assert name == "BadImage" and sentence.endswith("."), (name, sentence)
        assert served.status()["worker_restarts"] == 0


run()
