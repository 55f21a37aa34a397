"""What the animator is trained on: short sequences of expressions, each performed on some rig.

Sizes: N sequences of T frames, on R rigs of at most C columns (`columns.Columns`); rigs with fewer
are padded with zeros, and ``valid`` says which columns are real. A rig may appear in any number of
sequences, so that what is computed once a rig is computed once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .animator_config import CODE_SIZE
from .columns import Columns
from .network_inputs import rig_arrays
from .solver_matrices import SolverMatrices


@dataclass(frozen=True, kw_only=True)
class RigBatch:
    """R rigs, padded to the same number of columns."""

    motion: Tensor
    """(R, C, 501) float32, `Columns.motion`."""
    picture: Tensor
    """(R, C, 308) float32, `Columns.picture`; zeros where the rig was not drawn."""
    flags: Tensor
    """(R, C, 6) float32, `columns.FLAGS`."""
    upper: Tensor
    """(R, C) float32 largest weight; 0 in padding."""
    valid: Tensor
    """(R, C) bool; at least one column of each rig is valid."""
    code: Tensor
    """(R, 16) float32 learned identity code, added to the computed one; zeros for a rig without."""
    step: Tensor
    """(R, C, C) float32, `SolverMatrices.step`; this and the next three are 0 in padding."""
    linear: Tensor
    """(R, 52, C) float32"""
    offset: Tensor
    """(R, C) float32"""
    regain: Tensor
    """(R, C) float32"""

    def to(self, device: torch.device | str) -> "RigBatch":
        """The same on another device."""
        return RigBatch(**{k: v.to(device) for k, v in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class AnimatorBatch:
    """N sequences; the network's answer is (N, T, C) column weights, 0..``upper``, 0 in padding."""

    tokens: Tensor
    """(N, T, 64, 192) finer features of the foundation, any float type. A frame whose tokens are
    all zero has none (recorded curves): blank some in training."""
    shapes: Tensor
    """(N, T, 52) float32 blendshapes 0..1 after calibration."""
    rig: Tensor
    """(N,) int64 row of ``rigs`` that each sequence is performed on."""
    rigs: RigBatch
    state: Tensor | None = None
    """(2, N, 64) temporal context before the first frame; None starts afresh."""

    def to(self, device: torch.device | str) -> "AnimatorBatch":
        """The same on another device."""
        return AnimatorBatch(
            tokens=self.tokens.to(device),
            shapes=self.shapes.to(device),
            rig=self.rig.to(device),
            rigs=self.rigs.to(device),
            state=None if self.state is None else self.state.to(device),
        )


def batch_rigs(
    rigs: Sequence[Columns],
    codes: Sequence[NDArray[np.float32] | None] | None = None,
    matrices: Sequence[SolverMatrices] | None = None,
) -> RigBatch:
    """Pad rigs to the same number of columns.

    Args:
        rigs: R of them, each with at least one column.
        codes: learned identity code (16,) of each, None for a rig without; None for none at all.
        matrices: of each rig's solver; None computes them.

    Raises:
        ValueError: there is no rig, or one has no column.
    """
    arrays = rig_arrays(rigs, matrices)
    codes = codes or [None] * len(rigs)
    learned = np.stack([np.zeros(CODE_SIZE) if c is None else c for c in codes])
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    tensors["valid"] = tensors["valid"] > 0
    return RigBatch(code=torch.from_numpy(learned.astype(np.float32)), **tensors)
