# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates of python3-dbusmock on a private bus."""
import contextlib
import json
import os
import signal
import subprocess
import sys

from harness import wait_for

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mocks")


def need():
    """Ends the script with a skipped test where python3-dbusmock is missing."""
    if subprocess.run(["/usr/bin/python3", "-c", "import dbusmock"],
                      stderr=subprocess.DEVNULL).returncode:
        print("ok 1 - other programs' services # SKIP python3-dbusmock is not installed\n1..1")
        sys.exit(0)


@contextlib.contextmanager
def mock(bus, template, service, /, **parameters):
    """A template's service under its name; yields its process and a reader of calls."""
    log = os.path.join(bus.folder, template + ".log")
    errors = open(os.path.join(bus.folder, template + ".errors"), "ab")
    process = subprocess.Popen(["/usr/bin/python3", "-m", "dbusmock", "-l", log, "-t",
                                os.path.join(FOLDER, template + ".py"), "-p",
                                json.dumps(parameters)], stdout=errors, stderr=errors)
    errors.close()
    connection = bus.connect()

    def calls(method):
        """The arguments of each call of the method, as the log has them."""
        if not os.path.exists(log):
            return []
        with open(log) as text:
            return [line.split(method, 1)[1].strip() for line in text
                    if len(line.split()) > 1 and line.split()[1] == method]
    try:
        wait_for(lambda: connection.name_has_owner(service) or process.poll() is not None, 30, service)
        assert process.poll() is None, open(errors.name).read()
        yield process, calls
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        wait_for(lambda: not connection.name_has_owner(service), 20, "the end of " + service)
        connection.close()
