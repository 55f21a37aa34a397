"""Scales of the blendshapes: rest is zero, swings are as large as they should be."""

import numpy as np
import torch

from freeavatar.foundation.config import EncoderConfig, HeadsConfig
from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.foundation.heads import Heads
from freeavatar.foundation.training.calibration import (
    FINE,
    GAINS,
    RARE,
    RESTS,
    scales,
    set_scales,
)

OPEN, LEFT = BLENDSHAPES.index("jawOpen"), BLENDSHAPES.index("mouthSmileLeft")
RIGHT = BLENDSHAPES.index("mouthSmileRight")


def damped(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Curves mostly at rest, and a network that says 0.1 there and two thirds of every swing."""
    make = np.random.default_rng(seed)
    wanted = make.uniform(0, 1, (600, 52)) * (make.random((600, 52)) < 0.4)
    found = 0.1 + wanted / 1.5 + make.normal(0, 0.01, wanted.shape)
    return found.clip(0, 1).astype(np.float32), wanted.astype(np.float32)


def test_damped_curves_get_their_rest_and_their_swing_back() -> None:
    found, wanted = damped()
    rest, gain = scales(found, wanted)
    rare = sorted(RARE)
    np.testing.assert_allclose(rest[rare], 0.1, atol=0.03)
    np.testing.assert_allclose(gain[rare], 1.5, atol=0.1)
    scaled = ((found - rest) * gain).clip(0, 1)
    before, after = (np.abs(x - wanted).mean(axis=0) for x in (found, scaled))
    assert after[rare].max() < 0.3 * before[rare].min()
    common = [c for c in range(52) if c not in RARE]
    assert rest[common].max() <= FINE + 1e-6
    assert (scaled.std(axis=0) > 0.7 * wanted.std(axis=0)).all()


def test_both_sides_are_scaled_alike_and_unknown_channels_stay() -> None:
    found, wanted = damped()
    found[:, LEFT] = 0.05 + 0.9 * wanted[:, LEFT]
    wanted[:, OPEN] = np.nan
    rest, gain = scales(found, wanted)
    assert rest[LEFT] == rest[RIGHT] and gain[LEFT] == gain[RIGHT]
    assert (rest[OPEN], gain[OPEN]) == (0, 1)
    assert set(rest.round(6)) <= set(RESTS.astype(np.float32).round(6)) | {0}
    assert set(gain.round(6)) <= set(GAINS.astype(np.float32).round(6))


def test_a_right_network_is_left_alone() -> None:
    _, wanted = damped()
    rest, gain = scales(wanted, wanted)
    assert not rest.any() and (gain == 1).all()


def test_heads_scale_out_of_training_only() -> None:
    torch.manual_seed(0)
    encoder = EncoderConfig(size=32, stem_widths=(2, 3, 4, 8), depth=1, heads=1)
    heads = Heads(HeadsConfig(token_dim=4, hidden_dim=16, meaning_dim=16), encoder)
    tokens = torch.randn(3, 4, 8)
    maps = [torch.randn(3, w, s, s) for w, s in ((2, 16), (3, 8), (4, 4), (8, 2))]
    with torch.no_grad():
        plain = heads.eval()(tokens, maps).blendshapes
        rest, gain = np.full(52, 0.05, np.float32), np.full(52, 2.0, np.float32)
        set_scales(heads, rest, gain)
        scaled = heads(tokens, maps).blendshapes
        training = heads.train()(tokens, maps).blendshapes
    torch.testing.assert_close(scaled, ((plain - 0.05) * 2).clamp(0, 1))
    assert (training > 0).all() and (training - plain).abs().max() < 0.2
