#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the screen, and the desktop's keys: AT-SPI and the portals as
python3-dbusmock templates. The same over X11, with real programs, is in
test_orca.py."""
import os

import dbus
from dbus.lowlevel import SignalMessage

import harness
import mocking
from harness import PATIENCE, test, wait_for

PORTAL = "org.freedesktop.portal.Desktop"
A11Y = "org.a11y.Bus"
NONE = dbus.Dictionary(signature="sv")
SILENT = dbus.Dictionary({"speak": False}, signature="sv")
NO_X11 = {"DISPLAY": "", "WAYLAND_DISPLAY": "wayland-0"}


def refused(function, *arguments):
    """The message of the error that the call must end in."""
    try:
        function(*arguments, timeout=60 * PATIENCE)
    except dbus.DBusException as error:
        assert error.get_dbus_name().startswith("org.descry.Error."), error
        return error.get_dbus_message()
    raise AssertionError("it was not refused")


def portal(daemon, **parameters):
    parameters.setdefault("picture", os.path.join(harness.PHOTOS, "coffee.png"))
    return mocking.mock(daemon.bus, "portal", PORTAL, folder=daemon.bus.folder, **parameters)


def left_over(daemon):
    return [name for name in os.listdir(daemon.bus.folder) if name.startswith("Screen shot")]


@test
def whole_screen():
    """The screen comes by the portal, whose file is deleted"""
    harness.need_model()
    with harness.daemon(environment=NO_X11) as daemon, portal(daemon) as (_, calls):
        daemon.wait_model()
        caption, details = daemon.interface.DescribeScreen(SILENT, timeout=60 * PATIENCE)
        assert caption and details["about"]["screen"], (caption, details)
        assert len(calls("Screenshot")) == 1, calls("Screenshot")
        assert left_over(daemon) == [], left_over(daemon)


@test
def not_allowed():
    """A desktop that does not allow it: said so, and not gone around"""
    with harness.daemon(environment=NO_X11) as daemon, portal(daemon, answer=1):
        assert "does not allow" in refused(daemon.interface.DescribeScreen, SILENT)


@test
def forged_answer():
    """An answer that is not the portal's is passed over, and the file it names stays"""
    harness.need_model()
    with harness.daemon(environment=NO_X11) as daemon, portal(daemon):
        daemon.wait_model()
        victim = os.path.join(daemon.bus.folder, "letter.png")
        with open(victim, "w") as file:
            file.write("Dear reader")
        stranger, answers = daemon.bus.connect(), []
        daemon.interface.DescribeScreen(
            SILENT, reply_handler=lambda *answer: answers.append(answer),
            error_handler=answers.append, timeout=60 * PATIENCE)

        def answered():
            forged = SignalMessage("/org/freedesktop/portal/desktop/request/1_1/t",
                                   "org.freedesktop.portal.Request", "Response")
            forged.append(dbus.UInt32(0), {"uri": "file://" + victim},
                          signature="ua{sv}")
            stranger.send_message(forged)
            stranger.flush()
            return answers
        wait_for(answered, 60, "the caption")
        assert len(answers[0]) == 2 and answers[0][0].endswith("."), answers
        assert os.path.exists(victim)
        stranger.close()


@test
def no_desktop():
    """Without portal and X11 each subject is refused with a reason"""
    with harness.daemon(environment={"DISPLAY": "", "WAYLAND_DISPLAY": ""}) as daemon:
        assert "no picture of the screen" in refused(daemon.interface.DescribeScreen, SILENT)
        assert "accessibility" in refused(daemon.interface.DescribeFocus, SILENT)
        assert "clipboard" in refused(daemon.interface.DescribeClipboard, SILENT)


@test
def label_first():
    """What the program says of its picture is said first; under Wayland the whole screen is"""
    harness.need_model()
    with harness.daemon(environment=NO_X11) as daemon, portal(daemon), \
            mocking.mock(daemon.bus, "focus", A11Y, name="Breakfast", role=27):
        daemon.wait_model()
        caption, details = daemon.interface.DescribeFocus(NONE, timeout=60 * PATIENCE)
        assert details["about"]["description"] == "Breakfast", details
        assert details["about"]["whole_screen"]
        wait_for(lambda: "Its label: Breakfast. " + caption in daemon.log(), 60, daemon.log())


