"""Encoder, masked autoencoder, heads, configurations."""

import pytest
import torch
from torch import Tensor

from freeavatar.foundation.config import (
    SIZES,
    EncoderConfig,
    ExpressionConfig,
    HeadsConfig,
    MAEConfig,
)
from freeavatar.foundation.errors import ConfigError
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.heads import Shape, rotation_from_6d
from freeavatar.foundation.landmarks import LANDMARKS, LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS
from freeavatar.foundation.mae import MAE, MAEOutput, from_patches, reconstruction, to_patches
from freeavatar.foundation.masking import random_masks, visible_indices, visible_pixels
from freeavatar.foundation.vit import Encoder, normalised

torch.set_num_threads(1)
SMALL = EncoderConfig(
    size=64, stem_widths=(8, 8, 8, 16), stem_residuals=(0, 1, 1, 0), depth=1, heads=2
)


def crops(count: int, size: int = 64) -> Tensor:
    make = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=make)


@pytest.mark.parametrize("name", SIZES)
def test_configurations_survive_json(name: str) -> None:
    for config in (MAEConfig(encoder=SIZES[name]), ExpressionConfig(encoder=SIZES[name])):
        assert type(config).from_dict(config.to_dict()) == config


def test_configurations_refuse_what_they_do_not_know() -> None:
    good = ExpressionConfig().to_dict()
    with pytest.raises(ConfigError, match="unknown or missing: width"):
        ExpressionConfig.from_dict(good | {"width": 3})
    with pytest.raises(ConfigError, match="unknown or missing: heads"):
        ExpressionConfig.from_dict({k: v for k, v in good.items() if k != "heads"})
    with pytest.raises(ConfigError, match="depths"):
        ExpressionConfig.from_dict(good | {"encoder": good["encoder"] | {"depths": 3}})
    with pytest.raises(ConfigError, match="expected a configuration of kind expression-mae/1"):
        MAEConfig.from_dict(good)
    with pytest.raises(ConfigError, match="do not divide"):
        EncoderConfig(heads=5)


def test_the_digest_tells_sizes_apart() -> None:
    assert len({ExpressionConfig(encoder=e).digest() for e in SIZES.values()}) == len(SIZES)


def test_masks_hide_the_same_number_everywhere() -> None:
    masks = random_masks(50, 64, 0.75, generator=torch.Generator().manual_seed(0))
    assert masks.sum(dim=1).tolist() == [48] * 50
    assert len({tuple(row.tolist()) for row in masks}) == 50
    visible = visible_indices(masks)
    assert not masks.gather(1, visible).any()
    assert (visible.diff(dim=1) > 0).all()
    pixels = visible_pixels(masks, 128)
    assert pixels.shape == (50, 1, 128, 128)
    assert torch.equal(pixels[:, 0, 8::16, 8::16].flatten(1) == 0, masks)


@pytest.mark.parametrize("training", [False, True])
def test_nothing_hidden_reaches_a_visible_token(training: bool) -> None:
    """In training too, where batch normalisation looks at all pixels."""
    torch.manual_seed(0)
    encoder = Encoder(SMALL).train(training)
    first = crops(6)
    masks = random_masks(6, SMALL.tokens, 0.75)
    hidden = visible_pixels(masks, 64)[:, 0, :, :, None] == 0
    second = torch.where(hidden, crops(6).flip(0), first)
    assert not torch.equal(first, second)
    with torch.no_grad():
        a, b = encoder(normalised(first), masks), encoder(normalised(second), masks)
        assert torch.equal(a, b)
        # The test can fail: without masks the change is seen.
        assert not torch.allclose(encoder(normalised(first)), encoder(normalised(second)))
    assert a.shape == (6, 4, 16)


def test_patches_are_put_together_as_they_were() -> None:
    pixels = torch.rand(2, 3, 64, 64)
    assert torch.equal(from_patches(to_patches(pixels, 16), 16), pixels)
    assert torch.equal(
        to_patches(pixels, 16)[0, 5].reshape(16, 16, 3), pixels[0, :, 16:32, 16:32].permute(1, 2, 0)
    )


