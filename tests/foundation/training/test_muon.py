"""Muon in float32 takes the steps of torch's, and makes singular values alike."""

import pytest
import torch

from freeavatar.foundation.training.muon import Muon, orthogonal

torch.set_num_threads(1)


@pytest.mark.parametrize("shape", [(48, 16), (16, 48)])
def test_singular_values_become_alike_and_vectors_stay(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    values = torch.linspace(0.05, 1.0, 16)
    found = torch.linalg.svd(orthogonal(u @ torch.diag(values) @ v), full_matrices=False)
    assert found.S.min() > 0.6 and found.S.max() < 1.25
    inner = u.T @ orthogonal(u @ torch.diag(values) @ v) @ v.T
    assert (inner - torch.diag(torch.diagonal(inner))).abs().max() < 1e-4


@pytest.mark.parametrize("shape", [(64, 32), (32, 64)])
def test_steps_are_those_of_torch(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    ours = torch.nn.Parameter(torch.randn(shape))
    theirs = torch.nn.Parameter(ours.detach().clone())
    start = ours.detach().clone()
    options = {"lr": 1e-2, "weight_decay": 0.05}
    first = Muon([ours], **options)
    second = torch.optim.Muon([theirs], adjust_lr_fn="match_rms_adamw", **options)
    for _ in range(10):
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        first.step()
        second.step()
    # torch's are in bfloat16, whose rounding is a hundredth.
    assert (ours - theirs).norm() < 0.02 * (theirs - start).norm()


def test_a_matrix_without_a_gradient_stays() -> None:
    matrix = torch.nn.Parameter(torch.ones(2, 2))
    Muon([matrix], lr=0.1, weight_decay=0.5).step()
    assert torch.equal(matrix, torch.ones(2, 2))
