"""From an expression to the controls of any rig: bounded, sparse least squares."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Rig

from .bounded import solve_bounded
from .naming import NameMap, name_map

Values = NDArray[np.float64]

SPARSITY = 0.02
"""Weight of the absolute values: a control must explain more than this to be used."""
RIDGE = 1e-3
"""Weight of the squared values: keeps the minimum unique."""


class ExpressionSolver:
    """Solves the controls of one rig, frame by frame; keeps nothing but a warm start.

    Args:
        rig: to be driven.
        use_names: False ignores what control names say.

    Raises:
        RigError: neither names nor anchors say what any control of the rig does.
    """

    def __init__(self, rig: Rig, *, use_names: bool = True) -> None:
        self.rig = rig
        self._names = name_map(rig)
        self._fill = _Fill(self._names)
        self._span = np.array([c.maximum - c.neutral for c in rig.controls], np.float64)
        if not len(self._names.direct) and not len(self._names.combined):
            raise RigError(
                f"rig {rig.name}: no face was found on it and no control name is known: name its "
                "controls after a convention (freeavatar rig check lists them)"
            )

    def solve(self, blendshapes: NDArray[Any]) -> Values:
        """Control values (K,), each within its range, for the ARKit coefficients (52,)."""
        shapes = np.clip(np.asarray(blendshapes, np.float64), 0.0, 1.0)
        weights = np.zeros(len(self.rig.controls))
        names = self._names
        weights[names.direct] = np.minimum(shapes[names.shapes] * names.scale, 1.0)
        if not names.complete and len(names.combined):
            weights[names.combined] = self._fill.solve(shapes)
        return np.asarray(self.rig.neutral + self._span * weights)


class _Fill:
    """Combinations of shapes (visemes, emotions) that best explain what no direct control says."""

    def __init__(self, names: NameMap) -> None:
        self._open = np.ones(len(BLENDSHAPES))
        self._open[names.shapes] = 0.0
        self._columns = names.combinations * self._open
        count = len(names.combined)
        self._gram = names.combinations @ names.combinations.T + RIDGE * np.eye(count)
        self._lower, self._upper = np.zeros(count), np.ones(count)
        self._last: Values | None = None

    def solve(self, shapes: Values) -> Values:
        linear = self._columns @ shapes - SPARSITY
        self._last = solve_bounded(self._gram, linear, self._lower, self._upper, self._last)
        return self._last
