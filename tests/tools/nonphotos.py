#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that no photo captioner should describe, made or taken from Debian
packages: text pages, windows of a screen, diagrams, icons, gradients, noise,
close textures and photos upside down. Each kind is a function of a random
generator; with the same seed it gives the same pictures.

Usage: tests/tools/nonphotos.py DIRECTORY [COUNT [SEED [PHOTOS]]]
writes COUNT pictures of each kind as KIND-NNN.png (and the upside-down photos
when the directory PHOTOS is given).

Packages: python3-pil python3-numpy fonts-dejavu-core gnome-icon-theme
python3-skimage (textures)."""
import glob
import os
import random
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONTS = sorted(glob.glob("/usr/share/fonts/truetype/dejavu/*.ttf"))
TEXTS = sorted(glob.glob("/usr/share/common-licenses/*"))
ICONS = sorted(p for size in ("48x48", "256x256")
               for p in glob.glob("/usr/share/icons/gnome/%s/*/*.png" % size))
TEXTURES = [p for p in ("/usr/lib/python3/dist-packages/skimage/data/%s.png" % n
                        for n in ("brick", "grass", "gravel")) if os.path.exists(p)]
_words = []


def words(rng, count):
    if not _words:
        for path in TEXTS:
            with open(path, encoding="utf-8", errors="replace") as f:
                _words.extend(f.read().split())
    start = rng.randrange(max(1, len(_words) - count))
    return _words[start:start + count]


def font(rng, size):
    return ImageFont.truetype(rng.choice(FONTS), size)


def colour(rng, low=0, high=255):
    return tuple(rng.randint(low, high) for _ in range(3))


def size_of(rng):
    return rng.choice([(640, 480), (480, 640), (800, 600), (299, 299), (1024, 768), (400, 300)])


def fill_text(draw, rng, box, size, ink):
    left, top, right, bottom = box
    face = font(rng, size)
    y = top
    while y + size < bottom:
        line = ""
        for word in words(rng, 40):
            if draw.textlength(line + word, font=face) > right - left:
                break
            line += word + " "
        if rng.random() < 0.08:
            line = line[:len(line) // 3]
        draw.text((left, y), line, font=face, fill=ink)
        y += int(size * 1.3) + (size if rng.random() < 0.08 else 0)


def text_page(rng):
    width, height = size_of(rng)
    dark = rng.random() < 0.2
    paper = colour(rng, 0, 40) if dark else colour(rng, 225, 255)
    ink = colour(rng, 200, 255) if dark else colour(rng, 0, 60)
    image = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(image)
    columns = rng.choice([1, 1, 2])
    size = rng.choice([9, 11, 13, 16, 20, 28])
    margin = width // 14
    for c in range(columns):
        left = margin + c * (width - margin) // columns
        fill_text(draw, rng, (left, margin, left + (width - margin) // columns - margin,
                              height - margin), size, ink)
    return image


def window(rng):
    width, height = size_of(rng)
    image = Image.new("RGB", (width, height), colour(rng))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(1, 3)):
        left, top = rng.randint(0, width // 3), rng.randint(0, height // 3)
        right, bottom = rng.randint(width // 2, width), rng.randint(height // 2, height)
        draw.rectangle((left, top, right, bottom), fill=colour(rng, 200, 250), outline=(60, 60, 60))
        draw.rectangle((left, top, right, top + 22), fill=colour(rng, 30, 200))
        draw.text((left + 8, top + 4), " ".join(words(rng, 3)), font=font(rng, 12),
                  fill=(255, 255, 255))
        fill_text(draw, rng, (left + 10, top + 34, right - 10, bottom - 40),
                  rng.choice([10, 12, 14]), (20, 20, 20))
        for b in range(rng.randint(1, 5)):
            x = left + 10 + b * 90
            draw.rectangle((x, bottom - 32, x + 80, bottom - 8), fill=colour(rng, 150, 230),
                           outline=(90, 90, 90))
            draw.text((x + 8, bottom - 28), words(rng, 1)[0][:9], font=font(rng, 11),
                      fill=(0, 0, 0))
    for _ in range(rng.randint(0, 6)):
        paste_icon(image, rng)
    return image


def paste_icon(image, rng):
    small = [p for p in ICONS if "/48x48/" in p]
    if small:
        icon = Image.open(rng.choice(small)).convert("RGBA")
        image.paste(icon, (rng.randint(0, image.width - 48), rng.randint(0, image.height - 48)),
                    icon)


def diagram(rng):
    width, height = size_of(rng)
    image = Image.new("RGB", (width, height), colour(rng, 235, 255))
    draw = ImageDraw.Draw(image)
    kind = rng.randrange(4)
    if kind == 0:
        count = rng.randint(3, 12)
        step = (width - 60) / count
        for i in range(count):
            x = 40 + i * step
            draw.rectangle((x, rng.randint(30, height - 60), x + step * 0.7, height - 40),
                           fill=colour(rng, 40, 220))
        draw.line((40, 20, 40, height - 40, width - 20, height - 40), fill=(0, 0, 0), width=2)
    elif kind == 1:
        start = 0
        while start < 360:
            end = min(360, start + rng.randint(20, 120))
            draw.pieslice((width // 5, height // 8, width * 4 // 5, height * 7 // 8), start, end,
                          fill=colour(rng, 40, 230), outline=(255, 255, 255))
            start = end
    elif kind == 2:
        for _ in range(rng.randint(1, 5)):
            points, y = [], rng.randint(40, height - 40)
            for x in range(40, width - 20, 12):
                y = min(height - 40, max(20, y + rng.randint(-25, 25)))
                points.append((x, y))
            draw.line(points, fill=colour(rng, 0, 200), width=rng.randint(1, 4))
        for y in range(20, height - 40, 40):
            draw.line((40, y, width - 20, y), fill=(210, 210, 210))
        draw.line((40, 20, 40, height - 40, width - 20, height - 40), fill=(0, 0, 0), width=2)
    else:
        last = None
        for _ in range(rng.randint(3, 9)):
            x, y = rng.randint(10, width - 130), rng.randint(10, height - 60)
            if last:
                draw.line((last[0] + 50, last[1] + 20, x + 50, y + 20), fill=(40, 40, 40), width=2)
            shape = rng.choice([draw.rectangle, draw.ellipse])
            shape((x, y, x + 110, y + 44), fill=colour(rng, 180, 255), outline=(20, 20, 20))
            draw.text((x + 12, y + 14), words(rng, 1)[0][:10], font=font(rng, 13), fill=(0, 0, 0))
            last = (x, y)
    for _ in range(rng.randint(0, 4)):
        draw.text((rng.randint(0, width - 80), rng.randint(0, height - 20)),
                  " ".join(words(rng, 2)), font=font(rng, 13), fill=(0, 0, 0))
    return image


def icon(rng):
    image = Image.open(rng.choice(ICONS)).convert("RGBA")
    paper = Image.new("RGBA", image.size,
                      (255, 255, 255, 255) if rng.random() < 0.7 else colour(rng) + (255,))
    return Image.alpha_composite(paper, image).convert("RGB")


def gradient(rng):
    width, height = size_of(rng)
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    kind = rng.randrange(3)
    angle = rng.uniform(0, 6.28)
    if kind == 0:
        t = (x * np.cos(angle) + y * np.sin(angle)) / 1.5
    elif kind == 1:
        t = np.hypot(x - rng.uniform(-0.6, 0.6), y - rng.uniform(-0.6, 0.6)) - 0.8
    else:
        t = np.sin(3 * x * np.cos(angle) + 3 * y * np.sin(angle) + angle)
    t = np.clip(t / 2 + 0.5, 0, 1)[..., None]
    a, b = np.array(colour(rng), float), np.array(colour(rng), float)
    return Image.fromarray((a + (b - a) * t).astype(np.uint8))


def noise(rng):
    width, height = size_of(rng)
    generator = np.random.default_rng(rng.randrange(1 << 30))
    channels = rng.choice([1, 3])
    kind = rng.randrange(3)
    if kind == 0:
        a = generator.integers(0, 256, (height, width, channels))
    elif kind == 1:
        a = generator.normal(rng.randint(60, 200), rng.randint(25, 70), (height, width, channels))
    else:
        a = (generator.random((height, width, channels)) < rng.uniform(0.2, 0.8)) * 255
    a = np.clip(a, 0, 255).astype(np.uint8)
    return Image.fromarray(np.repeat(a, 3 // channels, 2))


def texture(rng):
    image = Image.open(rng.choice(TEXTURES)).convert("RGB")
    side = rng.randint(image.width // 3, image.width)
    left, top = rng.randint(0, image.width - side), rng.randint(0, image.height - side)
    return image.crop((left, top, left + side, top + side))


def upside_down(rng, photos):
    return Image.open(rng.choice(photos)).convert("RGB").rotate(180)


KINDS = {"text": text_page, "window": window, "diagram": diagram, "icon": icon,
         "gradient": gradient, "noise": noise, "texture": texture}


def main():
    directory = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    photos = sorted(glob.glob(os.path.join(sys.argv[4], "*.jpg"))) if len(sys.argv) > 4 else []
    os.makedirs(directory, exist_ok=True)
    kinds = dict(KINDS)
    if photos:
        kinds["upside-down"] = lambda rng: upside_down(rng, photos)
    for name, make in kinds.items():
        rng = random.Random("%s %d" % (name, seed))
        for i in range(count):
            make(rng).save(os.path.join(directory, "%s-%03d.png" % (name, i)))


if __name__ == "__main__":
    main()
