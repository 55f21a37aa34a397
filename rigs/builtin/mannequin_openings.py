"""Lids and lips of the mannequin: rings of vertices from the face to the inside, millimetres."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .mannequin_surface import EYE, EYE_RADIUS, Array, cast

Mapping = Callable[[Array], Array]

LID_RINGS = (0.16, 0.31, 0.44, 0.56, 0.67, 0.76, 0.84, 0.91, 0.96, 1.0, 1.1, 1.2, 1.45, 1.8)
LIP_BORDER = 0.6
LIP_RINGS = (
    0.12, 0.24, 0.35, 0.45, 0.53, LIP_BORDER, 0.65, 0.71, 0.78, 0.85, 0.91, 0.96, 1.0,
    1.08, 1.2, 1.4, 1.8, 2.3, 2.8,
)  # fmt: skip
LID_THICKNESS = 1.6
SEAM_HALF_GAP = 0.03
MOUTH_HALF_WIDTH = 25.5


def smoothstep(x: Array, low: float, high: float) -> Array:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((np.asarray(x, np.float64) - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def across(spokes: Array) -> tuple[Array, Array]:
    """Position -1..1 along an opening in +x and +1 / -1 / 0 for upper / lower / corner."""
    u = np.where(spokes <= 1.0, 2.0 * spokes - 1.0, 3.0 - 2.0 * spokes)
    upper = np.where(spokes < 1.0, -1.0, 1.0)
    corner = (spokes == 0.0) | (spokes == 1.0)
    dense = 0.45 * u + 0.55 * np.sin(0.5 * np.pi * u)
    return np.asarray(dense), np.asarray(np.where(corner, 0.0, upper))


def lid_margin(m: Array, upper: Array) -> Array:
    """(..., 2) sideways (outward positive) and height of the lid margins from the eye's centre.

    Args:
        m: -1 inner to +1 outer corner.
        upper: +1 upper lid, -1 lower lid, 0 corner.
    """
    sideways = -0.2 + 16.0 * m
    axis = -0.3 + 1.3 * m - 0.5 * m**2
    peak = m + 0.13 * (1 - m**2)
    high = 5.6 * (1 - np.abs(peak) ** 2.3) ** 0.85
    trough = m - 0.15 * (1 - m**2)
    low = -5.8 * (1 - np.abs(trough) ** 2.6) ** 0.9
    height = axis + np.where(upper > 0, high, np.where(upper < 0, low, 0.0))
    return np.stack([sideways, height], -1)


def lid_depth(sideways: Array, height: Array, radius: float) -> Array:
    """Depth in front of the eye's centre of a sphere that goes on as a cone beyond the globe."""
    r = np.hypot(sideways, height)
    turn = np.where(sideways > 0, 0.84, 0.70) * radius
    on = np.sqrt(np.maximum(radius**2 - np.minimum(r, turn) ** 2, 1e-9))
    return np.asarray(on - np.maximum(r - turn, 0.0) * turn / on * 0.9)


def lid_ring(
    t: float, spokes: Array, outer: Array, side: float, to_points: Mapping, to_angles: Mapping
) -> tuple[Array, Array, Array]:
    """One ring of the lids: points (N, 3), ray angles (N, 2), upper flag (N,).

    Args:
        t: 0 at the grid, 1 the outer edge of the margin, beyond it round the edge to the inside.
        spokes: (N,) positions round the opening.
        outer: (N, 2) ray angles at the grid.
        side: +1 left eye, -1 right eye.
        to_points: ray angles to surface points.
        to_angles: points to ray angles.
    """
    u, upper = across(spokes)
    flat = lid_margin(side * u, upper)
    margin = _on_lid(flat, EYE_RADIUS + LID_THICKNESS, side)
    margin_angles = to_angles(margin)
    middle = to_angles((EYE + np.array([0, 0, 12.0]))[None] * np.array([side, 1, 1]))
    if t > 1.0:
        angles = middle + (margin_angles - middle) * (1.0 - 0.35 * (t - 1.0))
        return _lid_inside(t, flat, side), angles, upper
    ease = t**0.9
    angles = outer + (margin_angles - outer) * ease
    skin = to_points(angles)
    local = np.stack([side * skin[:, 0] - EYE[0], skin[:, 1] - EYE[1]], -1)
    w = smoothstep(np.full(len(skin), t), 0.45, 1.0)[:, None]
    # The ray through the margin meets the skin elsewhere; the margin itself must be exact.
    lid = _on_lid(local + w**2 * (flat - local), EYE_RADIUS + LID_THICKNESS, side)
    points = skin + w * (lid - skin)
    return points, angles, upper


