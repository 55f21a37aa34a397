"""Unreal's RigMapper: how a rig's controls follow ARKit's curves, as a definition to import.

In Unreal ``RigMapperDefinition.load_from_json_file`` (Python or Blueprint) reads it. Inputs are the
curves under Live Link's names, outputs the rig's controls in their own ranges. A control that takes
one curve as it is names that curve; any other is a weighted sum, held within its range, of curves
or, where it answers a curve in another way than in proportion, of piecewise linear ``sdk`` features
of them. What several curves do together is taken to be the sum of what each does alone.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.conventions import ARKIT, LIVE_LINK_UDP
from freeavatar.rigs.spec import Control, Rig

from .sink import BridgeError

CURVES = LIVE_LINK_UDP[: len(ARKIT)]
"""Names of the 52 curves on a Live Link subject, in the order of `ARKIT`."""
LEAST = 1e-3
"""Share of a control's range below which a curve does not move it."""
STRAIGHT = 0.01
"""Share of a control's range within which an answer counts as in proportion."""
_DIGITS = 6

Weights = NDArray[np.floating]
Feature = dict[str, Any]


def definition(rig: Rig, answers: Weights) -> dict[str, Any]:
    """The mapping, as RigMapper's JSON has it.

    Args:
        rig: whose controls are driven.
        answers: (L, 52, K) what each of the K controls does when one curve alone is at one of L
            levels that go evenly from 0 to 1: distance from neutral as a share of the distance to
            its maximum; negative toward its minimum. The first level is 0 and so is its answer.
            Two levels are a plain matrix of weights.

    Returns:
        ``inputs``, ``features``, ``parameters``, ``outputs`` and ``null_outputs`` (controls that no
        curve moves).

    Raises:
        BridgeError: no curve moves any control, or two controls' names differ in case only, which
            Unreal does not tell apart.
        ValueError: the answers have another shape or a value that is not a number.
    """
    if answers.ndim != 3 or len(answers) < 2 or answers.shape[1:] != (52, len(rig.controls)):
        raise ValueError(f"(L, 52, {len(rig.controls)}) answers expected, got {answers.shape}")
    if not np.isfinite(answers).all():
        raise ValueError("an answer is not a number")
    _refuse_twins(rig)
    features: dict[str, Feature] = {}
    outputs: dict[str, str] = {}
    for k, control in enumerate(rig.controls):
        terms = _terms(control, answers[:, :, k], features)
        if terms:
            outputs[control.name] = _output(control, terms, features)
    if not outputs:
        raise BridgeError(f"rig {rig.name}: no ARKit curve moves any of its controls")
    used = {name for f in features.values() for name in f["input_features"]} | {*outputs.values()}
    return {
        "inputs": [name for name in CURVES if name in used],
        "features": features,
        "parameters": {},
        "outputs": outputs,
        "null_outputs": [name for name in rig.names if name not in outputs],
    }


def write_definition(path: Path, content: Mapping[str, Any]) -> None:
    """Write a definition.

    Raises:
        BridgeError: the file is no ``.json`` or cannot be written.
    """
    if path.suffix.lower() != ".json":
        raise BridgeError(f"{path}: a RigMapper definition is a .json file")
    try:
        # Only ASCII is written, so that no reader can take it for another encoding.
        path.write_text(json.dumps(content, indent="\t", allow_nan=False) + "\n", "ascii")
    except OSError as error:
        raise BridgeError(f"{path}: cannot be written: {error.strerror}") from error


def _refuse_twins(rig: Rig) -> None:
    seen: dict[str, str] = {}
    for name in rig.names:
        twin = seen.setdefault(name.casefold(), name)
        if twin != name:
            raise BridgeError(
                f"rig {rig.name}: Unreal does not tell {twin} from {name}; rename one control"
            )


def _terms(control: Control, ramps: Weights, features: dict[str, Feature]) -> dict[str, float]:
    """Weights of the curves, or of ``sdk`` features (added here), that move a control."""
    levels = np.linspace(0.0, 1.0, len(ramps))
    terms: dict[str, float] = {}
    for curve, ramp in zip(CURVES, ramps.T, strict=True):
        if np.abs(ramp).max() < LEAST:
            continue
        keys = _keys(levels, ramp)
        if len(keys) == 2:
            terms[curve] = _rounded(ramp[-1])
        else:
            name = f"sdk:{curve}:{control.name}"
            features[name] = _piecewise(curve, levels[keys], ramp[keys])
            terms[name] = 1.0
    return {name: weight for name, weight in terms.items() if abs(weight) >= LEAST}


def _keys(levels: Weights, ramp: Weights) -> list[int]:
    """The fewest of the levels, found by halving at the worst one, whose lines stay close enough.

    Source:
        Ramer, An iterative procedure for the polygonal approximation of plane curves, Computer
        Graphics and Image Processing 1, 1972.
    """
    kept, open_ends = [0], [len(levels) - 1]
    while open_ends:
        first, last = kept[-1], open_ends[-1]
        ends = [first, last]
        apart = np.abs(ramp - np.interp(levels, levels[ends], ramp[ends]))[first : last + 1]
        if apart.max() > STRAIGHT:
            open_ends.append(first + int(apart.argmax()))
        else:
            kept.append(open_ends.pop())
    return kept


def _output(control: Control, terms: dict[str, float], features: dict[str, Feature]) -> str:
    """Feature or curve that a control takes its value from; the features are added."""
    lowest = (control.minimum - control.neutral) / (control.maximum - control.neutral)
    plain = (control.minimum, control.neutral, control.maximum) == (0, 0, 1)
    (name, weight), *others = terms.items()
    if not plain or others or weight != 1:
        name = f"sum:{control.name}"
        bounds = {"min": _rounded(lowest), "max": 1.0}
        features[name] = _feature("weighted_sum", [*terms], weights=[*terms.values()], **bounds)
    if plain:
        return name
    ranged = f"range:{control.name}"
    shares = np.array([lowest, 1.0]) if lowest < 0 else np.array([0.0, 1.0])
    values = control.neutral + shares * (control.maximum - control.neutral)
    features[ranged] = _piecewise(name, shares, values)
    return ranged


def _piecewise(source: str, places: Weights, values: Weights) -> Feature:
    return _feature(
        "sdk", [source], in_val=[_rounded(p) for p in places], out_val=[_rounded(v) for v in values]
    )


def _feature(kind: str, sources: list[str], **params: Any) -> Feature:
    return {"type": kind, "input_features": sources, "input_params": [], "params": params}


def _rounded(number: float | np.floating) -> float:
    return round(float(number), _DIGITS) + 0.0
