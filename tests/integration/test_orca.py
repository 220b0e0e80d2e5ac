#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way on a real desktop: a key pressed in a GTK window that shows a
photo, the Orca of this machine, its speech and its braille. Nothing is mocked."""
import os
import re
import subprocess
import time

import dbus

import desktop
import harness
from harness import Skip, test, wait_for

NONE = dbus.Dictionary(signature="sv")
LONG = "This is a long sentence, " * 12
stage = {}


def need():
    if "why" in stage:
        raise Skip(stage["why"])
    return stage["desktop"], stage["daemon"]


def hears(screen, what, times=1, seconds=90):
    """Waits until Orca has said something for which this holds. Orca writes its log
    in blocks: a key that does nothing makes it write more."""
    end = time.monotonic() + seconds
    while sum(map(what, spoken(screen))) < times:
        if time.monotonic() > end:
            said = [text[:80] for text in spoken(screen)[-4:]]
            raise AssertionError(f"Orca said: {said}; {stage['daemon'].log()[-300:]}; "
                                 f"{stage['daemon'].status().get('route_reason')}; "
                                 f"{screen.log('orca.log')[-600:]}")
        wait_for(lambda: True)
        time.sleep(1)
        screen.xdo("key", "Shift_L")


def spoken(screen):
    """What Orca said, as its own log has it."""
    return re.findall(r"SPEECH OUTPUT: '(.*?)'\{", screen.log("orca-debug"))


def dispatched(screen):
    """What Speech Dispatcher was given, without its marks."""
    return [re.sub("<.*?>", "", text).strip() for text in
            re.findall(r"Queueing message \|(.*?)\|", screen.log("speechd/speech-dispatcher.log"))]


@test
def installation():
    """descry orca install and remove keep what is the user's"""
    folder = "/tmp/descry-orca-%d" % os.getpid()
    environment = {**os.environ, "XDG_DATA_HOME": folder, "HOME": "/nonexistent"}
    file = os.path.join(folder, "orca/orca-customizations.py")

    def descry(*arguments):
        return subprocess.run([harness.DESCRY, "orca", *arguments], env=environment,
                              capture_output=True, text=True)

    try:
        os.makedirs(os.path.dirname(file))
        with open(file, "w") as text:
            text.write("import orca.settings\nmine = 1\n")
        assert descry("install").returncode == 0
        once = open(file).read()
        assert descry("install").returncode == 0
        assert open(file).read() == once and once.startswith("import orca.settings\nmine = 1\n")
        compile(once, file, "exec")
        assert descry("install", "--stop-key", "F9").returncode == 0
        assert '"stop": "F9"' in open(file).read()
        assert '"F9"' in open(os.path.join(folder, "orca/extensions/descry.py")).read()
        for bad in (("--stop-key", "d"), ("--stop-key", 'x"'), ("now",)):
            assert descry("install", *bad).returncode != 0, bad
        assert descry("remove").returncode == 0
        assert open(file).read() == "import orca.settings\nmine = 1\n"
        left = [name for _, _, names in os.walk(folder) for name in names]
        assert left == ["orca-customizations.py"], left
        assert descry("remove").returncode == 0
        with open(file, "a") as text:
            text.write("# END Descry\n")
        broken = descry("install")
        assert broken.returncode != 0 and "by hand" in broken.stderr, broken
    finally:
        subprocess.run(["rm", "-r", folder], check=False)


