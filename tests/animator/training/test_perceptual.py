"""What the drawn rig expresses teaches every part of the animator."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from freeavatar.animator.animator_config import AnimatorConfig
from freeavatar.animator.animator_net import AnimatorNet
from freeavatar.animator.columns import Columns
from freeavatar.animator.reference_columns import reference_columns
from freeavatar.animator.training.expression_views import ExpressionViews
from freeavatar.animator.training.perceptual import PerceptualLoop, unit_weights
from freeavatar.renderer_net.appearance import Appearance
from freeavatar.renderer_net.net import RendererConfig, RendererNet, TorchRenderer

from .conftest import described

CONTROLS = 5
CROP = 32


class Eyes(nn.Module):
    """Stands for the foundation: a random projection of pictures, of unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Linear(3 * CROP * CROP, 64).requires_grad_(False)

    def forward(self, pictures: Tensor, rig: int) -> Tensor:
        seen = self.projection(pictures.flatten(1) - 0.5)
        return nn.functional.normalize(seen, dim=-1)


def ball() -> Appearance:
    """A ball of points whose controls move parts of it."""
    make = np.random.default_rng(0)
    normals = make.standard_normal((800, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    displacements = (
        0.02
        * make.standard_normal((CONTROLS, 1, 3))
        * (normals @ make.standard_normal((3, CONTROLS)) > 0.3).T[..., None]
    )
    return Appearance(
        points=0.1 * normals,
        displacements=displacements.astype(np.float32),
        colours=(0.5 + 0.4 * normals).astype(np.float32),
        normals=normals,
        joints=np.zeros((3, 800), np.float32),
        pivots=np.zeros((3, 3), np.float32),
        eye=np.array([0.0, 0.0, 0.8], np.float32),
        field_of_view=0.38,
        height=float(2 * 0.8 * np.tan(0.19)),
    )


@pytest.fixture(scope="module")
def columns() -> Columns:
    return described(CONTROLS)


@pytest.fixture(scope="module")
def loop(views: ExpressionViews, columns: Columns) -> PerceptualLoop:
    torch.manual_seed(0)
    renderer = TorchRenderer(RendererNet(RendererConfig(widths=(8, 8, 8))), [ball()], size=CROP)
    return PerceptualLoop(renderer, [columns], Eyes(), views, count=8)


def animator(**kind: bool) -> AnimatorNet:
    """Trained to nothing in particular: an untrained one has zeros that stop gradients."""
    torch.manual_seed(2)
    net = AnimatorNet(replace(AnimatorConfig(dim=24), **kind), reference_columns()).train()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net


@pytest.mark.parametrize("injection", [True, False])
def test_the_perceptual_gradient_reaches_every_parameter(
    loop: PerceptualLoop, injection: bool
) -> None:
    net = animator(injection=injection)
    net.zero_grad()
    sum(loop.cost(net) for _ in range(3)).backward()  # type: ignore[union-attr]
    missed = [
        name
        for name, parameter in net.named_parameters()
        if parameter.grad is None or not bool(parameter.grad.abs().max() > 0)
    ]
    assert not missed, f"no perceptual gradient reaches {missed}"


def test_renderer_and_foundation_stay_as_they_are(loop: PerceptualLoop) -> None:
    net = animator()
    loop.cost(net).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in loop.renderer.parameters())
    assert not loop.renderer.training


def test_the_loop_alone_brings_the_drawn_rig_nearer(
    views: ExpressionViews, columns: Columns
) -> None:
    """Towards what the rig itself would express with known weights."""
    torch.manual_seed(0)
    renderer = TorchRenderer(RendererNet(RendererConfig(widths=(8, 8, 8))), [ball()], size=CROP)
    eyes = Eyes()
    loop = PerceptualLoop(renderer, [columns], eyes, views)
    asked = torch.rand(1, len(columns.upper), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        goal = eyes(loop.drawn(0, asked), 0)[0].numpy()
    same = replace(views, embedding=np.broadcast_to(goal, views.embedding.shape).copy())
    loop = PerceptualLoop(renderer, [columns], eyes, same)
    net = AnimatorNet(AnimatorConfig(dim=24), reference_columns()).train()
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    costs = []
    for _ in range(25):
        cost = loop.cost(net)
        optimiser.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        costs.append(float(cost.detach()))
    assert np.mean(costs[-5:]) < 0.7 * np.mean(costs[:3]), costs


def test_unit_weights_are_those_of_the_columns(columns: Columns) -> None:
    found = np.random.default_rng(0).random((4, len(columns.upper))).astype(np.float32)
    torch.testing.assert_close(
        unit_weights(columns, torch.from_numpy(found)),
        torch.from_numpy(columns.to_weights(found)),
        rtol=0,
        atol=1e-6,
    )
