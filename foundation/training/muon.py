"""Muon in float32: momentum whose singular values are made alike.

torch's own `torch.optim.Muon` computes in bfloat16, for which a processor without such products
takes fifteen times as long: more than the rest of a step of our networks.

Sources:
    Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024.
    Liu et al., Muon is Scalable for LLM Training, 2025.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients by which five turns bring singular values of 0.01 to 1 near 1 (Jordan et al.)."""
_TURNS = 5
_LEAST = 1e-7


class Muon(torch.optim.Optimizer):
    """Trains matrices with steps as long as AdamW's (Liu et al.), Nesterov's momentum and decoupled
    decay.

    Args:
        matrices: parameters of two dimensions.
        lr: learning rate.
        weight_decay: drawn to zero by this part of the rate in each step.
        momentum: of the mean of the gradients.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        *,
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of the weights that have a gradient."""
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(matrix)
                mean = state["momentum_buffer"].lerp_(matrix.grad, 1 - momentum)
                update = orthogonal(matrix.grad.lerp(mean, momentum))
                matrix.mul_(1 - rate * group["weight_decay"])
                matrix.add_(update, alpha=-rate * 0.2 * math.sqrt(max(matrix.shape)))


def orthogonal(matrix: Tensor) -> Tensor:
    """A matrix of the same singular vectors whose singular values are near 1 (0.7 to 1.2).

    Args:
        matrix: (A, B).
    """
    tall = matrix.shape[0] > matrix.shape[1]
    wide = matrix.T if tall else matrix
    a, b, c = _QUINTIC
    wide = wide / wide.norm().clamp(min=_LEAST)
    for _ in range(_TURNS):
        square = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(square, square, square, beta=b, alpha=c), wide, beta=a)
    return wide.T if tall else wide
