"""Pictures of letters, discs and plain colour: round and dark spots in the places of eyes, no face.

Titles in films are what detectors take for faces most often: rounded bold letters with a dark
outline have eyes, nostrils and mouths.
"""

from functools import cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)
_BOLD = (
    "DejaVuSans-Bold.ttf", "DejaVuSans-BoldOblique.ttf", "DejaVuSerif-Bold.ttf",
    "DejaVuSansMono-Bold.ttf", "STIXGeneralBol.ttf", "cmb10.ttf",
)  # fmt: skip
"""Files of matplotlib, so that every machine has them."""
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:;.8oOeg%&@"


def plain(size: int, rng: Generator) -> Picture:
    """(size, size, 3) of one colour (often black) or of a gradient between two."""
    first, second = rng.integers(0, 256, (2, 3)) * (rng.random() > 0.25)
    if rng.random() < 0.5:
        second = first
    slope = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    across = np.broadcast_to(first + (second - first) * slope, (size, size, 3))
    out = across if rng.random() < 0.5 else across.swapaxes(0, 1)
    return np.ascontiguousarray(out).astype(np.uint8)


def letters(size: int, rng: Generator) -> Picture:
    """(size, size, 3) of big letters, discs and rings on a plain ground."""
    out = plain(size, rng)
    if rng.random() < 0.6:
        return _logo(out, rng)
    for _ in range(int(rng.integers(1, 5))):
        colour = [int(v) for v in rng.integers(0, 256, 3)]
        x, y = (int(v) for v in rng.uniform(-0.2, 0.9, 2) * size)
        if rng.random() < 0.75:
            text = "".join(rng.choice(list(_LETTERS), int(rng.integers(1, 5))))
            font, scale = _FONTS[int(rng.integers(len(_FONTS)))], float(rng.uniform(0.8, 5))
            width = int(rng.integers(1, 4 + int(4 * scale)))
            if rng.random() < 0.5:  # an outline of another colour
                around = [int(v) for v in rng.integers(0, 256, 3)]
                cv2.putText(out, text, (x, y + size // 4), font, scale, around, width + 6, 16)
            cv2.putText(out, text, (x, y + size // 4), font, scale, colour, width, 16)
        else:
            radius = int(rng.uniform(0.03, 0.3) * size)
            cv2.circle(out, (x, y), radius, colour, int(rng.choice((-1, 3, 8))), 16)
    return np.asarray(cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.3, 2.0))), np.uint8)


def _logo(ground: Picture, rng: Generator) -> Picture:
    """A word of filled letters with outlines, which lean and overlap as those of logos do."""
    size = ground.shape[0]
    picture = Image.fromarray(ground)
    height = float(rng.uniform(0.25, 1.0) * size)
    font = _font(_BOLD[int(rng.integers(len(_BOLD)))], int(height / 8) * 8 + 8)
    outline = int(rng.uniform(0, 0.12) * height) if rng.random() < 0.7 else 0
    top, bottom, edge = (tuple(int(v) for v in c) for c in rng.integers(0, 256, (3, 3)))
    if rng.random() < 0.5:  # one hue, as most logos have, with a dark edge
        bottom, edge = tuple(int(0.7 * v) for v in top), tuple(int(0.35 * v) for v in top)
    fill = _shaded(size, top, bottom)
    x = float(rng.uniform(-1.0, 0.2) * height)
    y = float(rng.uniform(-0.2, 0.7) * size)
    while x < size:
        mark = str(rng.choice(list(_LETTERS)))
        at = (x, y + float(rng.normal(0, 0.06)) * height)
        lean = float(rng.normal(0, 6))
        around, within = (
            _mask(size, at, mark, font, stroke=stroke, lean=lean) for stroke in (outline, 0)
        )
        picture.paste(edge, mask=around)
        picture.paste(fill, mask=within)
        x += font.getlength(mark) * float(rng.uniform(0.75, 1.15)) + outline
    out = cv2.GaussianBlur(np.asarray(picture), (0, 0), float(rng.uniform(0.3, 2.0)))
    return np.asarray(out, np.uint8)


@cache
def _font(name: str, height: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, height)


def _shaded(size: int, top: tuple[int, ...], bottom: tuple[int, ...]) -> Image.Image:
    """(size, size) that goes from one colour to another."""
    along = np.linspace(0, 1, size)[:, None, None]
    colours = np.array(top) * (1 - along) + np.array(bottom) * along
    return Image.fromarray(np.broadcast_to(colours, (size, size, 3)).astype(np.uint8))


def _mask(
    size: int,
    at: tuple[float, float],
    mark: str,
    font: ImageFont.FreeTypeFont,
    *,
    stroke: int,
    lean: float,
) -> Image.Image:
    """Where one letter is, turned by ``lean`` degrees about its corner."""
    mask = Image.new("L", (size, size))
    ImageDraw.Draw(mask).text(at, mark, fill=255, font=font, stroke_width=stroke)
    return mask.rotate(lean, Image.Resampling.BILINEAR, center=at)
