"""The built-in sample: photos of ten things that Linnet draws itself, from a seed, for a first run without any data.

Shapes, textures and letters in varied colour, pose, size, place and light, over cluttered ground, partly hidden, noisy,
and saved as JPEGs of many sizes. A person tells them apart at a glance; a linear model on the pixels does not, since no
pixel has the same meaning twice. With the 200 pictures of each that `sample_photos` draws: logistic regression on 32 x 32
RGB or grey 12 % of the test pictures (chance is 10), five convolutions from scratch at 64 pixels 97 %.
"""

from __future__ import annotations

import colorsys
import math
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from ..errors import DataError, SettingError
from ..files import cache_folder
from .workers import leave_interrupts_to_the_parent, script_hidden

VERSION = 1  # part of the folder's name: raise it when the pictures change
SPLITS = ("train", "validation", "test")
HELD_OUT = 0.15  # of a class, for validation; the same for test
FINER = 2  # everything is drawn at twice the size and brought down at the end, for smooth edges

Color = tuple[int, int, int]
Look = tuple[Image.Image, Image.Image | None]  # silhouette, and where its second colour shows (both "L")


def draw(label: int, index: int, *, seed: int, image: int = 160) -> Image.Image:
    """Picture number `index` of class `label`: RGB, its short side 0.9 to 1.4 times `image`, 1:1 to 4:3 either way."""
    rng = np.random.Generator(np.random.Philox(key=seed % 2**64, counter=[0, 0, index, label]))
    short = round(image * rng.uniform(0.9, 1.4))
    long = round(short * rng.uniform(1.0, 4 / 3))
    size = (long, short) if rng.random() < 0.5 else (short, long)
    large = (size[0] * FINER, size[1] * FINER)
    scene = background(size, rng).resize(large, Image.Resampling.NEAREST)
    scatter(scene, rng, count=int(rng.integers(3, 9)))
    place(scene, THINGS[CLASSES[label]], rng)
    return finished(scene.reduce(FINER), rng)


def sample_photos(
    folder: str | os.PathLike[str] | None = None, *, per_class: int = 200, image: int = 160, seed: int = 0
) -> Path:
    """Draw the sample into `folder` (else into Linnet's cache, once) and give the folder that holds its splits.

    train/, validation/ and test/ get 70, 15 and 15 % of the `per_class` pictures of each class, no picture twice. The
    folder appears when it is complete. Raises DataError when `folder` exists already.
    """
    if per_class < 3 or image < 16:
        raise SettingError(
            f"per_class={per_class}, image={image} is not allowed; give at least 3 pictures of 16 pixels."
        )
    if folder is None:
        target = cache_folder() / f"sample-{VERSION}-{per_class}x{image}-seed{seed}"
        if target.is_dir():
            return target
    elif (target := Path(folder)).exists():
        raise DataError(f"{target} exists already; name a folder that does not.")
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        pictures = [(label, index) for label in range(len(CLASSES)) for index in range(per_class)]
        for split in SPLITS:
            for name in CLASSES:
                (unfinished / split / name).mkdir(parents=True)
        save_all(unfinished, pictures, seed=seed, image=image, per_class=per_class)
        unfinished.chmod(0o755)
        try:
            unfinished.rename(target)
        except OSError:
            if folder is not None or not target.is_dir():  # else another process was first: its pictures are the same
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def save_all(folder: Path, pictures: list[tuple[int, int]], *, seed: int, image: int, per_class: int) -> None:
    """Draw and save in two processes (none for a few pictures)."""
    work = partial(save, folder, seed=seed, image=image, per_class=per_class)
    if len(pictures) < 200:
        for picture in pictures:
            work(picture)
        return
    # Spawn and not the fork server: these processes need no torch, so they start sooner by themselves.
    spawn = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(2, spawn, leave_interrupts_to_the_parent) as pool:
            with script_hidden():
                done = pool.map(work, pictures, chunksize=25)
            for _ in done:
                pass
    except BrokenProcessPool as error:
        raise DataError("A process that draws the sample died, most often for want of memory; try again.") from error


