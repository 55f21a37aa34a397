"""The second look at each face point."""

import pytest
import torch
from torch import Tensor

from freeavatar.foundation.config import EncoderConfig, HeadsConfig
from freeavatar.foundation.errors import ConfigError
from freeavatar.foundation.point_detail import AROUND, REACH, PointDetail

torch.set_num_threads(1)
ENCODER = EncoderConfig()
CONFIG = HeadsConfig()


def detail() -> PointDetail:
    torch.manual_seed(0)
    module = PointDetail(CONFIG, ENCODER)
    with torch.no_grad():
        module.out.normal_()
    return module


def maps(seed: int, count: int = 2) -> list[Tensor]:
    make = torch.Generator().manual_seed(seed)
    sizes = [ENCODER.size // 2 ** (i + 1) for i in range(4)]
    return [
        torch.randn(count, w, s, s, generator=make)
        for w, s in zip(ENCODER.stem_widths, sizes, strict=True)
    ]


def test_points_stay_at_first_and_tell_something() -> None:
    moved, looks = PointDetail(CONFIG, ENCODER)(torch.rand(2, 156, 2), maps(0))
    assert moved.shape == (2, 156, 2) and not moved.any()
    assert looks.shape == (2, 156 * CONFIG.detail_dim) and looks.std() > 0.01


def test_only_what_lies_around_a_point_counts() -> None:
    module = detail()
    points = torch.full((2, 156, 2), 0.25)
    points[:, 0] = 0.75
    before, other = maps(0), maps(1)
    # Squares that 0.25 and the places around it are interpolated from, in maps of 32 and of 16.
    for i, far in ((1, 13), (2, 7)):
        before[i][:, :, :far, :far] = other[i][:, :, :far, :far]
    (a, a_looks), (b, b_looks) = module(points, before), module(points, other)
    assert torch.equal(a[:, 1:], b[:, 1:]) and not torch.equal(a[:, 0], b[:, 0])
    each = a_looks.reshape(2, 156, -1), b_looks.reshape(2, 156, -1)
    assert torch.equal(each[0][:, 1:], each[1][:, 1:])
    assert not torch.equal(each[0][:, 0], each[1][:, 0])


def test_a_place_is_interpolated_in_its_map() -> None:
    """A map that says its own column and row is read back anywhere inside it."""
    module = detail()
    with torch.no_grad():
        for part in (module.fine, module.middle):
            part.weight.zero_()
            part.bias.zero_()
            part.weight[0, 0] = part.weight[1, 1] = 1.0
    seen: list[Tensor] = []
    module.hidden.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    found = maps(0, 1)
    for m in found[1:3]:
        places = (torch.arange(m.shape[-1]) + 0.5) / m.shape[-1]
        m[0, 0], m[0, 1] = places[None, :], places[:, None]
    points = 0.1 + 0.8 * torch.rand(1, 156, 2)
    module(points, found)
    fine = seen[0][..., : len(AROUND) * CONFIG.fine_dim].reshape(1, 156, len(AROUND), -1)[..., :2]
    wanted = points[:, :, None] + torch.tensor(AROUND) / 32
    torch.testing.assert_close(fine, wanted, rtol=0, atol=1e-5)
    middle = seen[0][..., len(AROUND) * CONFIG.fine_dim :][..., :2]
    torch.testing.assert_close(middle, points, rtol=0, atol=1e-5)


def test_it_learns_to_move_points_by_what_it_sees() -> None:
    """Each map shows a slope whose height tells how far the points are off."""
    torch.manual_seed(0)
    module = PointDetail(CONFIG, ENCODER)
    optimiser = torch.optim.AdamW(module.parameters(), lr=1e-2)
    points = torch.rand(16, 156, 2)
    off = 2.0 * REACH * torch.rand(16, 1, 2) - REACH
    shown = [m[:1].expand(16, -1, -1, -1).clone() for m in maps(0)]
    shown[1][:, :2] = 20.0 * off[..., None].transpose(1, 2)
    errors = []
    for _ in range(60):
        moved, _ = module(points, shown)
        loss = (moved - off).abs().mean()
        errors.append(loss.item())
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    assert errors[-1] < errors[0] / 4


def test_looking_pulls_at_features_but_not_at_where_it_looks() -> None:
    module = detail()
    points = torch.rand(2, 156, 2, requires_grad=True)
    found = [m.requires_grad_() for m in maps(0)]
    moved, looks = module(points, found)
    torch.autograd.backward(moved.square().sum() + looks.square().sum())
    assert points.grad is None
    assert all((m.grad is not None) == (i in (1, 2)) for i, m in enumerate(found))


def test_a_stem_without_such_features_is_refused() -> None:
    short = EncoderConfig(stem_widths=(8, 16), stem_residuals=(0, 0), heads=2)
    with pytest.raises(ConfigError, match="3 stages or more, it has 2"):
        PointDetail(CONFIG, short)
