"""Shape of the cartoon character: skin, eyes, mouth, brows, ears."""

import numpy as np

from .sculpt_features import Eye, both_eyes, lids, lifted, slit
from .sculpt_fields import (
    Array,
    capsule,
    ellipsoid,
    first_hit,
    smooth_minimum,
    smooth_union,
    smoothstep,
    vector,
)
from .sculpt_lofts import blunt, curve, profile, spine, stack, tube
from .sculpt_mouth import mouth_loops, with_mouth
from .sculpt_pieces import Piece, marked, mirrored
from .sculpt_skin import Opening, Rays, skin

EYE = Eye(
    centre=vector(39, -4, 63),
    radius=0.034,
    half_width=0.0265,
    upper=0.0205,
    lower=0.0180,
    outward=0.10,
    tilt=0.0015,
)
MOUTH = vector(0, -63, 0)
FOCUS = 0.029
"""Half the width of the closed mouth."""
HINGE = vector(0, -28, -8)
"""Jaw joint."""


def surface(points: Array) -> Array:
    """Signed distance to the head without lips, ears and hair."""
    p = points.copy()
    p[..., 0] = np.abs(p[..., 0])
    skull = smooth_union(
        [
            ellipsoid(p, vector(0, 27, -14), vector(97, 92, 100)),
            ellipsoid(p, vector(0, -28, 18), vector(84, 68, 73)),
            ellipsoid(p, vector(0, -62, 34), vector(64, 44, 52)),
        ],
        0.045,
    )
    skull = smooth_minimum(skull, ellipsoid(p, vector(0, -94, 66), vector(24, 14, 17)), 0.03)
    skull = smooth_minimum(skull, ellipsoid(p, vector(46, -46, 56), vector(32, 27, 30)), 0.03)
    eye = np.linalg.norm(p - EYE.centre, axis=-1) - EYE.radius * 1.10
    skull = smooth_minimum(skull, eye, 0.012)
    bridge = capsule(p, vector(0, 2, 80), vector(0, -28, 97), 0.005, 0.008)
    skull = smooth_minimum(skull, bridge, 0.02)
    tip = ellipsoid(p, vector(0, -31, 104), vector(12.5, 10.5, 12))
    wings = ellipsoid(p, vector(9.5, -34, 97), vector(7, 6.5, 8))
    return smooth_minimum(skull, smooth_minimum(tip, wings, 0.006), 0.009)


def mouth_line(x: Array) -> Array:
    """Height of the line between the lips: the corners turn up a little."""
    return np.asarray(MOUTH[1] + 0.0035 * np.minimum(np.abs(x) / FOCUS, 1.6) ** 2)


def mouth_opening(half: int = 25) -> Opening:
    """Loops of the lips and of the inside of the mouth; half of them, for `mirrored`.

    Attributes: `mouth` and `mouth_turn` (confocal coordinates), `inside` (0 on the face, 1 deep in
    the mouth), `anchor` (the point of the face whose motion a vertex shares).
    """
    turn = np.linspace(-np.pi / 2, np.pi / 2, half)
    up = smoothstep(np.sin(turn), -0.3, 0.3)
    corner = smoothstep(np.abs(np.sin(turn)), 0.0, 0.55)
    edge = 0.27 * (1 - up) + (0.21 - 0.035 * np.abs(np.sin(turn)) ** 12) * up
    # Each ring: share of the lip's height outside the slit, height of the lip over the face (mm).
    rows = [(None, 0.0), (1.6, 0.0), (1.2, 0.0), (1.0, 0.9), (0.8, 2.9), (0.5, 4.0), (0.2, 3.4)]
    distances = [np.full(half, 0.50) if s is None else s * edge for s, _ in rows]
    distances.append(np.zeros(half))
    heights = [h * (0.25 + 0.75 * corner) / 1000 for _, h in rows] + [0.0012 * corner]
    rings, anchors = [], []
    for distance, height in zip(distances, heights, strict=True):
        x, y = slit(distance, turn, FOCUS)
        on_face = frontal(x, y + mouth_line(x))
        anchors.append(on_face)
        rings.append(lifted(surface, on_face, height))
    inner = [(0.0035, 0.0004, 1.0), (0.0065, 0.005, 1.04), (0.012, 0.0105, 1.10)]
    inner += [(0.028, 0.014, 1.10), (0.048, 0.010, 0.8)]
    for depth, tall, wide in inner:
        ring = rings[len(rows)].copy()
        ring[:, 0] *= wide
        ring[:, 1] += tall * np.sin(turn)
        ring[:, 2] -= depth
        rings.append(ring)
        anchors.append(anchors[len(rows)])
        distances.append(np.zeros(half))
    inside = [0.0] * (len(rows) + 1) + [0.0, 0.4, 0.8, 1.0, 1.0]
    materials = ["skin"] * 3 + ["lips"] * 5 + ["mouth"] * 4
    return mouth_loops(rings, anchors, distances, turn, inside, materials)