@test
def key_to_speech():
    """A key in a window with a photo: Orca says the caption, once, and brailles it"""
    harness.need_model()
    if desktop.missing():
        stage["why"] = desktop.missing()
    if "why" not in stage:
        screen = stage["desktop"] = desktop.Desktop()
        subprocess.run([harness.DESCRY, "orca", "install"], env=screen.environment, check=True,
                       capture_output=True)
        screen.start_speechd()
        screen.show(harness.PHOTOS + "/coffee.png=Breakfast.", "password", "blank")
        stage["daemon"] = harness.Daemon(screen.bus, "--set", "sounds.tick=no", "--set",
                                         "sounds.error=no", "--set",
                                         "speech.route-timeout=10000", environment=screen.environment)
        stage["daemon"].wait_model()
        screen.start("orca", "--debug-file=" + screen.path("orca-debug"), "--replace",
                     "--enable=braille-monitor", name="orca")
        wait_for(lambda: screen.connection().name_has_owner("org.descry.OrcaAddon1"), 60,
                 "the add-on: " + screen.log("orca.log"))
        hears(screen, lambda text: "Pictures" in text)
        screen.xdo("key", "Tab")
        screen.xdo("key", "shift+Tab")
        time.sleep(1)
    screen, daemon = need()
    pressed = time.time()
    screen.press("d")
    hears(screen, lambda text: text.startswith("Its label: Breakfast."))
    stage["caption"] = [text for text in spoken(screen) if text.startswith("Its label")][0]
    line = [line for line in screen.log("orca-debug").splitlines() if stage["caption"] in line][0]
    clock = time.strptime(line.split(".")[0], "%H:%M:%S")
    midnight = time.localtime(pressed)
    seconds = (clock.tm_hour - midnight.tm_hour) * 3600 + \
        (clock.tm_min - midnight.tm_min) * 60 + clock.tm_sec - midnight.tm_sec + \
        float("0." + line.split(".")[1].split()[0]) - pressed % 1
    print(f"# key to Orca's first word: {seconds:.2f} s")
    wait_for(lambda: stage["caption"] in dispatched(screen), 60, "Speech Dispatcher")
    time.sleep(1)
    assert spoken(screen).count(stage["caption"]) == 1, spoken(screen)
    assert dispatched(screen).count(stage["caption"]) == 1, dispatched(screen)
    assert os.path.getsize(daemon.wav) <= 44, "our own voice spoke too"
    # the braille monitor shows what goes to a display, cut to its width
    shown = re.findall(r"BRAILLE LINE:  '(.*?)'\n", screen.log("orca-debug"))
    assert any(text.startswith("Its label: Breakfast.") for text in shown), shown
    assert daemon.status()["route"] == "orca"


@test
def repeat_key():
    """The repeat key says the caption again"""
    screen, _ = need()
    screen.press("r")
    hears(screen, lambda text: text == stage["caption"], times=2)


@test
def stop_key():
    """The stop key cuts it"""
    screen, daemon = need()
    daemon.interface.Say(LONG, NONE)
    wait_for(lambda: LONG.strip() in dispatched(screen), 60, "the long sentence")
    log = "speechd/speech-dispatcher.log"
    before = len(re.findall("(?i)(?:stop|cancel) self", screen.log(log)))
    screen.press("s")
    wait_for(lambda: len(re.findall("(?i)(?:stop|cancel) self", screen.log(log))) > before, 20,
             "a stop in Speech Dispatcher's log")
    wait_for(lambda: not daemon.property("Speaking"), 60, "silence")


@test
def password_field():
    """A password field is refused, and Orca says so"""
    screen, _ = need()
    screen.xdo("key", "Tab")
    time.sleep(1)
    screen.press("d")
    hears(screen, lambda text: "is not looked at" in text)


@test
def blank_area():
    """A blank area is said to be no photo, not captioned"""
    screen, daemon = need()
    screen.xdo("key", "Tab")
    time.sleep(1)
    screen.press("d")
    hears(screen, lambda text: text in ("A blank area.",
                                        "Text, an icon or a drawing, not a photo."))


@test
def orca_killed():
    """With Orca killed the next utterance comes by Speech Dispatcher, then by our own voice"""
    screen, daemon = need()
    screen.end("orca", 9)
    daemon.interface.Say("Orca is gone.", NONE)
    wait_for(lambda: "Orca is gone." in dispatched(screen), 60, "Speech Dispatcher")
    wait_for(lambda: daemon.status()["route"] == "speech-dispatcher", 60, "the route")
    assert os.path.getsize(daemon.wav) <= 44, "our own voice spoke too"
    screen.set_status("ScreenReaderEnabled", False)
    daemon.interface.Say("No screen reader is left.", NONE)
    wait_for(lambda: daemon.status()["route"] == "own", 60, "the route")
    wait_for(lambda: os.path.getsize(daemon.wav) > 5000, 60, "our own voice")
    screen.set_status("ScreenReaderEnabled", True)
    screen.end("speech-dispatcher", 9)
    daemon.interface.Say("Speech Dispatcher is gone too.", NONE)
    wait_for(lambda: "speech-dispatcher:" in daemon.status()["route_reason"], 60, "the reason")
    assert daemon.status()["route"] == "own"
    assert dispatched(screen).count("Orca is gone.") == 1


@test
def end_of_the_desktop():
    """The daemon ends cleanly on its desktop"""
    screen, daemon = need()
    try:
        assert daemon.stop() == 0
    finally:
        screen.close()
        stage["why"] = "the desktop has been closed"


harness.run()
