"""Textures of the mannequin, painted by code: skin with lips, brows and hair; eyes; lashes."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import gaussian_filter

from .mannequin_openings import lip_border, smoothstep
from .mannequin_inside import EYE_TEXTURE_ANGLE, IRIS_ANGLE
from .mannequin_surface import Array

SIZE = 1024
_SKIN = np.array([214.0, 168.0, 142.0])
_HAIR = np.array([58.0, 42.0, 34.0])


def texture_coordinates(angles: Array) -> Array:
    """Ray angles (N, 2) to texture coordinates (N, 2), the face given the larger share."""
    u, v = angles[:, 0], angles[:, 1] + np.radians(14.0)
    across = 0.42 * u / np.pi + 0.58 * np.tanh(u / 0.75) / np.tanh(np.pi / 0.75)
    low, high = (_spread(np.radians(x + 14.0)) for x in (-100.0, 90.0))
    return np.stack([0.5 + 0.5 * across, (high - _spread(v)) / (high - low)], -1)


def _spread(v: Array | float) -> Array:
    return np.asarray(0.5 * v + 0.5 * np.tanh(np.asarray(v) / 0.75))


def skin_texture(coordinates: Array, points: Array) -> NDArray[np.uint8]:
    """(SIZE, SIZE, 4) albedo for texture coordinates (N, 2) of surface points (N, 3)."""
    cell = (np.arange(SIZE) + 0.5) / SIZE
    u, v = np.meshgrid(cell, cell)
    _, first = np.unique(np.round(coordinates, 6), axis=0, return_index=True)
    known = LinearNDInterpolator(coordinates[first], points[first])(u, v)
    blank = np.isnan(known[..., 0])
    known[blank] = 0.0
    p = known.reshape(-1, 3)
    colour = _complexion(p, _noise())
    colour = _lips(colour, p)
    colour = _eye_surrounds(colour, p)
    colour = _hair(colour, p)
    colour = _brows(colour.reshape(SIZE, SIZE, 3), known).reshape(-1, 3)
    out = np.full((SIZE, SIZE, 4), 255, np.uint8)
    out[..., :3] = np.clip(colour, 0, 255).reshape(SIZE, SIZE, 3).astype(np.uint8)
    out[blank, :3] = _SKIN.astype(np.uint8)
    return out


def _noise() -> Array:
    """(SIZE * SIZE,) smooth mottling of unit variance."""
    make = np.random.default_rng(7)
    total = np.zeros((SIZE, SIZE))
    for width, gain in ((24.0, 1.0), (8.0, 0.6)):
        layer = gaussian_filter(make.standard_normal((SIZE, SIZE)), width, mode="wrap")
        total += gain * layer / layer.std()
    return np.asarray(total.reshape(-1) / total.std())


def _blob(p: Array, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    q = np.stack([np.abs(p[:, 0]), p[:, 1], p[:, 2]], -1)
    return np.asarray(np.exp(-((((q - np.array(centre)) / np.array(radii)) ** 2).sum(1))))


def _mix(colour: Array, other: tuple[float, float, float] | Array, share: Array) -> Array:
    return np.asarray(colour + share[:, None] * (np.asarray(other) - colour))


def _complexion(p: Array, mottle: Array) -> Array:
    colour = np.tile(_SKIN, (len(p), 1)) + mottle[:, None] * np.array([1.4, 1.8, 1.8])
    red = np.array([206.0, 128.0, 108.0])
    colour = _mix(colour, red, 0.42 * _blob(p, (42, -32, 72), (20, 16, 30)))
    colour = _mix(colour, red, 0.45 * _blob(p, (0, -38, 116), (15, 10, 16)))
    colour = _mix(colour, red, 0.30 * _blob(p, (0, -98, 100), (16, 12, 20)))
    colour = _mix(colour, (224.0, 182.0, 150.0), 0.4 * _blob(p, (0, 50, 92), (40, 24, 40)))
    return _mix(colour, (120.0, 66.0, 56.0), 0.8 * _blob(p, (6.8, -46.0, 103.5), (3.2, 2.6, 5.0)))


def _lips(colour: Array, p: Array) -> Array:
    s = np.clip(p[:, 0] / 25.5, -1, 1)
    top = lip_border(s, np.ones(len(p)))[:, 1]
    low = lip_border(s, -np.ones(len(p)))[:, 1]
    inside = np.minimum(top - p[:, 1], p[:, 1] - low)
    face = (p[:, 2] > 60) & (np.abs(p[:, 0]) < 27)
    share = smoothstep(inside, -0.7, 1.2) * face
    colour = _mix(colour, (186.0, 98.0, 92.0), 0.85 * share)
    line = np.exp(-(((p[:, 1] + 68.4) / 1.0) ** 2)) * share
    return _mix(colour, (122.0, 52.0, 52.0), 0.7 * line)


def _eye_surrounds(colour: Array, p: Array) -> Array:
    colour = _mix(colour, (176.0, 118.0, 104.0), 0.40 * _blob(p, (31, 1, 88), (19, 11, 22)))
    return _mix(colour, (186.0, 120.0, 110.0), 0.35 * _blob(p, (20, -6, 84), (8, 7, 14)))


def _hair(colour: Array, p: Array) -> Array:
    return _mix(colour, _HAIR, 0.0 * hair_mask(p))


def hair_mask(p: Array) -> Array:
    """(N,) 1 where the scalp carries hair, 0 on the face, smooth between."""
    x = np.abs(p[:, 0])
    line = 72.0 - 0.006 * x**2
    return smoothstep(p[:, 1] - line + (70.0 - p[:, 2]) * 0.9, -3.0, 5.0)


def _brows(colour: Array, known: Array) -> Array:
    """Brows as many short strokes over a soft shade."""
    flat = known.reshape(-1, 3)
    x, y = np.abs(flat[:, 0]), flat[:, 1]
    t = (x - 10.5) / 41.0
    middle = brow_height(t)
    half = np.interp(t, [0.0, 0.15, 0.55, 1.0], [3.2, 4.0, 3.2, 0.8])
    ends = smoothstep(t, -0.02, 0.09) * (1.0 - smoothstep(t, 0.92, 1.04))
    body = np.exp(-(np.abs((y - middle) / half) ** 2.6)) * ends * (flat[:, 2] > 40)
    make = np.random.default_rng(11)
    strands = gaussian_filter(make.standard_normal((SIZE, SIZE)), (2.2, 0.7))
    strands = strands + strands[:, ::-1]
    strands = np.clip(0.5 + 0.35 * strands / strands.std(), 0.0, 1.0).reshape(-1)
    share = np.clip(body * (0.62 + 0.5 * strands), 0.0, 0.93)
    return _mix(colour.reshape(-1, 3), _HAIR, share)


def brow_height(t: Array) -> Array:
    """Height of the brow's middle line in millimetres, t from 0 inner to 1 outer end."""
    return np.interp(t, [0.0, 0.3, 0.65, 1.0], [17.6, 20.6, 22.4, 15.5])


