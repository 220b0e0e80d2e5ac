# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests over a real message bus share: a private bus, a daemon on it,
and TAP. A test is a function decorated with @test that raises when it fails;
run() runs them in order and prints one line each.

    BUILD           folder of the programs (tests/run.sh sets it)
    DESCRY_MODEL    the model; the default one of the repository otherwise
    DESCRYD_UNDER   a command that runs the daemon, valgrind for one

Function names on the command line run those tests alone.
"""
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import dbus
import dbus.mainloop.glib
from gi.repository import GLib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build/x86_64"))
MODEL = os.environ.get("DESCRY_MODEL", os.path.join(ROOT, "engine/models/descry-en.gguf"))
PHOTOS = os.path.join(ROOT, "tests/photos")
DESCRYD = os.path.join(BUILD, "descryd")
DESCRY = os.path.join(BUILD, "descry")
FAULTS = os.path.join(ROOT, "build/test-logs/faults.txt")
SANITIZED = any(word in os.path.basename(BUILD) for word in ("address", "thread"))
# a sanitizer reports a SIGSEGV as a finding
CRASH = signal.SIGABRT if SANITIZED else signal.SIGSEGV
UNDER = os.environ.get("DESCRYD_UNDER", "").split()
# a thread sanitizer's build takes some ten times as long for a picture
PATIENCE = 5 if SANITIZED or UNDER else 1
NAME = "org.descry.Descry1"
PATH = "/org/descry/Descry1"

dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
_tests = []


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


def test(function):
    """Registers a test; its docstring is its name."""
    _tests.append(function)
    return function


def need_preloading():
    """Skips a test that preloads a library, which a sanitizer's runtime refuses."""
    if SANITIZED:
        raise Skip("a sanitizer's runtime must be the first library")


def need_model():
    if not os.path.exists(MODEL):
        raise Skip("there is no model file")


@contextlib.contextmanager
def wall_clock():
    """A wall clock that jumps: the environment of what is to see it, and the function that
    sets it ("+9h"). The monotonic clock goes on as it is."""
    library = shutil.which("faketime") and next(
        (p for p in (f"/usr/lib/{a}-linux-gnu/faketime/libfaketimeMT.so.1"
                     for a in ("x86_64", "aarch64")) if os.path.exists(p)), None)
    if not library:
        raise Skip("faketime is not installed")
    with tempfile.NamedTemporaryFile("w+") as clock:
        def jump(offset):
            clock.seek(0)
            clock.write(offset + "\n")
            clock.flush()
            time.sleep(1.2)  # it is read once a second
        clock.write("+0\n")
        clock.flush()
        yield {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": clock.name,
               "FAKETIME_CACHE_DURATION": "1", "DONT_FAKE_MONOTONIC": "1"}, jump


def run():
    """Runs the registered tests and exits."""
    bad = 0
    tests = [t for t in _tests if t.__name__ in sys.argv[1:]] if sys.argv[1:] else _tests
    print(f"1..{len(tests)}")
    for number, function in enumerate(tests, 1):
        name = (function.__doc__ or function.__name__).strip().splitlines()[0]
        try:
            function()
            print(f"ok {number} - {name}")
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}")
        except Exception:
            bad += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
        sys.stdout.flush()
    sys.exit(1 if bad else 0)


