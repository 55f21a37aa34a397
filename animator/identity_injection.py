"""Dynamic identity injection: who the rig is generates the weights of the animator's layers.

The identity code is computed from the rig itself, the set of what its controls do, so that a rig
never seen has one; what was learned of a registered rig is added to it. From the code come, for
every injected layer, a scale and a shift of its inputs (FiLM) and a low-rank update of its weights.
All three fold into one matrix and one bias for each rig, computed once: a frame pays nothing for
them.

Sources:
    Perez et al., FiLM: Visual Reasoning with a General Conditioning Layer, AAAI 2018.
    Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022.
"""

import torch
from torch import Tensor, nn

from .animator_config import CODE_SIZE

Layer = tuple[Tensor, Tensor]
"""Weight (R, 1, inner, outer) and bias (R, 1, 1, outer) of one layer, for each of R rigs; they
multiply inputs (R, T, C, inner)."""


class IdentityEncoder(nn.Module):
    """A set of encoded controls to one code; their order cannot matter."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.each = nn.Linear(dim, dim)
        self.together = nn.Linear(2 * dim, CODE_SIZE)

    def forward(self, controls: Tensor, valid: Tensor) -> Tensor:
        """Codes (R, 16).

        Args:
            controls: (R, C, dim) encoded.
            valid: (R, C) 1 for columns, 0 for padding; at least one column a rig.
        """
        each = torch.relu(self.each(controls)) * valid[..., None]
        mean = each.sum(dim=1) / valid.sum(dim=1, keepdim=True)
        # Nothing is negative, so that padding is never the largest.
        codes: Tensor = self.together(torch.cat([mean, each.amax(dim=1)], dim=-1))
        return codes


class InjectedLinear(nn.Module):
    """A linear layer that every rig has its own version of.

    Untrained, all versions are the same: scale, shift and update start at nothing.

    Args:
        inner: size of the inputs.
        outer: size of the outputs.
        rank: of the weight update.
        injection: False leaves one version for all.
    """

    def __init__(self, inner: int, outer: int, *, rank: int, injection: bool = True) -> None:
        super().__init__()
        self.base = nn.Linear(inner, outer)
        self.rank = rank
        self.scale_shift = nn.Linear(CODE_SIZE, 2 * inner) if injection else None
        self.left = nn.Linear(CODE_SIZE, inner * rank) if injection else None
        self.right = nn.Linear(CODE_SIZE, rank * outer) if injection else None
        for generator in (self.scale_shift, self.right):
            if generator is not None:
                nn.init.zeros_(generator.weight)
                nn.init.zeros_(generator.bias)

    def forward(self, code: Tensor) -> Layer:
        """The versions of R rigs.

        Args:
            code: (R, 16).
        """
        weight, bias = self.base.weight.t(), self.base.bias
        inner, outer = weight.shape
        if self.scale_shift is None or self.left is None or self.right is None:
            rigs = len(code)
            return weight.expand(rigs, 1, -1, -1), bias.expand(rigs, 1, 1, -1)
        scale, shift = self.scale_shift(code).reshape(-1, 1, 2 * inner).chunk(2, dim=-1)
        left = self.left(code).reshape(-1, 1, inner, self.rank)
        right = self.right(code).reshape(-1, 1, self.rank, outer)
        updated = weight + left @ right / self.rank
        moved = shift.unsqueeze(-2) @ updated
        return (1.0 + scale).unsqueeze(-1) * updated, bias + moved
