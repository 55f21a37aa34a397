"""A network for every rig, for comparison: what a joint network must not be worse than."""

import torch
from torch import Tensor, nn

from freeavatar.animator.animator_batch import AnimatorBatch, RigBatch
from freeavatar.animator.animator_config import AnimatorConfig
from freeavatar.animator.animator_net import AnimatorNet
from freeavatar.animator.columns import Columns


class SeparateAnimators(nn.Module):
    """One animator for each of a fixed set of rigs.

    Args:
        config: of each.
        count: of rigs.
        reference: see `AnimatorNet`.
    """

    def __init__(
        self, config: AnimatorConfig, count: int, reference: Columns | None = None
    ) -> None:
        super().__init__()
        self.each = nn.ModuleList(AnimatorNet(config, reference) for _ in range(count))

    def forward(self, batch: AnimatorBatch, numbers: Tensor) -> Tensor:
        """Column weights (N, T, C).

        Args:
            batch: what is shown, on R rigs.
            numbers: (R,) which network each rig has.
        """
        out = torch.zeros_like(batch.solver)
        for row, number in enumerate(numbers.tolist()):
            mine = torch.nonzero(batch.rig == row).flatten()
            if len(mine):
                alone = RigBatch(**{k: v[row : row + 1] for k, v in vars(batch.rigs).items()})
                part = AnimatorBatch(
                    tokens=batch.tokens[mine],
                    shapes=batch.shapes[mine],
                    solver=batch.solver[mine],
                    rig=torch.zeros_like(mine),
                    rigs=alone,
                )
                out = out.index_copy(0, mine, self.each[number](part))
        return out
