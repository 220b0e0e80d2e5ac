# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 1800
"""The D-Bus interface, over a real bus with the real daemon and model."""
import array
import os
import re
import signal
import socket
import tempfile
import time
import xml.etree.ElementTree as xml

import dbus

from harness import (CRASH, DESCRYD, MODEL, NAME, PATH, PATIENCE, PHOTOS, Bus, Caller, Daemon, Pipe,
                     daemon, descry, error_name, heard, need_model, options_of, run, test,
                     wait_for)

ERROR = "org.descry.Error."
COFFEE = os.path.join(PHOTOS, "coffee.png")
ROCKET = os.path.join(PHOTOS, "rocket.jpg")


def open_photo(path=COFFEE):
    return open(path, "rb")


@test
def introspection():
    """the introspection data name every method, signal and property"""
    with daemon() as served:
        text = served.object.Introspect(dbus_interface="org.freedesktop.DBus.Introspectable")
        node = xml.fromstring(text)
        interface = node.find(f"interface[@name='{NAME}']")
        methods = {m.get("name"): [(a.get("type"), a.get("direction")) for a in m.findall("arg")]
                   for m in interface.findall("method")}
        assert methods["Describe"] == [("h", "in"), ("a{sv}", "in"), ("s", "out"),
                                       ("a{sv}", "out")]
        assert methods["Submit"] == [("h", "in"), ("a{sv}", "in"), ("t", "out")]
        assert {"Cancel", "Say", "Repeat", "Stop", "Status"} <= set(methods)
        signals = {s.get("name"): [a.get("type") for a in s.findall("arg")]
                   for s in interface.findall("signal")}
        assert signals["Described"] == ["t", "s", "a{sv}"], signals
        assert signals["Failed"] == ["t", "s", "s"], signals
        properties = {p.get("name") for p in interface.findall("property")}
        assert {"Version", "Model", "Speaking", "Busy", "Rate", "Voice", "Volume",
                "Verbosity"} <= properties
        served.object.Ping(dbus_interface="org.freedesktop.DBus.Peer")


@test
def properties():
    """properties can be read, set within their range, and announce their change"""
    with daemon() as served:
        changes = []
        served.connection.add_signal_receiver(
            lambda interface, changed, invalidated: changes.append(dict(changed)),
            "PropertiesChanged", "org.freedesktop.DBus.Properties")
        standard = dbus.Interface(served.object, "org.freedesktop.DBus.Properties")
        every = standard.GetAll(NAME)
        assert every["Rate"] == 175 and every["Verbosity"] == "normal", every
        assert every["Rate"].variant_level == 1 and type(every["Rate"]) is dbus.UInt32
        served.set_property("Rate", 300)
        wait_for(lambda: any(c.get("Rate") == 300 for c in changes), what="Rate to change")
        served.set_property("Verbosity", "full")
        assert served.property("Verbosity") == "full"
        assert error_name(served.set_property, "Rate", 5) == ERROR + "BadOption"
        assert error_name(served.set_property, "Rate", "fast").endswith("InvalidArgs")
        assert error_name(served.set_property, "Voice", "klingon-x") == ERROR + "NoVoice"
        assert error_name(served.set_property, "Version", "2").endswith("PropertyReadOnly")
        assert error_name(standard.Get, NAME, "Shoe").endswith("UnknownProperty")
        assert error_name(standard.Get, "org.example.X", "Rate").endswith("UnknownInterface")
        assert served.property("Rate") == 300


@test
def wrong_calls():
    """unknown methods and wrong arguments are refused in words"""
    with daemon() as served:
        assert error_name(served.interface.Dance).endswith("UnknownMethod")
        method = served.object.get_dbus_method("Cancel", NAME)
        assert error_name(method, "one").endswith("InvalidArgs")
        assert error_name(served.interface.Cancel, dbus.UInt64(99)) == ERROR + "NoJob"
        assert error_name(served.interface.Say, "hello",
                          options_of(volume=3)) == ERROR + "BadOption"
        assert error_name(served.interface.Say, "hello",
                          options_of(priority="soon")) == ERROR + "BadOption"
        assert error_name(served.interface.Say, "a" * 20000, options_of()) == ERROR + "TooLarge"
        assert error_name(served.interface.Repeat) == ERROR + "NoData"
        served.interface.Stop()


