"""A network for every rig, for comparison: what a joint network must not be worse than."""

import torch
from torch import Tensor, nn

from freeavatar.animator.animator_batch import AnimatorBatch, RigBatch
from freeavatar.animator.animator_config import AnimatorConfig
from freeavatar.animator.animator_net import AnimatorNet, Answer
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

    def forward(self, batch: AnimatorBatch, numbers: Tensor) -> Answer:
        """See `AnimatorNet.forward`; without state.

        Args:
            batch: what is shown, on R rigs.
            numbers: (R,) which network each rig has.
        """
        most = batch.rigs.upper.shape[1]
        weights = batch.shapes.new_zeros(*batch.shapes.shape[:2], most)
        shapes = torch.zeros_like(batch.shapes)
        for row, number in enumerate(numbers.tolist()):
            mine = torch.nonzero(batch.rig == row).flatten()
            if len(mine):
                alone = RigBatch(**{k: v[row : row + 1] for k, v in vars(batch.rigs).items()})
                part = AnimatorBatch(
                    tokens=batch.tokens[mine],
                    shapes=batch.shapes[mine],
                    rig=torch.zeros_like(mine),
                    rigs=alone,
                )
                answer = self.each[number](part)
                weights = weights.index_copy(0, mine, answer.weights)
                shapes = shapes.index_copy(0, mine, answer.shapes)
        return Answer(weights, shapes, shapes.new_zeros(2, len(shapes), 0))
