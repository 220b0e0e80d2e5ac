# SPDX-License-Identifier: GPL-3.0-or-later
# TIMEOUT: 1800
"""Privacy and the system bus: no picture is ever written, the describing process
is locked in, and on the system bus only members of the group may call."""
import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import dbus

from harness import (BUILD, DESCRY, DESCRYD, MODEL, NAME, PATH, PHOTOS, ROOT, Bus, Daemon, Skip,
                     daemon, descry, need_model, options_of, run, test, wait_for)

COFFEE = os.path.join(PHOTOS, "coffee.png")
BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={folder}/bus</listen>
<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
<allow receive_type="method_return"/><allow receive_type="error"/>
<allow receive_type="signal"/><allow send_destination="org.freedesktop.DBus"/></policy>
<include>{policy}</include></busconfig>"""


@test
def nothing_is_written():
    """no file is opened for writing while pictures are described and spoken"""
    need_model()
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    bus = Bus()
    trace = os.path.join(bus.folder, "trace")
    process = subprocess.Popen(
        # a file for each thread, so that no line is parted by another's
        ["strace", "-ff", "-qq", "-o", trace, "-e",
         "trace=open,openat,openat2,creat,mknod,mknodat,memfd_create,truncate,rename,renameat2,"
         "link,linkat,symlink,symlinkat,copy_file_range,sendfile,execve",
         DESCRYD, "--set", "model.path=" + MODEL, "--set", "speech.route=own"],
        stderr=subprocess.PIPE, env={**os.environ, "HOME": bus.folder})
    try:
        connection = bus.connect()
        try:
            wait_for(lambda: process.poll() is not None or connection.name_has_owner(NAME), 60)
        except AssertionError:
            process.kill()
            raise
        if process.poll() is not None:
            raise Skip("strace may not trace here: " + process.stderr.read().decode()[:80])
        for photo in ("coffee.png", "rocket.jpg"):
            answer = descry("describe", os.path.join(PHOTOS, photo))
            assert answer.returncode == 0, answer
        with open(COFFEE, "rb") as photo:
            assert descry("describe", "-", stdin=photo).returncode == 0
        assert descry("describe", __file__).returncode == 4
        pid = int(re.search(r"^pid: (\d+)$", descry("status").stdout, re.M).group(1))
        os.kill(pid, signal.SIGTERM)
        process.wait(20)
    finally:
        process.kill()
        process.wait()
    calls = ""
    for name in glob.glob(trace + ".*"):
        with open(name) as file:
            calls += file.read()
    bus.close()
    assert "openat" in calls
    writing = [line for line in calls.splitlines()
               if re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE|creat\(|mknod|rename|link|sendfile"
                            r"|copy_file|truncate", line)
               and not re.search(r'"/dev/|"/proc/self/task/.*comm|readlink|= -1 '
                                 # the sound server's library keeps its socket's name there
                                 r'|\.config/pulse|"pulseaudio"', line)]
    assert not writing, "\n".join(writing)
    assert "coffee" not in calls, "the daemon saw a picture's name"
    programs = sorted(re.findall(r'execve\("[^"]*/([^/"]+)"', calls))
    assert programs == ["descry-speech", "descry-worker", "descryd"], programs


@test
def processes_are_locked_in():
    """what describes and what speaks filters system calls and dumps no core"""
    need_model()
    with daemon() as served:
        served.wait_model()
        worker, speech = int(served.status()["worker_pid"]), served.speech_pid()
        for pid in (worker, speech):
            with open(f"/proc/{pid}/status") as file:
                status = file.read()
            assert re.search(r"^Seccomp:\s+2$", status, re.M), status
            assert re.search(r"^NoNewPrivs:\s+1$", status, re.M), status
        for pid in (worker, speech, served.process.pid):
            with open(f"/proc/{pid}/limits") as file:
                assert re.search(r"^Max core file size\s+0\s+0", file.read(), re.M)
            # a process that cannot be dumped belongs to root in /proc
            assert os.stat(f"/proc/{pid}/environ").st_uid == 0
        for pid in (worker, speech):
            descriptors = {os.readlink(f"/proc/{pid}/fd/{fd}")
                           for fd in os.listdir(f"/proc/{pid}/fd")}
            sockets = [d for d in descriptors if d.startswith("socket:")]
            assert len(sockets) == 1, descriptors


@test
def captions_are_not_logged():
    """at the level of every day, neither captions nor names of files are logged"""
    need_model()
    with daemon("--set", "log.level=info") as served:
        answer = descry("describe", COFFEE)
        assert answer.returncode == 0
        assert answer.stdout.strip() not in served.log()
        assert "coffee" not in served.log()


def as_user(user, group, *command, **keywords):
    return subprocess.run(["setpriv", "--reuid=" + user, "--regid=" + group, "--clear-groups",
                           *command], capture_output=True, text=True, timeout=60, check=False,
                          **keywords)


@test
def system_bus_policy():
    """on a system bus only root and the group may call, and only the user may serve"""
    need_model()
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv")
    folder = tempfile.mkdtemp(prefix="descry-system-", dir="/tmp")
    os.chmod(folder, 0o755)
    # the policy with accounts that exist on every Debian machine
    with open(os.path.join(ROOT, "systemd/dbus/policy.conf")) as file:
        policy = file.read().replace('user="descry"', 'user="games"').replace(
            'group="descry"', 'group="audio"')
    for name, text in (("policy.conf", policy), ("bus.conf", BUS_CONFIG.format(
            folder=folder, policy=os.path.join(folder, "policy.conf"))), ("descry.conf", "")):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    for program in (DESCRY, DESCRYD, DESCRYD.replace("descryd", "descry-worker"),
                    DESCRYD.replace("descryd", "descry-speech")):
        shutil.copy(program, folder)
    model = os.path.join(folder, "model.gguf")
    shutil.copy(MODEL, model)
    photo = os.path.join(folder, "photo.png")
    shutil.copy(COFFEE, photo)
    client = os.path.join(folder, "descry")
    bus = subprocess.Popen(["dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork"],
                           stderr=subprocess.DEVNULL)
    environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus"}
    server = None
    try:
        wait_for(lambda: os.path.exists(f"{folder}/bus"), what="the bus")
        command = [os.path.join(folder, "descryd"), "--system", "--config",
                   f"{folder}/descry.conf", "--set", "model.path=" + model]
        stranger = as_user("nobody", "nogroup", *command, env=environment)
        assert stranger.returncode == 1 and "cannot be taken" in stranger.stderr, stranger
        server = subprocess.Popen(["setpriv", "--reuid=games", "--regid=games", "--clear-groups",
                                   *command], env=environment, stderr=subprocess.DEVNULL)
        connection = dbus.bus.BusConnection(f"unix:path={folder}/bus")
        wait_for(lambda: connection.name_has_owner(NAME), 20, "the daemon")
        call = [client, "describe", "--system", "-q", photo]
        root = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
        assert root.returncode == 0 and root.stdout.endswith(".\n"), root
        member = as_user("nobody", "audio", *call, env=environment)
        assert member.returncode == 0 and member.stdout == root.stdout, member
        for arguments in (call, [client, "stop", "--system"], [client, "status", "--system"],
                          [client, "set", "--system", "rate", "100"]):
            refused = as_user("nobody", "nogroup", *arguments, env=environment)
            assert refused.returncode == 3 and refused.stdout == "", refused
            assert "rejected" in refused.stderr.lower(), refused
        # a picture that only the caller may read reaches the daemon all the same
        os.chown(photo, 65534, 29)
        os.chmod(photo, 0o400)
        own = as_user("nobody", "audio", *call, env=environment)
        assert own.returncode == 0, own
        other = as_user("man", "audio", *call, env=environment)
        assert other.returncode == 4 and "Permission denied" in other.stderr, other
    finally:
        if server:
            server.kill()
            server.wait()
        bus.kill()
        bus.wait()
        shutil.rmtree(folder)


run()