@test
def describe():
    """Describe answers with a caption and the documented details"""
    need_model()
    with daemon() as served, open_photo() as photo:
        caption, details = served.interface.Describe(
            dbus.types.UnixFd(photo), options_of(speak=False, alternatives=3),
            timeout=60 * PATIENCE)
        assert caption[0].isupper() and caption.endswith("."), caption
        assert 0 < details["confidence"] <= 1
        whole = str(details.get("sentence", caption))  # before doubt shortened it
        assert [str(w["text"]) for w in details["words"]] == \
            whole.rstrip(".").lower().split(), (whole, details["words"])
        assert all(0 < w["probability"] <= 1 for w in details["words"])
        others = [str(a["caption"]) for a in details["alternatives"]]
        assert len(others) == 2 and len({caption, *others}) == 3, others
        timings = details["timings"]
        assert timings["total"] >= timings["encode"] > 0 and timings["generate"] > 0
        assert details["width"] == 600 and details["height"] == 400
        assert "warnings" not in details
        assert str(details["model"]) == str(served.property("Model"))


@test
def options():
    """options out of their range or of another type are refused"""
    need_model()
    with daemon() as served, open_photo() as photo:
        def attempt(**wrong):
            return error_name(served.interface.Describe, dbus.types.UnixFd(photo),
                              options_of(**wrong), timeout=60 * PATIENCE)
        assert attempt(beam=11) == ERROR + "BadOption"
        assert attempt(alternatives=11) == ERROR + "BadOption"
        assert attempt(verbosity="loud") == ERROR + "BadOption"
        assert attempt(speak=1) == ERROR + "BadOption"
        assert attempt(beam="3") == ERROR + "BadOption"
        assert attempt(flavour="mint") == ERROR + "BadOption"
        assert attempt(**{f"o{i}": True for i in range(40)}) == ERROR + "BadOption"


@test
def speaks_what_it_answers():
    """a caption is spoken unless the caller does not want it"""
    need_model()
    with daemon() as served, open_photo() as photo:
        spoken = []
        served.connection.add_signal_receiver(
            lambda interface, changed, invalidated: spoken.extend(
                [bool(changed["Speaking"])] if "Speaking" in changed else []),
            "PropertiesChanged", "org.freedesktop.DBus.Properties")
        served.interface.Describe(dbus.types.UnixFd(photo), options_of(speak=False),
                                  timeout=60 * PATIENCE)
        time.sleep(0.2)
        wait_for(lambda: True)
        assert error_name(served.interface.Repeat) == ERROR + "NoData"
        served.interface.Describe(dbus.types.UnixFd(photo), options_of(), timeout=60 * PATIENCE)
        wait_for(lambda: spoken[:2] == [True, False], 30, "Speaking on and off")
        served.interface.Repeat()


@test
def submit():
    """Submit answers at once; the result comes as a signal to the caller alone"""
    need_model()
    with daemon() as served, open_photo() as photo:
        caller, other = Caller(served.bus), Caller(served.bus)
        other.connection.add_match_string(f"type='signal',interface='{NAME}'")
        job = caller.submit(photo, speak=False)
        caption, details = caller.wait(job)
        assert caption.endswith(".") and details["confidence"] > 0
        with open("/etc/passwd", "rb") as text:
            job = caller.submit(text, speak=False)
            error, message = caller.wait(job)
        assert error == ERROR + "BadImage" and message.endswith("."), (error, message)
        assert not other.described and not other.failed


