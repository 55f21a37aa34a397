"""The best that a rig can do to show an expression: what the animator should say."""

import numpy as np
from numpy.typing import NDArray

from freeavatar.animator.bounded import solve_bounded
from freeavatar.animator.reference import built_in_reference
from freeavatar.animator.solver import shut_at_most
from freeavatar.rigs.spec import FloatArray

Values = NDArray[np.float64]

SPARSITY, RIDGE = 6e-3, 2e-4
"""Absolute and squared value, relative to the root of a column's own and the mean motion energy. By
the ridge, controls that do the same share the work alike, which is all that a network that cannot
tell them apart can say."""
STILL = 1e-6
"""Share of the largest motion energy below which a column moves nothing."""


class IdealControls:
    """Bounded least squares against a motion that is known.

    Args:
        moved: (C, F) motion of each column at weight 1, in any features.
        wanted: (52, F) the same of each ARKit shape, as this head does it.
        upper: (C,) largest weights.
    """

    def __init__(self, moved: Values, wanted: Values, upper: FloatArray) -> None:
        energy = np.einsum("cf,cf->c", moved, moved)
        self._moving = np.flatnonzero(energy > STILL * energy.max(initial=0.0))
        self._count = len(upper)
        moved, energy = moved[self._moving], energy[self._moving]
        size = np.sqrt(energy * energy.mean()) if len(energy) else energy
        self._gram = moved @ moved.T + np.diag(RIDGE * size)
        self._linear = moved @ wanted.T
        self._cost = SPARSITY * size
        # What a lone column at full value loses to cost and ridge, it gets back.
        self._regain = (energy + RIDGE * size) / np.maximum(energy - self._cost, 0.5 * energy)
        self._upper = upper[self._moving].astype(np.float64)
        self._closing = built_in_reference().closing

    def __call__(self, shapes: FloatArray) -> FloatArray:
        """Column weights (C,) that come closest to the ARKit coefficients (52,)."""
        asked = shut_at_most(np.clip(shapes.astype(np.float64), 0.0, 1.0), self._closing)
        out = np.zeros(self._count, np.float32)
        if len(self._moving):
            linear = self._linear @ asked - self._cost
            found = solve_bounded(self._gram, linear, np.zeros(len(linear)), self._upper)
            out[self._moving] = np.minimum(found * self._regain, self._upper)
        return out
