# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 1800
"""Many callers at once: 10,000 requests of all kinds from 50 clients, beside
clients that never read their answers and clients that die. Every request of a
live client is answered, others are served meanwhile, and the daemon holds no
more memory, descriptors and threads at the end than after the first tenth.
REQUESTS changes the number; test_soak.py goes on for longer."""
import os
import random
import signal
import subprocess
import sys
import time

import dbus

from harness import (NAME, PATH, PHOTOS, SANITIZED, daemon, memory, need_model, options_of, run, test,
                     wait_for)

REQUESTS = int(os.environ.get("REQUESTS", "10000"))
CLIENTS = 50
ROCKET = os.path.join(PHOTOS, "rocket.jpg")
PROPERTIES = "org.freedesktop.DBus.Properties"

# A client that floods and never reads, or dies with its requests under way
RUDE = """
import dbus, os, sys, time
from dbus.lowlevel import MethodCallMessage
bus = dbus.bus.BusConnection(os.environ["DBUS_SESSION_BUS_ADDRESS"])
with open(sys.argv[1], "rb") as photo:
    for i in range(150):
        call = MethodCallMessage("{name}", "{path}", "{name}", "Submit" if i % 3 else "Status")
        if i % 3:
            call.append(dbus.types.UnixFd(photo), dbus.Dictionary({{"speak": False}},
                        signature="sv"), signature="ha{{sv}}")
        bus.send_message(call)
bus.flush()
print("sent", flush=True)
time.sleep(600)
""".format(name=NAME, path=PATH)


class Client:
    """Keeps a few requests under way until its share is done."""

    def __init__(self, served, seed, share):
        self.chance = random.Random(seed)
        self.bus = served.bus.connect()
        self.proxy = self.bus.get_object(NAME, PATH, introspect=False)
        self.left, self.pending, self.answers = share, 0, 0
        self.errors = {}

    def done(self):
        return self.left == 0 and self.pending == 0

    def on_reply(self, *_):
        self.pending -= 1
        self.answers += 1

    def on_error(self, error):
        self.on_reply()
        name = error.get_dbus_name()
        self.errors[name] = self.errors.get(name, 0) + 1

    def push(self):
        while self.left and self.pending < 4:
            self.left -= 1
            self.pending += 1
            self.send(self.chance.randrange(16))

    def call(self, method, *arguments, interface=NAME):
        self.proxy.get_dbus_method(method, interface)(
            *arguments, reply_handler=self.on_reply, error_handler=self.on_error, timeout=300)

    def send(self, kind):
        empty = options_of()
        if kind == 0:
            with open(ROCKET, "rb") as photo:
                self.call("Describe", dbus.types.UnixFd(photo), options_of(speak=False))
        elif kind == 1:
            with open(__file__, "rb") as text:
                self.call("Describe", dbus.types.UnixFd(text), options_of(speak=False))
        elif kind == 2:
            with open(ROCKET, "rb") as photo:
                self.call("Submit", dbus.types.UnixFd(photo), options_of(speak=False, beam=5))
        elif kind == 3:
            self.call("Cancel", dbus.UInt64(self.chance.randrange(1 << 40)))
        elif kind == 4:
            self.call("Say", "hello", options_of(priority="idle"))
        elif kind == 5:
            self.call("Stop")
        elif kind == 6:
            self.call("Repeat")
        elif kind == 7:
            self.call("Say", "x" * 100000, empty)
        elif kind == 8:
            self.call("Dance", "x" * 1000)
        elif kind == 9:
            self.call("Cancel", "not a number")
        elif kind == 10:
            self.call("Get", NAME, "Busy", interface=PROPERTIES)
        elif kind == 11:
            self.call("Set", NAME, "Rate", dbus.UInt32(self.chance.randrange(2000),
                      variant_level=1), interface=PROPERTIES)
        elif kind == 12:
            self.call("GetAll", NAME, interface=PROPERTIES)
        elif kind == 13:
            self.call("Introspect", interface="org.freedesktop.DBus.Introspectable")
        elif kind == 14:
            deep = dbus.Array([dbus.Array([1], signature="i")] * 200, signature="ai",
                              variant_level=1)
            self.call("Say", "x", dbus.Dictionary({"priority": deep}, signature="sv"))
        else:
            self.call("Status")


@test
def many_clients():
    """10,000 requests from 50 clients are answered, and memory stays flat"""
    need_model()
    with daemon("--set", "log.level=info") as served:
        served.wait_model()
        worker = int(served.status()["worker_pid"])
        rude = [subprocess.Popen([sys.executable, "-c", RUDE, ROCKET], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL) for _ in range(4)]
        for process in rude:
            process.stdout.readline()
        for process in rude[:2]:
            process.kill()
        rude[2].send_signal(signal.SIGSTOP)

        def work(count, seed):
            clients = [Client(served, seed + i, count // CLIENTS) for i in range(CLIENTS)]

            def finished():
                for client in clients:
                    client.push()
                return all(client.done() for client in clients)
            wait_for(finished, 500, "all answers")
            answers = sum(client.answers for client in clients)
            assert answers == count // CLIENTS * CLIENTS, answers
            errors = {}
            for client in clients:
                for name, number in client.errors.items():
                    errors[name] = errors.get(name, 0) + number
                client.bus.close()
            # nothing but what the kinds above are meant to get
            expected = {"BadImage", "NoJob", "NoData", "TooLarge", "BadOption", "Busy"}
            assert {n.rsplit(".", 1)[1] for n in errors} <= expected | {
                "UnknownMethod", "InvalidArgs"}, errors
            return errors

        work(REQUESTS // 10, 0)
        served.interface.Stop()
        served.wait_idle()
        first = memory(served.process.pid), memory(worker)
        started = time.monotonic()
        errors = work(REQUESTS - REQUESTS // 10, 1000)
        served.interface.Stop()
        served.wait_idle()
        time.sleep(0.5)
        last = memory(served.process.pid), memory(worker)
        print(f"# {REQUESTS} requests, {time.monotonic() - started:.0f} s; daemon "
              f"{first[0]} then {last[0]}, worker {first[1]} then {last[1]} "
              f"(KiB, descriptors, threads); errors: {errors}")
        for before, after in zip(first, last):
            # a sanitizer keeps what was freed for a while
            assert SANITIZED or after[0] < before[0] + 4096, (first, last)
            assert after[1] <= before[1] + 2 and after[2] <= before[2], (first, last)
        assert served.status()["worker_restarts"] == 0
        for process in rude:
            process.kill()
            process.wait()


run()
