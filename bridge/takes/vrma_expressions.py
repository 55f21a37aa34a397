"""What a rig's controls are called in a VRM animation, and how much of each is shown.

Presets go under VRM 1.0's names, which players also know for VRM 0.x avatars; everything else is a
custom expression. A rig of ARKit's curves gives the 52 as Perfect Sync spells them (``JawOpen``),
an avatar read from a VRM its own names. The four look presets are left out: the specification
keeps them for the gaze, which is a rotation.

Source: VRMC_vrm_animation 1.0, expressions; VRM 0.x presets renamed in VRMC_vrm 1.0.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from freeavatar.bridge.curves import Curves, is_arkit, other_controls
from freeavatar.bridge.vmc import PERFECT_SYNC, VRM1_PRESETS
from freeavatar.rigs.blendshapes import unit_weights
from freeavatar.rigs.spec import Control, FloatArray, Rig

log = logging.getLogger(__name__)

LOOKS = ("lookUp", "lookDown", "lookLeft", "lookRight")
PRESETS = frozenset(VRM1_PRESETS) - {*LOOKS}
"""Presets that an animation may hold."""
_VRM1 = {name.lower(): name for name in VRM1_PRESETS}
_VRM0 = {
    "neutral": "neutral", "a": "aa", "i": "ih", "u": "ou", "e": "ee", "o": "oh",
    "blink": "blink", "blink_l": "blinkLeft", "blink_r": "blinkRight",
    "joy": "happy", "angry": "angry", "sorrow": "sad", "fun": "relaxed",
    "lookup": "lookUp", "lookdown": "lookDown", "lookleft": "lookLeft", "lookright": "lookRight",
}  # fmt: skip


@dataclass(frozen=True)
class Expressions:
    """The expressions that an animation of a rig holds."""

    rig: Rig

    @property
    def names(self) -> tuple[str, ...]:
        """(E,) names; those in `PRESETS` are presets, the others custom."""
        return (*self._synced, *(name for _, name in self._own))

    @cached_property
    def controls(self) -> dict[str, Control]:
        """The one control that an expression stands for; ARKit's curves may be of several."""
        return {name: self.rig.controls[index] for index, name in self._own}

    def weights(self, values: NDArray[np.floating]) -> FloatArray:
        """(..., K) control values to (..., E) weights, 0 at a control's neutral, 1 at its maximum.

        What lies below neutral is 0: an expression has no other half.
        """
        columns = [index for index, _ in self._own]
        own = np.nan_to_num(unit_weights(self.rig, values)[..., columns])
        synced = Curves(self.rig).of(values) if self._synced else own[..., :0]
        return np.asarray(np.clip(np.concatenate([synced, own], axis=-1), 0, 1), np.float32)

    def warn_of_halves(self) -> None:
        """Say which controls lose what lies below their neutral value."""
        halved = [n for n, c in self.controls.items() if c.minimum < c.neutral]
        if halved:
            log.warning(
                "%s: a VRM animation holds weights from 0 to 1, so %s %s only what lies above "
                "neutral",
                self.rig.name,
                ", ".join(halved),
                "keeps" if len(halved) == 1 else "keep",
            )

    @cached_property
    def _synced(self) -> tuple[str, ...]:
        # A VRM's player looks for the expressions of that file, however they are spelt.
        return PERFECT_SYNC if is_arkit(self.rig) and not self.rig.expressions else ()

    @cached_property
    def _own(self) -> tuple[tuple[int, str], ...]:
        """Index and expression name of each control that is an expression of its own."""
        kept = other_controls(self.rig) if self._synced else self.rig.names
        names = _unique([_preset(self.rig.controls[self.rig.index[n]]) for n in kept], kept)
        indices = [self.rig.index[name] for name in kept]
        pairs = zip(indices, names, strict=True)
        return tuple((index, name) for index, name in pairs if name not in LOOKS)


def _preset(control: Control) -> str:
    """The VRM 1.0 preset a control is, else its own name."""
    lower = control.name.lower()
    if control.convention == "vrm0":
        return _VRM0.get(lower, control.name)
    return _VRM1.get(lower, control.name) if control.convention == "vrm1" else control.name


def _unique(names: Sequence[str], own: Sequence[str]) -> list[str]:
    """The names, or a control's own name (numbered, if need be) where another has it already."""
    out: list[str] = []
    for name, instead in zip(names, own, strict=True):
        number, free = 1, name
        # "joy" must not take "happy" from a control that is called so.
        if name != instead and name in own:
            free = instead
        while free in out or (number > 1 and free in own):
            number += 1
            free = f"{instead}_{number}"
        out.append(free)
    return out
