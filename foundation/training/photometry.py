"""What light, lens, camera and things in the way do to a picture; its geometry stays.

All on square (S, S, 3) uint8 with a few OpenCV calls each, so that one core augments faster than it
trains.
"""

from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

CALM = 0.5
"""Share of pictures left as they are: most of what a camera sees is good, and what matters in a
face is small."""
OCCLUDED = 0.25
"""Share of the others with something before the face; the further shares are of them, too."""
SOFT = 0.35
"""Share that is blurred, of low resolution or hard compressed."""
RELIT = 0.25
"""Share with light from one side."""
NOISY = 0.35
GREY = 0.06
DARK = 0.08
"""Share taken in low light."""
_BANK_SIZE = 320


class Photometry:
    """Changes pictures at random.

    Args:
        seed: of the noise that pictures are covered with.
    """

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng((seed, 77))
        size = (_BANK_SIZE, _BANK_SIZE)
        colour = rng.normal(128, 32, (*size, 3))
        self._noise = np.clip(colour, 0, 255).astype(np.uint8)
        fine = np.asarray(cv2.GaussianBlur(colour.astype(np.float32), (0, 0), 1.2))
        fine = 128 + (fine - 128) * (32 / fine.std())
        self._grain = np.clip(fine, 0, 255).astype(np.uint8)
        self._texture = _clouds(rng, _BANK_SIZE)

    def __call__(
        self, picture: Picture, rng: Generator, *, donor: Picture | None = None
    ) -> Picture:
        """A changed copy.

        Args:
            picture: (S, S, 3) RGB, S up to 320.
            rng: decides everything.
            donor: another picture, of which a piece may cover this one.
        """
        calm, occluded, relit, soft, noisy, grey = rng.random(6)
        out = picture.copy()
        if calm < CALM:
            return out
        if occluded < OCCLUDED:
            self._occlude(out, rng, donor)
        if relit < RELIT:
            out = _relit(out, rng)
        out = _toned(out, rng)
        if soft < SOFT:
            out = _softened(out, rng)
        if noisy < NOISY:
            out = self._noised(out, rng)
        if grey < GREY:
            level = cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)
            out = np.asarray(cv2.cvtColor(level, cv2.COLOR_GRAY2RGB), np.uint8)
        return out

    def clutter(self, size: int, rng: Generator) -> Picture:
        """(size, size, 3) of noise, clouds or gradients: no face."""
        bank = (self._noise, self._grain, self._texture)[rng.integers(3)]
        curves = _curves(rng, rng.uniform(0.2, 1.5))
        return np.asarray(cv2.LUT(self._part(bank, size, rng), curves), np.uint8)

    def _part(self, bank: Picture, size: int, rng: Generator) -> Picture:
        y, x = rng.integers(_BANK_SIZE - size + 1, size=2)
        return bank[y : y + size, x : x + size]

    def _noised(self, picture: Picture, rng: Generator) -> Picture:
        """Sensor noise of a standard deviation up to 14 levels, sharp or as grain."""
        strength = float(14 * rng.random() ** 1.5 / 32)
        bank = self._noise if rng.random() < 0.5 else self._grain
        noise = self._part(bank, picture.shape[0], rng)
        return np.asarray(cv2.addWeighted(picture, 1.0, noise, strength, -128 * strength))

    def _occlude(self, picture: Picture, rng: Generator, donor: Picture | None) -> None:
        kind = rng.random()
        if kind < 0.35:
            _hand(picture, rng)
        elif kind < 0.5:
            _strands(picture, rng)
        else:
            self._cover(picture, rng, donor if kind < 0.75 else None)

    def _cover(self, picture: Picture, rng: Generator, donor: Picture | None) -> None:
        """An ellipse or a turned box of texture or of another picture."""
        size = picture.shape[0]
        mask = np.zeros(picture.shape[:2], np.uint8)
        x, y = (int(v) for v in rng.uniform(0, size, 2))
        across, down = (int(v) for v in rng.uniform(0.05, 0.22, 2) * size)
        angle = float(rng.uniform(0, 180))
        if rng.random() < 0.5:
            cv2.ellipse(mask, (x, y), (across, down), angle, 0, 360, 255, -1)
        else:
            corners = cv2.boxPoints(((x, y), (2 * across, 2 * down), angle))
            cv2.fillConvexPoly(mask, corners.astype(np.int32), 255)
        if donor is not None and donor.shape == picture.shape:
            cover = donor
        else:
            part = self._part(self._texture, size, rng)
            curves = _curves(rng, rng.uniform(0.1, 1.2))
            cover = np.asarray(cv2.LUT(part, curves), np.uint8)
        cv2.copyTo(cover, mask, picture)


def _clouds(rng: Generator, size: int) -> Picture:
    """Smooth colours of several scales."""
    out: NDArray[Any] = np.zeros((size, size, 3), np.float32)
    for cells in (3, 8, 20, 60):
        grid = rng.normal(0, 1, (cells, cells, 3)).astype(np.float32) / np.sqrt(cells)
        out += cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(128 + 60 * out / out.std(), 0, 255), np.uint8)