@test
def search_without_rules():
    """A toolkit without match rules is searched"""
    harness.need_model()
    with harness.daemon(environment=NO_X11) as daemon, portal(daemon), \
            mocking.mock(daemon.bus, "focus", A11Y, rules=False, description="A cup", role=7):
        daemon.wait_model()
        _, details = daemon.interface.DescribeFocus(SILENT, timeout=60 * PATIENCE)
        assert details["about"]["description"] == "A cup", details


@test
def passwords():
    """Neither the focus nor the screen is looked at while a password field has the focus"""
    with harness.daemon(environment=NO_X11) as daemon, portal(daemon) as (_, calls), \
            mocking.mock(daemon.bus, "focus", A11Y, role=40):
        for method in (daemon.interface.DescribeFocus, daemon.interface.DescribeScreen):
            assert "password" in refused(method, SILENT)
        assert not calls("Screenshot")


@test
def icons():
    """An icon is said to be one, by its name, without a look at it"""
    with harness.daemon(environment=NO_X11) as daemon, portal(daemon) as (_, calls), \
            mocking.mock(daemon.bus, "focus", A11Y, role=26, name="Trash", extents=(5, 5, 48, 48)):
        assert refused(daemon.interface.DescribeFocus, SILENT) == "An icon: Trash."
        assert not calls("Screenshot")


@test
def keys_of_the_desktop():
    """The desktop's keys are asked for once and work; other sessions' do not"""
    bus = harness.Bus()
    try:
        with mocking.mock(bus, "portal", PORTAL, folder=bus.folder, answer=1,
                          picture="") as (_, calls):
            daemon = harness.Daemon(bus, environment=NO_X11)
            try:
                wait_for(lambda: "keys for Descry work" in daemon.log(), 60, daemon.log())
                bound = calls("BindShortcuts")
                assert len(bound) == 1, bound
                assert all(key in bound[0] for key in ("focus", "camera", "repeat", "stop")), bound
                daemon.interface.Say("A bench in a park.", NONE)
                mock = bus.connect().get_object(PORTAL, "/org/freedesktop/portal/desktop")

                def press(key, session="/org/freedesktop/portal/desktop/session/test/descry"):
                    mock.EmitSignal("org.freedesktop.portal.GlobalShortcuts", "Activated",
                                    "osta{sv}", [dbus.ObjectPath(session), key, dbus.UInt64(1),
                                                 NONE],
                                    dbus_interface="org.freedesktop.DBus.Mock")

                said = "saying: A bench in a park."
                press("repeat", "/somebody/else")
                press("repeat")
                wait_for(lambda: daemon.log().count(said) >= 2, 60, daemon.log())
                press("focus")
                wait_for(lambda: "saying: This desktop does not tell" in daemon.log(), 60,
                         daemon.log())
                assert daemon.log().count(said) == 2
            finally:
                daemon.stop()
    finally:
        bus.close()


@test
def keys_bound_again():
    """The desktop's keys work again after the portal, and after the whole bus, came back"""
    bus = harness.Bus()
    bound = "keys for Descry work"
    daemon = harness.Daemon(bus, environment=NO_X11)

    def press_works(times):
        mock = bus.connect().get_object(PORTAL, "/org/freedesktop/portal/desktop")
        mock.EmitSignal("org.freedesktop.portal.GlobalShortcuts", "Activated", "osta{sv}", [
            dbus.ObjectPath("/org/freedesktop/portal/desktop/session/test/descry"), "focus",
            dbus.UInt64(1), NONE], dbus_interface="org.freedesktop.DBus.Mock")
        wait_for(lambda: daemon.log().count("saying: This desktop does not tell") == times, 60,
                 daemon.log())

    def mocked_portal():
        return mocking.mock(bus, "portal", PORTAL, folder=bus.folder, answer=1, picture="")

    try:
        wait_for(lambda: "The desktop offers no keys" in daemon.log(), 60, "no portal at first")
        for times in (1, 2):
            with mocked_portal():
                wait_for(lambda: daemon.log().count(bound) == times, 60, daemon.log())
                press_works(times)
        bus.stop()
        bus.start()
        # whichever of the two is back first
        with mocked_portal():
            wait_for(lambda: daemon.log().count(bound) == 3, 60, daemon.log())
            press_works(3)
    finally:
        daemon.stop()
        bus.close()


mocking.need()
harness.run()
