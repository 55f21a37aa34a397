"""Shape of the fox: skin, eyes, mouth, nose."""

from dataclasses import replace

import numpy as np

from .sculpt_features import Eye, both_eyes, lids, lifted, slit
from .sculpt_fields import (
    Array,
    capsule,
    ellipsoid,
    smooth_minimum,
    smooth_union,
    smoothstep,
    vector,
)
from .sculpt_lofts import ball, blunt, curve, profile, tube
from .sculpt_mouth import mouth_loops, with_mouth
from .sculpt_pieces import Piece, marked
from .sculpt_skin import Opening, Rays, skin

EYE = Eye(
    centre=vector(37, 16, 42),
    radius=0.0265,
    half_width=0.0215,
    upper=0.0165,
    lower=0.0135,
    outward=0.30,
    tilt=0.0040,
    nasal=0.55,
    line=0.14,
)
HINGE = vector(0, -22, 8)
"""Jaw joint."""
CORNER = vector(35, -26, 60)
"""Corner of the mouth."""
FRONT = vector(0, -34.5, 122)
"""Middle of the mouth, under the nose."""
THROAT = vector(0, -33, 34)
"""Where the mouth ends inside."""


def surface(points: Array) -> Array:
    """Signed distance to the head without ears, nose and tufts."""
    p = points.copy()
    p[..., 0] = np.abs(p[..., 0])
    head = smooth_union(
        [
            ellipsoid(p, vector(0, 18, -10), vector(76, 66, 72)),
            ellipsoid(p, vector(40, -22, 8), vector(48, 34, 42)),
            ellipsoid(p, vector(0, -30, 20), vector(50, 34, 46)),
        ],
        0.03,
    )
    muzzle = capsule(p, vector(0, -20, 44), vector(0, -26, 106), 0.036, 0.0185)
    head = smooth_minimum(head, muzzle, 0.028)
    head = smooth_minimum(head, ellipsoid(p, vector(12, -25, 96), vector(13, 11, 22)), 0.016)
    chin = capsule(p, vector(0, -38, 50), vector(0, -39, 99), 0.022, 0.0115)
    head = smooth_minimum(head, chin, 0.012)
    brow = ellipsoid(p, vector(30, 38, 48), vector(22, 9, 16))
    head = smooth_minimum(head, brow, 0.02)
    eye = np.linalg.norm(p - EYE.centre, axis=-1) - EYE.radius * 1.10
    return smooth_minimum(head, eye, 0.012)


def _axis(angle: Array) -> Array:
    """Rays start far forward for the tip of the muzzle, in the skull for the rest."""
    back = smoothstep(angle, 0.0, 1.5)
    return np.column_stack([-0.027 + 0.030 * back, 0.104 - 0.104 * back])


RAYS = Rays(field=surface, axis=_axis, reach=0.22)
_FLAT = RAYS.to_disc(np.stack([CORNER, FRONT]))
FOCUS = float(_FLAT[0, 0])
"""Half the width of the mouth on the skin's disc, radians."""


def mouth_line(x: Array) -> Array:
    """Height of the line between the lips on the skin's disc."""
    share = np.minimum(np.abs(x) / FOCUS, 1.3)
    return np.asarray(_FLAT[1, 1] + (_FLAT[0, 1] - _FLAT[1, 1]) * share**2)


def mouth_opening(half: int = 29) -> Opening:
    """Loops of the lips and of the inside of the muzzle; half of them, for `mirrored`.

    Attributes as the cartoon character's.
    """
    turn = np.linspace(-np.pi / 2, np.pi / 2, half)
    corner = smoothstep(np.abs(np.sin(turn)), 0.0, 0.4)
    # Share of the outermost ring's distance from the slit, height over the fur in mm.
    rows = [(1.0, 0.0), (0.66, 0.2), (0.40, 0.7), (0.26, 1.5), (0.10, 1.4), (0.0, 0.4)]
    outer = 0.19 - 0.03 * np.sin(turn)
    rings, anchors, distances = [], [], []
    for share, height in rows:
        x, y = slit(share * outer, turn, FOCUS)
        on_face = RAYS.to_surface(np.column_stack([x, y + mouth_line(x)]))
        anchors.append(on_face)
        distances.append(share * outer)
        rings.append(lifted(surface, on_face, height * (0.3 + 0.7 * corner) / 1000.0))
    for inward, tall in (
        (0.95, 0.0005),
        (0.925, 0.0035),
        (0.85, 0.0075),
        (0.55, 0.0110),
        (0.15, 0.008),
    ):
        ring = THROAT + (rings[len(rows) - 1] - THROAT) * np.array([inward, 1.0, inward])
        ring[:, 1] = ring[:, 1] * inward + THROAT[1] * (1 - inward) + tall * np.sin(turn)
        rings.append(ring)
        anchors.append(anchors[len(rows) - 1])
        distances.append(np.zeros(half))
    inside = [0.0] * len(rows) + [0.0, 0.6, 0.9, 1.0, 1.0]
    materials = ["skin"] * 2 + ["lips"] * 4 + ["mouth"] * 4
    return mouth_loops(rings, anchors, distances, turn, inside, materials)


