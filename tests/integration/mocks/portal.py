# SPDX-License-Identifier: GPL-3.0-or-later
"""A python3-dbusmock template: the Screenshot and GlobalShortcuts portals, by the
introspection of xdg-desktop-portal. `picture`: the file that a screenshot is a
copy of, in `folder`; `answer`: the code of its response (0: allowed)."""
import os
import shutil
import tempfile

import dbus
from gi.repository import GLib

from dbusmock import mockobject

BUS_NAME = "org.freedesktop.portal.Desktop"
MAIN_OBJ = "/org/freedesktop/portal/desktop"
MAIN_IFACE = "org.freedesktop.portal.Screenshot"
KEYS_IFACE = "org.freedesktop.portal.GlobalShortcuts"
SESSION = MAIN_OBJ + "/session/test/descry"
SYSTEM_BUS = False


def load(mock, parameters):
    mock.parameters = parameters
    mock.AddProperty(MAIN_IFACE, "version", dbus.UInt32(2))
    mock.AddProperty(KEYS_IFACE, "version", dbus.UInt32(1))


def respond(mock, sender, options, code, results):
    """The path of the request; its Response comes after the reply."""
    path = "%s/request/%s/%s" % (MAIN_OBJ, sender[1:].replace(".", "_"),
                                 options.get("handle_token", "t"))
    if path not in mockobject.objects:
        mock.AddObject(path, "org.freedesktop.portal.Request", {}, [("Close", "", "", "")])

    def emit():
        mockobject.objects[path].EmitSignal(
            "org.freedesktop.portal.Request", "Response", "ua{sv}",
            [dbus.UInt32(code), dbus.Dictionary(results, signature="sv")])
        return False
    GLib.timeout_add(50, emit)
    return dbus.ObjectPath(path)


@dbus.service.method(MAIN_IFACE, sender_keyword="sender", in_signature="sa{sv}",
                     out_signature="o")
def Screenshot(self, parent, options, sender):
    answer, results = int(self.parameters.get("answer", 0)), {}
    if answer == 0:
        handle, copy = tempfile.mkstemp(prefix="Screen shot ", suffix=".png",
                                        dir=self.parameters["folder"])
        os.close(handle)
        shutil.copy(self.parameters["picture"], copy)
        results["uri"] = dbus.String("file://" + copy.replace(" ", "%20"), variant_level=1)
    return respond(self, sender, options, answer, results)


@dbus.service.method(KEYS_IFACE, sender_keyword="sender", in_signature="a{sv}",
                     out_signature="o")
def CreateSession(self, options, sender):
    return respond(self, sender, options, 0,
                   {"session_handle": dbus.String(SESSION, variant_level=1)})


@dbus.service.method(KEYS_IFACE, sender_keyword="sender", in_signature="oa(sa{sv})sa{sv}",
                     out_signature="o")
def BindShortcuts(self, session, shortcuts, parent, options, sender):
    assert session == SESSION
    return respond(self, sender, options, 0, {})
