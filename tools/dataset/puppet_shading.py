"""Colours of a puppet's pixels, once it is known what each pixel sees. Compiled by numba."""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray

from .ict import EYE, HEAD, IntArray
from .rasteriser import Visible

_compiled = numba.njit(cache=True, fastmath=True, boundscheck=False)


@dataclass(frozen=True, kw_only=True)
class EyeLook:
    """How eyeballs are painted; colours are 0..255, angles radians from the middle of the iris."""

    iris: FloatArray
    """(3,)"""
    sclera: FloatArray
    """(3,)"""
    flesh: FloatArray
    """(3,) of the inner corner."""
    iris_edge: float = 0.45
    pupil_edge: float = 0.18
    fibres: float = 0.0
    """Phase of the pattern of the iris."""
    highlight: float = 0.9
    """0..1 strength of the mirrored light."""
    highlight_size: float = 0.12
    shadow: float = 0.5
    """0..1 what the upper lid takes away."""

    @property
    def packed(self) -> FloatArray:
        """(15,)"""
        scalars = (
            self.iris_edge,
            self.pupil_edge,
            self.fibres,
            self.highlight,
            self.highlight_size,
            self.shadow,
        )
        return np.concatenate([self.iris, self.sclera, self.flesh, scalars]).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Paint:
    """What a puppet's surface looks like."""

    photo: NDArray[np.uint8]
    """(H, W, 3) RGB, texture of skin and head."""
    surround: NDArray[np.uint8]
    """(H, W, 3) RGB, what is around the head."""
    places: FloatArray
    """(V, 2) pixel of the photo that each vertex of skin and head shows."""
    light: FloatArray
    """(V, 3) factor on the photo's colours."""
    gloss: FloatArray
    """(V,) mirrored light that is added, 0..255."""
    colours: FloatArray
    """(V, 3) of what the photo does not show: mouth and orbits, 0..255."""
    eye_directions: FloatArray
    """(V, 3) unit vectors from the eyeball's middle in its own axes, z through the pupil."""
    eye_light: FloatArray
    """(2, 3) direction of the light's mirror image in the axes of the left and right eyeball."""
    eye: EyeLook
    eye_split: int
    """First vertex of the right eyeball."""
    corners: FloatArray
    """(2, 2) pixels of the picture where the inner corners of the eyes are, left and right."""
    unit: float
    """Pixels of the picture per centimetre."""


@dataclass(frozen=True, kw_only=True)
class Around:
    """Where the photo's surroundings go: the same distance outside the outline of the head."""

    target: tuple[float, float]
    """Pixel of the picture inside the head."""
    source: tuple[float, float]
    """The same point in the photo."""
    target_reach: FloatArray
    """(RAYS,) from `freeavatar.tools.dataset.rasteriser.outline` of the picture."""
    source_reach: FloatArray
    """(RAYS,) of the photo."""
    growth: float
    """Pixels of the photo per pixel of the picture."""


def shade(
    visible: Visible, triangles: IntArray, part: NDArray[np.uint8], paint: Paint, around: Around
) -> FloatArray:
    """The picture.

    Args:
        visible: what each pixel sees.
        triangles: (T, 3)
        part: (T,) part of each triangle.
        paint: the surface.
        around: the surroundings.

    Returns:
        (S, S, 3) 0..255, not clipped.
    """
    out = np.zeros((visible.size, visible.size, 3), np.float32)
    facts = np.array([*around.target, *around.source, around.growth, paint.unit], np.float32)
    _shade(
        visible.triangle,
        visible.weights,
        triangles,
        part,
        paint.photo,
        paint.surround,
        paint.places,
        paint.light,
        paint.gloss,
        paint.colours,
        paint.eye_directions,
        paint.eye_light,
        paint.eye.packed,
        paint.eye_split,
        paint.corners,
        around.target_reach,
        around.source_reach,
        facts,
        out,
    )
    return out


@_compiled
def _sample(photo: Any, x: Any, y: Any, out: Any, oy: Any, ox: Any) -> None:
    """Bilinear, the border repeated."""
    height, width = photo.shape[:2]
    x = min(max(x - np.float32(0.5), np.float32(0.0)), np.float32(width - 1.001))
    y = min(max(y - np.float32(0.5), np.float32(0.0)), np.float32(height - 1.001))
    x0, y0 = int(x), int(y)
    fx, fy = x - np.float32(x0), y - np.float32(y0)
    one = np.float32(1.0)
    for k in range(3):
        top = photo[y0, x0, k] * (one - fx) + photo[y0, x0 + 1, k] * fx
        low = photo[y0 + 1, x0, k] * (one - fx) + photo[y0 + 1, x0 + 1, k] * fx
        out[oy, ox, k] = top * (one - fy) + low * fy


@_compiled
def _ramp(x: Any, low: Any, high: Any) -> Any:
    t = min(max((x - low) / (high - low), np.float32(0.0)), np.float32(1.0))
    return t * t * (np.float32(3.0) - np.float32(2.0) * t)


