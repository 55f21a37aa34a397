"""A rig to train on: what the animator sees of it, the baseline's answer and the right one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from freeavatar.animator.anchor_table import ANCHORS
from freeavatar.animator.columns import Columns
from freeavatar.animator.descriptors import Descriptors
from freeavatar.animator.solver import ExpressionSolver
from freeavatar.rigs.spec import FloatArray, Rig

SYMMETRIC = 0.15
"""Mean difference of mirrored columns, as a share of their motion, up to which a rig counts as
symmetric."""

Solve = Callable[[FloatArray], FloatArray]
"""ARKit coefficients (52,) to column weights (C,)."""


@dataclass(frozen=True, kw_only=True)
class TrainingRig:
    """A rig with C columns."""

    columns: Columns
    solved: Solve
    """The nameless solver's answer; zeros for a rig without face points."""
    ideal: Solve
    """The best that the rig can do to show an expression."""
    mirrored: NDArray[np.intp] | None
    """(C,) column that does on the other side what each does; None for an asymmetric rig."""


def nameless(rig: Rig, columns: Columns) -> Solve:
    """The nameless solver's column weights; zeros for a rig without face points.

    Args:
        rig: to be solved.
        columns: of the same controls.
    """
    if rig.anchors is None or rig.mesh is None:
        nothing = np.zeros(len(columns.upper), np.float32)
        return lambda shapes: nothing
    return solved(rig, columns, use_names=False)


def solved(rig: Rig, columns: Columns, *, use_names: bool = True) -> Solve:
    """The solver's column weights.

    Args:
        rig: to be solved.
        columns: of the same controls.
        use_names: see `ExpressionSolver`.

    Raises:
        RigError: nothing tells what the rig's controls do.
    """
    solver = ExpressionSolver(rig, use_names=use_names)
    neutral = rig.neutral.astype(np.float64)
    span = np.array([c.maximum for c in rig.controls], np.float64) - neutral
    return lambda shapes: columns.of_weights((solver.solve(shapes) - neutral) / span)


class RigSource(Protocol):
    """Where rigs come from."""

    def rig(self, number: int) -> TrainingRig:
        """The rig with a number; the same number gives the same rig."""
        ...


def mirrored_columns(descriptors: Descriptors, columns: Columns) -> NDArray[np.intp] | None:
    """Pair the columns of a rig by their motion, left with right.

    Args:
        descriptors: of the rig.
        columns: laid out from them.

    Returns:
        (C,) partners, each the partner of its partner; None where the rig has no face points or
        does not do the same on both sides.

    Source:
        Crouse, On implementing 2D rectangular assignment algorithms, IEEE TAES 52, 2016.
    """
    if not descriptors.anchored:
        return None
    motion = descriptors.motion[columns.controls] * columns.signs[:, None, None]
    partner = np.array([a.partner for a in ANCHORS])
    there = descriptors.found & descriptors.found[partner]
    motion = motion * there[:, None]
    image = motion[:, partner] * np.array([-1.0, 1.0, 1.0], np.float32)
    flat, other = motion.reshape(len(motion), -1), image.reshape(len(motion), -1)
    apart = np.linalg.norm(flat[:, None] - other[None], axis=2)
    # Columns that do nothing stay where they are.
    apart -= 1e-6 * np.eye(len(apart))
    rows, found = linear_sum_assignment(apart + apart.T)
    away = float(apart[rows, found].clip(min=0).sum())
    symmetric = away <= SYMMETRIC * float(np.linalg.norm(flat, axis=1).sum())
    both_ways = bool((found[found] == rows).all())
    return np.asarray(found, np.intp) if symmetric and both_ways else None
