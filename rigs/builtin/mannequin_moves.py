"""Which named points of the face each of the mannequin's controls pulls, and where to.

Millimetres toward the character's left, up and forward; the points are `mannequin_motion.HANDLES`.
"""

from collections.abc import Mapping

Moves = Mapping[str, tuple[float, float, float]]

PAIRED: Mapping[str, Moves] = {
    "eyeSquint": {
        "lower lid": (0, 0.9, 0.5), "cheek": (0, 1.2, 0.6), "brow outer": (0, -0.8, 0),
        "cheekbone": (-0.5, 1, 0.6), "brow middle": (0, -0.8, 0), "brow inner": (-0.4, -0.6, 0),
    },
    "eyeWide": {
        "brow middle": (0, 0.8, 0), "lid fold": (0, 1, -0.3),
    },
    "mouthSmile": {
        "corner": (10.2, 9.8, -7.4), "upper side": (4.2, 1.7, -2.6),
        "upper side border": (4, 1.9, -2.4),
        "lower side": (4.2, 1.9, -2.8), "lower side border": (4, 1.4, -2.8),
        "upper seam": (0, 0.4, -1.8), "lower seam": (0, 0.3, -2), "upper border": (0, -0.2, -1.6),
        "lower border": (0, 0.2, -1.6), "fold": (5.6, 5.8, 0.6), "cheek": (1.6, 5.8, 4),
        "low cheek": (5.6, 5.2, -1.4), "cheekbone": (0.6, 3, 1.8), "lower lid": (0, 1.2, 0.5),
        "wing": (1.4, 0.8, -0.6), "chin": (0, 0.3, -0.3), "chin side": (1, 1.2, -0.6),
        "jaw angle": (0.3, 0.6, 0),
    },
    "mouthFrown": {
        "corner": (2.6, -6.6, -3), "upper side": (1.2, -2.2, -0.8), "lower side": (1.2, -1.8, -0.8),
        "upper seam": (0, 0.2, -0.4), "lower seam": (0, 0.2, -0.4), "chin": (0, 0.6, 0.4),
        "fold": (1.4, -2.8, -0.4), "low cheek": (0.8, -3, -0.4), "chin side": (1, -2.2, 0.8),
        "upper side border": (1, -1.8, -0.6), "lower side border": (1.2, -2, 0),
        "upper border": (0, 0, -0.3), "lower border": (0, -0.2, 0),
    },
    "mouthDimple": {
        "corner": (5.4, 1.4, -5.8), "upper side": (2, -0.3, -2), "lower side": (2, 0.3, -2),
        "fold": (2.4, 1, 1.2), "low cheek": (1.8, 0.8, 1.6), "upper seam": (0, -0.2, -1.2),
        "lower seam": (0, 0.2, -1.2), "upper border": (0, -0.8, -0.9),
        "lower border": (0, 0.9, -0.8), "upper side border": (1.8, -0.9, -1.4),
        "lower side border": (1.8, 0.9, -1.4), "lower lip": (0, 0.6, -1.3),
        "upper lip": (0, -0.6, -1.3),
    },
    "mouthStretch": {
        "corner": (9, -3.4, -6.6), "upper side": (3.6, -1, -2.6), "lower side": (3.8, -2, -2.6),
        "upper side border": (3.4, -1.2, -2.4), "lower side border": (3.6, -2.4, -2.4),
        "upper seam": (0, -0.1, -1.5), "lower seam": (0, -0.7, -1.5), "low cheek": (4.2, -2, -1.4),
        "fold": (3.6, -1.2, -0.8), "chin side": (3.2, -2.6, -1), "chin": (0, -0.6, 0),
        "upper border": (0, -0.5, -1), "lower border": (0, -1, -1), "jaw angle": (1, -1.2, 0),
    },
    "mouthPress": {
        "corner": (1.2, 0.4, -1.2), "upper side": (0.3, -0.5, -1.6), "lower side": (0.3, 0.9, -1.6),
        "upper seam": (0, -0.3, -1.6), "lower seam": (0, 0.5, -1.6), "upper lip": (0, -1.6, -2.2),
        "lower lip": (0, 1.8, -2.4), "upper border": (0, -2.4, -0.8),
        "lower border": (0, 2.6, -0.6), "upper side border": (0.2, -1.8, -0.8),
        "lower side border": (0.2, 2, -0.8), "chin": (0, 1.4, 0.6), "fold": (0.6, 0.2, 0.6),
    },
    "mouthLowerDown": {
        "lower seam": (0, -7.6, -0.6), "lower side": (2.4, -8.8, -0.8),
        "lower lip": (0, -7.6, 0.4), "lower border": (0, -6.4, 1),
        "lower side border": (2.2, -7, 0.8),
        "chin": (0, -1.6, 0.4), "chin side": (1.8, -3, 0.2), "corner": (1.4, -1.6, -0.8),
        "upper seam": (0, 0, 0), "upper side": (0, 0, 0),
    },
    "mouthUpperUp": {
        "upper seam": (0, 6.4, -0.6), "upper side": (0.8, 7.4, -0.8), "upper lip": (0, 6.4, -0.2),
        "upper border": (0, 5.8, 0.3), "upper side border": (1, 7, 0.3),
        "philtrum": (0, 3, 0.2), "fold": (1.8, 4.6, 1.6), "wing": (1.2, 3, -0.2),
        "corner": (0.6, 1.4, -0.6), "cheek": (0.5, 2.4, 1.8), "lower seam": (0, 0, 0),
        "lower side": (0, 0, 0), "nose tip": (0, 0.5, 0),
    },
    "browDown": {
        "brow inner": (-4.4, -8.6, 2.2), "brow middle": (-2.2, -8.4, 2),
        "brow outer": (-0.8, -4.4, 0.8), "forehead": (-0.8, -4, 0.3), "forehead side": (0, -2, 0),
        "nose root": (0, -3.2, 0.8), "lid fold": (0, -3, 1), "lower lid": (0, 0, 0),
    },
    "browOuterUp": {
        "brow outer": (0.8, 13, -2), "brow middle": (0, 10, -0.7),
        "brow inner": (0, 4.2, -0.2),
        "forehead side": (0, 6.4, -1.6), "forehead": (0, 4.4, -0.2), "temple": (0, 8, -0.6),
        "lid fold": (0.2, 2.4, -0.3), "nose root": (0, 0, 0),
    },
    "cheekSquint": {
        "cheek": (0.6, 5.2, 3.2), "cheekbone": (0.2, 3.4, 2), "lower lid": (0, 1.8, 0.8),
        "fold": (1.8, 2.6, 1.2), "low cheek": (0.6, 2.2, 0.6), "corner": (0.8, 1.2, -0.4),
        "upper side": (0.2, 0.6, 0), "lower side": (0.2, 0.55, 0), "upper seam": (0, 0, 0),
        "lower seam": (0, 0, 0), "wing": (0.4, 0.8, 0), "upper side border": (0.2, 1, 0.2),
    },
    "noseSneer": {
        "wing": (2.0, 5.4, -0.8), "nose side": (0, 3.6, 2.8), "nose tip": (0, 1.2, -0.2),
        "nose base": (0, 1.6, -0.2), "upper side border": (0.5, 2.8, 0.5),
        "upper side": (0.2, 0.5, 0), "fold": (1, 3.8, 2.2), "nose root": (0, -2, 1),
        "brow inner": (-1.8, -3.6, 1.2), "cheek": (0, 3.2, 2.2), "lower lid": (0, 0.8, 0.4),
        "upper border": (0, 1.6, 0.3), "upper seam": (0, 0.2, 0), "philtrum": (0, 2, 0),
        "lower seam": (0, 0, 0), "lower side": (0, 0, 0), "corner": (0.2, 0.8, -0.2),
    },
}  # fmt: skip
"""Controls in pairs: pulls on the left, mirrored to the right, later split down the middle."""

