"""Labels follow the pixels: seen on painted points and on a head that is projected again."""

import dataclasses

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.foundation.crops import NETWORK_SIZE, STORED_SIZE
from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.foundation.landmarks import LANDMARKS, MIRRORED
from freeavatar.foundation.training.geometry import Jitter, moved, random_jitter, warp

JITTERS = [
    Jitter(),
    Jitter(scale=1.2, shift=(0.1, -0.05)),
    Jitter(roll=0.4),
    Jitter(mirrored=True),
    Jitter(scale=0.85, shift=(-0.08, 0.04), roll=-0.3, mirrored=True),
]
SCALE = 600.0
"""Stored pixels per metre of the head below."""


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    turns = [
        cv2.Rodrigues(np.array(v, float))[0] for v in ([0, yaw, 0], [pitch, 0, 0], [0, 0, roll])
    ]
    return np.asarray(turns[2] @ turns[0] @ turns[1])


def symmetric_head() -> NDArray[np.float64]:
    """(156, 3) points in the head's own axes (left, up, forward), each with its mirror image."""
    rng = np.random.default_rng(4)
    points = rng.normal(0, 0.04, (len(LANDMARKS), 3))
    return np.asarray((points + points[list(MIRRORED)] * (-1, 1, 1)) / 2)


def seen(head: NDArray[np.float64], centre: tuple[float, float]) -> FloatArray:
    """Parallel projection of the symmetric head into stored pixels."""
    turned = symmetric_head() @ head.T
    return (np.array(centre) + SCALE * turned[:, :2] * (1, -1)).astype(np.float32)


def sample(head: NDArray[np.float64]) -> dict[str, FloatArray]:
    rng = np.random.default_rng(1)
    centre = (83.0, 71.0)
    return {
        "blendshapes": rng.random(52).astype(np.float32),
        "eyes": rng.normal(0, 0.3, (2, 2)).astype(np.float32),
        "head": head.astype(np.float32),
        "place": np.array([*centre, STORED_SIZE / SCALE], np.float32),
        "landmarks": seen(head, centre),
    }


@pytest.mark.parametrize("jitter", JITTERS)
def test_rotation_place_and_metres_project_to_the_moved_landmarks(jitter: Jitter) -> None:
    """The strongest check: it fails for any wrong sign, order, swap or unit among the four."""
    out = moved(sample(rotation(0.3, -0.2, 0.1)), jitter)
    pixels_per_metre = 1 / out["place"][2]
    turned = symmetric_head() @ out["head"].T.astype(float)
    again = out["place"][:2] + pixels_per_metre * turned[:, :2] * (1, -1)
    np.testing.assert_allclose(out["landmarks"], again, atol=1e-5)
    assert np.linalg.det(out["head"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("jitter", JITTERS)
def test_points_lie_where_their_pixels_went(jitter: Jitter) -> None:
    numbers = sample(rotation(0, 0, 0))
    for index in (3, 40, 100):
        x, y = numbers["landmarks"][index]
        picture = np.zeros((STORED_SIZE, STORED_SIZE, 3), np.uint8)
        rows, columns = np.mgrid[:STORED_SIZE, :STORED_SIZE] + 0.5
        spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
        picture[..., :] = (255 * spot[..., None]).astype(np.uint8)
        weights = warp(picture, jitter)[..., 0].astype(float)
        rows, columns = np.mgrid[:NETWORK_SIZE, :NETWORK_SIZE] + 0.5
        found = np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()
        target = MIRRORED.index(index) if jitter.mirrored else index
        wanted = moved(numbers, jitter)["landmarks"][target] * NETWORK_SIZE
        np.testing.assert_allclose(found, wanted, atol=0.1)


def test_the_plain_cut_is_the_middle_of_the_stored_crop() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (STORED_SIZE, STORED_SIZE, 3), np.uint8)
    edge = (STORED_SIZE - NETWORK_SIZE) // 2
    np.testing.assert_array_equal(warp(picture, Jitter()), picture[edge:-edge, edge:-edge])


def test_mirroring_swaps_sides_and_twice_is_nothing() -> None:
    numbers = sample(rotation(0.3, 0.1, 0.0))
    numbers["blendshapes"] = np.zeros(52, np.float32)
    numbers["blendshapes"][BLENDSHAPES.index("mouthLeft")] = 0.7
    numbers["blendshapes"][BLENDSHAPES.index("eyeBlinkRight")] = 0.4
    numbers["eyes"] = np.array([[0.2, 0.1], [0.3, -0.1]], np.float32)
    once = moved(numbers, Jitter(mirrored=True))
    assert once["blendshapes"][BLENDSHAPES.index("mouthRight")] == np.float32(0.7)
    assert once["blendshapes"][BLENDSHAPES.index("eyeBlinkLeft")] == np.float32(0.4)
    assert once["blendshapes"].sum() == np.float32(1.1)
    np.testing.assert_allclose(once["eyes"], [[-0.3, -0.1], [-0.2, 0.1]])
    np.testing.assert_array_equal(once["blendshapes"][BLENDSHAPES.index("jawOpen")], 0)
    plain = moved(numbers, Jitter())
    for name, scale in (("landmarks", NETWORK_SIZE), ("place", 1.0)):
        stored = once | {"place": once["place"] * (NETWORK_SIZE, NETWORK_SIZE, 1)}
        stored["landmarks"] = once["landmarks"] * NETWORK_SIZE
        twice = moved(stored, Jitter(mirrored=True), size=NETWORK_SIZE)
        np.testing.assert_allclose(twice[name], plain[name], atol=1e-5, err_msg=f"{name} {scale}")
    np.testing.assert_allclose(twice["head"], plain["head"], atol=1e-6)


def test_what_is_unknown_stays_unknown_and_inputs_stay_as_they_are() -> None:
    numbers = {k: np.full_like(v, np.nan) for k, v in sample(rotation(0, 0, 0)).items()}
    for value in moved(numbers, JITTERS[-1]).values():
        assert np.isnan(value).all()
    numbers = sample(rotation(0.2, 0, 0))
    before = {k: v.copy() for k, v in numbers.items()}
    moved(numbers, JITTERS[-1])
    for name, value in before.items():
        np.testing.assert_array_equal(numbers[name], value)


def test_jitter_is_as_documented() -> None:
    rng = np.random.default_rng(0)
    drawn = [random_jitter(rng) for _ in range(4000)]
    fine = [abs(j.roll) <= 0.15 and max(map(abs, j.shift)) <= 0.04 for j in drawn]
    # Of the rough ones a twentieth happens to be small in all.
    assert 0.88 < np.mean(fine) < 0.93
    assert max(max(j.scale, 1 / j.scale) for j in drawn) <= 1.25
    assert max(abs(j.roll) for j in drawn) <= 0.35
    assert 0.47 < np.mean([j.mirrored for j in drawn]) < 0.53
    assert dataclasses.asdict(Jitter())["scale"] == 1.0
