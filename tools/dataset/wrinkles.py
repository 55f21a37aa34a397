"""Folds that come and go with expressions, which the coarse ICT mesh does not have.

Real skin creases where it is pushed together: across the forehead, between the brows, beside nose
and mouth, around the eyes. They are painted as shading, stronger in some people than in others.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from freeavatar.foundation.expression import BLENDSHAPES, FloatArray

from . import ict_points
from .ict import SKIN, IctFace

_Pattern = Callable[[FloatArray, float], FloatArray]
FOLDS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "forehead": {"browOuterUp": 0.8, "browInnerUp": 0.7},
        "glabella": {"browDown": 0.9, "noseSneer": 0.3},
        "bridge": {"noseSneer": 1.0, "browDown": 0.2},
        "nasolabial": {
            "mouthSmile": 0.8,
            "noseSneer": 0.7,
            "mouthUpperUp": 0.5,
            "cheekSquint": 0.3,
        },
        "crow": {"cheekSquint": 0.7, "mouthSmile": 0.5, "eyeSquint": 0.6, "eyeBlink": 0.1},
        "pouch": {"eyeSquint": 0.8, "cheekSquint": 0.6, "mouthSmile": 0.25},
        "dimple": {"mouthDimple": 0.9, "mouthStretch": 0.4, "mouthSmile": 0.25},
        "marionette": {"mouthFrown": 0.8, "mouthPress": 0.3, "mouthShrugLower": 0.2},
        "chin": {"mouthShrugLower": 0.9, "mouthFrown": 0.25},
    }
)
"""Which expressions crease the skin where, on the side on which they happen."""
SIDES = (("Left", 1.0), ("Right", -1.0))


class Wrinkles:
    """Patterns of all folds on the ICT face.

    Args:
        ict: the face.
    """

    def __init__(self, ict: IctFace) -> None:
        skin = ict.part == SKIN
        face = ict.neutral[skin]
        patterns, mixes = [], []
        for _, sign in SIDES:
            own = _own_side(face[:, 0] * sign)
            for name in FOLDS:
                patterns.append(_PATTERNS[name](face, sign) * own)
        for side, _ in SIDES:
            mixes += [_mix(weights, side) for weights in FOLDS.values()]
        self._patterns = np.array(patterns, np.float32)
        self._mixes = np.array(mixes, np.float32)
        self._skin = skin

    def shading(self, blendshapes: FloatArray, depth: float) -> FloatArray:
        """(V,) factor on the brightness.

        Args:
            blendshapes: (52,) how much more than in the photo the face does, may be negative: folds
                that the photo shows are then evened out a little.
            depth: of the folds, 0 for a child to about 0.5.
        """
        strength = np.clip(self._mixes @ blendshapes, -0.5, 1.0)
        out = np.ones(len(self._skin), np.float32)
        out[self._skin] = np.exp(-depth * (strength @ self._patterns))
        return out


def _own_side(x: FloatArray) -> FloatArray:
    """(V,) 1 on the side itself, fading out across the middle."""
    return np.asarray(np.clip(0.5 + x / 1.2, 0.0, 1.0), np.float32)


def _mix(weights: Mapping[str, float], side: str) -> FloatArray:
    """(52,) how much each blendshape adds on one side."""
    out = np.zeros(len(BLENDSHAPES), np.float32)
    for name, weight in weights.items():
        one_sided = name + side
        out[BLENDSHAPES.index(one_sided if one_sided in BLENDSHAPES else name)] = weight
    return out


def _bump(distance: FloatArray, width: float) -> FloatArray:
    return np.asarray(np.exp(-((distance / width) ** 2)), np.float32)


def _crease(signed: FloatArray, width: float) -> FloatArray:
    """A dark valley, and the lit bulge on its positive side."""
    return _bump(signed, width) - 0.5 * _bump(signed - 2.2 * width, 1.3 * width)


def _forehead(face: FloatArray, sign: float) -> FloatArray:
    x, y, z = face.T
    waves = np.cos(2 * np.pi * (y - 0.05 * np.abs(x) + 0.015 * x * x) / 1.0)
    region = _bump(y - 7.3, 1.5) * _bump(np.abs(x) - 1.6, 2.6) * (z > 5)
    return np.asarray(np.maximum(waves, -0.6) * region, np.float32)


def _glabella(face: FloatArray, sign: float) -> FloatArray:
    x, y, _ = face.T
    return 1.2 * _bump(x * sign - 0.62, 0.2) * _bump(y - 5.0, 0.95)


def _bridge(face: FloatArray, sign: float) -> FloatArray:
    x, y, _ = face.T
    waves = np.cos(2 * np.pi * (y - 0.25 * np.abs(x)) / 0.65)
    return np.asarray(waves * _bump(y - 3.3, 0.8) * _bump(x, 1.0), np.float32)


def _nasolabial(face: FloatArray, sign: float) -> FloatArray:
    wing, corner = _at(face, 358, sign), _at(face, 291, sign)
    path = [
        _by(wing, 0.15, 0.35),
        _by(wing, 0.75, -0.6),
        _by(corner, 0.75, 0.5),
        _by(corner, 0.75, -0.6),
    ]
    return 1.2 * _along(face, sign, path, 0.2)


def _marionette(face: FloatArray, sign: float) -> FloatArray:
    corner = _at(face, 291, sign)
    return _along(
        face, sign, [_by(corner, 0.1, 0.0), _by(corner, 0.35, -1.0), _by(corner, 0.3, -1.9)], 0.2
    )


def _dimple(face: FloatArray, sign: float) -> FloatArray:
    corner = _at(face, 291, sign)
    return _along(
        face, sign, [_by(corner, 0.6, 0.7), _by(corner, 0.75, 0.0), _by(corner, 0.6, -0.6)], 0.2
    )


def _crow(face: FloatArray, sign: float) -> FloatArray:
    corner = _at(face, 263, sign)
    x, y = face[:, 0] * sign - corner[0], face[:, 1] - corner[1]
    away, angle = np.hypot(x, y), np.arctan2(y, x)
    rays = np.maximum(np.cos(angle * 8.5), -0.4)
    near = _bump(away - 1.1, 0.65) * (np.abs(angle) < 1.0) * (face[:, 2] > 2)
    return np.asarray(rays * near, np.float32)


def _pouch(face: FloatArray, sign: float) -> FloatArray:
    inner, outer = _at(face, 362, sign), _at(face, 263, sign)
    low = np.asarray((inner + outer) / 2, np.float32)
    path = [
        _by(inner, 0.2, -0.45),
        _by(low, -0.3, -1.05),
        _by(low, 0.5, -1.05),
        _by(outer, 0.0, -0.5),
    ]
    return 0.9 * _along(face, sign, path, 0.17)


def _chin(face: FloatArray, sign: float) -> FloatArray:
    x, y, z = face.T
    below = float(face[ict_points.VERTICES[17], 1])
    fold = 1.2 * _bump(y - (below - 0.75), 0.25) * _bump(x, 1.3)
    pits = np.sin(x * 9.0 + 1.3 * y) * np.sin(y * 8.0 - x) * _bump(y - (below - 1.9), 0.7)
    return np.asarray((fold + 0.8 * pits * _bump(x, 1.2)) * (z > 5), np.float32)


_PATTERNS: Mapping[str, _Pattern] = MappingProxyType(
    {
        "forehead": _forehead,
        "glabella": _glabella,
        "bridge": _bridge,
        "nasolabial": _nasolabial,
        "crow": _crow,
        "pouch": _pouch,
        "dimple": _dimple,
        "marionette": _marionette,
        "chin": _chin,
    }
)


def _at(face: FloatArray, landmark: int, sign: float) -> FloatArray:
    """(2,) of a point of the left side, on the side of ``sign``, x outward."""
    place = face[ict_points.VERTICES[landmark], :2]
    return np.array([abs(place[0]), place[1]], np.float32)


def _by(place: FloatArray, outward: float, up: float) -> FloatArray:
    return place + np.array([outward, up], np.float32)


def _along(face: FloatArray, sign: float, path: list[FloatArray], width: float) -> FloatArray:
    """A crease along a path given for one side, its bulge outward; fading at the ends."""
    x, y = face[:, 0] * sign, face[:, 1]
    stops = np.array(path, np.float32)
    share = np.linspace(0, 1, 40)
    at = np.linspace(0, 1, len(stops))
    line = np.stack([np.interp(share, at, stops[:, k]) for k in range(2)], axis=1)
    gaps = np.stack([x, y], axis=1)[:, None] - line[None]
    away = np.linalg.norm(gaps, axis=2)
    nearest = away.argmin(axis=1)
    outward = np.sign(gaps[np.arange(len(face)), nearest, 0])
    fade = np.sin(np.pi * np.clip(share[nearest] * 0.9 + 0.05, 0, 1)) ** 0.7
    signed = away.min(axis=1) * np.where(outward == 0, 1, outward)
    return np.asarray(_crease(signed, width) * fade * (face[:, 2] > 2), np.float32)
