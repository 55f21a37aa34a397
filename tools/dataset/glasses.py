"""Glasses for puppets: rims, bridge and temples in the head's space, drawn over the picture."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray

from .ict import eye_middles
from .puppet_rig import Posed

PlaceOf = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, kw_only=True)
class Glasses:
    """Centimetres; colours 0..255."""

    width: float
    """Of one lens."""
    height: float
    squareness: float
    """Exponent of the rim's superellipse: 2 is round."""
    thickness: float
    colour: FloatArray
    """(3,)"""
    shade: float
    """0..1 what the lenses take from the light."""
    mirror: float
    """0..1 light mirrored by the lenses."""


def random_glasses(make: np.random.Generator) -> Glasses:
    """Any pair; sunglasses are left out, since eyes must be seen."""
    dark = make.random() < 0.7
    colour = make.uniform(10, 60, 3) if dark else make.uniform(60, 200, 3)
    return Glasses(
        width=float(make.uniform(4.3, 5.4)),
        height=float(make.uniform(3.0, 4.4)),
        squareness=float(make.uniform(2.0, 4.5)),
        thickness=float(make.uniform(0.08, 0.42)),
        colour=colour.astype(np.float32),
        shade=float(make.uniform(0.0, 0.15)),
        mirror=float(make.uniform(0.0, 0.3) if make.random() < 0.5 else 0.0),
    )


def draw_glasses(
    picture: FloatArray, glasses: Glasses, neutral: FloatArray, posed: Posed, place: PlaceOf
) -> None:
    """Put glasses on, in place.

    Args:
        picture: (S, S, 3) 0..255.
        glasses: the pair.
        neutral: (V, 3) of the person.
        posed: the head.
        place: camera space (N, 3) to pixels (N, 2).
    """
    eyes = eye_middles(neutral)
    above = eyes[:1] + np.array([0.0, 1.0, 0.0], np.float32)
    unit = float(np.linalg.norm(place(posed.turned(above)) - place(posed.turned(eyes[:1]))))
    thick = max(1, round(glasses.thickness * unit))
    bend = np.linspace(0, 2 * np.pi, 40)
    power = 2.0 / glasses.squareness
    ring = np.stack([np.sign(np.cos(bend)) * np.abs(np.cos(bend)) ** power * glasses.width / 2,
                     np.sign(np.sin(bend)) * np.abs(np.sin(bend)) ** power * glasses.height / 2],
                    axis=1)  # fmt: skip
    front = float(eyes[:, 2].mean()) + 3.1
    colour = tuple(float(c) for c in glasses.colour)
    rims = []
    for eye, sign in zip(eyes, (1.0, -1.0), strict=True):
        x = eye[0] + sign * 0.15 + ring[:, 0]
        rim = np.stack([x, eye[1] - 0.25 + ring[:, 1], front - 0.02 * x * x], axis=1)
        rims.append(rim)
        pixels = _fixed(place(posed.turned(rim.astype(np.float32))))
        if glasses.shade or glasses.mirror:
            _lens(picture, pixels, glasses)
        cv2.polylines(picture, [pixels], True, colour, thick, cv2.LINE_AA, _BITS)
    y = float(eyes[:, 1].mean()) + 0.3
    inner = rims[0][:, 0].min(), rims[1][:, 0].max()
    bridge = [(inner[1], y, front), (0, y + 0.25, front + 0.2), (inner[0], y, front)]
    lines = [np.array(bridge)]
    for rim, sign in zip(rims, (1.0, -1.0), strict=True):
        hinge = np.array([rim[:, 0].max() if sign > 0 else rim[:, 0].min(), y, front - 0.6])
        # A temple is seen on the side that is turned to the camera, else the face hides it.
        if posed.head[2, 0] * sign > -0.05:
            lines.append(np.array([hinge, (sign * 7.6, y - 0.1, 1.5)]))
    for line in lines:
        pixels = _fixed(place(posed.turned(line.astype(np.float32))))
        cv2.polylines(picture, [pixels], False, colour, thick, cv2.LINE_AA, _BITS)


_BITS = 4


def _fixed(pixels: FloatArray) -> NDArray[np.int32]:
    return np.round((pixels - 0.5) * (1 << _BITS)).astype(np.int32)


def _lens(picture: FloatArray, pixels: NDArray[np.int32], glasses: Glasses) -> None:
    side = picture.shape[0]
    low = np.clip((pixels.min(axis=0) >> _BITS) - 1, 0, side)
    high = np.clip((pixels.max(axis=0) >> _BITS) + 2, 0, side)
    if (high <= low).any():
        return
    part = picture[low[1] : high[1], low[0] : high[0]]
    mask = np.zeros(part.shape[:2], np.float32)
    moved = np.asarray(pixels - (low << _BITS), np.int32)
    cv2.fillPoly(mask, [moved], 1.0, cv2.LINE_AA, _BITS)
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    band = np.exp(-((((x + 1.7 * y) / side * 6.0) % 2.2 - 0.6) ** 2) / 0.08)
    part *= (1.0 - glasses.shade * mask)[..., None]
    part += (glasses.mirror * 120.0 * mask * band)[..., None]
