"""Curves that follow the face's own points: apertures, the person, and what is added."""

import json

import numpy as np
import pytest

from freeavatar.foundation.apertures import APERTURES, DEPTH, SEGMENTS, SLOPE, ends, straightened
from freeavatar.foundation.errors import ReaderError
from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.foundation.landmarks import LANDMARKS
from freeavatar.foundation.point_correction import PointCorrection, PointGains
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.tools.evaluation.apertures import built_in_head

UP = [BLENDSHAPES.index(f"browOuterUp{side}") for side in ("Right", "Left")]
BROWS = [APERTURES.index(f"brow {side}") for side in ("right", "left")]


def face(brow: float, *, yaw: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Points (156, 2) whose brows stand ``brow`` eye distances above the eyes, and the rotation."""
    points = np.zeros((len(LANDMARKS), 3))
    lengths = (1.0, 0.1, 0.5, 0.1, 0.1, brow, brow)
    middles = ((0, 0), (0, -0.9), (0, -0.9), (-0.35, 0), (0.35, 0), (-0.35, 0), (0.35, 0))
    for segment, length, depth, slope, middle in zip(
        SEGMENTS, lengths, DEPTH, SLOPE, middles, strict=True
    ):
        if segment.axis == 1 and length == brow:
            start = np.zeros(3)
            start[0] = middle[0]
        else:
            start = np.array([*middle, 0.0])
            start[segment.axis] -= length / 2
        end = start.copy()
        end[segment.axis] += length
        end[2] += depth + slope * length
        points[list(segment.end)] = end
        if length != brow:
            points[list(segment.start)] = start
    turn = matrix_from_angles(np.array([yaw, 0.0, 0.0]))
    return 100 * (points @ turn.T)[:, :2] * (1, -1) + 200, turn


def brow_gains() -> PointGains:
    change = np.zeros((52, 6))
    correct = np.zeros((6, 52))
    change[UP, BROWS] = 0.06
    correct[BROWS, UP] = 1 / 0.06
    return PointGains(change=change, correct=correct)


def test_the_depths_are_those_of_the_built_in_head() -> None:
    head = built_in_head()
    np.testing.assert_allclose(DEPTH, head.depth, atol=1e-4)
    np.testing.assert_allclose(SLOPE, head.slope, atol=1e-4)


@pytest.mark.parametrize("yaw", [-0.5, 0.0, 0.4])
def test_apertures_are_freed_from_the_turn(yaw: float) -> None:
    points, turn = face(0.25, yaw=yaw)
    seen = straightened(points[None], turn[None], np.array(DEPTH), np.array(SLOPE))[0]
    plain, straight = face(0.25)
    front = straightened(plain[None], straight[None], np.array(DEPTH), np.array(SLOPE))[0]
    assert ends(points).shape == (7, 2)
    np.testing.assert_allclose(seen[:2], front[:2], atol=2e-2)
    np.testing.assert_allclose(seen[:2], (0.1, 0.5), atol=2e-2)


def test_raised_brows_are_found_although_the_network_sees_half_of_them() -> None:
    """A person with high brows raises them for a second, again and again."""
    correction = PointCorrection(brow_gains())
    raised = np.tile(np.repeat([0.0, 0.8, 0.0, 0.4], 25), 5)
    found = []
    for i, value in enumerate(raised):
        curves = np.zeros(52, np.float32)
        curves[UP] = 0.2 + 0.3 * value
        points, turn = face(0.31 + 0.06 * value)
        found.append(correction.corrected(curves, points, turn, i / 25)[UP])
    late = np.array(found)[200:]
    assert np.corrcoef(late[:, 0], raised[200:])[0, 1] > 0.98
    assert late.std() / raised[200:].std() > 0.85
    np.testing.assert_allclose(late[:, 0], late[:, 1], atol=1e-5)


def test_the_first_frame_and_a_face_that_looks_away_stay_as_they_are() -> None:
    correction = PointCorrection(brow_gains())
    curves = np.full(52, 0.3, np.float32)
    np.testing.assert_allclose(correction.corrected(curves, *face(0.3), 0.0), curves, atol=1e-6)
    away = correction.corrected(curves, *face(0.5, yaw=0.8), 0.1)
    np.testing.assert_array_equal(away, curves)
    broken, turn = face(0.3)
    broken[:] = np.nan
    np.testing.assert_array_equal(correction.corrected(curves, broken, turn, 0.2), curves)
    for i in range(20):
        correction.corrected(curves, *face(0.3), 0.3 + i / 25)
    assert correction.corrected(curves, *face(0.36), 1.1)[UP[0]] > 0.8


def test_what_follows_a_second_at_rest_is_not_learnt_as_the_persons_own() -> None:
    """A clip of three seconds: at rest, then brows up and held; the network sees nothing of it."""
    correction = PointCorrection(brow_gains())
    curves = np.full(52, 0.1, np.float32)
    shown = [
        correction.corrected(curves, *face(0.31 + 0.06 * 0.7 * (i >= 30)), i / 30)[UP[0]]
        for i in range(90)
    ]
    np.testing.assert_allclose(shown[:30], 0.1, atol=1e-4)
    assert shown[30] > 0.75 and shown[-1] > 0.6


def test_more_exact_points_are_followed_as_far_as_they_are_trusted() -> None:
    make = np.random.default_rng(1)
    gains = PointGains(change=make.normal(0, 0.05, (52, 6)), correct=make.normal(0, 2, (6, 52)))
    followed = gains.following((1.0, 0.5, 1.0))
    beyond = make.normal(0, 0.1, 6)
    for part, trust in (((0, 1), 1.0), ((2, 3), 0.5), ((4, 5), 1.0)):
        rows = list(part)
        moved = beyond[rows] @ followed.correct[rows] @ followed.change[:, rows]
        np.testing.assert_allclose(moved, trust * beyond[rows], atol=1e-8)
    still = PointGains(change=np.zeros((52, 6)), correct=np.zeros((6, 52)))
    assert not still.following((1.0, 1.0, 1.0)).correct.any()


def test_points_may_reach_farther_than_the_networks_own() -> None:
    near, far = (
        PointCorrection(brow_gains()),
        PointCorrection(brow_gains(), reach=[(25.0, 55.0)] * 3),
    )
    curves = np.full(52, 0.1, np.float32)
    for correction in (near, far):
        for i in range(12):
            correction.corrected(curves, *face(0.3, yaw=0.78), i / 30)
    points, turn = face(0.34, yaw=0.78)
    assert near.corrected(curves, points, turn, 0.4)[UP[0]] == curves[0]
    assert far.corrected(curves, points, turn, 0.4)[UP[0]] > 0.25


def test_another_person_is_met_anew() -> None:
    correction = PointCorrection(brow_gains())
    curves = np.full(52, 0.3, np.float32)
    for i in range(50):
        correction.corrected(curves, *face(0.3), i / 25)
    correction.forget()
    found = correction.corrected(curves, *face(0.4), 3.0)
    np.testing.assert_allclose(found, curves, atol=1e-6)


def test_gains_survive_the_file_and_broken_ones_are_named() -> None:
    gains = brow_gains()
    again = PointGains.from_json(gains.to_json())
    np.testing.assert_allclose(again.change, gains.change, atol=1e-4)
    np.testing.assert_allclose(again.correct, gains.correct, atol=1e-3)
    for text in ("", "[]", "{}", json.dumps({"change": [[1]], "correct": [[1]]})):
        with pytest.raises(ReaderError, match="the network's gains"):
            PointGains.from_json(text)
