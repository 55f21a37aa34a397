"""Muon trains matrices of blocks, AdamW all else."""

import torch
from torch import Tensor, nn

from freeavatar.foundation.training.optimisers import optimisers
from freeavatar.foundation.vit import transformer_blocks

RATE = 0.01


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = transformer_blocks(16, 2, mlp_ratio=2.0, depth=1)
        self.out = nn.Linear(16, 16)


def steps(*, muon: bool) -> dict[str, Tensor]:
    """What one update adds to each parameter."""
    torch.manual_seed(0)
    model = Small()
    both = optimisers(model, rate=RATE, weight_decay=0.05, muon=muon)
    assert {group["lr"] for group in both.param_groups} == {RATE}
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    x = torch.randn(4, 9, 16)
    for block in model.blocks:
        x = block(x)
    model.out(x).square().sum().backward()
    both.step()
    return {name: value.detach() - before[name] for name, value in model.named_parameters()}


def evenness(step: Tensor) -> float:
    """Middle of the singular values in parts of the largest."""
    values = torch.linalg.svdvals(step)
    return float(values.median() / values.max())


def test_muon_trains_the_matrices_of_blocks_alone() -> None:
    """Its steps are nearer to orthogonal (all singular values alike) than AdamW's are."""
    with_muon, without = steps(muon=True), steps(muon=False)
    matrices = {name for name, step in with_muon.items() if step.ndim == 2 and "blocks." in name}
    assert len(matrices) == 4
    for name, step in with_muon.items():
        if name in matrices:
            assert evenness(step) > 1.4 * evenness(without[name]), name
        else:
            assert torch.equal(step, without[name]), name