def lid_crease(ring: Array, upper: Array, sideways: Array) -> Array:
    """(V,) millimetres forward: the fold of the upper lid and the soft skin that hangs over it.

    Args:
        ring: (V,) ring of the lids.
        upper: (V,) +1 on the upper lid.
        sideways: (V,) millimetres from the eye's centre, outward positive.
    """
    fold = -1.5 * np.exp(-(((ring - 0.58) / 0.075) ** 2))
    overhang = 0.9 * np.exp(-(((ring - 0.38) / 0.13) ** 2))
    ends = np.clip(1.0 - ((sideways - 1.0) / 16.0) ** 4, 0.0, 1.0)
    return np.asarray((fold + overhang) * ends * (upper > 0))


def _on_lid(flat: Array, radius: float, side: float) -> Array:
    depth = lid_depth(flat[:, 0], flat[:, 1], radius)
    return np.stack([side * (EYE[0] + flat[:, 0]), EYE[1] + flat[:, 1], EYE[2] + depth], -1)


def _lid_inside(t: float, flat: Array, side: float) -> Array:
    """Rings round the margin's edge, then back between lid and eyeball."""
    steps = np.array([1.0, 1.1, 1.2, 1.45, 1.8])
    over = np.interp(t, steps, [0.0, -0.35, -0.3, 2.2, 5.0])  # across the opening, outward +
    lift = np.interp(t, steps, [LID_THICKNESS, 1.35, 0.85, 0.8, 0.8])
    outward = flat - np.array([-0.2, -0.3])
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    corner = 1.0 - smoothstep(np.abs(flat[:, 0]), 9.0, 14.0)
    edge = over * corner if over < 0 else over * np.ones(len(flat))
    points = _on_lid(flat + edge[:, None] * outward, EYE_RADIUS + lift, side)
    points[:, 2] -= (t - 1.0) * 1.5 * (1.0 - corner)
    return points


def seam(s: Array) -> Array:
    """(..., 2) x and y of the line where the lips meet, s from -1 to 1."""
    y = -68.2 - 0.9 * np.exp(-((s / 0.16) ** 2)) + 0.5 * np.cos(np.pi * s) - 0.1 * s**4
    return np.stack([MOUTH_HALF_WIDTH * s, y], -1)


def lip_border(s: Array, upper: Array) -> Array:
    """(..., 2) x and y of the edge of the red of the lips."""
    a = np.abs(s)
    bow = 7.3 + 1.2 * np.exp(-(((a - 0.24) / 0.16) ** 2)) - 0.5 * np.exp(-((a / 0.12) ** 2))
    top = bow * (1 - a**2.0) ** 0.8
    low = -10.0 * (1 - a**2.2) ** 0.95
    xy = seam(s)
    xy[..., 1] += np.where(upper > 0, top, np.where(upper < 0, low, 0.0))
    return xy


def _face_angles(xy: Array, to_angles: Mapping) -> Array:
    """Ray angles (N, 2) of the points of the face straight behind (N, 2) x and y."""
    inside = np.concatenate([xy, np.full((len(xy), 1), 40.0)], 1)
    return to_angles(cast(inside, np.tile([0.0, 0.0, 1.0], (len(xy), 1))))


