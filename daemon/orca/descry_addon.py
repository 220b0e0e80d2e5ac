# SPDX-License-Identifier: GPL-3.0-or-later
"""
Descry in Orca 43 to 48: four keys that ask Descry, and a voice that Descry may
use. "descry orca install" puts this file beside orca-customizations.py and lets
that load it; Orca runs it in its own process.

Orca must never wait for us, so every call over D-Bus is asynchronous. Descry
presents its results by Present, in Orca's speech and braille. The call has a
deadline, because a message that was late has been spoken by another voice by
then. Errors that Descry itself could not present are presented here.

Orca has no interface for add-ons before version 51. What is used of its inside
is checked before anything is changed, and if it is not what we know, nothing is.
"""
import time

from gi.repository import Gio, GLib

NAME = "org.descry.OrcaAddon1"
PATH = "/org/descry/OrcaAddon1"
DESCRY = ("org.descry.Descry1", "/org/descry/Descry1", "org.descry.Descry1")
ERRORS = "org.descry.Error."
LAST_VERSION = 48
CALL_MS = 60000

INTERFACE = """<node><interface name="org.descry.OrcaAddon1">
  <method name="Present">
    <arg name="text" type="s" direction="in"/>
    <arg name="deadline" type="t" direction="in"/>
    <arg name="interrupt" type="b" direction="in"/>
    <arg name="presented" type="b" direction="out"/>
  </method>
  <method name="Stop"/>
  <property name="Version" type="s" access="read"/>
</interface></node>"""

# key of "descry orca install": what Orca's list of shortcuts says, method, arguments
COMMANDS = {
    "focus": ("Descry: describes what has focus", "DescribeFocus", "(a{sv})"),
    "camera": ("Descry: looks through the camera", "Look", "(a{sv})"),
    "repeat": ("Descry: says the last description again", "Repeat", None),
    "stop": ("Descry: stops speaking", "Stop", None),
}


class Unknown(Exception):
    """Orca's inside is not what this file was written for."""


class Orca:
    """The few things used of Orca, under the names of either generation."""

    def __init__(self):
        from orca import input_event, keybindings, orca_platform
        from orca.scripts import default
        self.version = str(orca_platform.version)
        if not 43 <= int(self.version.split(".")[0]) <= LAST_VERSION:
            raise Unknown("Orca %s is not one of 43 to %d" % (self.version, LAST_VERSION))
        self.script_class = default.Script
        self.getter = self.first(default.Script, "get_key_bindings", "getKeyBindings")
        self.first(default.Script, "presentMessage", "present_message")
        self.binding = keybindings.KeyBinding
        self.modifiers = keybindings.ORCA_SHIFT_MODIFIER_MASK
        self.mask = getattr(keybindings, self.first(keybindings, "DEFAULT_MODIFIER_MASK",
                                                    "defaultModifierMask"))
        self.handler = input_event.InputEventHandler
        self.active_script()
        self.interrupt = self.find_interrupt()

    @staticmethod
    def first(owner, *names):
        """The first of the names that the owner has."""
        for name in names:
            if hasattr(owner, name):
                return name
        raise Unknown("it has no " + " or ".join(names))

    def active_script(self):
        """The script of the program that has focus, or None."""
        try:
            from orca import orca_state
            if hasattr(orca_state, "activeScript"):
                return orca_state.activeScript
        except ImportError:
            pass
        from orca import script_manager
        manager = getattr(script_manager, self.first(script_manager, "get_manager", "getManager"))()
        return getattr(manager, self.first(manager, "get_active_script", "getActiveScript"))()

    @staticmethod
    def find_interrupt():
        """A function that silences Orca's speech."""
        try:
            from orca import speech_and_verbosity_manager
            manager = speech_and_verbosity_manager.getManager() \
                if hasattr(speech_and_verbosity_manager, "getManager") \
                else speech_and_verbosity_manager.get_manager()
            if hasattr(manager, "interrupt_speech"):
                return manager.interrupt_speech
        except (ImportError, AttributeError):
            pass
        from orca import speech
        if not hasattr(speech, "stop"):
            raise Unknown("its speech cannot be stopped")
        return speech.stop

    def present(self, text, interrupt):
        """Speech and braille; False when there is nobody to present it."""
        script = self.active_script()
        if script is None:
            return False
        if interrupt:
            self.interrupt()
        getattr(script, self.first(script, "presentMessage", "present_message"))(text)
        return True

    def bind(self, keys, run):
        """Adds our keys to those of every script; returns the keys that Orca itself uses."""
        getter, original = self.getter, getattr(self.script_class, self.getter)
        handlers = [(key, self.handler(lambda script=None, event=None, c=command: run(c),
                                       COMMANDS[command][0]))
                    for command, key in sorted(keys.items())]
        taken = set()

        def with_ours(script, *arguments, **named):
            bindings = original(script, *arguments, **named)
            theirs = getattr(bindings, self.first(bindings, "key_bindings", "keyBindings"))
            used = {binding.keysymstring for binding in theirs
                    if binding.modifiers == self.modifiers}
            for key, handler in handlers:
                if key in used:
                    taken.add(key)
                else:
                    bindings.add(self.binding(key, self.mask, self.modifiers, handler))
            return bindings

        setattr(self.script_class, getter, with_ours)
        script = self.active_script()
        if script is not None:
            if hasattr(script, "keyBindings"):
                script.keyBindings = getattr(script, getter)()
            refresh = getattr(script, "refresh_key_grabs", None) or \
                getattr(script, "refreshKeyGrabs", None)
            if refresh:
                refresh()
        return taken


