"""What most of a face does at once: the bases that expressions are made from."""

import csv
import functools
from collections.abc import Callable, Mapping
from importlib import resources
from types import MappingProxyType

import numpy as np
from numpy.random import Generator

from freeavatar.foundation.expression import BLENDSHAPES, FloatArray

MEASURED = "data/measured_expressions.csv"
"""Principal expressions of an actor's range-of-motion takes; data/README.md says how made."""

EMOTIONS: tuple[Mapping[str, float], ...] = (
    {"mouthSmile": 1.0, "cheekSquint": 0.6, "eyeSquint": 0.35, "mouthUpperUp": 0.25,
     "jawOpen": 0.2, "mouthDimple": 0.2},
    {"mouthSmile": 0.9, "cheekSquint": 0.9, "eyeSquint": 0.6, "jawOpen": 0.6, "mouthUpperUp": 0.5,
     "mouthLowerDown": 0.3, "noseSneer": 0.2},
    {"mouthSmile": 0.5, "mouthDimple": 0.5, "mouthPress": 0.3},
    {"browInnerUp": 1.0, "browOuterUp": 0.9, "eyeWide": 0.7, "jawOpen": 0.5, "mouthFunnel": 0.2},
    {"browDown": 1.0, "noseSneer": 0.4, "eyeSquint": 0.4, "mouthPress": 0.5, "mouthRollUpper": 0.2},
    {"browDown": 0.9, "eyeWide": 0.4, "mouthUpperUp": 0.5, "mouthLowerDown": 0.6, "jawOpen": 0.4,
     "noseSneer": 0.6, "jawForward": 0.3},
    {"mouthFrown": 0.9, "browInnerUp": 0.7, "mouthShrugLower": 0.5, "mouthPress": 0.2},
    {"browInnerUp": 0.9, "mouthFrown": 0.7, "mouthStretch": 0.5, "eyeSquint": 0.5,
     "cheekSquint": 0.4, "jawOpen": 0.3, "mouthLowerDown": 0.4},
    {"noseSneer": 0.9, "mouthUpperUp": 0.8, "browDown": 0.6, "cheekSquint": 0.5,
     "mouthShrugUpper": 0.3},
    {"mouthStretch": 0.9, "browInnerUp": 0.7, "eyeWide": 0.7, "mouthLowerDown": 0.3,
     "jawOpen": 0.2},
    {"mouthDimple": 0.9, "mouthPress": 0.4, "mouthSmile": 0.2},
    {"mouthPucker": 1.0, "browInnerUp": 0.2},
    {"mouthFunnel": 1.0, "jawOpen": 0.3},
    {"mouthRollUpper": 0.8, "mouthRollLower": 0.8, "mouthPress": 0.4},
    {"mouthShrugLower": 0.9, "mouthShrugUpper": 0.5, "mouthFrown": 0.4, "browOuterUp": 0.4},
    {"eyeSquint": 0.9, "cheekSquint": 0.6, "browDown": 0.5, "mouthUpperUp": 0.2},
    {"eyeWide": 1.0, "browOuterUp": 0.5},
    {"jawOpen": 0.95, "eyeSquint": 0.5, "mouthStretch": 0.2, "browDown": 0.3},
    {"browInnerUp": 0.8, "browDown": 0.5, "cheekSquint": 0.8, "eyeSquint": 0.7, "noseSneer": 0.4,
     "mouthUpperUp": 0.5, "mouthStretch": 0.7, "mouthFrown": 0.4, "jawOpen": 0.25},
    {"browInnerUp": 0.7, "cheekSquint": 0.6, "eyeSquint": 0.6, "mouthStretch": 0.8,
     "mouthPress": 0.5, "mouthShrugLower": 0.7, "mouthFrown": 0.6, "mouthRollLower": 0.3},
    {"browDown": 0.8, "cheekSquint": 0.9, "eyeSquint": 0.9, "noseSneer": 0.6, "mouthUpperUp": 0.6,
     "mouthStretch": 0.6, "mouthLowerDown": 0.5, "jawOpen": 0.15},
)  # fmt: skip
"""Full strength; a name without a side means both."""

SPEECH: tuple[Mapping[str, float], ...] = (
    {"jawOpen": 0.08, "mouthClose": 0.06, "mouthPress": 0.45, "mouthRollLower": 0.35,
     "mouthRollUpper": 0.3},
    {"jawOpen": 0.15, "mouthRollLower": 0.7, "mouthUpperUp": 0.3, "mouthShrugLower": 0.2},
    {"jawOpen": 0.25, "mouthLowerDown": 0.35, "tongueOut": 0.12},
    {"jawOpen": 0.2, "mouthLowerDown": 0.4, "mouthUpperUp": 0.2, "mouthStretch": 0.15},
    {"jawOpen": 0.3, "mouthUpperUp": 0.25, "mouthLowerDown": 0.25},
    {"jawOpen": 0.12, "mouthFunnel": 0.75, "mouthPucker": 0.35, "mouthUpperUp": 0.2},
    {"jawOpen": 0.06, "mouthStretch": 0.5, "mouthLowerDown": 0.5, "mouthUpperUp": 0.25,
     "mouthSmile": 0.15},
    {"jawOpen": 0.2, "mouthFunnel": 0.45, "mouthPucker": 0.3},
    {"jawOpen": 0.75, "mouthLowerDown": 0.3, "mouthUpperUp": 0.2},
    {"jawOpen": 0.4, "mouthStretch": 0.45, "mouthSmile": 0.25, "mouthLowerDown": 0.3},
    {"jawOpen": 0.2, "mouthSmile": 0.4, "mouthStretch": 0.5, "mouthDimple": 0.25},
    {"jawOpen": 0.5, "mouthFunnel": 0.7, "mouthPucker": 0.2},
    {"jawOpen": 0.18, "mouthPucker": 0.9, "mouthFunnel": 0.35},
    {"jawOpen": 0.35, "mouthClose": 0.3, "mouthShrugLower": 0.25, "mouthPucker": 0.2},
)  # fmt: skip
"""Mouth shapes of sounds (p f th t k sh s r a e i o u, and between words), full strength."""

