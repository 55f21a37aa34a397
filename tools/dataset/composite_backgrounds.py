"""Backgrounds without faces: places, textures, clutter, and what is easily taken for a face."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray

from .composite_portraits import Portrait

Picture = NDArray[np.uint8]
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX)


def read_places(files: Sequence[Path]) -> list[FloatArray]:
    """Environment maps (H, W, 3) of linear light, RGB.

    Raises:
        ValueError: a file does not decode.
    """
    out = []
    for path in files:
        picture = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
        if picture is None:
            raise ValueError(f"{path} is not a picture that OpenCV reads")
        out.append(np.ascontiguousarray(picture[..., ::-1], np.float32))
    return out


class Backgrounds:
    """Makes backgrounds of every kind.

    Args:
        places: environment maps, see `read_places`.
        portraits: their backdrops and clothes are used with the face taken out.
    """

    def __init__(self, places: Sequence[FloatArray], portraits: Sequence[Portrait]) -> None:
        self._places = places
        self._portraits = [p for p in portraits if not p.closely_cut]

    def make(self, rng: np.random.Generator, width: int, height: int) -> Picture:
        """One background (height, width, 3) RGB."""
        kind = rng.random()
        if kind < 0.45 and self._places:
            picture = self._place(rng, width, height)
        elif kind < 0.65 and self._portraits:
            picture = self._clothes(rng, width, height)
        elif kind < 0.85:
            picture = texture(rng, width, height)
        else:
            picture = plain(rng, width, height)
        if rng.random() < 0.5:
            for _ in range(rng.integers(1, 14)):
                thing(rng, picture)
        for _ in range(rng.poisson(0.8)):
            self._lure(rng, picture)
        return picture

    def _place(self, rng: np.random.Generator, width: int, height: int) -> Picture:
        """A view into an environment map, as a camera sees it."""
        map_ = self._places[int(rng.integers(len(self._places)))]
        rows, columns = map_.shape[:2]
        reach = np.tan(rng.uniform(0.25, 0.75))
        x, y = np.meshgrid(
            np.linspace(-reach, reach, width), np.linspace(-reach, reach, height) * height / width
        )
        pitch = rng.normal(0, 0.25)
        up = -y * np.cos(pitch) + np.sin(pitch)
        ahead = y * np.sin(pitch) + np.cos(pitch)
        yaw = np.arctan2(x, ahead) + rng.uniform(0, 2 * np.pi)
        high = np.arctan2(up, np.hypot(x, ahead))
        u = (yaw / (2 * np.pi) % 1.0) * columns
        v = (0.5 - high / np.pi) * rows
        light = cv2.remap(
            map_, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )  # fmt: skip
        middle = float(np.median(light)) + 1e-4
        shown = light / middle * rng.uniform(0.06, 0.5)
        return np.asarray((np.clip(shown / (1 + 0.3 * shown), 0, 1) ** 0.45 * 255).astype(np.uint8))

    def _clothes(self, rng: np.random.Generator, width: int, height: int) -> Picture:
        """A portrait enlarged, its face hidden below something of the same picture."""
        source = self._portraits[rng.integers(len(self._portraits))]
        picture = faceless(rng, source)
        high, wide = picture.shape[:2]
        share = rng.uniform(0.4, 1.0)
        part_w = max(int(min(wide, high * width / height) * share), 8)
        part_h = max(int(part_w * height / width), 6)
        x = int(rng.integers(0, max(wide - part_w, 0) + 1))
        y = int(rng.integers(0, max(high - part_h, 0) + 1))
        part = picture[y : y + part_h, x : x + part_w]
        return np.array(cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC))

    def _lure(self, rng: np.random.Generator, picture: Picture) -> None:
        """Put something in that has part of what makes a face."""
        height, width = picture.shape[:2]
        size = int(np.exp(rng.uniform(np.log(14), np.log(min(width, height)))))
        x, y = int(rng.integers(-size // 2, width)), int(rng.integers(-size // 2, height))
        kind = rng.random()
        if kind < 0.45 and self._portraits:
            patch = self._scrambled(rng, size)
        elif kind < 0.75:
            patch = _two_spots(rng, size)
        else:
            limbs(rng, picture, (x + size / 2, y + size / 2), size)
            return
        _lay(picture, patch, x, y)

    def _scrambled(self, rng: np.random.Generator, size: int) -> Picture:
        """A face whose squares have changed places, or its neck, ear or hair alone."""
        source = self._portraits[rng.integers(len(self._portraits))]
        low, high = source.landmarks.min(axis=0), source.landmarks.max(axis=0)
        side = high - low
        if rng.random() < 0.5:
            way = np.array(((0, 1.05), (1.0, 0.2), (-1.0, 0.2), (0, -0.95)))[rng.integers(4)]
            low = low + side * way * rng.uniform(0.9, 1.3)
            patch = _part(source.picture, low, low + side)
        else:
            patch = _part(source.picture, low, high)
            count = int(rng.integers(3, 6))
            step = max(min(patch.shape[:2]) // count, 1)
            tiles = [
                patch[r * step : (r + 1) * step, c * step : (c + 1) * step].copy()
                for r in range(count)
                for c in range(count)
            ]
            order = rng.permutation(count * count)
            rows = [
                np.concatenate([tiles[i] for i in order[r * count : (r + 1) * count]], axis=1)
                for r in range(count)
            ]
            patch = np.concatenate(rows)
        return np.asarray(cv2.resize(patch, (size, size), interpolation=cv2.INTER_AREA))


def faceless(rng: np.random.Generator, portrait: Portrait) -> Picture:
    """The portrait's picture with its face covered by a plain, blurred or foreign part."""
    picture = portrait.picture.copy()
    low, high = portrait.landmarks.min(axis=0), portrait.landmarks.max(axis=0)
    grow = (high - low) * 0.12
    height, width = picture.shape[:2]
    left, top = (int(max(v, 0)) for v in low - grow)
    right, bottom = (int(v) for v in np.minimum(high + grow, (width, height)))
    part = picture[top:bottom, left:right]
    kind = rng.random()
    cover: Picture
    if kind < 0.4:
        plain_ = np.full_like(part, part.reshape(-1, 3).mean(axis=0).astype(np.uint8))
        grain = rng.normal(0, rng.uniform(0, 12), part.shape)
        cover = np.clip(plain_ + grain, 0, 255).astype(np.uint8)
    elif kind < 0.7:
        tiny = cv2.resize(part, (2, 2), interpolation=cv2.INTER_AREA)
        large = cv2.resize(tiny, part.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        cover = np.asarray(large, np.uint8)
    else:
        below = rng.random() < 0.8
        foreign = picture[-max(height - bottom, 8) :] if below else picture[:, : max(left, 8)]
        cover = np.asarray(cv2.resize(foreign, part.shape[1::-1]), np.uint8)
    disc = np.zeros(part.shape[:2], np.float32)
    middle = (part.shape[1] // 2, part.shape[0] // 2)
    cv2.ellipse(disc, middle, middle, 0, 0, 360, 1.0, -1)
    mask = np.asarray(cv2.GaussianBlur(disc, (0, 0), max(part.shape[0] * 0.03, 0.5)))[..., None]
    part[:] = (part * (1 - mask) + cover * mask).astype(np.uint8)
    return picture


def plain(rng: np.random.Generator, width: int, height: int) -> Picture:
    """A wall: one colour running into another."""
    ends = rng.uniform(0, 255, (2, 2, 3)) * rng.uniform(0.3, 1.0)
    ends = ends.mean(axis=(0, 1)) + (ends - ends.mean(axis=(0, 1))) * rng.uniform(0, 1)
    wall = cv2.resize(ends.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(wall, 0, 255), np.uint8)


def texture(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Noise of many sizes, or stripes and squares, in two colours and their mixtures."""
    amount = np.zeros((height, width), np.float32)
    if rng.random() < 0.6:
        fade = rng.uniform(0.4, 0.9)
        for octave in range(7):
            cells = 2 ** (octave + 1)
            small = rng.random((cells, cells)).astype(np.float32)
            layer = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
            amount += fade**octave * (layer - 0.5)
        amount = np.clip(amount * rng.uniform(0.8, 3) + 0.5, 0, 1)
    else:
        x, y = np.meshgrid(np.arange(width), np.arange(height))
        period, turn = np.exp(rng.uniform(np.log(4), np.log(120))), rng.uniform(0, np.pi)
        wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / period)
        if rng.random() < 0.6:
            wave = wave * np.sin((y * np.cos(turn) - x * np.sin(turn)) * 2 * np.pi / period)
        amount = np.clip(wave * rng.uniform(0.6, 6) + 0.5, 0, 1).astype(np.float32)
    one, two = rng.uniform(0, 255, (2, 3)).astype(np.float32)
    return np.asarray((amount[..., None] * one + (1 - amount[..., None]) * two).astype(np.uint8))


def thing(rng: np.random.Generator, picture: Picture) -> None:
    """Draw a box, a disc, a line, a polygon or a word into the picture."""
    height, width = picture.shape[:2]
    colour = tuple(int(v) for v in rng.integers(0, 256, 3))
    middle = rng.uniform((0, 0), (width, height))
    size = np.exp(rng.uniform(np.log(5), np.log(max(width, height) * 0.5)))
    kind = rng.integers(5)
    thick = -1 if rng.random() < 0.6 else int(rng.integers(1, 6))
    place = (int(middle[0]), int(middle[1]))
    if kind == 0:
        corner = middle + rng.uniform(0.2, 1, 2) * size
        cv2.rectangle(picture, place, (int(corner[0]), int(corner[1])), colour, thick)
    elif kind == 1:
        axes = (rng.uniform(0.3, 1, 2) * size / 2 + 1).astype(int).tolist()
        cv2.ellipse(picture, place, axes, rng.uniform(0, 180), 0, 360, colour, thick, cv2.LINE_AA)
    elif kind == 2:
        end = middle + rng.normal(0, size, 2)
        cv2.line(picture, place, (int(end[0]), int(end[1])), colour, int(rng.integers(1, 12)))
    elif kind == 3:
        shape = (middle + rng.normal(0, size / 2, (rng.integers(3, 7), 2))).astype(np.int32)
        cv2.fillPoly(picture, [shape], colour, cv2.LINE_AA)
    else:
        word = "".join(chr(c) for c in rng.integers(33, 126, rng.integers(2, 12)))
        font = FONTS[rng.integers(len(FONTS))]
        scale = float(rng.uniform(0.4, 3))
        cv2.putText(picture, word, place, font, scale, colour, int(rng.integers(1, 5)))


def skin(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3,) a colour that skin may have, RGB 0..255."""
    light = rng.uniform(0.15, 1.0)
    red = 60 + 195 * light
    return np.array([red, red * rng.uniform(0.6, 0.85), red * rng.uniform(0.4, 0.75)])


def limbs(
    rng: np.random.Generator, picture: Picture, middle: tuple[float, float], size: float
) -> None:
    """Draw something like a hand: a palm and fingers in a skin's colour, shaded round."""
    colour = skin(rng)
    turn = rng.uniform(0, 2 * np.pi)
    count = int(rng.integers(1, 6))
    start = np.array(middle)
    thick = max(int(size * rng.uniform(0.13, 0.22)), 2)
    lines = []
    for i in range(count):
        way = turn + (i - count / 2) * rng.uniform(0.12, 0.3)
        end = start + np.array([np.cos(way), np.sin(way)]) * size * rng.uniform(0.6, 1.1)
        across = np.array([-np.sin(turn), np.cos(turn)]) * (i - count / 2) * thick * 0.9
        lines.append((start + across, end + across))
    for shade, share in ((0.6, 1.0), (0.85, 0.75), (1.0, 0.45)):
        tone = tuple(int(v) for v in np.clip(colour * shade, 0, 255))
        for one, two in lines:
            ends = [(int(p[0]), int(p[1])) for p in (one, two)]
            cv2.line(picture, ends[0], ends[1], tone, max(int(thick * share), 1), cv2.LINE_AA)
        palm = int(size * 0.3 * share)
        cv2.circle(picture, (int(start[0]), int(start[1])), max(palm, 1), tone, -1, cv2.LINE_AA)


def _two_spots(rng: np.random.Generator, size: int) -> Picture:
    """A disc or square with two dark spots, now and then a bar below: sockets, cars, buttons."""
    ground = skin(rng) if rng.random() < 0.6 else rng.uniform(0, 255, 3)
    patch = np.full((size, size, 3), rng.uniform(0, 255, 3).astype(np.uint8), np.uint8)
    shade = tuple(int(v) for v in ground)
    if rng.random() < 0.6:
        axes = (int(size * rng.uniform(0.3, 0.5)), int(size * rng.uniform(0.3, 0.5)))
        cv2.ellipse(patch, (size // 2, size // 2), axes, 0, 0, 360, shade, -1, cv2.LINE_AA)
    else:
        patch[:] = ground.astype(np.uint8)
    dark = tuple(int(v) for v in ground * rng.uniform(0.0, 0.5))
    apart, high = rng.uniform(0.12, 0.28), rng.uniform(0.3, 0.6)
    for side in (-1, 1):
        place = (int(size * (0.5 + side * apart)), int(size * high))
        cv2.circle(patch, place, max(int(size * rng.uniform(0.03, 0.1)), 1), dark, -1, cv2.LINE_AA)
    if rng.random() < 0.3:
        bar = int(size * rng.uniform(0.15, 0.25))
        left = (size // 2 - bar, int(size * rng.uniform(0.1, 0.25)))
        cv2.rectangle(patch, left, (left[0] + 2 * bar, left[1] + max(size // 20, 1)), dark, -1)
    return np.asarray(cv2.GaussianBlur(patch, (0, 0), max(size * rng.uniform(0.003, 0.03), 0.4)))


def _part(picture: Picture, low: FloatArray, high: FloatArray) -> Picture:
    size = np.maximum((high - low).astype(int), 8)
    middle = ((low + high) / 2).astype(np.float32)
    return np.asarray(
        cv2.getRectSubPix(
            picture, (int(size[0]), int(size[1])), (float(middle[0]), float(middle[1]))
        )
    )


def _lay(picture: Picture, patch: Picture, x: int, y: int) -> None:
    height, width = picture.shape[:2]
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + patch.shape[1], width), min(y + patch.shape[0], height)
    if right > left and bottom > top:
        picture[top:bottom, left:right] = patch[top - y : bottom - y, left - x : right - x]
