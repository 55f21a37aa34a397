"""A composite portrait taken apart for film: backdrop, head and neck with their outline, clothes.

Averaged portraits show the hair and collars of several people at once, like ghosts. What is half
there is left out, the backdrop is continued behind, and a plain shirt is painted.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from freeavatar.foundation.expression import FloatArray

Picture = NDArray[np.uint8]

HAIR = 52.0, 88.0
"""Brightness below which hair is there, and above which it is a ghost."""
SHADE = 75.0, 120.0
"""The same below the eyes, where the jaw's shaded edge is that dark too."""
SKIN = 14.0, 26.0
"""Red minus blue from which something is skin: ghosts and backdrop are grey."""
SHIRT = 56.0, 64.0, 79.0
"""sRGB of the shirt."""


@dataclass(frozen=True, kw_only=True)
class Portrait:
    """Layers of one portrait, (H, W) pixels, from back to front."""

    backdrop: FloatArray
    """(H, W, 3) sRGB 0..255."""
    person: Picture
    """(H, W, 3) head and neck; beyond the outline their colours continue."""
    outline: FloatArray
    """(H, W) how much of a pixel is head or neck, 0..1."""
    shirt: FloatArray
    """(H, W, 3) sRGB 0..255."""
    shirt_outline: FloatArray
    """(H, W) 0..1."""


def take_apart(picture: Picture, eyes: FloatArray, chin: FloatArray) -> Portrait:
    """Layers of an averaged studio portrait on a light backdrop.

    Args:
        picture: (H, W, 3) sRGB, the person upright and facing the camera.
        eyes: (2,) pixel between the eyes.
        chin: (2,) pixel of the chin's lower edge.
    """
    colours = picture.astype(np.float32)
    unit = float(chin[1] - eyes[1])
    solid = _solid(colours, eyes)
    shirt, shirt_outline = _shirt(picture.shape[:2], float(eyes[0]), float(chin[1]), unit)
    # The collar may not uncover what the outline lacks: the neck goes on under the shirt.
    solid |= _neck(picture.shape[:2], float(eyes[0]), float(chin[1]), unit)
    person, outline = _cut_out(colours, solid, chin, unit)
    return Portrait(
        backdrop=_backdrop(colours),
        person=person,
        outline=outline,
        shirt=shirt,
        shirt_outline=shirt_outline,
    )


def _ramp(values: NDArray[Any], low: float, high: float) -> FloatArray:
    x = np.clip((np.asarray(values, np.float32) - low) / (high - low), 0, 1)
    return np.asarray(x * x * (3 - 2 * x), np.float32)


def _backdrop(colours: FloatArray) -> FloatArray:
    """The studio's grey, a smooth surface through the borders of the picture."""
    height, width = colours.shape[:2]
    y, x = (np.mgrid[0:height, 0:width] / height - 0.5).astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1)
    border = (y < 0.05) & ((np.abs(x) > 0.33) | (y < -0.42))
    solved = np.linalg.lstsq(terms[border], colours[border], rcond=None)[0]
    return np.asarray(np.clip(terms @ solved, 0, 235), np.float32)


def _solid(colours: FloatArray, eyes: FloatArray) -> NDArray[np.bool_]:
    """Where the person is with little doubt: dark hair, and skin."""
    above = np.arange(colours.shape[0])[:, None] < eyes[1]
    bright = colours.mean(axis=-1)
    hair = 1 - np.where(above, _ramp(bright, *HAIR), _ramp(bright, *SHADE))
    skin = _ramp(colours[..., 0] - colours[..., 2], *SKIN)
    sure = ndimage.binary_opening(np.maximum(hair, skin) > 0.5, iterations=2)
    parts, _ = ndimage.label(sure)
    sure = ndimage.binary_fill_holes(parts == parts[int(eyes[1]), int(eyes[0])])
    mask = sure.astype(np.uint8)
    for action, size in ((cv2.MORPH_OPEN, 13), (cv2.MORPH_CLOSE, 9)):
        ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        mask = cv2.morphologyEx(mask, action, ellipse)
    # Ragged where locks were averaged: hair keeps the large form, ears and jaw the fine one.
    large = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 7) > 0.5
    return np.asarray(np.where(above, large, mask > 0))