@test
def joins():
    """the same picture asked for again joins the job that runs"""
    need_model()
    with daemon() as served:
        served.wait_model()
        pipe, caller, other = Pipe(), Caller(served.bus), Caller(served.bus)
        first = caller.submit(pipe.reader, speak=False)
        second = other.submit(pipe.reader, speak=False)
        third = caller.submit(pipe.reader, speak=False, beam=5)
        assert served.status()["jobs"] == 2, "two are one job, other options are another"
        caller.interface.Cancel(dbus.UInt64(third))
        pipe.send(COFFEE)
        assert caller.wait(first)[0] == other.wait(second)[0]
        assert caller.wait(third)[0] == ERROR + "Cancelled"
        pipe.close()


@test
def queue_limit():
    """the ninth picture is refused as busy, and the eight are answered"""
    need_model()
    with daemon() as served:
        served.wait_model()
        pipe, caller = Pipe(), Caller(served.bus)
        jobs = [caller.submit(pipe.reader, speak=False)]
        photos = [open(os.path.join(PHOTOS, p), "rb") for p in sorted(os.listdir(PHOTOS))
                  if p.endswith((".png", ".jpg"))][:7]
        jobs += [caller.submit(photo, speak=False) for photo in photos]
        assert served.property("Busy")
        with open(__file__, "rb") as ninth:
            assert error_name(caller.submit, ninth) == ERROR + "Busy"
        pipe.send(ROCKET)
        for job in jobs:
            assert caller.wait(job)[0].endswith("."), job
        pipe.close()
        served.wait_idle()


@test
def cancel():
    """a job is cancelled by its owner alone, waiting or running"""
    need_model()
    with daemon() as served, open_photo() as photo:
        served.wait_model()
        pipe, caller, other = Pipe(), Caller(served.bus), Caller(served.bus)
        running, waiting = caller.submit(pipe.reader), caller.submit(photo)
        assert error_name(other.interface.Cancel, dbus.UInt64(running)) == ERROR + "NoJob"
        caller.interface.Cancel(dbus.UInt64(waiting))
        assert caller.wait(waiting)[0] == ERROR + "Cancelled"
        caller.interface.Cancel(dbus.UInt64(running))
        assert caller.wait(running, 5)[0] == ERROR + "Cancelled"
        job = caller.submit(photo, speak=False)
        assert caller.wait(job)[0].endswith(".")
        pipe.close()


@test
def disconnect():
    """the jobs of a caller that goes away are cancelled"""
    need_model()
    with daemon() as served, open_photo() as photo:
        served.wait_model()
        pipe, caller = Pipe(), Caller(served.bus)
        caller.submit(pipe.reader)
        caller.submit(photo)
        assert served.status()["jobs"] == 2
        caller.close()
        wait_for(lambda: served.status()["jobs"] == 0, 5, "the queue to empty")
        pipe.close()


@test
def stop_silences_what_is_under_way():
    """a caption that was asked for before Stop is answered but not spoken"""
    need_model()
    with daemon() as served:
        served.wait_model()
        pipe, caller = Pipe(), Caller(served.bus)
        job = caller.submit(pipe.reader, speak=True)
        served.interface.Stop()
        pipe.send(COFFEE)
        assert caller.wait(job)[0].endswith(".")
        assert error_name(served.interface.Repeat) == ERROR + "NoData"
        pipe.close()


