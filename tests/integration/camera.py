# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon with a pretended camera (tests/preload/camera.c), for tests and
measurements."""
import io
import os

import dbus
from PIL import Image

from harness import BUILD, PHOTOS, Bus, Daemon, options_of, wait_for

CAMERA = "/dev/video9"
SHIM = os.path.join(BUILD, "preload/camera.so")
SIZE = (640, 480)
CONFIG = f"""[camera front]
device = {CAMERA}
width = 640
height = 480
warm = 1
settle = 30
open-timeout = 8
stall-timeout = 4
[watch]
pause = 1
"""
LONG = 90     # far more than it takes on a machine with nothing else to do


def picture(name="astronaut.png"):
    return Image.open(os.path.join(PHOTOS, name)).convert("RGB").resize(SIZE)


def jpeg(image):
    data = io.BytesIO()
    image.save(data, "JPEG", quality=90)
    return data.getvalue()


def planes(image):
    """Y at full size, Cb and Cr at half, as video has them (BT.601, 16 to 235)."""
    luma, blue, red = image.convert("YCbCr").split()
    luma = luma.point(lambda v: 16 + v * 219 / 255)
    chroma = [c.point(lambda v: 16 + v * 224 / 255) for c in (blue, red)]
    return luma, chroma


def raw(image, format):
    luma, chroma = planes(image)
    if format == "GREY":
        return image.convert("L").tobytes()
    y = luma.tobytes()
    width, height = image.size
    if format == "YUYV":
        blue, red = [c.resize((width // 2, height)).tobytes() for c in chroma]
        out = bytearray(len(y) * 2)
        out[0::2], out[1::4], out[3::4] = y, blue, red
    else:
        blue, red = [c.resize((width // 2, height // 2)).tobytes() for c in chroma]
        out = bytearray(y) + bytearray(len(blue) * 2)
        out[len(y)::2], out[len(y) + 1::2] = blue, red
    return bytes(out)


class Camera:
    """A daemon that sees one pretended camera; `control` says what it does."""

    def __init__(self, formats="MJPG:640x480", config=CONFIG, control="", image=None, arguments=(),
                 alsa=""):
        self.bus = Bus()
        self.control = os.path.join(self.bus.folder, "control")
        self.shown = 0
        self.format = formats.split(":")[0]
        self.show(image or picture(), control)
        environment = {"LD_PRELOAD": SHIM, "CAMERA_PATH": CAMERA, "CAMERA_CONTROL": self.control,
                       "CAMERA_FORMATS": formats}
        if alsa:
            environment["ALSA_CONFIG_PATH"] = os.path.join(self.bus.folder, "asound.conf")
            with open(environment["ALSA_CONFIG_PATH"], "w") as file:
                file.write(alsa)
        self.daemon = Daemon(self.bus, *arguments, config=config, environment=environment)
        self.daemon.wait_model()
        self.interface = self.daemon.interface

    def show(self, image=None, words=""):
        """What the camera shows and does from now on."""
        if image is not None:
            self.shown += 1
            self.file = os.path.join(self.bus.folder, f"frame{self.shown}")
            with open(self.file, "wb") as file:
                file.write(jpeg(image) if self.format == "MJPG" else raw(image, self.format))
        part = self.control + ".new"
        with open(part, "w") as file:
            file.write(f"file={self.file} {words}")
        os.rename(part, self.control)

    def look(self, **options):
        caption, details = self.interface.Look(options_of(speak=False, **options), timeout=60)
        return str(caption), details

    def fault(self):
        """The error of a look: its name and its sentence."""
        try:
            self.look()
        except dbus.DBusException as error:
            return error.get_dbus_name().split(".")[-1], error.get_dbus_message()
        raise AssertionError("the look did not fail")

    def watch(self, on):
        self.interface.Watch(on, options_of())

    def watching(self):
        return self.daemon.status()["watching"]

    def wait_for_log(self, text, count=1, seconds=LONG):
        wait_for(lambda: self.daemon.log().count(text) >= count, seconds, f'"{text}" in the log')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.daemon.stop()
        self.bus.close()
