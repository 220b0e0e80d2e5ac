# SPDX-License-Identifier: GPL-3.0-or-later
"""
Descry in Orca 51: four keys that ask Descry. "descry orca install" puts this
file into Orca's folder of extensions; Orca loads it when its user has approved
it. Results need no code here: Descry presents them through Orca's own service.
"""
from gi.repository import Gio, GLib

from orca import keybindings
from orca.command import Command, KeyboardCommand
from orca.extension import Extension

DESCRY = ("org.descry.Descry1", "/org/descry/Descry1", "org.descry.Descry1")
ERRORS = "org.descry.Error."
CALL_MS = 60000
KEYS = {"focus": "d", "camera": "c", "repeat": "r", "stop": "s"}


class Descry(Extension):
    """Describes pictures, what has focus and what the camera sees."""

    GROUP_LABEL = "Descry"
    DESCRIPTION = "Describes pictures, what has focus and what the camera sees."
    VERSION = "1"
    COPYRIGHT = "GPL-3.0-or-later"

    def _get_commands(self) -> list[Command]:
        return [self._command("focus", self.describe_focus, "Describes what has focus"),
                self._command("camera", self.look, "Looks through the camera"),
                self._command("repeat", self.repeat, "Says the last description again"),
                self._command("stop", self.stop, "Stops speaking")]

    def _command(self, name, function, description) -> Command:
        binding = keybindings.KeyBinding(KEYS[name], keybindings.ORCA_SHIFT_MODIFIER_MASK)
        return KeyboardCommand("descry_" + name, function, self.GROUP_LABEL, description,
                               desktop_keybinding=binding, laptop_keybinding=binding)

    def describe_focus(self) -> bool:
        return self._ask("DescribeFocus", GLib.Variant("(a{sv})", ({},)))

    def look(self) -> bool:
        return self._ask("Look", GLib.Variant("(a{sv})", ({},)))

    def repeat(self) -> bool:
        return self._ask("Repeat", None)

    def stop(self) -> bool:
        return self._ask("Stop", None)

    def _ask(self, method, arguments) -> bool:
        bus = Gio.bus_get_sync(Gio.BusType.SESSION, None)
        bus.call(*DESCRY, method, arguments, None, Gio.DBusCallFlags.NONE, CALL_MS, None,
                 self._on_answer, arguments is None)
        return True

    def _on_answer(self, bus, result, tells_errors) -> None:
        try:
            bus.call_finish(result)
        except GLib.Error as error:
            name = Gio.DBusError.get_remote_error(error) or ""
            Gio.DBusError.strip_remote_error(error)
            if not name.startswith(ERRORS):
                self.controller.present_message_internal("Descry does not answer. "
                                                         + error.message)
            elif tells_errors:
                self.controller.present_message_internal("Descry: " + error.message)