def loudest(path):
    """The largest sample of a WAV file; 0 when there is none."""
    if not os.path.exists(path):
        return 0
    with open(path, "rb") as file:
        samples = file.read()[44:]
    data = array.array("h", samples[:len(samples) // 2 * 2])
    return max((abs(sample) for sample in data), default=0)


@test
def tick():
    """a description that takes its time is heard to tick, unless that is turned off"""
    need_model()
    for setting in ("yes", "no"):
        bus = Bus()
        served = Daemon(bus, "--set", "sounds.tick-after=100", "--set", "sounds.tick=" + setting,
                        "--set", "speech.route=own")
        served.wait_model()
        pipe, caller = Pipe(), Caller(bus)
        # one that is to be spoken, but never comes to that
        job = caller.submit(pipe.reader, speak=True)
        time.sleep(0.6)
        caller.interface.Cancel(dbus.UInt64(job))
        caller.wait(job)
        time.sleep(0.2)
        served.stop()
        pipe.close()
        assert (loudest(served.wav) > 100) == (setting == "yes"), (setting, loudest(served.wav))
        bus.close()


@test
def worker_crash():
    """a crash while describing costs the job, not the daemon or its voice"""
    need_model()
    with daemon() as served, open_photo() as photo:
        served.wait_model()
        pipe, caller = Pipe(), Caller(served.bus)
        job = caller.submit(pipe.reader, speak=False)
        waiting = caller.submit(photo, speak=False)
        os.kill(int(served.status()["worker_pid"]), CRASH)
        error, message = caller.wait(job)
        assert error == ERROR + "Crashed", error
        assert "other pictures can be described" in message
        assert caller.wait(waiting)[0].endswith(".")
        assert served.status()["worker_restarts"] == 1
        served.interface.Say("still here", options_of())
        pipe.close()


@test
def timeout():
    """a description that does not end is given up after the configured time"""
    need_model()
    with daemon("--set", "caption.timeout=1") as served:
        served.wait_model()
        pipe, caller = Pipe(), Caller(served.bus)
        job = caller.submit(pipe.reader, speak=False)
        error, message = caller.wait(job, 10)
        assert error == ERROR + "Timeout" and "1 second" in message, (error, message)
        pipe.close()


@test
def missing_model():
    """without a model each request names the file; a model put there later is used"""
    bus = Bus()
    path = os.path.join(bus.folder, "model.gguf")
    served = Daemon(bus, model=path)
    try:
        with open_photo() as photo:
            try:
                served.interface.Describe(dbus.types.UnixFd(photo), options_of(speak=False),
                                          timeout=60 * PATIENCE)
                raise AssertionError("described without a model")
            except dbus.DBusException as error:
                assert error.get_dbus_name() == ERROR + "BadModel"
                assert path in error.get_dbus_message()
            assert path in served.status()["model_trouble"]
            served.interface.Say("the voice works", options_of())
            need_model()
            os.symlink(MODEL, path)
            caption, _ = served.interface.Describe(dbus.types.UnixFd(photo),
                                                   options_of(speak=False), timeout=60 * PATIENCE)
            assert caption.endswith(".")
    finally:
        served.stop()
        bus.close()


@test
def activation():
    """the first call starts the daemon, and its answer is not lost"""
    bus = Bus({NAME: f"{DESCRYD} --set model.path={MODEL} --set speech.wav=/dev/null"})
    try:
        answer = descry("status")
        assert answer.returncode == 3 and "not running" in answer.stderr, answer
        started = time.monotonic()
        connection = bus.connect()
        served = connection.get_object(NAME, PATH, introspect=False)
        served.Stop(dbus_interface=NAME)
        assert time.monotonic() - started < 20
        answer = descry("status")
        assert answer.returncode == 0 and "version: " in answer.stdout, answer
        os.kill(int(re.search(r"^pid: (\d+)$", answer.stdout, re.M).group(1)), signal.SIGTERM)
    finally:
        bus.close()


@test
def killed():
    """a daemon that is killed takes its worker with it, and the next call starts another"""
    need_model()
    bus = Bus({NAME: f"{DESCRYD} --set model.path={MODEL} --set speech.wav=/dev/null"})
    connection, pids = bus.connect(), []

    def begin():
        # a proxy of its own: each daemon has another unique name
        served = dbus.Interface(connection.get_object(NAME, PATH, introspect=False), NAME)
        wait_for(lambda: served.Status().get("worker_pid"), 60, "the worker")
        pids.extend(int(served.Status()[k]) for k in ("pid", "worker_pid"))
        return served
    try:
        served, pipe = begin(), Pipe()
        served.Submit(dbus.types.UnixFd(pipe.reader), options_of())
        served.Say("word " * 500, options_of())
        os.kill(pids[0], signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in pids), 30, "the end of both")
        wait_for(lambda: not connection.name_has_owner(NAME), 30, "the bus to see it")
        pipe.close()
        served = begin()
        with open_photo() as photo:
            caption, _ = served.Describe(dbus.types.UnixFd(photo), options_of(), timeout=120)
        assert caption.endswith(".")
        heard("the daemon is killed", "the sentence breaks off; the next call, or systemd, starts "
              "the daemon again, which says nothing by itself")
    finally:
        for pid in pids[2:]:
            os.kill(pid, signal.SIGTERM)
        connection.close()
        bus.close()


def alive(pid):
    """Whether the process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@test
def two_daemons():
    """a second daemon on the bus says so and ends"""
    with daemon() as served:
        second = Daemon(served.bus, wait=False)
        assert second.process.wait(20) == 6
        assert "runs on this bus already" in second.log(), second.log()
        heard("two daemons are started", "nothing; the second ends with status 6 and writes: "
              + second.log())
        served.interface.Stop()


@test
def reload():
    """SIGHUP reads the configuration again; with a mistake the old one stays"""
    with daemon(config="[speech]\nrate = 200\n") as served:
        assert served.property("Rate") == 200
        with open(served.config, "w") as file:
            file.write("[speech]\nrate = 250\n")
        served.process.send_signal(signal.SIGHUP)
        wait_for(lambda: served.property("Rate") == 250, what="the new rate")
        with open(served.config, "w") as file:
            file.write("[speech]\nrate = 300\npace = 3\n")
        served.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "line 3" in served.log(), what="the mistake in the log")
        assert 'has no key "pace"' in served.log() and "voice, rate, pitch" in served.log()
        assert served.property("Rate") == 250


@test
def bus_gone_and_back():
    """when the bus dies and comes back, so does the daemon"""
    bus = Bus()
    served = Daemon(bus)
    try:
        served.interface.Stop()
        bus.stop()
        time.sleep(0.3)
        bus.start()
        connection = bus.connect()
        wait_for(lambda: connection.name_has_owner(NAME), 15, "the name to come back")
        dbus.Interface(connection.get_object(NAME, PATH, introspect=False), NAME).Stop()
        assert served.process.poll() is None
        heard("the session bus goes and comes back", "nothing; the next call is answered")
    finally:
        served.stop()
        bus.close()


@test
def bus_gone_for_good():
    """a daemon without its bus ends, unless systemd, a button or a camera needs it"""
    with tempfile.TemporaryDirectory() as folder, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        path = os.path.join(folder, "notify")
        notify.bind(path)
        button = "[button one]\ndevice = no such device\nkey = f9\n"
        camera = f"[camera box]\nkind = folder\nfolder = {folder}\nannounce = yes\n"
        for config, environment in (("", {"NOTIFY_SOCKET": path}), (button, {}), (camera, {}),
                                    ("", {})):
            needed = bool(config or environment)
            bus = Bus()
            served = Daemon(bus, "--bus-wait", "1", config=config, environment=environment)
            try:
                assert "has a mistake" not in served.log(), served.log()
                bus.stop()
                if needed:
                    wait_for(lambda: served.log().count("still gone; the daemon is needed") >= 2,
                             20, f"a daemon that waits on with {config or environment}")
                    bus.start()
                    connection = bus.connect()
                    wait_for(lambda: connection.name_has_owner(NAME), 15, "the name")
                else:
                    assert served.process.wait(20) == 0, served.log()
                    assert "has not come back within 1 seconds; ending" in served.log()
                assert (served.process.poll() is None) == needed, (config, served.log())
            finally:
                served.stop()
                bus.close()


run()
