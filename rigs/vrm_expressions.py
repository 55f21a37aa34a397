"""What VRM expression clips do to each other: thresholds of binary clips, and overrides.

Each clip of `Rig.expressions` is a plain mapping that survives JSON:
``preset`` (its preset name or ""), ``binds`` (morph target name → weight 0..1), ``binary``,
``override_mouth``, ``override_blink``, ``override_look_at`` ("none", "block" or "blend") and
``material_binds`` (how many colour and texture changes it makes, which a mesh cannot show).

Source: VRMC_vrm-1.0 specification, expressions, "Procedural override" and "Interaction between
override and isBinary".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .spec import FloatArray, Rig

OVERRIDDEN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "override_mouth": frozenset({"aa", "ih", "ou", "ee", "oh"}),
        "override_blink": frozenset({"blink", "blinkLeft", "blinkRight"}),
        "override_look_at": frozenset({"lookUp", "lookDown", "lookLeft", "lookRight"}),
    }
)
"""Presets that each kind of override holds back."""


def resolve_expressions(rig: Rig, values: NDArray[Any]) -> FloatArray:
    """Control values as a VRM player shows them.

    A binary clip is 1 above 0.5, else 0. A clip with an override takes "block" (everything) or
    "blend" (its own value) from the mouth, blink or gaze presets; a binary preset that loses
    anything is 0. Rigs without clips come back unchanged.

    Args:
        rig: with its controls.
        values: (..., K) in the order of `Rig.controls`.

    Returns:
        (..., K) float32.
    """
    out = np.array(values, np.float32)
    clips = {rig.index[name]: clip for name, clip in rig.expressions.items() if name in rig.index}
    for index, clip in clips.items():
        if clip.get("binary"):
            out[..., index] = out[..., index] > 0.5
    shown = out.copy()
    for kind, presets in OVERRIDDEN.items():
        taken = np.zeros(out.shape[:-1], np.float32)
        for index, clip in clips.items():
            # A clip's override of its own kind is invalid.
            if clip.get("preset") not in presets:
                taken += _taken(clip.get(kind, "none"), shown[..., index])
        left = 1 - np.clip(taken, 0, 1)
        for index, clip in clips.items():
            if clip.get("preset") in presets:
                out[..., index] *= (left == 1) if clip.get("binary") else left
    return out


def _taken(override: str, value: FloatArray) -> FloatArray:
    if override == "block":
        return np.asarray(value > 0, np.float32)
    return value if override == "blend" else np.zeros_like(value)
