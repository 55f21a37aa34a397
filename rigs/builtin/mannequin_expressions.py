"""The mannequin's 52 ARKit controls as displacement fields, millimetres."""

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import KDTree

from .mannequin_motion import Tissue, clear_of_eyes, jaw, lids, pull
from .mannequin_moves import CENTRED, FOLDS, LIDS, PAIRED
from .mannequin_openings import LIP_BORDER, MOUTH_HALF_WIDTH, lid_crease, smoothstep
from .mannequin_surface import EYE, Array

JAW_DEGREES = 23.0


def _sideways(tissue: Tissue) -> Array:
    """mouthLeft: the lips shift toward the character's left."""
    p = tissue.points
    centre = np.array([0.0, -69.0, 96.0])
    near = np.exp(-(((p - centre) / [34.0, 24.0, 40.0]) ** 2).sum(1)) * tissue.soft
    reach = np.clip(1.0 - 0.25 * p[:, 0] / MOUTH_HALF_WIDTH, 0.6, 1.3)
    out = np.zeros_like(p)
    out[:, 0] = 9.0 * near * reach
    out[:, 1] = 1.6 * near * np.clip(p[:, 0] / MOUTH_HALF_WIDTH, -1, 1)
    out[:, 2] = -0.032 * 9.0 * near * p[:, 0]
    return out


def _open_jaw(tissue: Tissue) -> Array:
    """jawOpen: the lower lip keeps more upright than the jaw, the corners draw in a little."""
    out = jaw(tissue, JAW_DEGREES, (0, 0, 1.5))
    lip = (tissue.where == 3) & (tissue.upper < 0) & (tissue.ring >= LIP_BORDER)
    rim = lip & (tissue.ring == LIP_BORDER)
    order = np.argsort(tissue.points[rim, 0])
    x, x_rim = tissue.points[:, 0], tissue.points[rim, 0][order]

    def at_rim(values: Array) -> Array:
        return np.stack([np.interp(x[lip], x_rim, values[rim, k][order]) for k in range(3)], -1)

    a = np.radians(-0.2 * JAW_DEGREES)
    turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    offset = tissue.points[lip] + out[lip] - at_rim(tissue.points + out)
    share = smoothstep(tissue.ring[lip], LIP_BORDER, 0.85)
    share = share * (1.0 - smoothstep(tissue.ring[lip], 1.3, 2.2))
    share = share * (1.0 - np.clip(np.abs(x[lip]) / MOUTH_HALF_WIDTH, 0, 1) ** 3)
    out[lip] += share[:, None] * (offset @ turn.T - offset)
    return out + pull(tissue, {
        "corner": (-2.4, 0.0, 1.0), "upper seam": (0, 0, 0), "lower seam": (0, 0, 0),
        "upper side": (-1.0, 0.4, 0.2), "lower side": (-1.2, -0.6, 0.4),
        "low cheek": (-3.0, 0, -1.5),
    })  # fmt: skip


def _close_mouth(tissue: Tissue, opened: Array) -> Array:
    """mouthClose: brings the lips of the fully open jaw together again."""
    lips = (tissue.where == 3) & (np.abs(tissue.ring - 1.0) < 1e-6)
    rows = {}
    for sign in (1.0, -1.0):
        mine = lips & ((tissue.upper == sign) | (tissue.upper == 0))
        order = np.argsort(tissue.points[mine, 0])
        rows[sign] = (tissue.points[mine, 0][order], opened[mine][order])
    x = tissue.points[:, 0]
    gap = np.stack(
        [np.interp(x, rows[1.0][0], (rows[1.0][1] - rows[-1.0][1])[:, k]) for k in range(3)], -1
    )
    inner = (tissue.where == 3) & (tissue.ring > 0.99)
    distance = np.hypot(
        np.abs(tissue.points[:, 1] + 68.5) - 9.0 * np.sqrt(np.clip(1 - (x / 27) ** 2, 0, 1)),
        np.maximum(np.abs(x) - MOUTH_HALF_WIDTH, 0.0),
    )
    lip = (tissue.where == 3) & (tissue.ring >= 0.6)
    distance = np.where(lip, 0.0, np.maximum(distance, 0.0))
    fade = np.exp(-((distance / 15.0) ** 2)) * tissue.soft * (np.abs(x) < 60)
    deep = np.where(inner, 1.0 - smoothstep(tissue.ring, 1.5, 2.8), 1.0)
    upper_side = np.where(tissue.where == 3, tissue.upper > 0, tissue.points[:, 1] > -68.5)
    share = np.where(upper_side[:, None], [0.0, -0.22, 0.0], [1.0, 0.78, 1.0])
    return np.asarray(share * (fade * deep)[:, None] * gap)


def _tongue_out(tissue: Tissue) -> Array:
    p = tissue.points
    out = pull(tissue, {
        "lower seam": (0, -5.5, 1.2), "lower lip": (0, -5.0, 1.6), "lower border": (0, -3.6, 1.0),
        "lower side": (0, -3.6, 0.6), "upper seam": (0, 2.2, 0.4), "upper side": (0, 1.2, 0.2),
        "chin": (0, -2.0, 0), "corner": (-0.6, 0, 0.4),
    })  # fmt: skip
    mine = tissue.where == 6
    t = np.clip((p[mine, 2] - 42.0) / 45.0, 0.0, 1.0)
    out[mine, 2] += 31.0 * smoothstep(t, 0.0, 0.8)
    tip = np.maximum(t - 0.55, 0.0) / 0.45
    out[mine, 1] += 5.2 * np.sin(np.pi * np.clip(t, 0, 1) ** 1.2) - 6.0 * tip**1.6
    squeeze = 0.55 * smoothstep(t, 0.3, 0.9)
    middle = -78.0
    out[mine, 1] -= squeeze * 0.4 * (p[mine, 1] - middle)
    return out


