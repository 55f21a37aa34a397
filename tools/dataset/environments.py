"""What is behind a head, and pictures without any face."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .lighting import TURNS, Environment

Picture = NDArray[np.uint8]


def background(
    environment: Environment, turn: int, size: int, make: np.random.Generator
) -> Picture:
    """(S, S, 3) RGB: mostly the environment seen in that direction, out of focus; else a wall."""
    if make.random() < 0.3:
        return _wall(size, make)
    wide = int(make.uniform(90, 260))
    high = environment.picture.shape[0]
    # The middle column of the map turned by `turn` is behind the camera.
    across = environment.picture.shape[1]
    middle = int((0.5 + turn / TURNS + 0.5) * across + make.normal(0, 15))
    columns = np.arange(middle - wide // 2, middle - wide // 2 + wide) % across
    top = int(np.clip(high / 2 - wide / 2 + make.normal(0, 40), 0, high - wide))
    part = np.ascontiguousarray(environment.picture[top : top + wide, columns])
    blur = make.choice([0.0, make.uniform(0.5, 6.0)], p=[0.2, 0.8])
    if blur:
        part = _bytes(cv2.GaussianBlur(part, (0, 0), float(blur)))
    whole = cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR)
    return _bytes(cv2.convertScaleAbs(whole, alpha=float(np.exp(make.normal(0, 0.25)))))


def _bytes(picture: NDArray[Any]) -> Picture:
    return np.asarray(picture, np.uint8)


def _wall(size: int, make: np.random.Generator) -> Picture:
    """A plain surface with a gradient and some grain."""
    tone = make.uniform(10, 240) + make.normal(0, 18, 3)
    slope = make.normal(0, 40, (2, 1)) * np.ones(3)
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    wall = tone + x[..., None] * slope[0] + y[..., None] * slope[1]
    if make.random() < 0.5:
        wall = wall + _clouds(size, make) * make.uniform(5, 45)
    return _bytes(np.clip(wall, 0, 255))


def _clouds(size: int, make: np.random.Generator) -> NDArray[np.float32]:
    """(S, S, 3) smooth noise of about unit size."""
    total = np.zeros((size, size, 3), np.float32)
    for cells in (4, 9, 24):
        grain = make.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        grain += 2 * make.normal(0, 1, (cells, cells, 1)).astype(np.float32)
        total += cv2.resize(grain, (size, size), interpolation=cv2.INTER_CUBIC) / 4
    return total


def without_face(
    environment: Environment, textures: list[Picture], size: int, make: np.random.Generator
) -> Picture:
    """(S, S, 3) something that is no face: surroundings, cloth, noise, shapes."""
    kind = make.integers(5)
    if kind == 0:
        return _wall(size, make)
    if kind == 1:
        noise = 128 + 70 * _clouds(size, make)
        return np.clip(noise, 0, 255).astype(np.uint8)
    if kind == 2:
        picture = background(environment, int(make.integers(TURNS)), size, make)
        for _ in range(int(make.integers(1, 6))):
            centre = tuple(int(v) for v in make.integers(0, size, 2))
            axes = tuple(int(v) for v in make.integers(5, size // 2, 2))
            colour = tuple(int(v) for v in make.integers(0, 255, 3))
            cv2.ellipse(picture, centre, axes, float(make.uniform(0, 180)), 0, 360, colour, -1)
        return picture
    if kind == 3:
        # The lower right of a texture: hands and clothes.
        texture = textures[make.integers(len(textures))]
        whole = texture.shape[1]
        side = int(make.uniform(0.15, 0.4) * whole)
        low = int(0.55 * whole)
        top = int(make.integers(low, whole - side + 1))
        left = int(make.integers(int(0.25 * whole), whole - side + 1))
        part = texture[top : top + side, left : left + side]
        return _bytes(cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR))
    high, across = environment.picture.shape[:2]
    side = int(make.uniform(60, 360))
    top, left = int(make.integers(0, high - side)), int(make.integers(0, across - side))
    part = environment.picture[top : top + side, left : left + side]
    return _bytes(cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA))