def _neck(shape: tuple[int, ...], middle: float, chin: float, unit: float) -> NDArray[np.bool_]:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    across, down = np.abs(x - middle) / unit, (y - chin) / unit
    return np.asarray((down > 0.05) & (down < 0.75) & (across < 0.465 + 0.02 * down))


def _cut_out(
    colours: FloatArray, solid: NDArray[np.bool_], chin: FloatArray, unit: float
) -> tuple[Picture, FloatArray]:
    """The person's colours, continued outward from where they are surely theirs."""
    core = cv2.erode(solid.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    # Collars of several shirts shine through below; the neck's colour there is that above.
    down = np.arange(solid.shape[0]) - chin[1]
    warm = colours[..., 0] - colours[..., 2] > SKIN[1]
    pale = colours.mean(axis=-1) > 168
    core &= (down[:, None] < 0.1 * unit) | (warm & ~pale)
    # So does the backdrop through the edge of thin hair.
    grey = (colours[..., 0] - colours[..., 2] < SKIN[0]) & (colours.mean(axis=-1) > HAIR[0])
    core &= ~(grey & (ndimage.distance_transform_edt(solid) < 0.08 * unit))
    core[down > 0.42 * unit] = False
    away, nearest = ndimage.distance_transform_edt(~core, return_indices=True)
    spread = cv2.GaussianBlur(colours[nearest[0], nearest[1]], (0, 0), 2.5)
    share = np.clip(away / 3, 0, 1)[..., None].astype(np.float32)
    person = colours * (1 - share) + spread * share
    outline = _ramp(cv2.GaussianBlur(solid.astype(np.float32), (0, 0), 1.6), 0.25, 0.75)
    return np.asarray(np.clip(person + 0.5, 0, 255), np.uint8), outline


def _shirt(
    shape: tuple[int, ...], middle: float, chin: float, unit: float
) -> tuple[FloatArray, FloatArray]:
    """A dark crew-neck shirt: soft folds, a ribbed collar, shoulders that turn away."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    across, down = (x - middle) / unit, (y - chin) / unit
    side = np.abs(across)
    shoulder = 0.17 + 0.40 * np.maximum(side - 0.5, 0) + 0.20 * np.maximum(side - 1.25, 0) ** 2
    shoulder -= 0.07 * np.exp(-(((side - 0.43) / 0.13) ** 2))
    ring = np.hypot(across / 0.455, (down - 0.10) / 0.40)
    outline = np.clip((down - shoulder) * unit / 2.2 + 0.5, 0, 1)
    outline *= np.clip((ring - 1) * unit * 0.42 / 1.6 + 0.5, 0, 1) * (down > 0)
    chance = np.random.default_rng(3)
    folds = _noise(chance, shape, 45, 14)
    folds = np.where(across > 0, _turned(folds, -38), _turned(folds, 38))
    shade = 1 - 0.22 * np.clip(side - 0.5, 0, 2) + 0.03 * _noise(chance, shape, 0.7, 0.7)
    shade += 0.06 * cv2.GaussianBlur(folds, (0, 0), 5) * np.clip((down - 0.35) * 2, 0, 1)
    shade *= 0.7 + 0.3 * np.clip((down - shoulder) * 5, 0, 1)
    return np.asarray((shade * _collar(ring, across, down))[..., None] * SHIRT, np.float32), (
        np.asarray(outline, np.float32)
    )


def _collar(ring: FloatArray, across: FloatArray, down: FloatArray) -> FloatArray:
    """Brightness of the ribbed band around the neck line and of its seam."""
    inside = np.clip((ring - 1) / 0.17, 0, 1)
    band = np.where(ring < 1.17, 1.12 - 0.35 * np.abs(inside - 0.45), 1.0)
    band *= np.where((ring > 1.15) & (ring < 1.2), 0.72, 1.0)
    band *= np.where(ring < 1.16, 1 + 0.05 * np.sin(np.arctan2(down - 0.1, across) * 210), 1.0)
    return np.asarray(cv2.GaussianBlur(band.astype(np.float32), (0, 0), 0.8))


def _noise(chance: np.random.Generator, shape: tuple[int, ...], x: float, y: float) -> FloatArray:
    """(H, W) noise of unit deviation, smooth over x and y pixels."""
    rough = chance.normal(size=shape).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), sigmaX=x, sigmaY=y)
    return np.asarray(smooth / smooth.std(), np.float32)


def _turned(picture: FloatArray, degrees: float) -> FloatArray:
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return np.asarray(
        cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    )
