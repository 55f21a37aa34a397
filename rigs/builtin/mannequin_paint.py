"""Textures of the mannequin, painted by code: skin with lips, brows and hair; eyes."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from .mannequin_inside import EYE_TEXTURE_ANGLE, IRIS_ANGLE
from .mannequin_openings import LIP_BORDER, smoothstep
from .mannequin_surface import Array, hair_mask, nostril_mask

IntArray = NDArray[np.int64]

SIZE = 1024
HEAD_SHARE = 0.9
"""Height of the texture that the head takes; the ears lie below."""
_SKIN = np.array([214.0, 168.0, 142.0])
_HAIR = np.array([58.0, 42.0, 34.0])


def texture_coordinates(angles: Array) -> Array:
    """Ray angles (N, 2) to texture coordinates (N, 2), the face given the larger share."""
    u, v = angles[:, 0], angles[:, 1] + np.radians(14.0)
    across = 0.42 * u / np.pi + 0.58 * np.tanh(u / 0.75) / np.tanh(np.pi / 0.75)
    low, high = (_spread(np.radians(x + 14.0)) for x in (-100.0, 90.0))
    return np.stack(
        [0.5 + 0.5 * across, 0.004 + HEAD_SHARE * (high - _spread(v)) / (high - low)], -1
    )


def _spread(v: Array | float) -> Array:
    return np.asarray(0.5 * v + 0.5 * np.tanh(np.asarray(v) / 0.75))


def skin_texture(
    coordinates: Array, triangles: IntArray, points: Array, openings: Array
) -> NDArray[np.uint8]:
    """(SIZE, SIZE, 4) albedo of points (N, 3), placed by coordinates (N, 2) and triangles (T, 3).

    openings (N, 3) are the ring of the mouth's opening, that of the eyes' (negative on lower
    lids) and the hollowness of the ears from 1 to 2; each 0 elsewhere.
    """
    known = rasterise(coordinates, triangles, np.concatenate([points, openings], 1), SIZE)
    p = known[..., :3].reshape(-1, 3)
    colour = _complexion(p, _noise())
    colour = _lips(colour, known[..., 3].reshape(-1))
    colour = _eye_surrounds(colour, p)
    colour = _hair(colour, p, known[..., 5].reshape(-1))
    colour = _lids(colour, known[..., 4].reshape(-1))
    colour = _brows(colour.reshape(SIZE, SIZE, 3), known[..., :3]).reshape(-1, 3)
    out = np.full((SIZE, SIZE, 4), 255, np.uint8)
    # The lowest bit is only noise, and takes a third of the compressed file.
    out[..., :3] = np.clip(colour, 0, 255).reshape(SIZE, SIZE, 3).astype(np.uint8) | 1
    return out


def rasterise(coordinates: Array, triangles: IntArray, values: Array, size: int) -> Array:
    """(size, size, C) values (N, C) spread over the triangles (T, 3) of a texture.

    Texels that no triangle covers take the nearest value.
    """
    out = np.zeros((size, size, values.shape[1]))
    covered = np.zeros((size, size), bool)
    corners = coordinates[triangles] * size - 0.5
    low = np.clip(np.floor(corners.min(1)).astype(int), 0, size - 1)
    high = np.clip(np.ceil(corners.max(1)).astype(int) + 1, 1, size)
    for k, (a, b, c) in enumerate(corners):
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-9:
            continue
        x, y = np.meshgrid(np.arange(low[k, 0], high[k, 0]), np.arange(low[k, 1], high[k, 1]))
        v = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
        w = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
        hit = (v >= -1e-6) & (w >= -1e-6) & (v + w <= 1 + 1e-6)
        at, (v, w) = (y[hit], x[hit]), (v[hit][:, None], w[hit][:, None])
        i, j, m = triangles[k]
        out[at] = (1 - v - w) * values[i] + v * values[j] + w * values[m]
        covered[at] = True
    nearest = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    return np.asarray(out[tuple(nearest)])


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
    colour = _mix(colour, (178.0, 142.0, 126.0), 0.30 * _blob(p, (34, -84, 70), (26, 18, 40)))
    colour = _mix(colour, (186.0, 146.0, 130.0), 0.25 * _blob(p, (0, -54, 104), (20, 6, 20)))
    colour = _mix(colour, (190.0, 146.0, 130.0), 0.30 * _blob(p, (60, 10, 50), (16, 22, 24)))
    return _mix(colour, (92.0, 44.0, 38.0), 0.78 * nostril_mask(p))


def _lips(colour: Array, lips: Array) -> Array:
    share = smoothstep(lips, LIP_BORDER - 0.06, LIP_BORDER + 0.09)
    colour = _mix(colour, (188.0, 108.0, 100.0), 0.75 * share)
    line = smoothstep(lips, 0.9, 1.0)
    return _mix(colour, (126.0, 58.0, 56.0), 0.75 * line)


def _eye_surrounds(colour: Array, p: Array) -> Array:
    colour = _mix(colour, (176.0, 118.0, 104.0), 0.40 * _blob(p, (31, 1, 88), (19, 11, 22)))
    colour = _mix(colour, (164.0, 112.0, 108.0), 0.25 * _blob(p, (29, -11, 84), (13, 5, 20)))
    return _mix(colour, (186.0, 120.0, 110.0), 0.35 * _blob(p, (20, -6, 84), (8, 7, 14)))


def _hair(colour: Array, p: Array, ear: Array) -> Array:
    """Short cropped hair: strands that run back from the forehead."""
    make = np.random.default_rng(5)
    grain = gaussian_filter(make.standard_normal((SIZE, SIZE)), (5.0, 0.8), mode="wrap")
    grain = (grain / grain.std()).reshape(-1)
    soft = gaussian_filter(make.standard_normal((SIZE, SIZE)), (14.0, 5.0), mode="wrap")
    shade = np.clip(1.0 + 0.16 * grain + 0.07 * (soft / soft.std()).reshape(-1), 0.5, 1.7)
    mask = hair_mask(p)
    edge = np.clip(mask * 2.4 - 0.6 + 0.2 * grain, 0.0, 1.0) * (mask > 0.03) * (ear < 0.5)
    colour = _mix(colour, (196.0, 118.0, 98.0), 0.38 * smoothstep(ear, 0.5, 0.9))
    colour = _mix(colour, (126.0, 66.0, 54.0), 0.75 * smoothstep(ear, 1.15, 2.0))
    return np.asarray(colour + edge[:, None] * (_HAIR * shade[:, None] - colour))


def _lids(colour: Array, lid: Array) -> Array:
    """Roots of the lashes and the wet rim; lid is the ring, negative on lower lids."""
    colour = _mix(colour, (190.0, 130.0, 112.0), 0.35 * smoothstep(lid, 0.4, 0.8))
    fold = np.exp(-(((lid - 0.57) / 0.06) ** 2))
    colour = _mix(colour, (136.0, 82.0, 70.0), 0.4 * fold)
    upper = smoothstep(lid, 0.9, 0.97) * (1.0 - smoothstep(lid, 1.1, 1.2))
    colour = _mix(colour, (62.0, 40.0, 34.0), 0.85 * upper)
    lower = smoothstep(-lid, 0.93, 0.99) * (1.0 - smoothstep(-lid, 1.0, 1.05))
    colour = _mix(colour, (120.0, 78.0, 66.0), 0.5 * lower)
    return _mix(colour, (208.0, 140.0, 130.0), smoothstep(np.abs(lid), 1.08, 1.2))


def _brows(colour: Array, known: Array) -> Array:
    """Brows as many short strokes over a soft shade."""
    flat = known.reshape(-1, 3)
    x, y = np.abs(flat[:, 0]), flat[:, 1]
    t = (x - 10.5) / 41.0
    middle = brow_height(t)
    half = np.interp(t, [0.0, 0.15, 0.55, 1.0], [2.2, 3.4, 3.0, 0.8])
    ends = smoothstep(t, -0.03, 0.16) * (1.0 - smoothstep(t, 0.92, 1.04))
    body = np.exp(-(np.abs((y - middle) / half) ** 2.6)) * ends * (flat[:, 2] > 40)
    make = np.random.default_rng(11)
    strands = gaussian_filter(make.standard_normal((SIZE, SIZE)), (2.2, 0.7))
    strands = strands + strands[:, ::-1]
    strands = np.clip(0.5 + 0.35 * strands / strands.std(), 0.0, 1.0).reshape(-1)
    share = np.clip(body * (0.62 + 0.5 * strands), 0.0, 0.93)
    return _mix(colour.reshape(-1, 3), _HAIR, share)


def brow_height(t: Array) -> Array:
    """Height of the brow's middle line in millimetres, t from 0 inner to 1 outer end."""
    return np.interp(t, [0.0, 0.3, 0.65, 1.0], [12.3, 14.6, 16.8, 11.8])