_FOLD = np.array([(16.5, -35), (20, -42), (25.5, -50), (30.5, -59), (32.5, -68), (32, -75)], float)
"""x and y of the fold that runs from the nose's wing past the mouth's corner."""


def _fold(tissue: Tissue) -> Array:
    """The fold from nose to mouth: a crease, and the cheek that swells beside it."""
    p = tissue.points
    out = np.zeros_like(p)
    near = tissue.soft & (p[:, 2] > 45.0) & (tissue.ring < LIP_BORDER)
    t = np.linspace(0.0, 1.0, 120)
    curve = CubicSpline(np.linspace(0.0, 1.0, len(_FOLD)), _FOLD)
    flat = np.abs(p[near, :1]) * [1.0, 0.0] + p[near, 1:2] * [0.0, 1.0]
    distance, at = KDTree(curve(t)).query(flat)
    along, aside = curve(t, 1)[at], flat - curve(t)[at]
    cheek = along[:, 0] * aside[:, 1] - along[:, 1] * aside[:, 0] > 0
    swell = 1.5 * cheek * smoothstep(distance, 0.0, 8.0) * np.exp(-((distance / 13.0) ** 2))
    crease = 1.2 * np.exp(-((distance / 4.2) ** 2))
    ends = smoothstep(t[at], 0.0, 0.3) * (1.0 - smoothstep(t[at], 0.6, 1.0))
    lips = 1.0 - smoothstep(tissue.ring[near], 0.3, LIP_BORDER) * (tissue.where[near] == 3)
    height = (swell - crease) * ends * lips
    out[near] = height[:, None] * np.stack(
        [0.45 * np.sign(p[near, 0]), np.zeros(len(height)), np.full(len(height), 0.9)], -1
    )
    return out


def _unfold_lids(tissue: Tissue) -> Array:
    """The crease of the upper lids drawn flat and the hollow above it filled, as closing does."""
    out = np.zeros_like(tissue.points)
    mine = np.isin(tissue.where, (1, 2)) & (tissue.ring <= 1.0)
    sideways = np.abs(tissue.points[mine, 0]) - EYE[0]
    filled = np.exp(-(((tissue.ring[mine] - 0.5) / 0.22) ** 2)) * (tissue.upper[mine] > 0)
    ends = np.clip(1.0 - (sideways / 18.0) ** 4, 0.0, 1.0)
    crease = lid_crease(tissue.ring[mine], tissue.upper[mine], sideways)
    out[mine, 2] = 1.1 * filled * ends - 0.7 * crease
    return out


def controls(tissue: Tissue) -> dict[str, Array]:
    """Displacement (V, 3) of each ARKit control at 1.0, by name."""
    fields: dict[str, Array] = {}
    fold = _fold(tissue)
    left = smoothstep(tissue.points[:, 0], -9.0, 9.0)[:, None]
    for name in sorted({*PAIRED, *LIDS, "eyeLookIn", "eyeLookOut"}):
        both = np.zeros_like(tissue.points)
        if name in PAIRED:
            both = both + pull(tissue, PAIRED[name])
        if name in LIDS:
            both = both + lids(tissue, **LIDS[name])
        if name in ("eyeLookIn", "eyeLookOut"):
            both = both + _lids_aside(tissue, -1.0 if name == "eyeLookIn" else 1.0)
        if name in FOLDS:
            both = both + FOLDS[name] * fold
        if name == "eyeBlink":
            both = both + _unfold_lids(tissue)
        both = clear_of_eyes(tissue, both)
        fields[f"{name}Left"], fields[f"{name}Right"] = both * left, both * (1.0 - left)
    for name, moves in CENTRED.items():
        fields[name] = clear_of_eyes(tissue, pull(tissue, moves))
    fields["jawOpen"] = _open_jaw(tissue)
    close = {"lower seam": (0.0, 0.5, 0.0), "lower side": (0.0, 0.5, 0.0)}
    fields["jawForward"] = jaw(tissue, 0.0, (0, -0.4, 7.0)) + pull(tissue, close)
    fields["jawLeft"] = jaw(tissue, 0.0, (8.0, 0.0, 0.0)) + pull(tissue, close)
    fields["jawRight"] = fields["jawLeft"][tissue.mirror] * [-1.0, 1.0, 1.0]
    fields["mouthClose"] = _close_mouth(tissue, fields["jawOpen"])
    fields["mouthLeft"] = _sideways(tissue)
    fields["mouthRight"] = fields["mouthLeft"][tissue.mirror] * [-1.0, 1.0, 1.0]
    fields["tongueOut"] = _tongue_out(tissue)
    return fields


def _lids_aside(tissue: Tissue, outward: float) -> Array:
    """Lids dragged a little by the cornea when the eyes look aside."""
    out = np.zeros_like(tissue.points)
    for kind, side in ((1, 1.0), (2, -1.0)):
        mine = tissue.where == kind
        share = smoothstep(tissue.ring[mine], 0.2, 1.0)
        share = share * (np.abs(tissue.upper[mine]) + 0.35 * (tissue.upper[mine] == 0))
        out[mine, 0] = side * outward * 0.9 * share
        out[mine, 1] = -0.25 * share * tissue.upper[mine]
    return out