class Addon:
    """One connection to the session bus, both ways."""

    def __init__(self, keys):
        self.orca = Orca()
        self.bus = Gio.bus_get_sync(Gio.BusType.SESSION, None)
        taken = self.orca.bind(keys, self.run)
        node = Gio.DBusNodeInfo.new_for_xml(INTERFACE)
        self.bus.register_object(PATH, node.interfaces[0], self.on_call, self.on_get, None)
        Gio.bus_own_name_on_connection(self.bus, NAME, Gio.BusNameOwnerFlags.REPLACE, None, None)
        if taken:
            print("Descry's keys %s are Orca's own; choose others: descry orca install --help"
                  % ", ".join(sorted(taken)))

    def on_get(self, _bus, _sender, _path, _interface, _name):
        return GLib.Variant("s", self.orca.version)

    def on_call(self, _bus, _sender, _path, _interface, method, arguments, invocation):
        try:
            if method == "Stop":
                self.orca.interrupt()
                invocation.return_value(None)
                return
            text, deadline, interrupt = arguments.unpack()
            presented = time.monotonic() * 1e6 < deadline and self.orca.present(text, interrupt)
            invocation.return_value(GLib.Variant("(b)", (presented,)))
        except Exception as error:  # Orca's inside may fail in any way: the next voice speaks
            invocation.return_dbus_error("org.descry.Error.Failed", str(error))

    def run(self, command):
        """A key was pressed. Returns True: Orca is to keep it to itself."""
        _, method, signature = COMMANDS[command]
        arguments = GLib.Variant(signature, ({},)) if signature else None
        self.bus.call(*DESCRY, method, arguments, None, Gio.DBusCallFlags.NONE, CALL_MS, None,
                      self.on_answer, command)
        return True

    def on_answer(self, bus, result, command):
        try:
            bus.call_finish(result)
        except GLib.Error as error:
            name = Gio.DBusError.get_remote_error(error) or ""
            Gio.DBusError.strip_remote_error(error)
            # what went wrong with a picture, Descry has told already
            if not name.startswith(ERRORS) or COMMANDS[command][2] is None:
                self.orca.present("Descry: " + error.message if name.startswith(ERRORS)
                                  else "Descry does not answer. " + error.message, True)


def install(keys):
    """Called by orca-customizations.py, before Orca has finished starting."""
    def start():
        try:
            install.addon = Addon(keys)
        except (Unknown, ImportError, AttributeError, TypeError, GLib.Error) as error:
            print("Descry's add-on is not used: %s." % error)
        return False
    GLib.idle_add(start)