def test_the_autoencoder_learns_a_toy_set() -> None:
    torch.manual_seed(0)
    model = MAE(MAEConfig(encoder=SMALL, decoder_dim=16, decoder_depth=1, decoder_heads=2))
    optimiser = torch.optim.AdamW(model.parameters(), 5e-3)
    ramp = torch.arange(64)
    waves = torch.stack([127 + 120 * torch.sin(ramp / (4 + n)) for n in range(8)])
    faces = (waves[:, :, None] * 0.5 + waves[:, None, :] * 0.5).to(torch.uint8)
    faces = faces[..., None].expand(-1, -1, -1, 3).contiguous()
    losses = []
    for _ in range(60):
        loss = model(faces).loss()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    # Painting each patch in its mean costs 1.
    assert losses[0] > 1.0
    assert sum(losses[-5:]) / 5 < 0.85


def test_the_autoencoder_is_judged_only_where_it_did_not_see() -> None:
    target = torch.zeros(1, 4, 12)
    painted = target.clone()
    painted[0, 0] = 7.0
    masks = torch.tensor([[False, True, True, True]])
    assert MAEOutput(painted=painted, masks=masks, target=target).loss() == 0
    painted[0, 1] = 3.0
    assert MAEOutput(painted=painted, masks=masks, target=target).loss() == 3.0


def test_a_perfect_reconstruction_is_the_picture() -> None:
    faces = crops(2)
    masks = random_masks(2, SMALL.tokens, 0.75)
    output = MAE(MAEConfig(encoder=SMALL))(faces, masks)
    perfect = MAEOutput(painted=output.target, masks=masks, target=output.target)
    seen, painted = reconstruction(faces, perfect, SMALL.patch)
    assert torch.equal(painted, faces)
    grey = (visible_pixels(masks, 64)[:, 0] == 0)[..., None].expand(-1, -1, -1, 3)
    assert torch.equal(seen[~grey], faces[~grey])
    assert set(seen[grey].tolist()) == {128}


def test_six_numbers_make_a_rotation() -> None:
    numbers = torch.randn(500, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rotations = rotation_from_6d(numbers)
    eye = torch.eye(3, dtype=torch.float64).expand(500, 3, 3)
    torch.testing.assert_close(rotations.mT @ rotations, eye, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        torch.linalg.det(rotations), torch.ones(500, dtype=torch.float64), rtol=0, atol=1e-12
    )
    columns = torch.cat([rotations[..., 0], rotations[..., 1]], dim=-1)
    torch.testing.assert_close(rotation_from_6d(columns * 3), rotations, rtol=0, atol=1e-12)


def test_the_level_shape_forgets_where_how_large_and_how_tilted_a_face_is() -> None:
    shape = Shape(len(LANDMARKS))
    points = torch.rand(3, len(LANDMARKS), 2, generator=torch.Generator().manual_seed(0))
    level = shape.level(points).reshape(3, -1, 2)
    turn = torch.tensor([[0.8, 0.6], [-0.6, 0.8]])
    moved = shape.level(1.7 * points @ turn + torch.tensor([0.4, -2.0])).reshape(3, -1, 2)
    torch.testing.assert_close(moved, level, rtol=0, atol=1e-5)
    right, left = (level[:, list(c)].mean(dim=1) for c in (RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS))
    torch.testing.assert_close(left + right, torch.zeros(3, 2), rtol=0, atol=1e-5)
    assert (left[:, 0] > 0).all() and left[:, 1].abs().max() < 1e-5
    torch.testing.assert_close(
        level.square().sum(dim=-1).mean(dim=1), torch.ones(3), rtol=0, atol=1e-5
    )


def test_the_heads_keep_their_ranges() -> None:
    torch.manual_seed(0)
    net = ExpressionNet(ExpressionConfig(encoder=SMALL, heads=HeadsConfig(hidden_dim=16))).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        out = net(crops(3))
    shapes = {name: tuple(value.shape[1:]) for name, value in out._asdict().items()}
    assert shapes == {
        "blendshapes": (52,), "eyes": (2, 2), "head": (3, 3), "place": (3,),
        "landmarks": (156, 2), "confidence": (), "embedding": (64,), "tokens": (16, 16),
    }  # fmt: skip
    assert all(value.dtype == torch.float32 for value in out)
    assert out.blendshapes.min() > 0 and out.blendshapes.max() < 1
    assert out.confidence.min() > 0 and out.confidence.max() < 1
    torch.testing.assert_close(out.embedding.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(out.head @ out.head.mT, torch.eye(3).expand(3, 3, 3))
