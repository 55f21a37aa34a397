"""What is known of rigs, padded to the same number of columns: what goes into the animator."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.spec import FloatArray

from .columns import FLAGS, MOTION_SIZE, PICTURE_SIZE, Columns
from .solver_matrices import SHAPES, SolverMatrices, solver_matrices


def rig_arrays(
    rigs: Sequence[Columns], matrices: Sequence[SolverMatrices] | None = None
) -> dict[str, FloatArray]:
    """Arrays of R rigs of at most C columns, by the names of `animator_batch.RigBatch`.

    Args:
        rigs: each with at least one column.
        matrices: of each rig's solver; None computes them.

    Returns:
        All float32, ``valid`` too; without the identity code.

    Raises:
        ValueError: there is no rig, or one has no column.
    """
    if not rigs or not all(len(rig.upper) for rig in rigs):
        raise ValueError("a batch needs rigs, each with at least one control")
    if matrices is None:
        matrices = [solver_matrices(rig) for rig in rigs]
    most = max(len(rig.upper) for rig in rigs)
    return {
        "motion": padded([rig.motion for rig in rigs], (most, MOTION_SIZE)),
        "picture": padded([rig.picture for rig in rigs], (most, PICTURE_SIZE)),
        "flags": padded([rig.flags for rig in rigs], (most, len(FLAGS))),
        "upper": padded([rig.upper for rig in rigs], (most,)),
        "valid": padded([np.ones(len(rig.upper)) for rig in rigs], (most,)),
        "step": padded([m.step for m in matrices], (most, most)),
        "linear": padded([m.linear for m in matrices], (SHAPES, most)),
        "offset": padded([m.offset for m in matrices], (most,)),
        "regain": padded([m.regain for m in matrices], (most,)),
    }


def padded(rows: Sequence[NDArray[np.floating]], shape: tuple[int, ...]) -> FloatArray:
    """Stack arrays, none larger than ``shape``, with zeros behind the smaller."""
    out = np.zeros((len(rows), *shape), np.float32)
    for place, row in zip(out, rows, strict=True):
        place[tuple(slice(n) for n in row.shape)] = row
    return out
