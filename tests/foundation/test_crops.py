"""Crops: where points go, and that the picture that is cut agrees."""

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.foundation.crops import MARGIN, Crop, crop_around
from freeavatar.foundation.landmarks import EYE_CORNERS, LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS

TURNS = (-2.5, -0.4, 0.0, 0.7)
SIDES = (60.0, 128.0, 200.0, 300.0, 700.0)


def ramps(width: int, height: int) -> NDArray[np.uint8]:
    """Red grows to the right, green downward, one level in so many pixels."""
    columns = (np.arange(width) + 0.5) / width * 255
    rows = (np.arange(height) + 0.5) / height * 255
    out = np.zeros((height, width, 3))
    out[..., 0], out[..., 1] = columns[None], rows[:, None]
    return np.round(out).astype(np.uint8)


@pytest.mark.parametrize("roll", TURNS)
@pytest.mark.parametrize("side", SIDES)
def test_points_there_and_back(side: float, roll: float) -> None:
    crop = Crop(centre=(812.3, 377.7), side=side, roll=roll)
    points = np.random.default_rng(0).uniform(0, 1000, (50, 2)).astype(np.float32)
    np.testing.assert_allclose(crop.to_frame(crop.from_frame(points)), points, atol=1e-3)
    middle = crop.from_frame(np.array([crop.centre], np.float32))
    np.testing.assert_allclose(middle, [[64, 64]], atol=1e-3)
    assert np.linalg.det(crop.matrix[:, :2]) == pytest.approx((128 / side) ** 2)


def test_roll_is_clockwise_as_seen() -> None:
    """A square turned clockwise: its right edge points down in the frame."""
    crop = Crop(centre=(0.0, 0.0), side=128.0, roll=np.pi / 2)
    right = crop.to_frame(np.array([[128.0, 64.0]], np.float32))
    np.testing.assert_allclose(right, [[0, 64]], atol=1e-4)


@pytest.mark.parametrize("roll", TURNS)
@pytest.mark.parametrize("side", SIDES)
def test_the_cut_picture_agrees_with_the_mapping(side: float, roll: float) -> None:
    """Every pixel shows the levels of the place it maps to: sampled, and shrunk beyond factor 2."""
    width, height = 1280, 1100
    crop = Crop(centre=(641.7, 543.2), side=side, roll=roll)
    got = crop.cut(ramps(width, height)).astype(float)
    assert got.shape == (128, 128, 3)
    x, y = np.meshgrid(np.arange(128) + 0.5, np.arange(128) + 0.5)
    places = crop.to_frame(np.stack([x, y], axis=-1).astype(np.float32))
    np.testing.assert_allclose(got[..., 0], places[..., 0] / width * 255, atol=1.1)
    np.testing.assert_allclose(got[..., 1], places[..., 1] / height * 255, atol=1.1)


@pytest.mark.parametrize("side", SIDES)
def test_a_blob_lies_where_its_middle_maps_to(side: float) -> None:
    """Levels of a ramp are rounded; the middle of a blob shows parts of a pixel."""
    middle = np.array([641.7, 543.2]) + side * np.array([0.141, -0.082])
    y, x = np.mgrid[0:1100, 0:1280] + 0.5
    far = ((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / (side / 12) ** 2
    blob = np.repeat((250 * np.exp(-far / 2)).round()[..., None], 3, axis=-1).astype(np.uint8)
    for roll in TURNS:
        crop = Crop(centre=(641.7, 543.2), side=side, roll=roll)
        levels = crop.cut(blob)[..., 0].astype(float)
        rows, columns = np.mgrid[0:128, 0:128] + 0.5
        got = [(levels * columns).sum() / levels.sum(), (levels * rows).sum() / levels.sum()]
        np.testing.assert_allclose(got, crop.from_frame(middle[None])[0], atol=0.06)


def test_shrinking_averages_instead_of_skipping() -> None:
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    cut = Crop(centre=(512, 512), side=1024, roll=0.0).cut(stripes)
    assert np.abs(cut.astype(float) - 127.5).max() < 3


def test_outside_the_frame_its_border_is_repeated() -> None:
    picture = ramps(200, 100)
    for side in (128.0, 600.0):
        cut = Crop(centre=(-3 * side, 50.0), side=side, roll=0.0).cut(picture)
        assert np.ptp(cut[..., 0]) == 0 and cut[0, 0, 0] <= picture[0, 3, 0]
    assert Crop(centre=(0, 0), side=9, roll=0.3).cut(np.full((1, 1, 3), 7, np.uint8)).max() == 7


def test_a_picture_longer_than_the_warp_takes() -> None:
    picture = np.zeros((8, 40_000, 3), np.uint8)
    picture[:, 35_000:] = 255
    cut = Crop(centre=(35_000.0, 4.0), side=128.0, roll=0.0).cut(picture)
    assert (cut[:, :63] == 0).all() and (cut[:, 65:] == 255).all()


def test_the_crop_of_a_face() -> None:
    points = np.random.default_rng(1).uniform(-60, 60, (156, 2))
    points[list(RIGHT_EYE_CORNERS)] = (-30, -20)
    points[list(LEFT_EYE_CORNERS)] = (30, -20)
    low, high = points.min(0), points.max(0)
    angle = 0.5
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = (points @ turn.T + (400, 300)).astype(np.float32)

    crop = crop_around(turned)
    assert crop.roll == pytest.approx(angle, abs=1e-6)
    assert crop.side == pytest.approx((high - low).max() * MARGIN, rel=1e-5)
    inside = crop.from_frame(turned)
    assert np.ptp(inside[list(EYE_CORNERS), 1]) < 1e-3, "level eyes"
    np.testing.assert_allclose(inside.min(0) + inside.max(0), 128, atol=1e-3)
    assert np.ptp(inside, axis=0).max() == pytest.approx(128 / MARGIN, rel=1e-5)


def test_points_in_one_place_still_make_a_crop() -> None:
    crop = crop_around(np.full((156, 2), 5.0, np.float32))
    assert crop.side == 1.0 and np.isfinite(crop.matrix).all()
