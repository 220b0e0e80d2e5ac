# SPDX-License-Identifier: GPL-3.0-or-later
"""A python3-dbusmock template: AT-SPI with one program, one active window and one
focused object in it, by the specification's introspection. The accessibility bus
is the session bus itself. `role`, `name`, `description` and `extents` are the
object's; `rules`: whether the window answers match rules."""
import os

import dbus

from dbusmock import mockobject

BUS_NAME = "org.a11y.Bus"
MAIN_OBJ = "/org/a11y/bus"
MAIN_IFACE = "org.a11y.Bus"
SYSTEM_BUS = False

ROOT = "/org/a11y/atspi/accessible/root"
ACCESSIBLE = "org.a11y.atspi.Accessible"
ACTIVE, FOCUSED, SHOWING = 1 << 1, 1 << 12, 1 << 25


def load(mock, parameters):
    registry = dbus.service.BusName("org.a11y.atspi.Registry", bus=mock.connection)
    mock.registry = registry
    mock.AddMethod(MAIN_IFACE, "GetAddress", "", "s",
                   "ret = %r" % os.environ["DBUS_SESSION_BUS_ADDRESS"])

    def add(path, states, children, methods=()):
        references = [("org.a11y.atspi.Registry", child) for child in children]
        mock.AddObject(path, ACCESSIBLE, {}, [
            ("GetChildren", "", "a(so)", "ret = dbus.Array(%r, signature='(so)')" % references),
            ("GetState", "", "au", "ret = [dbus.UInt32(%d), dbus.UInt32(0)]" % states),
            ("GetRole", "", "u", "ret = %d" % parameters.get("role", 27))])
        for interface, name, arguments, result, code in methods:
            mockobject.objects[path].AddMethod(interface, name, arguments, result, code)

    program, window, box, focus = "/program", "/window", "/box", "/focus"
    matches = [] if not parameters.get("rules", True) else [
        ("org.a11y.atspi.Collection", "GetMatches", "(aiia{ss}iaiiasib)uib", "a(so)",
         "ret = dbus.Array([('org.a11y.atspi.Registry', '/focus')], signature='(so)')")]
    add(ROOT, 0, [program])
    add(program, 0, [window])
    add(window, ACTIVE | SHOWING, [box], matches)
    add(box, SHOWING, [focus])
    add(focus, FOCUSED | SHOWING, [], [
        ("org.a11y.atspi.Component", "GetExtents", "u", "(iiii)",
         "ret = dbus.Struct(%r, signature='iiii')"
         % (tuple(parameters.get("extents", (0, 0, 640, 427))),))])
    mockobject.objects[focus].AddProperty(ACCESSIBLE, "Name", parameters.get("name", ""))
    mockobject.objects[focus].AddProperty(ACCESSIBLE, "Description",
                                          parameters.get("description", ""))
