"""The nameless solver's problem laid out for a fixed number of steps, as a network takes them.

`ExpressionSolver` finds the exact minimum, one rig after the other. Here the same problem is put
into matrices once a rig, so that many rigs are solved together and gradients pass.
"""

from dataclasses import dataclass, fields

import numpy as np

from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.rigs.spec import FloatArray

from .columns import Columns
from .features import features
from .reach import reach_scales
from .reference import Reference, built_in_reference
from .solver import RIDGE, SPARSITY, UNSEEN

PENALTY = 0.3
"""Weight of the augmented Lagrangian where every column has unit energy: of .1, .3 and 1 the one
whose motion was nearest to the exact minimum's after ten steps, on 24 made-up rigs."""
SHAPES = len(BLENDSHAPES)


@dataclass(frozen=True, kw_only=True)
class SolverMatrices:
    """The problem of one rig of C columns; its variables are shares 0..1 of the largest weights.

    Source:
        Boyd et al., Distributed Optimization and Statistical Learning via the Alternating Direction
        Method of Multipliers, Foundations and Trends in Machine Learning 3, 2011, section 5.2, with
        the relaxation (section 3.4.3) at its largest, by which a step takes the fewest operations.
    """

    step: FloatArray
    """(C, C) what one step keeps of the point before."""
    linear: FloatArray
    """(52, C) where each ARKit shape leads."""
    offset: FloatArray
    """(C,) where the price of weights leads."""
    regain: FloatArray
    """(C,) from the minimum's shares to those of the answer; 0 for columns that move no point."""


MATRICES = tuple(field.name for field in fields(SolverMatrices))


def solver_matrices(columns: Columns, reference: Reference | None = None) -> SolverMatrices:
    """Lay out a rig's problem; all zeros where it has no face points.

    Args:
        columns: of the rig.
        reference: a head that is known; None takes the built-in one.
    """
    reference = reference or built_in_reference()
    count = len(columns.upper)
    motion = columns.motion.astype(np.float64)
    energy = np.einsum("cf,cf->c", motion, motion)
    seen = np.flatnonzero(energy > UNSEEN * energy.max(initial=0.0))
    out = {
        "step": np.zeros((count, count)),
        "linear": np.zeros((SHAPES, count)),
        "offset": np.zeros(count),
        "regain": np.zeros(count),
    }
    if len(seen):
        motion, energy = motion[seen], energy[seen]
        typical, size = float(energy.mean()), np.sqrt(energy)
        expressed = features(reference.motion, columns.found & reference.found)
        expressed = expressed * reach_scales(motion, expressed)[:, None]
        cost = SPARSITY * np.sqrt(energy * typical)
        # Where a share of each column moves points equally far, steps lead fastest to the minimum.
        unit = np.outer(size, size)
        gram = (motion @ motion.T + RIDGE * typical * np.eye(len(seen))) / unit
        inverse = np.linalg.inv(gram + PENALTY * np.eye(len(seen)))
        most = columns.upper[seen] * size
        # What a lone column at full value loses to cost and ridge, it gets back.
        kept = np.maximum((energy - cost) / (energy + RIDGE * typical), 0.5)
        step = 2.0 * PENALTY * inverse - np.eye(len(seen))
        out["step"][np.ix_(seen, seen)] = step * most[:, None] / most
        out["linear"][:, seen] = 2.0 * (expressed @ motion.T / size) @ inverse / most
        out["offset"][seen] = -2.0 * (cost / size) @ inverse / most
        out["regain"][seen] = 1.0 / kept
    return SolverMatrices(**{name: array.astype(np.float32) for name, array in out.items()})