def lip_ring(
    t: float, spokes: Array, outer: Array, to_points: Mapping, to_angles: Mapping
) -> tuple[Array, Array, Array]:
    """One ring of the mouth: points (N, 3), ray angles (N, 2), upper flag (N,).

    Args as for `lid_ring`; t = `LIP_BORDER` is the edge of the red, 1 the seam, beyond it the
    inside of the lips and the mouth.
    """
    s, upper = across(spokes)
    border_angles = _face_angles(lip_border(s, upper), to_angles)
    if t <= LIP_BORDER:
        angles = outer + (border_angles - outer) * (t / LIP_BORDER) ** 0.9
        return to_points(angles), angles, upper
    seam_angles = _face_angles(seam(s), to_angles)
    border, line = to_points(border_angles), to_points(seam_angles)
    line[:, 1] += SEAM_HALF_GAP * upper
    k = (t - LIP_BORDER) / (1.0 - LIP_BORDER)
    if t <= 1.0:
        angles = border_angles + (seam_angles - border_angles) * k
        return _lip(k, s, upper, border, line), angles, upper
    fold = max(0.3, 1.0 - 1.5 * (t - 1.0))
    angles = border_angles + (seam_angles - border_angles) * fold
    return _mouth_inside(t, s, upper, _lip(1.0, s, upper, border, line)), angles, upper


def _lip(k: float, s: Array, upper: Array, border: Array, line: Array) -> Array:
    """Cross-section of the red of the lips, k 0 at the edge to 1 at the seam."""
    full = 1.0 - np.abs(s) ** 2.6
    rise = np.interp(k, _PROFILE[0], _PROFILE[1])
    rise_low = np.interp(k, _PROFILE[0], _PROFILE[2])
    tubercle = 1.0 + 0.25 * np.exp(-((s / 0.2) ** 2)) * (upper > 0)
    forward = full * np.where(upper > 0, rise * tubercle, np.where(upper < 0, rise_low, rise))
    points = border + k * (line - border)
    outward = np.stack([points[:, 0] * 0.6, np.zeros(len(s)), points[:, 2] - 50.0], -1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    return np.asarray(points + forward[:, None] * outward)


_PROFILE: NDArray[np.float64] = np.array(
    [
        [0.0, 0.13, 0.28, 0.45, 0.62, 0.78, 0.90, 1.0],
        [0.0, 0.8, 1.9, 3.0, 3.8, 3.8, 2.6, 0.3],  # upper
        [0.0, 0.5, 1.6, 3.1, 4.3, 4.4, 3.1, 0.3],  # lower
    ]
)


def _mouth_inside(t: float, s: Array, upper: Array, line: Array) -> Array:
    """Back of the lips, then the walls of the mouth around teeth and tongue."""
    steps = np.array([1.0, 1.08, 1.2, 1.4, 1.8, 2.3, 2.8])
    back = np.interp(t, steps, [0.0, 1.6, 3.4, 5.0, 6.0, 6.0, 6.0])
    rise = np.interp(t, steps, [0.0, 0.0, 0.5, 3.5, 11.0, 13.0, 13.0])
    # At the corners the lining runs back outside the teeth, elsewhere toward them.
    aside = -0.55 + 0.8 * np.abs(s) ** 4
    inward = np.stack([aside * line[:, 0], np.zeros(len(s)), 50.0 - line[:, 2]], -1)
    inward /= np.linalg.norm(inward, axis=1, keepdims=True)
    deeper = back * (1.0 + 1.4 * np.abs(s) ** 4)
    lips = line + deeper[:, None] * inward
    seal = np.interp(t, steps, [0.0, -0.5, -0.5, 0.0, 0.0, 0.0, 0.0])
    lips[:, 1] += (rise + seal) * upper * (1.0 - np.abs(s) ** 3)
    wide, high, deep = (
        float(np.interp(t, [1.8, 2.3, 2.8], v))
        for v in ([30.0, 33.0, 27.0], [15.0, 19.0, 17.0], [84.0, 66.0, 38.0])
    )
    round_mouth = np.arccos(np.clip(-s, -1.0, 1.0))
    wall = np.stack(
        [wide * s, -69.0 + high * upper * np.sin(round_mouth), np.full(len(s), deep)], -1
    )
    wall[:, 2] += 8.0 * (1.0 - np.abs(s)) * (t < 2.5)
    w = float(np.clip((t - 1.8) / 0.5, 0.0, 1.0))
    return np.asarray(lips + w * (wall - lips))
