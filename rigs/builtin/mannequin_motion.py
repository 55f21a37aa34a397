"""How the mannequin's tissue moves: jaw rotation, lid rotation and soft pulls on named points.

All displacements in millimetres. Distances are measured with a fourth coordinate that sets the
lips apart, so that a pull on the upper lip does not drag the lower one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from .mannequin_openings import LID_THICKNESS, MOUTH_HALF_WIDTH, lid_depth, lid_margin, smoothstep
from .mannequin_surface import EYE, EYE_RADIUS, Array

PARTING = 14.0
"""Distance of each lip from the rest of the face in the fourth coordinate."""
HINGE = np.array([0.0, -12.0, 8.0])
"""A point on the axis of the jaw joints, which runs along x."""


@dataclass
class Tissue:
    """Vertices of the whole head with what the movements need to know of them."""

    points: Array
    """(V, 3) neutral."""
    ring: Array
    """(V,) ring of an opening, see `mannequin_skin.Skin`; -1 elsewhere."""
    where: NDArray[np.int64]
    """(V,) 0 skin, 1 left lids, 2 right lids, 3 lips and mouth, 4 bound to the skull, 5 to the
    jaw, 6 tongue, 7 ears."""
    upper: Array
    """(V,) +1 upper lid or lip, -1 lower, 0 neither."""

    def __post_init__(self) -> None:
        s = np.clip(self.points[:, 0] / MOUTH_HALF_WIDTH, -1.0, 1.0)
        lips = (self.where == 3) * self.upper
        spread = (1.0 - s**2) ** 0.6 * smoothstep(self.ring, 0.0, 0.62)
        self.lips = lips * spread
        self.parted = np.concatenate([self.points, PARTING * self.lips[:, None]], 1)
        distance, self.mirror = KDTree(np.concatenate([self.points, self._kind()], 1)).query(
            np.concatenate([self.points * [-1, 1, 1], self._kind(mirrored=True)], 1)
        )
        if distance.max() > 1e-6:
            raise ValueError(f"the head is not symmetric: {distance.max():.3g} mm")
        self.soft = np.isin(self.where, (0, 1, 2, 3))

    def _kind(self, *, mirrored: bool = False) -> Array:
        """(V, 3) what tells apart vertices at one place, in the mirror when told."""
        swapped = np.array([0, 2, 1, 3, 4, 5, 6, 7])[self.where] if mirrored else self.where
        return np.stack([100.0 * swapped, 10.0 * self.ring, 10.0 * self.upper], -1)


HANDLES: Mapping[str, tuple[float, float, float, float]] = {
    # x, y, z on the neutral face, and the share of the parting: + upper lip, - lower lip
    "upper seam": (0, -68, 103, 1.0),
    "upper lip": (0, -63, 107, 1.0),
    "upper border": (0, -60.5, 105, 0.97),
    "upper side": (13, -67, 101, 0.86),
    "upper side border": (13, -62.5, 100, 0.84),
    "corner": (25.5, -68.8, 88, 0.0),
    "lower seam": (0, -69, 103, -1.0),
    "lower lip": (0, -73, 106, -1.0),
    "lower border": (0, -78, 102, -0.97),
    "lower side": (13, -70, 101, -0.86),
    "lower side border": (13, -76.5, 97, -0.84),
    "philtrum": (0, -53, 104, 0.1),
    "chin": (0, -100, 100, 0.0),
    "chin side": (22, -94, 84, 0.0),
    "jaw angle": (48, -72, 24, 0.0),
    "fold": (28, -54, 84, 0.0),
    "low cheek": (38, -66, 64, 0.0),
    "cheek": (40, -34, 72, 0.0),
    "cheekbone": (52, -18, 60, 0.0),
    "wing": (16, -41, 98, 0.0),
    "nose tip": (0, -36, 120, 0.0),
    "nose base": (0, -45, 105, 0.0),
    "nose side": (10, -16, 97, 0.0),
    "nose root": (0, 6, 95, 0.0),
    "lower lid": (31, -12, 85, 0.0),
    "brow inner": (11, 15.5, 95, 0.0),
    "brow middle": (28, 19.5, 89, 0.0),
    "brow outer": (47, 15, 70, 0.0),
    "forehead": (18, 48, 94, 0.0),
    "forehead side": (42, 45, 78, 0.0),
    "temple": (62, 15, 45, 0.0),
    "lid fold": (32, 11, 88, 0.0),
}


def pull(
    tissue: Tissue, moves: Mapping[str, tuple[float, float, float]], reach: float = 42.0
) -> Array:
    """Displacement (V, 3) that carries named points exactly as told, fading to nothing at reach.

    Interpolates with Wendland's compactly supported C2 function; a side point is
    pulled on both sides, mirrored.
    """
    centres, targets = [], []
    for name, move in {**_still(moves), **moves}.items():
        centre = np.array(HANDLES[name], np.float64) * [1, 1, 1, PARTING]
        for side in (1.0, -1.0) if centre[0] else (1.0,):
            centres.append(centre * [side, 1, 1, 1])
            targets.append(np.array(move, np.float64) * [side, 1, 1])
    nodes = np.array(centres)
    weights = np.linalg.solve(
        _wendland(np.linalg.norm(nodes[:, None] - nodes, axis=-1) / reach), np.array(targets)
    )
    out = np.zeros_like(tissue.points)
    p = tissue.parted[tissue.soft]
    field = _wendland(np.linalg.norm(p[:, None] - nodes, axis=-1) / reach) @ weights
    out[tissue.soft] = field
    return out


def _still(
    moves: Mapping[str, tuple[float, float, float]],
) -> dict[str, tuple[float, float, float]]:
    """The nose stays where it is, unless told otherwise, when the mouth moves."""
    if not any("lip" in n or "seam" in n or n in ("corner", "low cheek") for n in moves):
        return {}
    return dict.fromkeys(("nose tip", "nose base", "wing", "nose side"), (0.0, 0.0, 0.0))


def _wendland(r: Array) -> Array:
    return np.asarray(np.maximum(1.0 - r, 0.0) ** 4 * (4.0 * r + 1.0))


def jaw_weight(tissue: Tissue) -> Array:
    """(V,) how far each vertex follows the jaw bone."""
    p = tissue.points
    corner = np.array([-68.8, 88.0])
    joint = HINGE[1:]
    along = (joint - corner) / np.linalg.norm(joint - corner)
    below = (p[:, 2] - corner[1]) * along[0] - (p[:, 1] - corner[0]) * along[1]
    below = np.where(along[1] > 0, below, -below)
    w = smoothstep(below, -14.0, 22.0)
    w += np.abs(tissue.lips) * ((tissue.lips < 0) - w)
    behind = smoothstep(tissue.points[:, 2], -2.0, 34.0)
    throat_line = -112.0 - 0.25 * (88.0 - tissue.points[:, 2])
    throat = 1.0 - smoothstep(throat_line - tissue.points[:, 1], 0.0, 42.0)
    w = w * behind * throat
    w = np.where(tissue.soft, w, 0.0)
    return np.where(np.isin(tissue.where, (5, 6)), 1.0, w)


def jaw(
    tissue: Tissue, degrees: float = 0.0, slide: tuple[float, float, float] = (0, 0, 0)
) -> Array:
    """Displacement (V, 3) of the jaw turning open about its joints and sliding."""
    a = np.radians(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    local = tissue.points - HINGE
    moved = local @ turn.T - local + np.array(slide)
    return np.asarray(jaw_weight(tissue)[:, None] * moved)


def lids(
    tissue: Tissue, *, close: float = 0.0, raise_lower: float = 0.0, lift: float = 0.0
) -> Array:
    """Displacement (V, 3) of both eyes' lids turning about the eyeballs.

    Args:
        close: upper lid, 1 meets the lower lid's neutral margin, negative opens wider.
        raise_lower: lower lid, as a fraction of the way to the upper lid's neutral margin.
        lift: millimetres that the lids swell away from the eyeball at full movement.
    """
    out = np.zeros_like(tissue.points)
    for kind, side in ((1, 1.0), (2, -1.0)):
        mine = tissue.where == kind
        local = (tissue.points[mine] - EYE * [side, 1, 1]) * [side, 1, 1]
        out[mine] = _turn_lid(
            local, tissue.ring[mine], tissue.upper[mine], close, raise_lower, lift
        ) * [side, 1, 1]
    return out


def _turn_lid(
    local: Array, ring: Array, upper: Array, close: float, raise_lower: float, lift: float
) -> Array:
    sideways, height, depth = local.T
    high, low = _margin_angles(sideways)
    angle = np.arctan2(height, depth)
    distance = np.hypot(height, depth)
    share = np.where(upper > 0, smoothstep(ring, 0.12, 1.0), smoothstep(ring, 0.2, 1.0))
    share = np.where(upper == 0, 0.0, share)
    amount = np.where(upper > 0, close * (low - high), raise_lower * (high - low)) * share
    ball = np.sqrt(np.maximum((EYE_RADIUS + LID_THICKNESS) ** 2 - sideways**2, 0.0))
    inside = ring > 1.0
    toward = np.where(inside, distance + 0.5 * lift, np.maximum(ball, 1.0) + lift)
    blend = (
        share
        * smoothstep(np.abs(amount), 0.0, 0.25)
        * (1.0 - smoothstep(np.abs(sideways), 0.6 * EYE_RADIUS, 0.98 * EYE_RADIUS))
    )
    grown = distance + np.where(inside | (distance > ball - 0.01), blend, 0.0) * (toward - distance)
    new_angle = angle + amount
    return np.stack(
        [np.zeros_like(angle), grown * np.sin(new_angle) - height,
         grown * np.cos(new_angle) - depth], -1,
    )  # fmt: skip


def _margin_angles(sideways: Array) -> tuple[Array, Array]:
    """Elevation of the upper and lower margins above the eye's equator where x is sideways."""
    m = np.linspace(-1.0, 1.0, 401)
    angles = []
    for upper in (1.0, -1.0):
        flat = lid_margin(m, np.full(401, upper))
        depth = lid_depth(flat[:, 0], flat[:, 1], EYE_RADIUS + LID_THICKNESS)
        angles.append(np.interp(sideways, flat[:, 0], np.arctan2(flat[:, 1], depth)))
    return angles[0], angles[1]


def clear_of_eyes(tissue: Tissue, displacement: Array) -> Array:
    """The displacement, with lids pushed out where they would enter an eyeball."""
    out = displacement.copy()
    for side in (1.0, -1.0):
        centre = EYE * [side, 1, 1]
        moved = tissue.points + out - centre
        r = np.linalg.norm(moved, axis=1)
        least = np.minimum(np.linalg.norm(tissue.points - centre, axis=1), EYE_RADIUS + 0.9)
        near = tissue.soft & (r < least) & (r > 1e-6)
        out[near] += moved[near] * (least[near] / r[near] - 1.0)[:, None]
    return out
