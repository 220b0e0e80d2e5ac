# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine sleeps and wakes, as logind tells of it on the system bus: a real bus,
a pretended logind. That processes stand still, as they do in a sleep, has its test in
test_faults.py."""
import contextlib
import os
import re
import time

import dbus
import dbus.lowlevel

from camera import LONG, Camera
from harness import (PHOTOS, Bus, Caller, Pipe, daemon, heard, need_model, need_preloading,
                     options_of, run, test, wait_for, wall_clock)

COFFEE = os.path.join(PHOTOS, "coffee.png")
LOGIN = "org.freedesktop.login1"


class Machine:
    """A system bus with a pretended logind; DBUS_SYSTEM_BUS_ADDRESS names it."""

    def __init__(self):
        session = os.environ.get("DBUS_SESSION_BUS_ADDRESS")
        self.bus = Bus()
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = self.bus.address
        if session:
            os.environ["DBUS_SESSION_BUS_ADDRESS"] = session
        self.connect()

    def connect(self):
        self.connection = self.bus.connect()
        assert self.connection.request_name(LOGIN) == dbus.bus.REQUEST_NAME_REPLY_PRIMARY_OWNER

    def restart(self):
        """The bus goes and comes back, at the same address."""
        session = os.environ["DBUS_SESSION_BUS_ADDRESS"]
        self.bus.stop()
        self.bus.start()
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = session
        self.connect()

    def tell(self, start, to=None, connection=None):
        signal = dbus.lowlevel.SignalMessage("/org/freedesktop/login1", LOGIN + ".Manager",
                                             "PrepareForSleep")
        signal.append(dbus.Boolean(start))
        if to:
            signal.set_destination(to)
        connection = connection or self.connection
        connection.send_message(signal)
        connection.flush()

    def close(self):
        self.connection.close()
        os.environ.pop("DBUS_SYSTEM_BUS_ADDRESS", None)
        self.bus.close()


@contextlib.contextmanager
def machine():
    pretended = Machine()
    try:
        yield pretended
    finally:
        pretended.close()


def logged(served, text, count=1):
    wait_for(lambda: served.log().count(text) >= count, LONG, f'"{text}" in the log')


def said(served):
    return re.findall(r"^debug: saying: (.*)$", served.log(), re.M)


def sleep(pretended, served, times=1):
    """Goes to sleep, and wakes at once."""
    pretended.tell(True)
    logged(served, "The computer goes to sleep", times)
    pretended.tell(False)
    logged(served, "The computer is awake again", times)


@test
def nothing_is_said_late():
    """what is described across a sleep is delivered and not spoken; the next is spoken"""
    need_model()
    with machine() as pretended, daemon() as served:
        served.wait_model()
        pipe, caller = Pipe(), Caller(served.bus)
        job = caller.submit(pipe.reader, speak=True)
        wait_for(lambda: served.property("Busy"), what="the job")
        sleep(pretended, served)
        pipe.send(COFFEE)
        caption = caller.wait(job)[0]
        assert caption.endswith("."), caption
        assert said(served) == [], said(served)
        heard("suspend and resume, told of by logind", "nothing of what was asked for before it; "
              "cameras and sound cards are opened anew, and watching goes on")
        with open(COFFEE, "rb") as photo:
            served.interface.Describe(dbus.types.UnixFd(photo), options_of(speak=True), timeout=120)
        wait_for(lambda: said(served), LONG, "the caption to be said")
        pipe.close()
        caller.close()


@test
def cameras_are_closed_and_opened_anew():
    """a camera that is open is closed for the sleep; a look that waits for it is told why"""
    need_model()
    need_preloading()
    with machine() as pretended, Camera() as camera:
        camera.look()
        state = lambda: [str(s["state"]) for s in camera.interface.Sources()]
        assert state() != ["closed"], state()
        sleep(pretended, camera.daemon)
        assert state() == ["closed"], state()
        caption, _ = camera.look()
        assert caption
        camera.show(words="stall")
        errors = []
        camera.interface.Look(options_of(speak=False), timeout=60, reply_handler=lambda *_: None,
                              error_handler=errors.append)
        wait_for(lambda: camera.daemon.property("Busy"), what="the look")
        sleep(pretended, camera.daemon, 2)
        wait_for(lambda: errors, LONG, "the look to fail")
        assert "went to sleep" in errors[0].get_dbus_message(), errors


@test
def watching_goes_on():
    """watching lets go of the camera for the sleep, and goes on after it"""
    need_model()
    need_preloading()
    with machine() as pretended, Camera() as camera:
        camera.watch(True)
        wait_for(lambda: camera.daemon.property("Watching"), what="watching")
        glances = lambda: int(camera.watching()["glances"])
        wait_for(lambda: glances() > 2, LONG, "glances")
        pretended.tell(True)
        logged(camera.daemon, "The computer goes to sleep")
        assert [str(s["state"]) for s in camera.interface.Sources()] == ["closed"]
        seen = glances()
        assert camera.daemon.property("Watching")
        pretended.tell(False)
        wait_for(lambda: glances() > seen + 2, LONG, "glances after the sleep")
        assert not [s for s in said(camera.daemon) if "camera" in s.lower()], said(camera.daemon)
        camera.watch(False)
        pretended.tell(True)
        pretended.tell(False)
        logged(camera.daemon, "The computer is awake again", 2)
        time.sleep(2.5)
        assert not camera.daemon.property("Watching")


@test
def the_clock_jumps():
    """the wall clock jumps by a night meanwhile: nothing expires"""
    need_model()
    need_preloading()
    with machine() as pretended, wall_clock() as (environment, jump):
        with daemon("--set", "caption.timeout=20", environment=environment) as served:
            served.wait_model()
            pipe, caller = Pipe(), Caller(served.bus)
            job = caller.submit(pipe.reader)
            pretended.tell(True)
            jump("+9h")
            pretended.tell(False)
            logged(served, "The computer is awake again")
            pipe.send(COFFEE)
            assert caller.wait(job)[0].endswith(".")
            pipe.close()
            caller.close()


@test
def only_logind_is_believed():
    """others' signals change nothing, even one that is sent to the daemon alone"""
    with machine() as pretended, daemon() as served:
        stranger = pretended.bus.connect()
        names = [str(n) for n in pretended.connection.list_names() if str(n).startswith(":")]
        pretended.tell(True, connection=stranger)
        for name in names:
            if name not in (stranger.get_unique_name(), pretended.connection.get_unique_name()):
                pretended.tell(True, to=name, connection=stranger)
        stranger.flush()
        stranger.list_names()
        pretended.tell(False)
        logged(served, "The computer is awake again")
        assert "goes to sleep" not in served.log()
        stranger.close()


@test
def the_system_bus_comes_back():
    """the system bus goes and comes back: the next sleep is heard of"""
    with machine() as pretended, daemon() as served:
        sleep(pretended, served)
        pretended.restart()
        logged(served, "Connected to the system bus again")
        wait_for(lambda: pretended.connection.name_has_owner(LOGIN))
        sleep(pretended, served, 2)
        assert served.running()


@test
def no_system_bus():
    """without a system bus nothing is missed"""
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent/bus"
    try:
        with daemon() as served:
            logged(served, "Nobody tells when the computer sleeps")
            served.interface.Say("Hello", options_of())
            wait_for(lambda: said(served), LONG, "speech")
    finally:
        os.environ.pop("DBUS_SYSTEM_BUS_ADDRESS")


run()
