"""The expressions that training pictures show: a numbered, endless, always equal sequence.

An expression is made in two steps: a base (`expression_bases`: measured on an actor, speech, an
emotion, a few random channels, near or exactly neutral), then what is independent of it: asymmetry,
sideways jaw and mouth, tongue, cheeks, lids and gaze, so that channels that rarely move in
recordings are seen too, and none can be guessed from another.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.random import Generator

from freeavatar.foundation.expression import BLENDSHAPES, FloatArray

from .expression_bases import add_base

LOOK_YAW = np.deg2rad(30.0)
"""Radians at eyeLookIn or eyeLookOut 1, the same for rendered eyeballs everywhere."""
LOOK_PITCH = np.deg2rad(25.0)
"""Radians at eyeLookUp or eyeLookDown 1."""
HELD_OUT = 1_000_000
"""Number from which expressions are for validation and test, so that none is trained on."""
BANK = 40_000
"""Expressions that pictures draw from, so that each is shown by several people."""
EXACTLY_NEUTRAL = 0.04
"""Share of what is drawn; with the neighbours that are not, 3 % of all."""
NEIGHBOURS = 0.5
"""Share of the odd numbers that show the even number before them, one or two channels changed."""

INDEX: Mapping[str, int] = MappingProxyType({name: i for i, name in enumerate(BLENDSHAPES)})
_BOTH_SIDES = tuple(
    (INDEX[name], INDEX[name[:-4] + "Right"])
    for name in BLENDSHAPES
    if name.endswith("Left") and not name.startswith(("eyeLook", "eyeBlink", "jaw", "mouthLeft"))
)
_LOOK = tuple(i for i, name in enumerate(BLENDSHAPES) if name.startswith("eyeLook"))
_STILL = tuple(i for i in range(len(BLENDSHAPES)) if i not in _LOOK)


def expression(number: int) -> tuple[FloatArray, FloatArray]:
    """One expression of the sequence.

    Args:
        number: 0 or more; below 1,000,000 for training, see `HELD_OUT`.

    Returns:
        Blendshapes (52,) 0..1 in the order of `BLENDSHAPES`, and eyes (2, 2): yaw, pitch of left
        and right eye, radians, yaw + toward the actor's right, pitch + down, as the eyeLook
        channels say (`LOOK_YAW`, `LOOK_PITCH`).

    Raises:
        ValueError: the number is negative.
    """
    if number < 0:
        raise ValueError(f"expressions are numbered from 0; there is no {number}")
    shapes = _changed(number) if is_neighbour(number) else _drawn(number)
    return shapes.astype(np.float32), eyes_of(shapes)


def is_neighbour(number: int) -> bool:
    """Whether this expression is the one before it with one or two channels changed."""
    return number % 2 == 1 and bool(_generator(number, 1).random() < NEIGHBOURS)


def eyes_of(blendshapes: FloatArray) -> FloatArray:
    """(2, 2) yaw, pitch of left and right eye, radians, that the eyeLook channels (52,) stand for.

    The left eye looks in and the right eye looks out when both look to the actor's right.
    """
    into, out, up, down = (
        np.array([blendshapes[INDEX[f"eyeLook{way}{side}"]] for side in ("Left", "Right")])
        for way in ("In", "Out", "Up", "Down")
    )
    yaw = (into - out) * (1, -1) * LOOK_YAW
    return np.stack([yaw, (down - up) * LOOK_PITCH], axis=1).astype(np.float32)


def _generator(number: int, purpose: int) -> Generator:
    return np.random.default_rng((number, purpose))


@functools.lru_cache(maxsize=8)
def _drawn(number: int) -> FloatArray:
    rng = _generator(number, 0)
    values = np.zeros(len(BLENDSHAPES), np.float32)
    if rng.random() >= EXACTLY_NEUTRAL:
        calm = add_base(values, rng)
        if not calm:
            _add_rare(values, rng)
            _unbalance(values, rng)
        _add_lids(values, rng, calm=calm)
        _add_gaze(values, rng)
    _respect_anatomy(values)
    values.flags.writeable = False
    return values


def _changed(number: int) -> FloatArray:
    """A hard negative: the same face but for one or two channels (or the gaze)."""
    rng = _generator(number, 2)
    before = _drawn(number - 1)
    for _ in range(8):
        values = before.copy()
        for index in rng.choice(_STILL, 1 + int(rng.random() < 0.5), replace=False):
            # Away from where it was, to either end.
            low = before[index] > rng.uniform(0.25, 0.75)
            values[index] = before[index] * rng.uniform(0, 0.4) if low else rng.uniform(0.4, 1.0)
        if rng.random() < 0.15:
            _add_gaze(values, rng)
        _respect_anatomy(values)
        if np.abs(values - before).max() > 0.2:
            break
    return values


def _add_rare(values: FloatArray, rng: Generator) -> None:
    """What recordings seldom hold, on top of anything."""
    tongue, puff, jaw, mouth, close, wide, squint = rng.random(7)
    if tongue < 0.07:
        values[INDEX["tongueOut"]] = rng.uniform(0.2, 1.0)
        nearly_closed = rng.random() < 0.2
        least = rng.uniform(0.0, 0.12) if nearly_closed else rng.uniform(0.15, 0.8)
        jaw_open = values[INDEX["jawOpen"]]
        values[INDEX["jawOpen"]] = least if nearly_closed else max(least, jaw_open)
    elif puff < 0.09:
        values[INDEX["cheekPuff"]] = rng.uniform(0.2, 1.0)
        values[INDEX["jawOpen"]] *= 0.15
    for chance, name in ((jaw, "jaw"), (mouth, "mouth")):
        if chance < 0.16:
            side = "Left" if rng.random() < 0.5 else "Right"
            values[INDEX[name + side]] += rng.uniform(0.1, 1.0)
    if rng.random() < 0.06:
        values[INDEX["jawForward"]] += rng.uniform(0.2, 1.0)
    if close < 0.10:
        values[INDEX["jawOpen"]] = max(values[INDEX["jawOpen"]], rng.uniform(0.15, 0.9))
        values[INDEX["mouthClose"]] = values[INDEX["jawOpen"]] * rng.uniform(0.2, 1.0)
    for chance, name in ((wide, "eyeWide"), (squint, "eyeSquint")):
        if chance < 0.11:
            amount = rng.uniform(0.2, 1.0)
            for side in ("Left", "Right"):
                values[INDEX[name + side]] += amount * rng.uniform(0.85, 1.1)


def _unbalance(values: FloatArray, rng: Generator) -> None:
    """One side does less: of all channels alike, or of each by its own measure."""
    draw = rng.random()
    if draw > 0.25:
        return
    weaker = int(rng.random() < 0.5)
    keep = np.full(len(_BOTH_SIDES), rng.uniform(0, 0.8))
    if draw < 0.1:
        keep = rng.uniform(0, 1.2, len(_BOTH_SIDES))
    values[[pair[weaker] for pair in _BOTH_SIDES]] *= keep.astype(np.float32)


def _add_lids(values: FloatArray, rng: Generator, *, calm: bool) -> None:
    """Blinks of every degree, whatever else the face does."""
    draw = rng.random()
    if draw < (0.75 if calm else 0.42):
        shut = 0.0
    elif draw < 0.62:
        shut = rng.uniform(0.02, 0.5)
    elif draw < 0.80:
        shut = rng.uniform(0.3, 1.0)
    else:
        shut = rng.uniform(0.85, 1.0)
    left = right = shut
    if rng.random() < 0.18:
        other = shut * rng.uniform(0.0, 0.6)
        left, right = (shut, other) if rng.random() < 0.5 else (other, shut)
    values[INDEX["eyeBlinkLeft"]] = left
    values[INDEX["eyeBlinkRight"]] = right


def _add_gaze(values: FloatArray, rng: Generator) -> None:
    """Where both eyes look, with a little (seldom a lot) of crossing."""
    values[list(_LOOK)] = 0.0
    draw = rng.random()
    if draw < 0.2:
        right, down = rng.normal(0, 0.04, 2)
    elif draw < 0.75:
        right, down = rng.normal(0, 0.4), rng.normal(0.03, 0.35)
    else:
        right, down = rng.uniform(-1, 1), rng.uniform(-1, 1)
    crossing = rng.uniform(0.1, 0.6) if rng.random() < 0.04 else rng.normal(0.02, 0.04)
    for side, inward in (("Left", right + crossing), ("Right", -right + crossing)):
        values[INDEX["eyeLookIn" + side]] = min(max(inward, 0.0), 1.0)
        values[INDEX["eyeLookOut" + side]] = min(max(-inward, 0.0), 1.0)
        values[INDEX["eyeLookDown" + side]] = min(max(down, 0.0), 1.0)
        values[INDEX["eyeLookUp" + side]] = min(max(-down, 0.0), 1.0)


def _respect_anatomy(values: FloatArray) -> None:
    """Ranges, and what no face does at once."""
    np.clip(values, 0.0, 1.0, out=values)
    for name in ("jaw", "mouth"):
        pair = [INDEX[name + "Left"], INDEX[name + "Right"]]
        difference = float(values[pair[0]] - values[pair[1]])
        values[pair] = max(difference, 0.0), max(-difference, 0.0)
    for side in ("Left", "Right"):
        shut = values[INDEX["eyeBlink" + side]]
        values[INDEX["eyeWide" + side]] *= 1 - shut
        values[INDEX["eyeSquint" + side]] *= 1 - 0.6 * shut
    if values[INDEX["tongueOut"]] > 0:
        values[INDEX["mouthClose"]] = 0.0
        values[INDEX["cheekPuff"]] *= 0.2
        for name in ("mouthRollLower", "mouthRollUpper", "mouthPressLeft", "mouthPressRight"):
            values[INDEX[name]] *= 0.3
    jaw_open = values[INDEX["jawOpen"]]
    values[INDEX["mouthClose"]] = min(values[INDEX["mouthClose"]], jaw_open)
    for side in ("Left", "Right"):
        values[INDEX["mouthPress" + side]] *= 1 - 0.7 * jaw_open
    round_lips = [INDEX["mouthFunnel"], INDEX["mouthPucker"]]
    values[round_lips] /= max(float(values[round_lips].sum()) / 1.25, 1.0)
