"""What the controls of a made-up rig are made of: ARKit shapes, merged, cut, opposed and combined.

Artists build control sets in many ways: one smile or one for each side, a jaw that goes both ways,
lips cut into quarters, five vowels and four moods, hundreds of near copies. A mix says how one
control comes about; nothing here knows a mesh.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.random import Generator

from freeavatar.foundation.expression import BLENDSHAPES, FloatArray

from .expression_bases import EMOTIONS, SPEECH

Side = Literal["", "left", "right"]
Half = Literal["", "upper", "lower"]

PAIRS = tuple(
    (BLENDSHAPES.index(name), BLENDSHAPES.index(name[:-4] + "Right"))
    for name in BLENDSHAPES
    if name.endswith("Left") and name not in ("jawLeft", "mouthLeft")
)
"""Shapes of the left side with those of the right."""
OPPOSED = (
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
    ("eyeLookUp", "eyeLookDown"),
    ("eyeLookIn", "eyeLookOut"),
    ("browOuterUp", "browDown"),
    ("mouthSmile", "mouthFrown"),
)
"""Shapes that one control going both ways may stand for."""
CUT_SIDEWAYS = ("browInnerUp", "cheekPuff", "mouthFunnel", "mouthPucker", "mouthRollLower",
                "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper")  # fmt: skip
CUT_ACROSS = ("mouthFunnel", "mouthPucker", "mouthPressLeft", "mouthPressRight")
"""Shapes that may be cut into the upper lip's part and the lower lip's."""
VOWELS = (8, 6, 12, 9, 11)
"""Of `SPEECH`: what a small set of mouth shapes has."""
MOST_SCALE = 1.8
"""How much farther than the shape it is made of a control may go, and the inverse."""
SYMMETRIC = 0.8
"""Share of rigs whose controls go as far on the left as on the right."""
KINDS: Mapping[str, float] = {"whole": 0.4, "small": 0.25, "rich": 0.35}
"""Shares of control sets: about ARKit's, a game character's few, hundreds for film."""


@dataclass(frozen=True, kw_only=True)
class ControlMix:
    """How one control comes about."""

    shares: FloatArray
    """(52,) of each ARKit shape (or of whatever else the head has) at the control's maximum."""
    side: Side = ""
    """Half of the face that it is cut to, the character's."""
    half: Half = ""
    """Half of the mouth that it is cut to."""
    lowest: float = 0.0
    """Unit weight of the minimum, 0 or negative."""


def random_mixes(make: Generator) -> list[ControlMix]:
    """A random control set in random order.

    Args:
        make: decides everything.

    Returns:
        At least three controls.
    """
    kind = str(make.choice(list(KINDS), p=list(KINDS.values())))
    mixes = _basic(make)
    kept = {"whole": make.uniform(0.75, 1.0), "small": make.uniform(0.05, 0.35), "rich": 1.0}[kind]
    mixes = [mix for mix in mixes if make.random() < kept]
    if kind == "small":
        mixes += _blinks(make)
    mixes += _combined(make, kind)
    copies = int(make.integers(0, 6)) if kind == "whole" else int(make.integers(0, 25))
    mixes += _near_copies(mixes, 0 if kind == "small" else copies, make)
    mixes += [_still()] * int(make.integers(0, 5) * (make.random() < 0.4))
    while len(mixes) < 3:
        mixes.append(_one(int(make.integers(len(BLENDSHAPES)))))
    factors = _scales(len(BLENDSHAPES), make)
    if make.random() < SYMMETRIC:
        for first, second in PAIRS:
            factors[second] = factors[first]
    return [_scaled(mixes[i], factors) for i in make.permutation(len(mixes))]


def own_mixes(count: int, make: Generator) -> list[ControlMix]:
    """Most of a head's own controls, some twice, in random order.

    Args:
        count: of the head's own controls; the shares of the mixes are (count,).
    """
    mixes = [ControlMix(shares=row) for row in np.eye(count, dtype=np.float32)]
    kept = make.uniform(0.6, 1.0)
    mixes = [mix for mix in mixes if make.random() < kept] or mixes[:3]
    mixes += _near_copies(mixes, int(make.integers(0, 8)), make)
    factors = _scales(count, make)
    return [_scaled(mixes[i], factors) for i in make.permutation(len(mixes))]


def of_names(values: Mapping[str, float]) -> FloatArray:
    """(52,) of shapes named without a side, which means both."""
    out = np.zeros(len(BLENDSHAPES), np.float32)
    for i, name in enumerate(BLENDSHAPES):
        stem = name.removesuffix("Left").removesuffix("Right")
        out[i] = values.get(name, values.get(stem, 0.0))
    return out


