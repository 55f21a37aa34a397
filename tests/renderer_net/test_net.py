"""The network that finishes pictures: begins as the identity, learns, keeps rigs apart."""

import pytest
import torch

from freeavatar.renderer_net.appearance import Appearance
from freeavatar.renderer_net.discriminator import Discriminator
from freeavatar.renderer_net.dots import CODE, COVERAGE, LIGHT, MAPS
from freeavatar.renderer_net.losses import (
    deceiving_loss,
    expression_loss,
    judged_loss,
    perceptual_loss,
    picture_loss,
    signal_to_noise,
    structural_similarity,
)
from freeavatar.renderer_net.net import RendererConfig, RendererNet, TorchRenderer
from freeavatar.renderer_net.splatting import studio_light

SMALL = RendererConfig(widths=(8, 12), condition_dim=8)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def test_it_begins_with_the_points_as_they_are() -> None:
    net = RendererNet(SMALL)
    maps = torch.rand(2, MAPS, 32, 32)
    colour, mask = net(maps, torch.rand(2, LIGHT + CODE))
    torch.testing.assert_close(colour, maps[:, :3])
    torch.testing.assert_close(mask[:, 0], maps[:, COVERAGE].clamp(0.02, 0.98))


def test_the_shipped_size_stays_small() -> None:
    net = RendererNet(RendererConfig())
    assert sum(p.numel() for p in net.parameters()) < 1_500_000
    assert RendererConfig.from_dict(RendererConfig().to_dict()) == RendererConfig()


def test_it_learns_what_the_points_cannot_say(appearance: Appearance) -> None:
    renderer = TorchRenderer(RendererNet(SMALL), [appearance], size=32)
    make = torch.Generator().manual_seed(1)
    weights = torch.rand((4, 3), generator=make)
    still, eyes, light = torch.zeros(4, 3), torch.zeros(4, 2, 3), studio_light(4)
    with torch.no_grad():
        target = 1.0 - renderer.render(0, weights, still, eyes, light)[0]
    optimiser = torch.optim.Adam(renderer.parameters(), 5e-3)
    course = []
    for _ in range(30):
        colour, mask = renderer.render(0, weights, still, eyes, light)
        loss = picture_loss(colour, target, mask.detach())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        course.append(float(loss.detach()))
    assert course[-1] < 0.6 * course[0]
    assert renderer.codes.grad is not None


def test_the_gradient_reaches_the_controls(appearance: Appearance) -> None:
    renderer = TorchRenderer(RendererNet(SMALL), [appearance, appearance], size=32)
    weights = torch.full((2, 3), 0.3, requires_grad=True)
    colour, _ = renderer.render(
        1, weights, torch.zeros(2, 3), torch.zeros(2, 2, 3), studio_light(2)
    )
    colour.mean().backward()
    assert weights.grad is not None
    assert (weights.grad[:, :2] != 0).all()


def test_losses_are_zero_for_the_same_and_grow_with_the_difference() -> None:
    a = torch.rand(2, 3, 32, 32)
    mask = torch.ones(2, 1, 32, 32)

    def features(x: torch.Tensor) -> list[torch.Tensor]:
        return [x, torch.nn.functional.avg_pool2d(x, 4)]

    def embedding(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(x.flatten(1), dim=1)

    near, far = (a + 0.02).clamp(0, 1), torch.rand(2, 3, 32, 32)
    assert float(picture_loss(a, a, mask)) == 0.0
    assert float(perceptual_loss(features(a), features(a))) == 0.0
    assert float(expression_loss(embedding(a), embedding(a))) == pytest.approx(0.0, abs=1e-6)
    assert float(picture_loss(near, a, mask)) < float(picture_loss(far, a, mask))
    seen = [perceptual_loss(features(x), features(a)) for x in (near, far)]
    assert float(seen[0]) < float(seen[1])
    meant = [expression_loss(embedding(x), embedding(a)) for x in (near, far)]
    assert float(meant[0]) < float(meant[1])


def test_figures_of_known_pictures() -> None:
    a = torch.full((1, 3, 32, 32), 0.5)
    assert float(signal_to_noise(a + 0.1, a)) == pytest.approx(20.0, abs=1e-3)
    assert float(structural_similarity(a, a)) == pytest.approx(1.0)
    noisy = (a + 0.2 * torch.randn(1, 3, 32, 32)).clamp(0, 1)
    assert float(structural_similarity(noisy, a)) < 0.2


def test_the_discriminator_learns_to_tell() -> None:
    judge = Discriminator(8)
    real, drawn = torch.rand(8, 4, 32, 32), torch.rand(8, 4, 32, 32) * 0.5
    optimiser = torch.optim.Adam(judge.parameters(), 2e-3)
    for _ in range(40):
        loss = judged_loss(judge(real), judge(drawn))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert judge(real).shape == (8, 1, 4, 4)
    with torch.no_grad():
        told, fooled = judge(real), judge(drawn)
    assert float(told.mean()) > float(fooled.mean()) + 0.5
    assert float(deceiving_loss(fooled)) > float(deceiving_loss(told))
