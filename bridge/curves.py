"""What a rig's controls say in ARKit's 52 curves, for protocols that carry only those."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.conventions import ARKIT, hub_matrix
from freeavatar.rigs.spec import FloatArray, Rig

from .sink import BridgeError

ENOUGH_CURVES = 40
"""A rig whose own controls are at least this many of the 52 counts as an ARKit rig. Real ARKit
heads lack a few (tongueOut, cheekPuff, the eyes' eight); other conventions share far fewer."""


def is_arkit(rig: Rig) -> bool:
    """Whether a rig's controls are ARKit's curves, whatever spelling its file gives them."""
    return len(_own_curves(rig)) >= ENOUGH_CURVES


def other_controls(rig: Rig) -> tuple[str, ...]:
    """Names of an ARKit rig's controls that are none of the 52 (visemes, emotions)."""
    return tuple(c.name for c in rig.controls if c.convention != "arkit" or not c.hub)


def carried_curves(rig: Rig, scheme: str) -> "Curves":
    """A rig's curves, for a protocol that carries nothing else of it.

    Raises:
        BridgeError: its controls mean nothing in ARKit's curves.
    """
    curves = Curves(rig)
    if not curves.covered:
        raise BridgeError(
            f"{scheme}: carries ARKit curves and rig {rig.name} has none; "
            f"use --rig arkit for this target, or osc:// for this rig"
        )
    return curves


def _own_curves(rig: Rig) -> set[str]:
    return {name for c in rig.controls if c.convention == "arkit" for name in c.hub}


@dataclass(frozen=True)
class Curves:
    """Turns control values into the 52 curves: ``clip(M (value - neutral) / (max - neutral))``.

    M holds what each control stands for (`Control.hub`). Where a control is itself an ARKit curve,
    or half of one, the other controls that also touch that curve (a viseme's jawOpen) are left
    out, so that an ARKit rig's own values arrive unchanged.
    """

    rig: Rig

    @cached_property
    def matrix(self) -> FloatArray:
        """(52, K) share of each control in each curve."""
        matrix = hub_matrix(self.rig.controls).T.copy()
        own = [row for row, name in enumerate(ARKIT) if name in _own_curves(self.rig)]
        others = [k for k, c in enumerate(self.rig.controls) if c.convention != "arkit"]
        matrix[np.ix_(own, others)] = 0
        return matrix

    @cached_property
    def covered(self) -> tuple[str, ...]:
        """Curves that any control says something about, in ARKit's order."""
        return tuple(np.array(ARKIT)[self.matrix.any(axis=1)].tolist())

    @cached_property
    def _scale(self) -> FloatArray:
        span = [c.maximum - c.neutral for c in self.rig.controls]
        return np.array([1 / s if s else 0.0 for s in span], np.float32)

    def of(self, values: NDArray[np.floating]) -> FloatArray:
        """(..., K) control values to (..., 52) curves, 0..1, in the order of `ARKIT`.

        A value that is not finite counts as neutral, and leaves the other curves alone.
        """
        weights = (np.asarray(values, np.float32) - self.rig.neutral) * self._scale
        if not np.isfinite(weights).all():
            weights = np.nan_to_num(weights, nan=0.0, posinf=0.0, neginf=0.0)
        return np.asarray(np.clip(weights @ self.matrix.T, 0, 1), np.float32)