def face() -> Piece:
    """The skin with lids and mouth, both sides."""

    def spacing(disc: Array) -> Array:
        angle = np.hypot(disc[:, 0], disc[:, 1])
        return 0.090 + 0.10 * smoothstep(angle, 1.5, 2.4)

    half = skin(RAYS, [lids(EYE, surface), mouth_opening()], spacing)

    def flat(points: Array) -> tuple[Array, Array]:
        disc = RAYS.to_disc(points)
        return disc[:, 0], disc[:, 1] - mouth_line(disc[:, 0])

    return with_mouth(half, flat, FOCUS)


def eyes() -> Piece:
    """Both eyeballs."""
    return both_eyes(EYE)


def nose() -> Piece:
    """The leathery tip of the nose with its nostrils' groove."""
    piece = ball(np.zeros(3), 1.0, "nose", 14, 24)
    v = piece.vertices.copy()
    wide = 1.0 + 0.22 * v[:, 1]
    groove = np.exp(-((v[:, 0] / 0.16) ** 2)) * smoothstep(-v[:, 1], -0.2, 0.6)
    v = v * np.column_stack([wide, 1.0 - 0.12 * groove, 1.0 - 0.16 * groove])
    v = v * np.array([0.0150, 0.0105, 0.0110]) + vector(0, -16.0, 121.5)
    mirror = _mirror(piece.vertices)
    moved = replace(piece, vertices=v, mirror=mirror)
    n = len(v)
    return marked(
        moved, anchor=v, skin=np.ones(n), mouth=np.full(n, 0.55), mouth_turn=np.full(n, 1.5)
    )


def _mirror(vertices: Array) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    gap = np.linalg.norm(vertices[:, None] - vertices * np.array([-1.0, 1.0, 1.0]), axis=-1)
    return np.asarray(gap.argmin(axis=1), np.int64)


def arch(inward: float, height: float, count: int, reach: float = 1.0) -> Array:
    """(count, 3) points inside the lips from one corner to the other.

    Args:
        inward: 1 at the lips, 0 at the throat.
        height: over the line between the lips, millimetres.
        count: of points.
        reach: share of the way to the corners.
    """
    x = np.sin(np.linspace(-reach, reach, count) * np.pi / 2) * FOCUS
    lip = RAYS.to_surface(np.column_stack([x, mouth_line(x)]))
    return THROAT + (lip - THROAT) * inward + vector(0, height, 0)


def teeth() -> list[Piece]:
    """Rows of small teeth with canines, above and below."""
    out = []
    up, across = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])
    for sign, inward, reach, tall in ((1.0, 0.895, 0.68, 3.2), (-1.0, 0.815, 0.58, 2.5)):
        path = arch(inward, (tall + 0.3) * sign, 31, reach)
        row = tube(path, up, profile([tall] * 2, 31), profile([1.6] * 2, 31), "teeth", 8)
        out.append(_follow(row, sign))
        line = arch(inward, 0.0, 41, reach)
        for at in (10, 30) if sign > 0 else (11, 29):
            root = line[at] + vector(0, tall * sign, 0)
            tip = root - vector(0, (tall + 5.0) * sign, -0.6)
            thick = profile([0.8 * tall, 0.72 * tall, 0.3], 7)
            fang = tube(curve([root, tip], 7), across, thick, thick, "teeth", 8)
            out.append(_follow(fang, sign))
    return out


def _follow(piece: Piece, sign: float) -> Piece:
    """Teeth that go with the lip in front of them."""
    reach = float(
        RAYS.to_surface(np.array([[FOCUS, float(mouth_line(np.array([FOCUS]))[0])]]))[0, 0]
    )
    turn = sign * np.arccos(np.clip(np.abs(piece.vertices[:, 0]) / reach, 0.0, 1.0))
    return marked(piece, within=1.0, mouth_turn=turn)


def tongue() -> Piece:
    """A long slab on the floor of the mouth."""
    tip = arch(0.80, -4.0, 3)[1]
    path = curve([THROAT + vector(0, -8, 12), 0.5 * (THROAT + tip) + vector(0, -4.5, 6), tip], 16)
    ease = blunt(16)
    taper = np.linspace(1.15, 0.82, 16)
    piece = tube(
        path, np.array([1.0, 0.0, 0.0]), 0.0115 * ease * taper, 0.0030 * ease, "tongue", 14
    )
    along = smoothstep(piece.vertices[:, 2], THROAT[2] + 0.01, tip[2])
    n = len(along)
    return marked(piece, within=1.0, tongue=along, mouth_turn=np.full(n, -np.pi / 2))