@_compiled
def _shade(
    winner: Any, weights: Any, triangles: Any, part: Any, photo: Any, surround: Any, places: Any,
    light: Any, gloss: Any, colours: Any, directions: Any, eye_light: Any, eye: Any, eye_split: Any,
    corners: Any, target_reach: Any, source_reach: Any, facts: Any, out: Any,
) -> None:  # fmt: skip
    size = winner.shape[0]
    under = np.zeros(size, np.float32)  # eye pixels above this one in its column
    one = np.float32(1.0)
    for y in range(size):
        for x in range(size):
            t = winner[y, x]
            if t < 0:
                under[x] = 0
                _surround(x, y, surround, target_reach, source_reach, facts, out)
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            w1, w2 = weights[y, x, 0], weights[y, x, 1]
            w0 = one - w1 - w2
            kind = part[t]
            if kind != EYE:
                under[x] = 0
            if kind <= HEAD:
                u = w0 * places[a, 0] + w1 * places[b, 0] + w2 * places[c, 0]
                v = w0 * places[a, 1] + w1 * places[b, 1] + w2 * places[c, 1]
                _sample(photo, u, v, out, y, x)
                shine = w0 * gloss[a] + w1 * gloss[b] + w2 * gloss[c]
                for k in range(3):
                    factor = w0 * light[a, k] + w1 * light[b, k] + w2 * light[c, k]
                    out[y, x, k] = out[y, x, k] * factor + shine
            elif kind == EYE:
                under[x] += 1
                side = 1 if a >= eye_split else 0
                dx = w0 * directions[a, 0] + w1 * directions[b, 0] + w2 * directions[c, 0]
                dy = w0 * directions[a, 1] + w1 * directions[b, 1] + w2 * directions[c, 1]
                dz = w0 * directions[a, 2] + w1 * directions[b, 2] + w2 * directions[c, 2]
                near = (
                    np.float32(x + 0.5) - corners[side, 0],
                    np.float32(y + 0.5) - corners[side, 1],
                )
                inner = np.sqrt(near[0] ** 2 + near[1] ** 2) / facts[5]
                lid = under[x] / facts[5]
                _eye(dx, dy, dz, inner, lid, eye, eye_light[side], light[a], out[y, x])
            else:
                for k in range(3):
                    out[y, x, k] = w0 * colours[a, k] + w1 * colours[b, k] + w2 * colours[c, k]


@_compiled
def _surround(
    x: Any, y: Any, photo: Any, target_reach: Any, source_reach: Any, facts: Any, out: Any
) -> None:
    dx, dy = np.float32(x) + np.float32(0.5) - facts[0], np.float32(y) + np.float32(0.5) - facts[1]
    distance = np.sqrt(dx * dx + dy * dy) + np.float32(1e-6)
    count = target_reach.shape[0]
    place = (np.arctan2(dy, dx) / np.float32(2 * np.pi) + np.float32(1.0)) * np.float32(count)
    low = int(place)
    f = place - np.float32(low)
    low, high = low % count, (low + 1) % count
    reach = target_reach[low] * (1 - f) + target_reach[high] * f
    there = source_reach[low] * (1 - f) + source_reach[high] * f
    beyond = max(distance - reach, np.float32(-2.0)) * facts[4]
    radius = (there + beyond + np.float32(1.0)) / distance
    _sample(photo, facts[2] + dx * radius, facts[3] + dy * radius, out, y, x)


@_compiled
def _eye(
    dx: Any, dy: Any, dz: Any, inner: Any, lid: Any, eye: Any, mirror: Any, light: Any, out: Any
) -> None:
    """One pixel of an eyeball.

    ``inner`` and ``lid`` are centimetres from the inner corner and below the upper lid.
    """
    one = np.float32(1.0)
    length = np.sqrt(dx * dx + dy * dy + dz * dz) + np.float32(1e-6)
    dx, dy, dz = dx / length, dy / length, dz / length
    angle = np.arccos(min(max(dz, -one), one))
    around = np.arctan2(dy, dx)
    edge, pupil_edge = eye[9], eye[10]
    iris = one - _ramp(angle, edge - np.float32(0.03), edge + np.float32(0.035))
    pupil = one - _ramp(angle, pupil_edge - np.float32(0.03), pupil_edge + np.float32(0.03))
    rim = _ramp(angle, edge * np.float32(0.78), edge)
    fibre = np.sin(around * 23 + eye[11]) * np.sin(around * 37 + 2 * eye[11])
    ring = np.exp(-(((angle - pupil_edge * np.float32(1.5)) / np.float32(0.07)) ** 2))
    tone = np.float32(0.95) + np.float32(0.13) * fibre + np.float32(0.25) * ring
    tone *= one - np.float32(0.6) * rim
    # Light that enters above leaves the iris brighter below.
    tone *= one - np.float32(0.35) * dy / (edge + np.float32(0.01))
    corner = np.exp(-((inner / np.float32(0.28)) ** 2))
    shadow = one - eye[14] * np.exp(-((lid / np.float32(0.22)) ** 2) * np.float32(0.7))
    round_off = np.float32(0.8) + np.float32(0.2) * _ramp(dz, np.float32(0.5), np.float32(0.95))
    # The cornea bulges, so its mirror image moves faster than its place.
    bulge = np.float32(1.7)
    mx, my = dx * bulge - mirror[0], dy * bulge - mirror[1]
    off = np.sqrt(mx * mx + my * my)
    spark = one - _ramp(off, eye[13] * np.float32(0.5), eye[13])
    spark *= eye[12] * (np.float32(0.35) + np.float32(0.65) * iris)
    for k in range(3):
        white = eye[3 + k] * (one - corner) + eye[6 + k] * corner
        value = white * round_off * (one - iris) + eye[k] * tone * iris
        value = value * (one - pupil * iris) + np.float32(9.0) * pupil * iris
        value *= shadow * (np.float32(0.4) + np.float32(0.6) * light[k])
        out[k] = value * (one - spark) + np.float32(250.0) * spark
