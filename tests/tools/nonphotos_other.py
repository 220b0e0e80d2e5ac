#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of nonphotos.py once more, each from a source that nonphotos.py does
not use: what is fitted on the one set is judged on the other. Other typefaces,
texts and layouts, another icon theme, other charts, colour meshes instead of
ramps, cloudy and streaky noise, photographed materials from GIMP's patterns, and
other photos upside down.

Usage: tests/tools/nonphotos_other.py DIRECTORY [COUNT [SEED [PHOTO…]]]
writes COUNT pictures of each kind as KIND-NNN.png, upside-down photos if any
photos are named.

Packages: python3-pil python3-numpy fonts-liberation tango-icon-theme gimp-data"""
import glob
import gzip
import math
import os
import random
import struct
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONTS = sorted(glob.glob("/usr/share/fonts/truetype/liberation*/*.ttf"))
PAGES = sorted(glob.glob("/usr/share/man/man[1578]/*.gz"))
ICONS = sorted(glob.glob("/usr/share/icons/Tango/32x32/*/*.png") +
               glob.glob("/usr/share/icons/Tango/16x16/*/*.png"))
PATTERNS = sorted(p for kind in ("Animal", "Fabric", "Paper", "Plant", "Stone", "Wood")
                  for p in glob.glob("/usr/share/gimp/*/patterns/%s/*.pat" % kind))


def colour(rng, low=0, high=255):
    return tuple(rng.randint(low, high) for _ in range(3))


def size_of(rng):
    return rng.choice([(720, 540), (540, 720), (900, 600), (320, 320), (1280, 720)])


def font(rng, size):
    return ImageFont.truetype(rng.choice(FONTS), size)


def lines_of(rng, count):
    """Lines of a manual page, its requests of layout left in, as a listing has them."""
    with gzip.open(rng.choice(PAGES), "rt", encoding="utf-8", errors="replace") as page:
        lines = [line.rstrip() for line in page][:2000]
    start = rng.randrange(max(1, len(lines) - count))
    return [line for line in lines[start:start + count] if line] or ["empty"]


def text(rng):
    """A letter, a receipt or a table."""
    width, height = size_of(rng)
    image = Image.new("RGB", (width, height), colour(rng, 230, 255))
    draw = ImageDraw.Draw(image)
    size, ink, kind = rng.choice([10, 12, 15, 19, 24]), colour(rng, 0, 70), rng.randrange(3)
    face, y = font(rng, size), height // 10
    for number, line in enumerate(lines_of(rng, 80)):
        if y + size > height * 9 // 10:
            break
        if kind == 0:
            draw.text((width // 8, y), line[:int(1.5 * width / size)], font=face, fill=ink)
        elif kind == 1:
            draw.text((width // 5, y), line[:14], font=face, fill=ink)
            price = "%.2f" % rng.uniform(0, 200)
            draw.text((width * 4 // 5 - draw.textlength(price, font=face), y), price, font=face,
                      fill=ink)
        else:
            for column in range(4):
                draw.text((width * (column * 2 + 1) // 10, y), line[column * 8:column * 8 + 7],
                          font=face, fill=ink)
            draw.line((width // 12, y - 3, width * 11 // 12, y - 3), fill=ink)
        y += int(size * (1.6 if number % 9 else 2.4))
    return image


def window(rng):
    """A terminal, or a page with bars and boxes."""
    width, height = size_of(rng)
    if rng.random() < 0.5:
        image = Image.new("RGB", (width, height), colour(rng, 0, 50))
        draw = ImageDraw.Draw(image)
        size = rng.choice([11, 13, 16])
        face = ImageFont.truetype([p for p in FONTS if "Mono" in p][0], size)
        for number, line in enumerate(lines_of(rng, height // size)):
            draw.text((6, 6 + number * (size + 3)), "$ " * (rng.random() < 0.2) + line, font=face,
                      fill=colour(rng, 150, 255))
        return image
    image = Image.new("RGB", (width, height), (250, 250, 252))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width, height // 9), fill=colour(rng))
    draw.rectangle((0, height // 9, width // 5, height), fill=colour(rng, 200, 245))
    face = font(rng, 13)
    for number, line in enumerate(lines_of(rng, height // 24)):
        draw.text((width // 5 + 14, height // 9 + 12 + 22 * number), line[:90], font=face,
                  fill=(30, 30, 30))
        if number % 3 == 0:
            draw.text((10, height // 9 + 12 + 22 * number), line[:12], font=face,
                      fill=(40, 60, 160))
    for _ in range(rng.randint(1, 4)):
        left, top = rng.randint(width // 5, width - 120), rng.randint(height // 4, height - 80)
        draw.rectangle((left, top, left + 110, top + 70), fill=colour(rng, 120, 255))
    return image


def diagram(rng):
    """A graph of knots, a scatter plot, a board of squares or a plan of walls."""
    width, height = size_of(rng)
    image = Image.new("RGB", (width, height), colour(rng, 240, 255))
    draw, kind = ImageDraw.Draw(image), rng.randrange(4)
    if kind == 0:
        knots = [(rng.randint(20, width - 20), rng.randint(20, height - 20))
                 for _ in range(rng.randint(6, 20))]
        for _ in range(2 * len(knots)):
            draw.line(rng.choice(knots) + rng.choice(knots), fill=(90, 90, 90))
        for x, y in knots:
            r = rng.randint(5, 16)
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colour(rng))
    elif kind == 1:
        for _ in range(rng.randint(1, 3)):
            cx, cy, ink = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), colour(rng, 0, 200)
            for _ in range(rng.randint(20, 120)):
                x, y = width * rng.gauss(cx, 0.1), height * rng.gauss(cy, 0.1)
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=ink)
        draw.rectangle((30, 15, width - 15, height - 30), outline=(0, 0, 0))
    elif kind == 2:
        cells = rng.randint(15, 33)
        side = min(width, height) * 0.8 / cells
        for row in range(cells):
            for column in range(cells):
                if rng.random() < 0.5:
                    x, y = width * 0.1 + column * side, height * 0.1 + row * side
                    draw.rectangle((x, y, x + side, y + side), fill=(0, 0, 0))
    else:
        for _ in range(rng.randint(5, 14)):
            x, y = rng.randint(0, width), rng.randint(0, height)
            if rng.random() < 0.5:
                draw.line((x, y, rng.randint(0, width), y), fill=(20, 20, 20), width=4)
            else:
                draw.line((x, y, x, rng.randint(0, height)), fill=(20, 20, 20), width=4)
        for _ in range(4):
            draw.text((rng.randint(0, width - 90), rng.randint(0, height - 20)),
                      lines_of(rng, 2)[0][:10], font=font(rng, 14), fill=(0, 0, 0))
    return image


def icon(rng):
    picture = Image.open(rng.choice(ICONS)).convert("RGBA")
    picture = picture.resize((picture.width * 6, picture.height * 6), Image.BICUBIC)
    paper = Image.new("RGBA", picture.size, (255, 255, 255, 255) if rng.random() < 0.7 else
                      colour(rng) + (255,))
    return Image.alpha_composite(paper, picture).convert("RGB")


def gradient(rng):
    """Four colours in the corners, or a turn of colours about a point."""
    width, height = size_of(rng)
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    a, b, c, d = (np.array(colour(rng), float) for _ in range(4))
    if rng.random() < 0.5:
        x, y = x[..., None], y[..., None]
        mixed = (a * (1 - x) + b * x) * (1 - y) + (c * (1 - x) + d * x) * y
    else:
        turn = np.arctan2(y - rng.random(), x - rng.random()) / (2 * math.pi) + 0.5
        turn = np.abs(2 * turn - 1)[..., None]
        mixed = a * (1 - turn) + b * turn
    return Image.fromarray(mixed.astype(np.uint8))


def noise(rng):
    """Clouds (1/f), streaks or blocks."""
    width, height = size_of(rng)
    generator, kind = np.random.default_rng(rng.randrange(1 << 30)), rng.randrange(3)
    if kind == 0:
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
        frequency[0, 0] = 1
        spectrum = np.fft.fft2(generator.normal(size=(height, width)))
        a = np.real(np.fft.ifft2(spectrum / frequency ** rng.uniform(0.5, 1.2)))
        a = 128 + 50 * a / a.std()
    elif kind == 1:
        a = np.repeat(generator.integers(0, 256, (height, 1)), width, 1)
        a = a + generator.normal(0, 20, (height, width))
    else:
        side = rng.choice([2, 4, 8, 16])
        a = generator.integers(0, 256, (height // side + 1, width // side + 1))
        a = np.kron(a, np.ones((side, side)))[:height, :width]
    a = np.repeat(np.clip(a, 0, 255).astype(np.uint8)[..., None], 3, 2)
    return Image.fromarray(a)


def read_pattern(path):
    with open(path, "rb") as f:
        data = f.read()
    header, _, width, height, channels = struct.unpack(">5I", data[:20])
    pixels = np.frombuffer(data, np.uint8, width * height * channels, header)
    pixels = pixels.reshape(height, width, channels)
    return pixels[..., :3] if channels >= 3 else np.repeat(pixels[..., :1], 3, 2)


def texture(rng):
    pattern = read_pattern(rng.choice(PATTERNS))
    times = rng.randint(1, 3)
    tiled = Image.fromarray(np.tile(pattern, (times, times, 1)))
    scale = 400 / tiled.width
    return tiled.resize((400, max(100, int(tiled.height * scale))), Image.BICUBIC)


KINDS = {"text": text, "window": window, "diagram": diagram, "icon": icon,
         "gradient": gradient, "noise": noise, "texture": texture}


def main():
    directory = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    photos = sys.argv[4:]
    os.makedirs(directory, exist_ok=True)
    kinds = dict(KINDS)
    if photos:
        kinds["upside-down"] = lambda rng: Image.open(rng.choice(photos)).convert("RGB").rotate(180)
    for name, make in kinds.items():
        rng = random.Random("%s %d" % (name, seed))
        for i in range(count):
            make(rng).save(os.path.join(directory, "%s-%03d.png" % (name, i)))


if __name__ == "__main__":
    main()