def _one(shape: int) -> ControlMix:
    return ControlMix(shares=np.eye(len(BLENDSHAPES), dtype=np.float32)[shape])


def _still() -> ControlMix:
    """Ears, a tail: moves nothing of the face."""
    return ControlMix(shares=np.zeros(len(BLENDSHAPES), np.float32))


def _basic(make: Generator) -> list[ControlMix]:
    """Every ARKit shape once, in one way or another."""
    merging, opposing, cutting = make.choice((0.0, 0.3, 0.8, 1.0), 3, p=(0.4, 0.2, 0.2, 0.2))
    merged = [bool(make.random() < merging) for _ in PAIRS]
    left: dict[int, ControlMix] = {i: _one(i) for i in range(len(BLENDSHAPES))}
    for (first, second), joined in zip(PAIRS, merged, strict=True):
        if joined:
            left[first] = ControlMix(shares=left[first].shares + left.pop(second).shares)
    for up, down in OPPOSED:
        if make.random() < opposing:
            _oppose(left, up, down, make)
    out: list[ControlMix] = []
    for shape, mix in left.items():
        out += _cut(mix, BLENDSHAPES[shape], cutting, make)
    return out


def _oppose(left: dict[int, ControlMix], up: str, down: str, make: Generator) -> None:
    """Let one control stand for two shapes, in place, where both are there alike."""
    for ending in ("", "Left", "Right"):
        if up + ending not in BLENDSHAPES or down + ending not in BLENDSHAPES:
            continue
        first, second = (BLENDSHAPES.index(name + ending) for name in (up, down))
        both = first in left and second in left
        if both and left[first].shares.sum() == left[second].shares.sum():
            del left[second]
            left[first] = replace(left[first], lowest=-float(make.uniform(0.5, 1.0)))


def _cut(mix: ControlMix, name: str, share: float, make: Generator) -> list[ControlMix]:
    parts = [mix]
    if name in CUT_SIDEWAYS and make.random() < share:
        parts = [replace(p, side=s) for p in parts for s in ("left", "right")]
    if name in CUT_ACROSS and make.random() < share:
        parts = [replace(p, half=h) for p in parts for h in ("upper", "lower")]
    return parts


def _blinks(make: Generator) -> list[ControlMix]:
    sides = [_one(BLENDSHAPES.index(f"eyeBlink{side}")) for side in ("Left", "Right")]
    both = ControlMix(shares=sides[0].shares + sides[1].shares)
    return [[both], sides, [both, *sides]][int(make.integers(3))]


def _combined(make: Generator, kind: str) -> list[ControlMix]:
    """Sounds and moods: several shapes at once."""
    sounds = list(VOWELS) if kind == "small" else list(range(len(SPEECH)))
    if kind == "whole" and make.random() < 0.7:
        sounds = []
    moods = {"small": (3, 7), "whole": (0, 3), "rich": (0, 9)}[kind]
    count = int(make.integers(*moods))
    chosen = [SPEECH[i] for i in sounds if make.random() < 0.9]
    chosen += [EMOTIONS[i] for i in make.choice(len(EMOTIONS), count, replace=False)]
    return [_varied(of_names(values), make) for values in chosen]


def _varied(shares: FloatArray, make: Generator) -> ControlMix:
    """Another artist's version: both sides alike, each shape a little more or less."""
    factors = np.exp(make.normal(0, 0.25, len(shares)))
    for first, second in PAIRS:
        factors[second] = factors[first]
    return ControlMix(shares=(shares * factors).astype(np.float32))


def _near_copies(mixes: Sequence[ControlMix], count: int, make: Generator) -> list[ControlMix]:
    """Copies of some, with a little of something else."""
    out = []
    for i in make.integers(len(mixes), size=count if mixes else 0):
        shares = mixes[i].shares.copy()
        if make.random() < 0.6:
            shares[make.integers(len(shares))] += make.uniform(0.05, 0.4)
        out.append(replace(mixes[i], shares=shares))
    return out


def _scales(count: int, make: Generator) -> FloatArray:
    """(count,) how far controls go that are made mostly of each shape."""
    scales = np.exp(make.normal(0, 0.2, count))
    return np.asarray(np.clip(scales, 1 / MOST_SCALE, MOST_SCALE), np.float32)


def _scaled(mix: ControlMix, factors: FloatArray) -> ControlMix:
    scale = factors[int(np.abs(mix.shares).argmax())]
    return replace(mix, shares=(mix.shares * scale).astype(np.float32))