def eye_texture(size: int = 256) -> NDArray[np.uint8]:
    """(size, size, 4) sclera, iris and pupil, centred on the optical axis."""
    c = (np.arange(size) + 0.5) / size - 0.5
    x, y = np.meshgrid(c, c)
    degrees = np.hypot(x, y) * 2.0 * EYE_TEXTURE_ANGLE
    r = degrees / IRIS_ANGLE
    turn = np.arctan2(y, x)
    sclera = np.array([238.0, 232.0, 226.0]) + np.zeros((size, size, 1))
    pink = smoothstep(degrees, 34.0, 80.0)[..., None]
    sclera = sclera + pink * (np.array([222.0, 178.0, 168.0]) - sclera)
    make = np.random.default_rng(3)
    rays = sum(
        np.cos(k * turn + make.uniform(0, 6.3)) * make.uniform(0.3, 1) for k in range(9, 60, 3)
    )
    fibre = 1.0 + 0.10 * np.asarray(rays) / 2.5
    inner, outer = np.array([132.0, 98.0, 62.0]), np.array([72.0, 56.0, 44.0])
    iris = (inner + smoothstep(r, 0.45, 0.95)[..., None] * (outer - inner)) * fibre[..., None]
    iris = iris * (1.0 - 0.55 * smoothstep(r, 0.85, 1.0))[..., None]
    colour = iris + smoothstep(r, 0.96, 1.06)[..., None] * (sclera - iris)
    colour = colour * smoothstep(r, 0.36, 0.43)[..., None] + 8.0
    out = np.full((size, size, 4), 255, np.uint8)
    out[..., :3] = np.clip(colour, 0, 255).astype(np.uint8)
    return out
