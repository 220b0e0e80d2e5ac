# SPDX-License-Identifier: GPL-3.0-or-later
"""A real desktop without a screen, for tests: Xvfb, openbox, AT-SPI, Speech
Dispatcher with eSpeak NG into a file, and the Orca of this machine. It takes some
ten seconds to start. Each program's output lies in a log of the same name."""
import os
import shutil
import subprocess
import time

import dbus

import harness

PROGRAMS = ("Xvfb", "openbox", "xdotool", "orca", "speech-dispatcher")
LAUNCHER = "/usr/libexec/at-spi-bus-launcher"

WINDOW = """
import sys, gi
gi.require_version("Gtk", "3.0")
from gi.repository import Gtk, GdkPixbuf
window = Gtk.Window(title="Pictures")
box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
window.add(box)
for number, path in enumerate(sys.argv[1:]):
    if path == "password":
        widget = Gtk.Entry(visibility=False, text="secret")
    else:
        path, _, label = path.partition("=")
        pixels = GdkPixbuf.Pixbuf.new_from_file_at_scale(path, 420, 420, True) \\
            if path != "blank" else GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, False, 8, 300, 200)
        if path == "blank":
            pixels.fill(0xddddddff)
        widget = Gtk.Button(image=Gtk.Image.new_from_pixbuf(pixels), always_show_image=True,
                            relief=Gtk.ReliefStyle.NONE)
        widget.get_accessible().set_name("picture %d" % number)
        if label:
            widget.get_accessible().set_description(label)
    box.pack_start(widget, False, False, 0)
window.connect("destroy", Gtk.main_quit)
window.show_all()
window.present()
Gtk.main()
"""


def missing():
    """What this machine lacks for a desktop, or None."""
    for program in PROGRAMS:
        if not shutil.which(program):
            return program + " is not installed"
    return None if os.path.exists(LAUNCHER) else "at-spi2-core is not installed"


class Desktop:
    def __init__(self, screen_reader=True):
        self.bus = harness.Bus()
        self.folder = self.bus.folder
        self.children = {}
        self.number = 90 + os.getpid() % 400
        self.environment = {
            **os.environ, "DISPLAY": f":{self.number}", "HOME": self.path("home"),
            "XDG_DATA_HOME": self.path("home/.local/share"), "GTK_MODULES": "gail:atk-bridge",
            "XDG_CONFIG_HOME": self.path("home/.config"), "XDG_RUNTIME_DIR": self.path("run"),
            "NO_AT_BRIDGE": "0", "GDK_BACKEND": "x11", "GSETTINGS_BACKEND": "memory",
            "SPEECHD_ADDRESS": "unix_socket:" + self.path("speechd.sock"),
            "ALSA_CONFIG_PATH": self.path("asound.conf"), "LC_ALL": "C.UTF-8",
            "XDG_DATA_DIRS": "/usr/local/share:/usr/share",
        }
        self.environment.pop("WAYLAND_DISPLAY", None)
        os.makedirs(self.path("home"))
        os.makedirs(self.path("run"), 0o700)
        with open(self.path("asound.conf"), "w") as file:
            file.write("pcm.default { type null }\npcm.dmix { type empty slave.pcm nowhere }\n")
        self.start("Xvfb", f":{self.number}", "-screen", "0", "1024x768x24", "-nolisten", "tcp")
        harness.wait_for(lambda: os.path.exists(f"/tmp/.X11-unix/X{self.number}"), 10, "Xvfb")
        self.start("openbox")
        self.start(LAUNCHER, "--launch-immediately", name="at-spi")
        harness.wait_for(lambda: self.connection().name_has_owner("org.a11y.Bus"), 10, "AT-SPI")
        harness.wait_for(lambda: self.set_status("IsEnabled", True), 10, "AT-SPI's status")
        self.set_status("ScreenReaderEnabled", screen_reader)

    def set_status(self, name, value):
        status = self.connection().get_object("org.a11y.Bus", "/org/a11y/bus", introspect=False)
        try:
            status.Set("org.a11y.Status", name, dbus.Boolean(value, variant_level=1),
                       dbus_interface="org.freedesktop.DBus.Properties")
        except dbus.DBusException:
            return False
        return True

    def path(self, name):
        return os.path.join(self.folder, name)

    def connection(self):
        if not hasattr(self, "_connection"):
            self._connection = self.bus.connect()
        return self._connection

    def start(self, *command, name=None, **environment):
        name = name or os.path.basename(command[0])
        log = open(self.path(name + ".log"), "ab")
        self.children[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                               stderr=log,
                                               env={**self.environment, **environment})
        log.close()
        return self.children[name]

    def log(self, name):
        try:
            with open(self.path(name), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def end(self, name, number=15):
        child = self.children.pop(name)
        child.send_signal(number)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def start_speechd(self):
        folder = self.path("speechd")
        os.makedirs(os.path.join(folder, "modules"), exist_ok=True)
        with open(os.path.join(folder, "speechd.conf"), "w") as file:
            file.write('LogLevel 5\nLogDir "' + folder + '"\nAudioOutputMethod "alsa"\n'
                       'AddModule "espeak-ng" "sd_espeak-ng" "espeak-ng.conf"\n'
                       'DefaultModule espeak-ng\nDefaultLanguage "en"\n')
        shutil.copy("/etc/speech-dispatcher/modules/espeak-ng.conf",
                    os.path.join(folder, "modules"))
        self.start("speech-dispatcher", "-s", "-C", folder, "-t", "0", "-L", folder,
                   "-S", self.path("speechd.sock"))
        harness.wait_for(lambda: os.path.exists(self.path("speechd.sock")), 15,
                         "Speech Dispatcher")

    def start_orca(self):
        self.start("orca", "--debug-file=" + self.path("orca-debug"), "--replace", name="orca")
        harness.wait_for(lambda: "SPEECH OUTPUT" in self.log("orca-debug"), 60, "Orca's first word")

    def show(self, *pictures):
        with open(self.path("window.py"), "w") as file:
            file.write(WINDOW)
        self.start("/usr/bin/python3", self.path("window.py"), *pictures, name="window")
        harness.wait_for(lambda: self.xdo("search", "--name", "^Pictures$").strip(), 20,
                         "the window")
        self.xdo("search", "--name", "^Pictures$", "windowactivate", "--sync")
        time.sleep(1)

    def xdo(self, *arguments):
        return subprocess.run(["xdotool", *arguments], env=self.environment, text=True,
                              capture_output=True, timeout=30).stdout

    def press(self, key):
        """The Orca key and Shift and a letter."""
        self.xdo("keydown", "Insert", "keydown", "Shift_L", "key", key, "keyup", "Shift_L",
                 "keyup", "Insert")

    def close(self):
        for name in list(self.children)[::-1]:
            self.end(name)
        self.bus.close()