CENTRED: Mapping[str, Moves] = {
    "mouthFunnel": {
        "corner": (-8, 0.2, 6.2), "upper seam": (0, 4.8, 8.0), "upper lip": (0, 3.4, 8.8),
        "upper border": (0, 1.8, 6), "upper side": (-3.8, 4.0, 7.0),
        "upper side border": (-3.7, 2.1, 5.2), "lower seam": (0, -5, 8.4),
        "lower lip": (0, -4.4, 9), "lower border": (0, -2.6, 6),
        "lower side": (-3.8, -4.4, 7.0), "lower side border": (-3.7, -2.5, 5.2),
        "philtrum": (0, 0.4, 1.6), "chin": (0, -0.8, 0.6), "fold": (-3.8, 0, 2.8),
        "low cheek": (-3.4, 0, 0.6),
    },
    "mouthPucker": {
        "corner": (-9.5, 0.4, 7.5), "upper seam": (0, -0.2, 8), "upper lip": (0, 0.6, 8.4),
        "upper border": (0, 1, 6), "upper side": (-4.6, 0.2, 7.6),
        "upper side border": (-4.6, 1.2, 5.6), "lower seam": (0, 0.2, 8),
        "lower lip": (0, -0.6, 8.4), "lower border": (0, -0.8, 5.6),
        "lower side": (-4.6, -0.1, 7.6), "lower side border": (-4.6, -0.8, 5.4),
        "philtrum": (0, 0, 1.6), "chin": (0, 0.4, 0.6), "fold": (-4, -0.4, 3),
        "low cheek": (-3.6, 0, 0.6),
    },
    "mouthRollLower": {
        "lower seam": (0, 1.4, -4.4), "lower lip": (0, 4, -6), "lower border": (0, 4.6, -2.6),
        "lower side": (0, 1.4, -3.8), "lower side border": (0, 4, -2.6), "chin": (0, 1.2, 0.4),
        "corner": (0, 0, -0.8), "upper seam": (0, 0, 0), "upper side": (0, 0, 0),
    },
    "mouthRollUpper": {
        "upper seam": (0, -1.2, -4.2), "upper lip": (0, -3.6, -5.6), "upper border": (0, -4, -2),
        "upper side": (0, -1.2, -3.8), "upper side border": (0, -3.4, -2.2),
        "philtrum": (0, -1, 0.4), "corner": (0, 0, -0.8), "lower seam": (0, 0, 0),
        "lower side": (0, 0, 0),
    },
    "mouthShrugLower": {
        "lower seam": (0, 5.6, 3.2), "lower lip": (0, 6.2, 3.8), "lower border": (0, 5.8, 2.6),
        "lower side": (0, 4.2, 1.9), "lower side border": (0, 4.4, 1.8), "chin": (0, 6, 2.2),
        "chin side": (0, 2.8, 1), "upper seam": (0, 2.6, 1.5), "upper side": (0, 2, 0.9),
        "corner": (0, -0.8, 0),
    },
    "mouthShrugUpper": {
        "upper seam": (0, 4.2, 3), "upper lip": (0, 4.6, 3.4), "upper border": (0, 4.6, 2.2),
        "upper side": (0, 3.5, 2.1), "upper side border": (0, 3.9, 1.9), "philtrum": (0, 2.2, 1),
        "lower seam": (0, 2.6, 1.6), "lower side": (0, 2, 1.2), "lower border": (0, 1.2, 0.8),
        "corner": (0, -0.6, 0),
    },
    "cheekPuff": {
        "low cheek": (9, 0, 4), "fold": (4.5, 0.4, 4), "cheek": (2.4, -0.6, 2.4),
        "corner": (-2.4, 0, 2), "upper border": (0, 0.6, 2.2), "lower border": (0, -0.6, 2.2),
        "upper side border": (-0.6, 0.8, 3), "lower side border": (-0.6, -0.6, 3),
        "upper seam": (0, -0.1, 0.8), "lower seam": (0, 0.1, 0.8), "upper side": (-0.9, -0.1, 1.2),
        "lower side": (-0.9, 0.1, 1.2), "chin": (0, 0, 0.4), "jaw angle": (3, 0, 0.8),
        "chin side": (2.6, -0.4, 2),
    },
    "browInnerUp": {
        "brow inner": (-1, 10.8, -0.6), "brow middle": (0, 7.2, -0.3), "brow outer": (0, 1.4, 0),
        "forehead": (0, 6.4, -0.6), "forehead side": (0, 2.6, 0), "nose root": (0, 2.4, 0),
        "lid fold": (0, 2.2, 0),
    },
}  # fmt: skip
"""Controls that move both sides."""

LIDS: Mapping[str, Mapping[str, float]] = {
    "eyeBlink": {"close": 1.02, "lift": 0.45, "raise_lower": 0.03},
    "eyeSquint": {"close": 0.1, "raise_lower": 0.24, "lift": 0.2},
    "mouthSmile": {"raise_lower": 0.08, "close": 0.03},
    "eyeWide": {"close": -0.24, "raise_lower": -0.07},
    "eyeLookDown": {"close": 0.42, "raise_lower": -0.1, "lift": 0.2},
    "eyeLookUp": {"close": -0.2, "raise_lower": 0.05},
}
"""How far the lids of paired controls turn: arguments of `mannequin_motion.lids`."""

FOLDS: Mapping[str, float] = {
    "mouthSmile": 1.0, "noseSneer": 0.8, "mouthUpperUp": 0.6, "cheekSquint": 0.35,
}  # fmt: skip
"""Depth of the fold from nose to mouth, as a share of a full smile's."""