def heard(fault, text):
    """Notes in the table of faults what the user hears of one."""
    if SANITIZED:
        return
    os.makedirs(os.path.dirname(FAULTS), exist_ok=True)
    with open(FAULTS, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        lines = [line for line in file if not line.startswith(fault + ": ")]
        file.truncate(0)
        file.writelines(lines + [f"{fault}: {' '.join(text.split())}\n"])


def wait_for(condition, seconds=10.0, what="a condition"):
    """Runs the main loop until the condition holds."""
    context = GLib.MainContext.default()
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        while context.iteration(False):
            pass
        time.sleep(0.005)


def memory(pid):
    """Resident set in KiB, open descriptors, threads."""
    with open(f"/proc/{pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return (int(fields["VmRSS"].split()[0]), len(os.listdir(f"/proc/{pid}/fd")),
            int(fields["Threads"]))


def cpu_seconds(pid):
    """The processor time that a process has used."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bus:
    """A private message bus; DBUS_SESSION_BUS_ADDRESS names it meanwhile."""

    def __init__(self, services=None):
        self.folder = tempfile.mkdtemp(prefix="descry-test-")
        self.services = os.path.join(self.folder, "services")
        os.mkdir(self.services)
        for name, command in (services or {}).items():
            with open(os.path.join(self.services, name + ".service"), "w") as file:
                file.write(f"[D-BUS Service]\nName={name}\nExec={command}\n")
        # those of the real session bus; without them, what floods the daemon with
        # descriptors makes the bus refuse everybody's messages to it
        limits = "".join(f'<limit name="max_{name}">{most}</limit>' for name, most in (
            ("incoming_bytes", 1000000000), ("incoming_unix_fds", 250000000),
            ("outgoing_bytes", 1000000000), ("outgoing_unix_fds", 250000000),
            ("message_size", 1000000000), ("replies_per_connection", 50000)))
        config = os.path.join(self.folder, "bus.conf")
        with open(config, "w") as file:
            file.write(f"""<busconfig><type>session</type>
<listen>unix:path={self.folder}/bus</listen>
<servicedir>{self.services}</servicedir>
<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy>
{limits}</busconfig>""")
        self.config = config
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["dbus-daemon", "--config-file=" + self.config, "--nofork", "--print-address"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        # without the guid, which is another after a restart
        self.address = self.process.stdout.readline().decode().strip().split(",")[0]
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = self.address

    def stop(self):
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.folder, "bus"))

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self):
        connection = dbus.bus.BusConnection(self.address)
        connection.set_exit_on_disconnect(False)
        return connection


class Daemon:
    """A descryd on the bus, with its log in a file and its speech in a WAV file."""

    def __init__(self, bus, *arguments, config=None, model=MODEL, environment=None, wait=True):
        self.bus = bus
        self.folder = tempfile.mkdtemp(prefix="descry-daemon-", dir=bus.folder)
        self.wav = os.path.join(self.folder, "speech.wav")
        self.log_path = os.path.join(self.folder, "log")
        self.config = os.path.join(self.folder, "descry.conf")
        with open(self.config, "w") as file:
            file.write(config if config is not None else "")
        command = [*UNDER, DESCRYD, "--config", self.config, "--set", "model.path=" + model,
                   "--set", "speech.wav=" + self.wav, "--set", "log.level=debug",
                   "--set", f"caption.timeout={30 * PATIENCE}", *arguments]
        self.log_file = open(self.log_path, "wb")
        self.process = subprocess.Popen(command, stderr=self.log_file, stdin=subprocess.DEVNULL,
                                        env={**os.environ, **(environment or {})})
        self.connection = bus.connect()
        if wait:
            wait_for(self.running, 120 if UNDER else 10, "descryd on the bus")
            self.object = self.connection.get_object(NAME, PATH, introspect=False)
            self.interface = dbus.Interface(self.object, NAME)

    def running(self):
        if self.process.poll() is not None:
            raise AssertionError(f"descryd ended with {self.process.returncode}: {self.log()}")
        return self.connection.name_has_owner(NAME)

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def property(self, name):
        return self.object.Get(NAME, name, dbus_interface="org.freedesktop.DBus.Properties")

    def set_property(self, name, value):
        kind = dbus.UInt32 if isinstance(value, int) else dbus.String
        self.object.Set(NAME, name, kind(value, variant_level=1),
                        dbus_interface="org.freedesktop.DBus.Properties")

    def status(self):
        return self.interface.Status()

    def speech_pid(self):
        """The process that makes the daemon's speech; 0 when there is none."""
        for process in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{process}/stat") as file:
                name, fields = file.read().split("(", 1)[1].rsplit(")", 1)
                if name == "descry-speech" and int(fields.split()[1]) == self.process.pid:
                    return int(process)
        return 0

    def wait_idle(self):
        wait_for(lambda: not self.property("Busy"), 60, "an empty queue")

    def wait_model(self):
        wait_for(lambda: self.property("Model") != "", 30, "the model")

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        try:
            return self.process.wait(120 if UNDER or SANITIZED else 10)
        finally:
            self.process.kill()
            self.connection.close()
            self.log_file.close()


@contextlib.contextmanager
def daemon(*arguments, **options):
    """A daemon on a bus of its own."""
    bus = Bus()
    try:
        served = Daemon(bus, *arguments, **options)
        try:
            yield served
        finally:
            served.stop()
    finally:
        bus.close()


class Caller:
    """A connection of its own that submits pictures and collects the results."""

    def __init__(self, bus):
        self.connection = bus.connect()
        self.interface = dbus.Interface(
            self.connection.get_object(NAME, PATH, introspect=False), NAME)
        self.described, self.failed = {}, {}
        self.connection.add_signal_receiver(self._on_described, "Described", NAME)
        self.connection.add_signal_receiver(self._on_failed, "Failed", NAME)

    def _on_described(self, job, caption, details):
        self.described[int(job)] = (str(caption), details)

    def _on_failed(self, job, error, message):
        self.failed[int(job)] = (str(error), str(message))

    def submit(self, file, **options):
        return int(self.interface.Submit(dbus.types.UnixFd(file), options_of(**options)))

    def wait(self, job, seconds=60):
        wait_for(lambda: job in self.described or job in self.failed, seconds, f"job {job}")
        return self.described.get(job) or self.failed[job]

    def close(self):
        self.connection.close()


def options_of(**options):
    return dbus.Dictionary({k: dbus.UInt32(v) if type(v) is int else v
                            for k, v in options.items()}, signature="sv")


def error_name(call, *arguments, **keywords):
    """The D-Bus error that the call ends with."""
    try:
        call(*arguments, **keywords)
    except dbus.DBusException as error:
        return error.get_dbus_name()
    raise AssertionError("the call did not fail")


class Pipe:
    """A picture that does not arrive until told to: keeps a job running."""

    def __init__(self):
        self.reader, self.writer = os.pipe()

    def send(self, path):
        with open(path, "rb") as file:
            data = file.read()
        os.set_blocking(self.writer, False)
        while data:
            try:
                data = data[os.write(self.writer, data):]
            except BlockingIOError:
                time.sleep(0.002)
        self.end()

    def end(self):
        if self.writer is not None:
            os.close(self.writer)
            self.writer = None

    def close(self):
        self.end()
        os.close(self.reader)


def descry(*arguments, stdin=subprocess.DEVNULL, timeout=120, environment=None):
    """Runs the client; returns its completed process with text output."""
    return subprocess.run([DESCRY, *arguments], stdin=stdin, capture_output=True, text=True,
                          timeout=timeout, env={**os.environ, **(environment or {})})