def _curves(rng: Generator, contrast: float) -> NDArray[np.uint8]:
    """(1, 256, 3) lookup of any colour around a random one."""
    levels = np.arange(256, dtype=np.float32)[:, None] - 128
    return np.clip(rng.uniform(20, 235, 3) + contrast * levels, 0, 255).astype(np.uint8)[None]


_LEVELS = np.linspace(0, 1, 256, dtype=np.float32)[:, None]


def _toned(picture: Picture, rng: Generator) -> Picture:
    """Gamma, contrast, brightness, colour cast and low light in one lookup."""
    gamma = np.exp(rng.normal(0, 0.22))
    contrast = np.exp(rng.normal(0, 0.16))
    bright = rng.normal(0, 0.06)
    cast = np.exp(rng.normal(0, 0.07, 3)).astype(np.float32)
    if rng.random() < DARK:
        dim = rng.uniform(0.25, 0.6)
        contrast *= dim
        bright = dim * bright - 0.5 * (1 - dim) * rng.uniform(0.6, 0.85)
    curve = (_LEVELS**gamma - 0.5) * contrast + 0.5 + bright
    table = np.clip(curve * cast * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, table[None]))


def _relit(picture: Picture, rng: Generator) -> Picture:
    """Brighter on one side, darker on the other."""
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.7)
    ends = np.array([[-1.0, 1.0]], np.float32)
    corners = np.cos(angle) * ends + np.sin(angle) * ends.T
    # Sixteenths are fine enough for a gradient, and 128 stands for 1.
    small = np.clip(128 * (1 + strength * corners / 1.4), 0, 255).astype(np.uint8)
    field = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    field = cv2.merge((field, field, field))
    return np.asarray(cv2.multiply(picture, field, scale=1 / 128))


def _softened(picture: Picture, rng: Generator) -> Picture:
    """One of: out of focus, moved, of low resolution, compressed."""
    kind = rng.random()
    if kind < 0.25:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 2.2))))
    if kind < 0.4:
        return _moved(picture, rng)
    if kind < 0.75:
        return _coarse(picture, rng)
    quality = int(rng.integers(12, 70))
    _, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def _moved(picture: Picture, rng: Generator) -> Picture:
    length = int(rng.integers(3, 9))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = (length - 1) / 2
    x, y = np.cos(angle) * reach, np.sin(angle) * reach
    start = (round(reach - x), round(reach - y))
    cv2.line(kernel, start, (round(reach + x), round(reach + y)), 1.0)
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()))


def _coarse(picture: Picture, rng: Generator) -> Picture:
    """A small face that was enlarged."""
    size = int(rng.uniform(32, 96) * picture.shape[0] / 128)
    shrink = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_LINEAR
    grow = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
    small = cv2.resize(picture, (size, size), interpolation=shrink)
    return np.asarray(cv2.resize(small, picture.shape[1::-1], interpolation=grow))


def _hand(picture: Picture, rng: Generator) -> None:
    """Fingers and a palm of the face's own colour from some edge."""
    size = picture.shape[0]
    y, x = (int(v) for v in rng.uniform(0.35, 0.65, 2) * size)
    shade = picture[y, x].astype(np.float32) * rng.uniform(0.7, 1.2) + rng.normal(0, 8, 3)
    tip = rng.uniform(0.15, 0.85, 2) * size
    angle = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    width = rng.uniform(0.05, 0.09) * size
    for finger in range(int(rng.integers(1, 5))):
        colour = tuple(float(v) for v in np.clip(shade * rng.uniform(0.9, 1.05), 0, 255))
        end = tip + across * finger * width * 1.05 + along * rng.uniform(0, 0.1) * size
        start = end + along * 1.2 * size + across * rng.normal(0, 0.05) * size
        first, last = (tuple(int(v) for v in p) for p in (start, end))
        cv2.line(picture, first, last, colour, int(width), cv2.LINE_AA)


def _strands(picture: Picture, rng: Generator) -> None:
    """Hair across the face, or a thin dark or bright thing such as a cable."""
    size = picture.shape[0]
    colour = tuple(float(v) for v in rng.uniform(0, 1) * 160 * rng.uniform(0.6, 1.0, 3))
    start, end = rng.uniform(-0.1, 1.1, (2, 2)) * size
    bend = rng.normal(0, 0.15, 2) * size
    t = np.linspace(0, 1, 8)[:, None]
    for _ in range(int(rng.integers(1, 9))):
        start, end = start + rng.normal(0, 3, 2), end + rng.normal(0, 3, 2)
        curve = start * (1 - t) + end * t + bend * (4 * t * (1 - t))
        width = int(rng.integers(1, 4))
        cv2.polylines(picture, [curve.astype(np.int32)], False, colour, width, cv2.LINE_AA)