def save(folder: Path, picture: tuple[int, int], *, seed: int, image: int, per_class: int) -> None:
    label, index = picture
    quality = 70 + (7 * index + 3 * label) % 26
    path = folder / split_of(index, per_class) / CLASSES[label] / f"{index:05d}.jpg"
    draw(label, index, seed=seed, image=image).save(path, quality=quality)


def split_of(index: int, per_class: int) -> str:
    """The first pictures of a class are for validation, the next for test, the others for training."""
    held_out = max(1, round(per_class * HELD_OUT))
    return "validation" if index < held_out else "test" if index < 2 * held_out else "train"


def background(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A slope between two colours under soft blotches."""
    angle = rng.uniform(0, 2 * math.pi)
    slope = np.add.outer(np.linspace(-1, 1, 16) * math.sin(angle), np.linspace(-1, 1, 16) * math.cos(angle))[..., None]
    one, two = (np.array(any_color(rng), np.float64) for _ in range(2))
    two = one + (two - one) * rng.uniform(0.2, 0.8)
    blotches = rng.normal(0, rng.uniform(3, 22), (16, 16, 1)) + rng.normal(0, rng.uniform(0, 8), (16, 16, 3))
    coarse = (one + two) / 2 + (two - one) / 2 * slope + blotches
    return Image.fromarray(coarse.clip(0, 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)


def scatter(scene: Image.Image, rng: np.random.Generator, *, count: int) -> None:
    """Plain scraps that mean nothing: discs, polygons and lines, some of them see-through."""
    pen = ImageDraw.Draw(scene, "RGBA")
    short = min(scene.size)
    for _ in range(count):
        x, y = (float(rng.uniform(0, side)) for side in scene.size)
        radius = short * rng.uniform(0.04, 0.22)
        color = (*any_color(rng), int(rng.integers(90, 256)))
        kind = rng.random()
        if kind < 0.3:
            pen.ellipse((x - radius, y - radius * rng.uniform(0.4, 1), x + radius, y + radius * 0.7), fill=color)
        elif kind < 0.75:
            turns = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(3, 6))))
            pen.polygon([(x + radius * math.cos(t), y + radius * math.sin(t)) for t in turns], fill=color)
        else:
            ends = [(x + rng.normal(0, short / 3), y + rng.normal(0, short / 3)) for _ in range(2)]
            pen.line(ends, fill=color, width=int(short * rng.uniform(0.01, 0.04)))


def place(scene: Image.Image, thing: Thing, rng: np.random.Generator) -> None:
    """Draw the thing somewhere in the scene: posed, coloured against its ground, with a shadow, perhaps partly hidden."""
    look, turn = thing
    short = min(scene.size)
    side = int(short * rng.uniform(0.42, 0.8))
    matrix = pose(rng, math.radians(rng.uniform(-turn, turn)), side)
    silhouette, pattern = look(side, rng)
    mask = posed(silhouette, matrix, side)
    box = mask.getbbox() or (0, 0, *mask.size)
    mask = mask.crop(box)
    x, y = (int(rng.uniform(-0.06, 1.06) * (room - part)) for room, part in zip(scene.size, mask.size, strict=True))
    ground = scene.crop((x, y, x + mask.width, y + mask.height)).resize((1, 1), Image.Resampling.BOX)
    red, green, blue = ground.tobytes()
    first = color_against((red, green, blue), rng)
    second = color_against(first, rng) if pattern else tuple(int(c * rng.uniform(0.75, 1.0)) for c in first)
    paint = shaded(first, mask.size, rng)
    if pattern:
        paint.paste(second, mask=posed(pattern, matrix, side).crop(box))
    if rng.random() < 0.6:
        far = max(1, int(side * rng.uniform(0.02, 0.06)))
        shadow = mask.filter(ImageFilter.GaussianBlur(far / 2)).point(lambda v: v * 0.45)
        scene.paste((0, 0, 0), (x + far, y + far), shadow)
    if rng.random() < 0.5:
        hide(mask, rng)
    scene.paste(paint, (x, y), mask)


def hide(mask: Image.Image, rng: np.random.Generator) -> None:
    """Cut a piece off the side of a mask, as if something stood in front of it."""
    width, height = mask.size
    angle, reach = rng.uniform(0, 2 * math.pi), rng.uniform(0.34, 0.5)
    x, y = width * (0.5 + reach * math.cos(angle)), height * (0.5 + reach * math.sin(angle))
    w, h = width * rng.uniform(0.1, 0.2), height * rng.uniform(0.1, 0.2)
    shape = ImageDraw.Draw(mask).ellipse if rng.random() < 0.5 else ImageDraw.Draw(mask).rectangle
    shape((x - w, y - h, x + w, y + h), fill=0)


def finished(scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """What a camera adds: light that falls off, a little blur, grain."""
    if rng.random() < 0.5:
        scene = scene.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 1.1)))
    pixels = np.asarray(scene, np.float32) * np.float32(rng.uniform(0.7, 1.15)) + np.float32(rng.uniform(-18, 18))
    light = np.linspace(1 - rng.uniform(0, 0.3), 1, pixels.shape[1], dtype=np.float32)[:, None]
    pixels *= light if rng.random() < 0.5 else light[::-1]
    pixels += rng.standard_normal(pixels.shape, np.float32) * np.float32(rng.uniform(2, 16))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def pose(rng: np.random.Generator, turn: float, side: int) -> tuple[float, ...]:
    """Turned, squeezed and slanted around the middle: maps a pixel of the posed canvas to one of the flat drawing."""
    squeeze, slant = rng.uniform(0.8, 1.2), rng.uniform(-0.2, 0.2)
    cos, sin = math.cos(turn), math.sin(turn)
    a, b, d, e = cos * squeeze + slant * sin, sin - slant * cos, -sin * squeeze, cos
    middle, canvas = side / 2, canvas_side(side) / 2
    return a, b, middle - (a + b) * canvas, d, e, middle - (d + e) * canvas


def canvas_side(side: int) -> int:
    return math.ceil(side * 1.7)


def posed(flat: Image.Image, matrix: tuple[float, ...], side: int) -> Image.Image:
    canvas = (canvas_side(side), canvas_side(side))
    return flat.transform(canvas, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def shaded(color: Color, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """The colour with light from one side."""
    angle, depth = rng.uniform(0, 2 * math.pi), rng.uniform(0.05, 0.25)
    slope = np.add.outer(np.linspace(-1, 1, 8) * math.sin(angle), np.linspace(-1, 1, 8) * math.cos(angle))[..., None]
    pixels = (np.array(color) * (1 + depth * slope)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def any_color(rng: np.random.Generator) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.1, 0.95), rng.uniform(0.2, 1.0))
    return int(red * 255), int(green * 255), int(blue * 255)


def color_against(ground: Color, rng: np.random.Generator) -> Color:
    """A colour that stands out: the first of some that is clearly lighter or darker, else the best of them."""
    tried = [any_color(rng) for _ in range(12)]
    apart = [abs(brightness(color) - brightness(ground)) for color in tried]
    return next((color for color, far in zip(tried, apart, strict=True) if far > 75), tried[int(np.argmax(apart))])


def brightness(color: Color) -> float:
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


# The ten things. Each draws itself upright and flat on a square of `side` pixels.


def blank(side: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("L", (side, side))
    return picture, ImageDraw.Draw(picture)


def polygon(side: int, points: list[tuple[float, float]]) -> Look:
    """Filled polygon; points from -1 to 1."""
    picture, pen = blank(side)
    pen.polygon([((x + 1) * side / 2, (y + 1) * side / 2) for x, y in points], fill=255)
    return picture, None


def arrow(side: int, rng: np.random.Generator) -> Look:
    shaft, neck, head = rng.uniform(0.16, 0.3), rng.uniform(-0.25, 0.1), rng.uniform(0.6, 0.85)
    right = [(0, -1), (head, neck), (shaft, neck), (shaft, 1)]
    return polygon(side, right + [(-x, y) for x, y in reversed(right[1:])])


def heart(side: int, rng: np.random.Generator) -> Look:
    turns = np.linspace(0, 2 * math.pi, 60)
    x = np.sin(turns) ** 3
    y = -(13 * np.cos(turns) - 5 * np.cos(2 * turns) - 2 * np.cos(3 * turns) - np.cos(4 * turns)) / 16
    return polygon(side, list(zip(x.tolist(), (y * rng.uniform(0.9, 1)).tolist(), strict=True)))


def star(side: int, rng: np.random.Generator) -> Look:
    points, inner = int(rng.integers(5, 7)), rng.uniform(0.38, 0.52)
    turns = np.arange(2 * points) * math.pi / points - math.pi / 2
    radius = np.where(np.arange(2 * points) % 2, inner, 1.0)
    return polygon(side, list(zip((radius * np.cos(turns)).tolist(), (radius * np.sin(turns)).tolist(), strict=True)))


def ring(side: int, rng: np.random.Generator) -> Look:
    picture, pen = blank(side)
    pen.ellipse((0, 0, side - 1, side - 1), fill=255)
    edge = side * rng.uniform(0.12, 0.25)
    pen.ellipse((edge, edge, side - edge, side - edge), fill=0)
    return picture, None


def spiral(side: int, rng: np.random.Generator) -> Look:
    picture, pen = blank(side)
    rounds, hand = rng.uniform(2.2, 3.2), rng.choice((-1, 1))
    way = np.linspace(0.06, 1, 120)
    turns, radius = way * rounds * 2 * math.pi, way * side * 0.45
    x, y = side / 2 + hand * radius * np.cos(turns), side / 2 + radius * np.sin(turns)
    width = int(side * 0.45 / rounds * rng.uniform(0.35, 0.55))
    pen.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=255, width=width, joint="curve")
    return picture, None


def letter(character: str, side: int, rng: np.random.Generator) -> Look:
    """In the font that Pillow brings along."""
    picture, pen = blank(side)
    stroke = round(side * rng.uniform(0.01, 0.055))
    font = ImageFont.load_default(side)
    left, top, right, bottom = pen.textbbox((0, 0), character, font=font, stroke_width=stroke)
    start = ((side - left - right) / 2, (side - top - bottom) / 2)
    pen.text(start, character, font=font, fill=255, stroke_width=stroke)
    return picture, None


def patch(side: int, rng: np.random.Generator) -> Image.Image:
    """The outline of a textured thing: a disc, a rounded square or a polygon."""
    picture, pen = blank(side)
    kind, edge = rng.random(), side * 0.08
    if kind < 0.4:
        pen.ellipse((0, 0, side - 1, side - 1), fill=255)
    elif kind < 0.75:
        pen.rounded_rectangle((edge, edge, side - edge, side - edge), side * rng.uniform(0.02, 0.3), fill=255)
    else:
        turns = np.arange(6) * math.pi / 3 + rng.uniform(-0.3, 0.3, 6)
        pen.polygon([(side / 2 * (1 + math.cos(t)), side / 2 * (1 + math.sin(t))) for t in turns], fill=255)
    return picture


def stripes(side: int, rng: np.random.Generator) -> Look:
    picture, pen = blank(side)
    step = side / rng.uniform(4, 7.5)
    width = step * rng.uniform(0.35, 0.6)
    for k in range(9):
        pen.rectangle((k * step, 0, k * step + width, side), fill=255)
    return patch(side, rng), picture


def dots(side: int, rng: np.random.Generator) -> Look:
    picture, pen = blank(side)
    step = side / rng.uniform(3.5, 5.5)
    radius, shift = step * rng.uniform(0.26, 0.38), rng.choice((0, 0.5))
    for row in range(8):
        for column in range(-1, 8):
            x, y = (column + shift * (row % 2)) * step, row * step
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return patch(side, rng), picture


def checks(side: int, rng: np.random.Generator) -> Look:
    picture, pen = blank(side)
    step = side / rng.uniform(3.5, 6)
    for row in range(7):
        for column in range(row % 2, 7, 2):
            pen.rectangle((column * step, row * step, (column + 1) * step, (row + 1) * step), fill=255)
    return patch(side, rng), picture


# How each is drawn, and how far it may be turned either way (degrees).
Thing = tuple[Callable[[int, np.random.Generator], Look], float]
THINGS: dict[str, Thing] = {
    "arrow": (arrow, 180),
    "checks": (checks, 180),
    "dots": (dots, 180),
    "heart": (heart, 35),
    "letter A": (partial(letter, "A"), 25),
    "letter R": (partial(letter, "R"), 25),
    "ring": (ring, 180),
    "spiral": (spiral, 180),
    "star": (star, 180),
    "stripes": (stripes, 180),
}
CLASSES = tuple(THINGS)