def frontal(x: Array, y: Array) -> Array:
    """(n, 3) points of the face seen at (x, y) from the front."""
    flat = np.column_stack([x, y])
    far = np.column_stack([flat, np.full(len(x), 0.14)])
    middle = np.column_stack([flat, np.full(len(x), 0.02)])
    return first_hit(surface, far, middle)


def face() -> Piece:
    """The skin with lids and mouth, both sides."""
    rays = Rays(
        field=surface,
        axis=lambda angle: np.column_stack([np.full(len(angle), -0.012), np.zeros(len(angle))]),
        reach=0.2,
    )

    def spacing(disc: Array) -> Array:
        angle = np.hypot(disc[:, 0], disc[:, 1] + 0.2)
        nose = np.hypot(disc[:, 0], disc[:, 1] + 0.18)
        fine = np.minimum(0.05 + 0.05 * smoothstep(angle, 0.7, 1.3), 0.026 + 0.09 * nose)
        return fine + 0.14 * smoothstep(angle, 1.2, 2.2)

    half = skin(rays, [lids(EYE, surface), mouth_opening()], spacing)

    def flat(points: Array) -> tuple[Array, Array]:
        return points[:, 0], points[:, 1] - mouth_line(points[:, 0])

    return with_mouth(half, flat, FOCUS)


def eyes() -> Piece:
    """Both eyeballs."""
    return both_eyes(EYE)


def brows() -> Piece:
    """Thick tapered brows lying on the forehead."""
    line = curve(
        [vector(13, 36.5, 0), vector(27, 42, 0), vector(45, 43.5, 0), vector(62, 36, 0)], 18
    )
    path = lifted(surface, frontal(line[:, 0], line[:, 1]), 0.0018)
    width = profile([4.2, 6.2, 6.4, 5.8, 4.6, 2.6, 0.6], 18)
    height = profile([1.8, 3.2, 3.4, 3.2, 2.8, 2.2, 0.6], 18)
    half = tube(path, np.array([0.0, 1.0, 0.15]), width, height, "hair", 10)
    return mirrored(marked(half, brow=1.0, skin=1.0, anchor=spine(path, 10), mouth=3.0))


def ears() -> Piece:
    """Round ears with a bowl."""
    turn = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
    shape = np.stack(
        [np.zeros(24), np.cos(turn) * (1 + 0.12 * np.cos(turn)), np.sin(turn)], axis=-1
    )
    size = np.array([0.0, 0.030, 0.021])
    rows = [(0.60, -14.0), (0.80, -4.0), (0.97, 3.0), (1.0, 6.5), (0.92, 8.5), (0.80, 7.0)]
    rows += [(0.66, 3.0), (0.4, 1.0)]
    rings = np.stack([shape * size * s + np.array([h / 1000, 0.0, 0.0]) for s, h in rows])
    tilt, flare = 0.16, 0.5
    c, s = np.cos(tilt), np.sin(tilt)
    roll = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    c, s = np.cos(flare), np.sin(flare)
    yaw = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    placed = rings @ (yaw @ roll).T + vector(93, -12, -4)
    return mirrored(stack(placed, "ear", start=False))


def teeth(upper: bool) -> Piece:
    """A row of teeth along an arch, one rounded band."""
    turn = np.linspace(-1.35, 1.35, 33)
    wide, deep = (0.0305, 0.0125) if upper else (0.0275, 0.0125)
    front = float(frontal(np.zeros(1), MOUTH[1:2])[0, 2]) - (0.0072 if upper else 0.0112)
    path = np.column_stack([wide * np.sin(turn), np.zeros(33), front - deep * (1.0 - np.cos(turn))])
    path[:, 1] = MOUTH[1] + (0.0030 if upper else -0.0085)
    up = np.array([0.0, 1.0, 0.0])
    taper = np.minimum(1.0, 1.35 * np.cos(turn / 1.35 * np.pi / 2) + 0.35)
    row = tube(path, up, (0.0065 if upper else 0.0055) * taper, 0.0022 * taper, "teeth", 10)
    return marked(row, lower=0.0 if upper else 1.0, upper=1.0 if upper else 0.0)


def tongue() -> Piece:
    """A rounded slab on the floor of the mouth."""
    front = float(frontal(np.zeros(1), MOUTH[1:2])[0, 2])
    path = curve(
        [
            np.array([0.0, -0.078, front - 0.052]),
            np.array([0.0, -0.074, front - 0.036]),
            np.array([0.0, -0.0735, front - 0.0165]),
        ],
        14,
    )
    ease = blunt(14)
    piece = tube(path, np.array([1.0, 0.0, 0.0]), 0.0165 * ease, 0.0050 * ease, "tongue", 14)
    along = smoothstep(piece.vertices[:, 2], front - 0.050, front - 0.0165)
    return marked(piece, lower=1.0, tongue=along)