def eye_texture(size: int = 256) -> NDArray[np.uint8]:
    """(size, size, 4) sclera, iris and pupil, centred on the optical axis."""
    c = (np.arange(size) + 0.5) / size - 0.5
    x, y = np.meshgrid(c, c)
    degrees = np.hypot(x, y) * 2.0 * EYE_TEXTURE_ANGLE
    r = degrees / IRIS_ANGLE
    turn = np.arctan2(y, x)
    sclera = np.array([216.0, 209.0, 203.0]) + np.zeros((size, size, 1))
    pink = smoothstep(degrees, 34.0, 80.0)[..., None]
    sclera = sclera + pink * (np.array([222.0, 178.0, 168.0]) - sclera)
    make = np.random.default_rng(3)
    rays = sum(
        np.cos(k * turn + make.uniform(0, 6.3)) * make.uniform(0.3, 1) for k in range(9, 60, 3)
    )
    fibre = 1.0 + 0.10 * np.asarray(rays) / 2.5
    inner, outer = np.array([146.0, 108.0, 66.0]), np.array([72.0, 56.0, 44.0])
    iris = (inner + smoothstep(r, 0.45, 0.95)[..., None] * (outer - inner)) * fibre[..., None]
    iris = iris * (1.0 - 0.55 * smoothstep(r, 0.85, 1.0))[..., None]
    colour = iris + smoothstep(r, 0.93, 1.05)[..., None] * (sclera - iris)
    colour = colour * smoothstep(r, 0.36, 0.43)[..., None] + 8.0
    out = np.full((size, size, 4), 255, np.uint8)
    out[..., :3] = np.clip(colour, 0, 255).astype(np.uint8)
    return out


def depth_texture(size: int = 64) -> NDArray[np.uint8]:
    """Shade (2, size, 4) that darkens teeth and gums toward the back of the mouth, where cheeks and
    lips keep the light away."""
    shade = 1.0 - 0.62 * smoothstep(np.linspace(0.0, 1.0, size), 0.12, 0.8)
    out = np.full((2, size, 4), 255, np.uint8)
    out[..., :3] = np.round(255 * shade)[None, :, None]
    return out