_PAIRS = MappingProxyType(
    {n[:-4]: (BLENDSHAPES.index(n), BLENDSHAPES.index(n[:-4] + "Right"))
     for n in BLENDSHAPES if n.endswith("Left") and n not in ("jawLeft", "mouthLeft")}
)  # fmt: skip
_SINGLES = MappingProxyType(
    {n: BLENDSHAPES.index(n) for n in BLENDSHAPES if not n.endswith(("Left", "Right"))}
)
# Lids and gaze are drawn apart from the rest, tongue and puffed cheeks with their conditions.
_SPARSE = tuple(n for n in _PAIRS if not n.startswith(("eyeBlink", "eyeLook"))) + tuple(
    n for n in _SINGLES if n not in ("mouthClose", "tongueOut", "cheekPuff")
)


@functools.cache
def measured() -> FloatArray:
    """(N, 52) principal expressions of an actor, 0..1, without blinks and gaze."""
    text = (resources.files(__package__) / MEASURED).read_text(encoding="utf-8")
    names, *rows = csv.reader(text.splitlines())
    out = np.zeros((len(rows), len(BLENDSHAPES)), np.float32)
    out[:, [BLENDSHAPES.index(name) for name in names]] = np.array(rows, np.float32)
    return out


def add_base(values: FloatArray, rng: Generator) -> bool:
    """Add one base to zeros (52,).

    Returns:
        True where the face is to stay nearly neutral.
    """
    draw = rng.random()
    for share, add in _BASES:
        if draw < share:
            add(values, rng)
            return add is _nearly_neutral
        draw -= share
    _few_channels(values, rng)
    return False


def _add(values: FloatArray, name: str, amount: float, rng: Generator) -> None:
    if name in _PAIRS:
        values[list(_PAIRS[name])] += amount * rng.uniform(0.88, 1.12, 2)
    else:
        values[_SINGLES[name]] += amount


def _nearly_neutral(values: FloatArray, rng: Generator) -> None:
    for name in rng.choice(_SPARSE, 6, replace=False):
        _add(values, name, abs(rng.normal(0, 0.06)), rng)


def _from_actor(values: FloatArray, rng: Generator) -> None:
    """One or two measured expressions, damped or exaggerated."""
    known = measured()
    for strength in rng.uniform((0.5, 0.0), (1.3, 0.6))[: 1 + int(rng.random() < 0.5)]:
        values += strength * known[rng.integers(len(known))]
    values *= rng.uniform(0.85, 1.15, len(values))


def _emotion(values: FloatArray, rng: Generator) -> None:
    for _ in range(1 + int(rng.random() < 0.3)):
        strength = rng.uniform(0.25, 1.2)
        for name, amount in EMOTIONS[rng.integers(len(EMOTIONS))].items():
            _add(values, name, strength * amount * rng.uniform(0.5, 1.25), rng)


def _speech(values: FloatArray, rng: Generator) -> None:
    """On the way from one sound to the next, with brows that stress and a mood."""
    way = rng.random()
    energy = rng.uniform(0.4, 1.3)
    for share in (way, 1 - way):
        for name, amount in SPEECH[rng.integers(len(SPEECH))].items():
            _add(values, name, share * energy * amount * rng.uniform(0.7, 1.3), rng)
    if rng.random() < 0.35:
        _add(values, "browInnerUp", abs(rng.normal(0, 0.4)), rng)
        _add(values, "browOuterUp", abs(rng.normal(0, 0.35)), rng)
    if rng.random() < 0.3:
        mood = ("mouthSmile", "mouthFrown", "browDown", "mouthDimple")[rng.integers(4)]
        _add(values, mood, rng.uniform(0.1, 0.6), rng)


def _few_channels(values: FloatArray, rng: Generator) -> None:
    """One to six channels up to their full range, one side alone now and then."""
    for name in rng.choice(_SPARSE, rng.integers(1, 7), replace=False):
        amount = rng.random() ** 0.8
        if name in _PAIRS and rng.random() < 0.35:
            values[_PAIRS[name][rng.integers(2)]] += amount
        else:
            _add(values, name, amount, rng)


_BASES: tuple[tuple[float, Callable[[FloatArray, Generator], None]], ...] = (
    (0.083, _nearly_neutral),
    (0.17, _from_actor),
    (0.17, _emotion),
    (0.20, _speech),
)
"""Share and maker; the rest are `_few_channels`."""
