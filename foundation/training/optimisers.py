"""The optimisers of a run: AdamW, or Muon for the blocks of transformers with AdamW beside it.

Sources:
    Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019.
    Jordan et al., Muon, 2024, see `freeavatar.foundation.training.muon`.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import nn

from .muon import Muon
from .precision import bfloat16_pays

_FREE = ("positions", "token")
"""Ends of the names of parameters that are not drawn to zero, beside biases and norms."""


class Together:
    """Several optimisers, each with its own parameters, as one."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        self.parts = tuple(parts)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of every part; what is set in them holds."""
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=set_to_none)

    def step(self) -> None:
        """One update of the weights."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """What torch's optimisers tell; parameters are counted through all parts."""
        state: dict[int, Any] = {}
        for start, part in self._numbered():
            state |= {start + n: kept for n, kept in part.state_dict()["state"].items()}
        return {"state": state, "param_groups": self.param_groups}

    def load_state_dict(self, told: Mapping[str, Any]) -> None:
        """Take back the ``state`` that `state_dict` told; groups stay as they are."""
        for start, part in self._numbered():
            inside = range(start, start + _size(part))
            mine = {n - start: kept for n, kept in told["state"].items() if n in inside}
            groups = part.state_dict()["param_groups"]
            part.load_state_dict({"state": mine, "param_groups": groups})

    def _numbered(self) -> list[tuple[int, torch.optim.Optimizer]]:
        """Each part, and the number of its first parameter."""
        starts = accumulate(map(_size, self.parts[:-1]), initial=0)
        return list(zip(starts, self.parts, strict=True))


def _size(part: torch.optim.Optimizer) -> int:
    return sum(len(group["params"]) for group in part.param_groups)


def optimisers(
    model: nn.Module, *, rate: float, weight_decay: float, muon: bool = False
) -> Together:
    """AdamW for a model; biases, norms and positions are not drawn to zero.

    Args:
        rate: peak of the learning rate.
        muon: let Muon train the matrices of transformer blocks (parameters of two dimensions whose
            name holds ``blocks.``), with steps as long as AdamW's.
    """
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    matrices = {n: p for n, p in named if muon and p.ndim == 2 and "blocks." in n}
    rest = [(n, p) for n, p in named if n not in matrices]
    free = {n for n, p in rest if p.ndim <= 1 or n.endswith(_FREE)}
    groups = [
        {"params": [p for n, p in rest if n not in free], "weight_decay": weight_decay},
        {"params": [p for n, p in rest if n in free], "weight_decay": 0.0},
    ]
    parts: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), foreach=True)
    ]
    if matrices:
        parts.append(_muon(list(matrices.values()), rate, weight_decay))
    return Together(parts)


def _muon(matrices: list[nn.Parameter], rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """torch's, in bfloat16, where that pays; it takes half the time of ours there."""
    if matrices[0].is_cuda or bfloat16_pays():
        return torch.optim.Muon(
            matrices, lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
        )
    return Muon(matrices, lr=rate, weight_decay=weight_decay)
