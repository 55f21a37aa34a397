"""Crops that follow, and cuts that are told from motion."""

import numpy as np
import pytest

from freeavatar.foundation.crop_motion import apart, drawn_along, turned
from freeavatar.foundation.crops import Crop
from freeavatar.foundation.scene_change import SceneChange

STILL = Crop(centre=(100.0, 80.0), side=200.0, roll=0.1)


@pytest.mark.parametrize(
    ("other", "far"),
    [
        (STILL, 0.0),
        (Crop(centre=(116.0, 92.0), side=200.0, roll=0.1), 0.1),
        (Crop(centre=(100.0, 80.0), side=200.0 * np.exp(0.2), roll=0.1), 0.2),
        (Crop(centre=(100.0, 80.0), side=200.0 / np.exp(0.2), roll=0.1), 0.2),
        (Crop(centre=(100.0, 80.0), side=200.0, roll=0.1 - 0.3 + 2 * np.pi), 0.3),
    ],
)
def test_apart(other: Crop, far: float) -> None:
    assert apart(STILL, other) == pytest.approx(far, abs=1e-9)
    assert apart(other, STILL) == pytest.approx(far, abs=1e-9)


def test_a_crop_stays_within_the_slack_and_is_drawn_along_beyond_it() -> None:
    near = Crop(centre=(104.0, 80.0), side=203.0, roll=0.11)
    assert drawn_along(STILL, near, 0.03) is STILL
    for own in (
        Crop(centre=(160.0, 20.0), side=260.0, roll=-0.2),
        Crop(centre=(100.0, 80.0), side=50.0, roll=0.1),
        Crop(centre=(100.0, 80.0), side=200.0, roll=3.0),
    ):
        moved = drawn_along(STILL, own, 0.03)
        assert 0.015 < apart(moved, own) < 0.0301
        assert apart(moved, STILL) < apart(own, STILL)
    assert drawn_along(STILL, Crop(centre=(160, 20), side=9, roll=0), 0.0).centre == (160, 20)


def test_angles_turn_the_short_way() -> None:
    assert turned(3.1, -3.1) == pytest.approx(6.2 - 2 * np.pi)
    assert turned(0.2, 0.5) == pytest.approx(-0.3)


def test_cuts() -> None:
    make = np.random.default_rng(0)
    one, two = (
        np.kron(make.integers(0, 200, (9, 16, 3)), np.ones((40, 40, 1))).astype(np.uint8)
        for _ in range(2)
    )
    scenes = SceneChange()
    assert not scenes.cut(one), "never for the first"
    assert not scenes.cut(np.roll(one, 12, axis=1)), "a camera that turns"
    assert not scenes.cut((one + 50).astype(np.uint8)), "a flash"
    hand = one.copy()
    hand[100:250, 200:350] = 120
    assert not scenes.cut(hand)
    assert scenes.cut(two)
    assert not scenes.cut(two)
    black = np.zeros_like(one)
    assert not scenes.cut(black) and not scenes.cut(black), "nothing to see, nothing to seek"
    assert scenes.cut(one)


def test_cuts_between_sizes_of_any_kind() -> None:
    scenes = SceneChange()
    for height, width in ((1, 1), (2, 900), (4320, 7680)):
        assert not scenes.cut(np.full((height, width, 3), 9, np.uint8))
