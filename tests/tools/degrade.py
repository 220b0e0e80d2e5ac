# SPDX-License-Identifier: GPL-3.0-or-later
"""degrade.py: photos made worse step by step, as a camera would. Each kind has
levels; level 0 leaves the photo as it is. STRONG names the level from which a
picture counts as strongly degraded: nobody should be told what is in it."""
import io
import random

import numpy as np
from PIL import Image, ImageFilter

LEVELS = {
    "dark": [0, 1, 2, 3, 4, 5, 6, 7],            # halvings of the light
    "bright": [0, 1, 2, 3, 4, 5, 6],             # doublings
    "covered": [0, 0.25, 0.5, 0.7, 0.85, 0.95, 1],  # share of the picture
    "blurred": [0, 1, 2, 3, 4, 6, 8],            # deviation in pixels of a copy 256 wide
    "motion": [0, 5, 9, 13, 19, 27],             # pixels of such a copy
    "tilted": [0, 5, 10, 15, 20, 30, 45],        # degrees
}
STRONG = {"dark": 5, "bright": 5, "covered": 0.85, "blurred": 4, "motion": 19, "tilted": 20}


def scale(image):
    return max(image.size) / 256


def to_linear(image):
    return (np.asarray(image, np.float32) / 255) ** 2.2


def from_linear(a, rng, noise=None):
    generator = np.random.default_rng(rng.randrange(1 << 30))
    noise = rng.choice([0, rng.uniform(0, 2.5)]) if noise is None else noise
    a = np.clip(a, 0, 1) ** (1 / 2.2) * 255 + generator.normal(0, noise, a.shape)
    return Image.fromarray(np.clip(a + 0.5, 0, 255).astype(np.uint8))


def dark(image, level, rng):
    return from_linear(to_linear(image) / 2 ** level, rng)


def bright(image, level, rng):
    return from_linear(to_linear(image) * 2 ** level, rng)


def covered(image, level, rng):
    """A finger or cloth: smooth, out of focus, coming from one side."""
    a = np.asarray(image, np.float32)
    height, width = a.shape[:2]
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    angle = rng.uniform(0, 6.2832)
    depth = x * np.cos(angle) + y * np.sin(angle) + 0.25 * np.sin(3 * (y * np.cos(angle) -
                                                                    x * np.sin(angle)) + angle)
    edge = np.quantile(depth, min(level, 1)) if level < 1 else depth.max() + 1
    mask = np.clip((edge - depth) / 0.15 + 0.5, 0, 1)[..., None]
    tone = rng.choice([(170, 70, 50), (120, 40, 30), (200, 110, 90), (90, 30, 25), (40, 35, 32),
                       (15, 14, 14), (70, 70, 75), (60, 50, 45)])
    shade = 1 + 0.25 * (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1))[..., None]
    cover = np.array(tone, np.float32) * rng.uniform(0.7, 1.2) * shade
    generator = np.random.default_rng(rng.randrange(1 << 30))
    out = a * (1 - mask) + cover * mask + generator.normal(0, rng.choice([0, rng.uniform(0, 3)]), a.shape)
    return Image.fromarray(np.clip(out, 0, 255).astype(np.uint8))


def blurred(image, level, rng):
    out = image.filter(ImageFilter.GaussianBlur(level * scale(image)))
    return from_linear(to_linear(out), rng, rng.uniform(0, 1.5))


def motion(image, level, rng):
    length = level * scale(image)
    angle = rng.uniform(0, np.pi)
    a = np.asarray(image, np.float32)
    out, steps = np.zeros_like(a), max(2, int(length))
    padded = np.pad(a, ((60, 60), (60, 60), (0, 0)), mode="edge")
    for t in np.linspace(-0.5, 0.5, steps):
        dx, dy = int(round(t * length * np.cos(angle))), int(round(t * length * np.sin(angle)))
        out += padded[60 + dy:60 + dy + a.shape[0], 60 + dx:60 + dx + a.shape[1]]
    return from_linear((out / steps / 255) ** 2.2, rng, rng.uniform(0, 1.5))


def tilted(image, level, rng):
    """Turned, and cut so that no corner is empty."""
    angle = level * rng.choice([-1, 1])
    width, height = image.size
    turned = image.rotate(angle, Image.BICUBIC, expand=True)
    c, s = abs(np.cos(np.radians(angle))), abs(np.sin(np.radians(angle)))
    factor = min(width / (width * c + height * s), height / (width * s + height * c))
    w, h = int(width * factor), int(height * factor)
    left, top = (turned.width - w) // 2, (turned.height - h) // 2
    return turned.crop((left, top, left + w, top + h))


def uniform(rng):
    """A wall or a blank page under uneven light, without or with faint texture."""
    width, height = rng.choice([(640, 480), (480, 640), (400, 300)])
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    generator = np.random.default_rng(rng.randrange(1 << 30))
    base = np.array([rng.randint(60, 245)] * 3, np.float32) + generator.normal(0, 12, 3)
    light = 1 + rng.uniform(0, 0.25) * (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1))
    light -= rng.uniform(0, 0.15) * (x * x + y * y)
    a = base * light[..., None] + generator.normal(
        0, rng.choice([0, rng.uniform(0, 4)]), (height, width, 1))
    if rng.random() < 0.4:
        grain = Image.fromarray((generator.random((height // 6, width // 6)) * 255)
                                .astype(np.uint8)).resize((width, height), Image.BICUBIC)
        a += (np.asarray(grain, np.float32)[..., None] - 128) * rng.uniform(0.01, 0.06)
    return Image.fromarray(np.clip(a, 0, 255).astype(np.uint8))


KINDS = {"dark": dark, "bright": bright, "covered": covered, "blurred": blurred,
         "motion": motion, "tilted": tilted}


def degrade(kind, image, level, rng):
    if level == 0:
        return image
    return KINDS[kind](image, level, rng)


def compress(image, rng):
    """What a camera or a web page does to a picture."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=rng.randint(60, 95))
    return Image.open(io.BytesIO(stream.getvalue())).convert("RGB")
