"""Resting faces: the formula, the measured range, the careful automatic."""

import numpy as np
import pytest

from freeavatar.animator.calibration import AutomaticNeutral, Neutral, measure_neutral
from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import BLENDSHAPES, Expression
from freeavatar.rigs.rotation import angles_from_matrix, matrix_from_angles

SMILE = BLENDSHAPES.index("mouthSmileLeft")
SQUINT = BLENDSHAPES.index("eyeSquintLeft")
JAW = BLENDSHAPES.index("jawOpen")


def face(time: float, found: bool = True, pitch: float = 0.0, **values: float) -> Expression:
    shapes = np.zeros(52, np.float32)
    for name, value in values.items():
        shapes[BLENDSHAPES.index(name)] = value
    return Expression(
        index=round(time * 30),
        time=time,
        found=found,
        blendshapes=shapes,
        head=matrix_from_angles(np.array([0.0, pitch, 0.0])),
    )


def test_rest_becomes_zero_and_one_stays_one() -> None:
    rest = np.zeros(52)
    rest[SQUINT] = 0.4
    seen = np.zeros(52)
    for value, expected in ((0.4, 0.0), (0.7, 0.5), (1.0, 1.0), (0.2, 0.0)):
        seen[SQUINT] = value
        assert Neutral(blendshapes=rest).subtract(seen)[SQUINT] == pytest.approx(expected)
    seen[SMILE] = 0.3
    assert Neutral(blendshapes=rest).subtract(seen)[SMILE] == pytest.approx(0.3)


def test_a_rest_near_one_does_not_blow_up() -> None:
    rest = np.full(52, 0.999)
    assert Neutral(blendshapes=rest).subtract(np.full(52, 0.9)).max() <= 0.5 + 1e-9


def test_measured_over_its_range_only() -> None:
    frames = [
        face(0.0, eyeSquintLeft=0.2),
        face(0.3, eyeSquintLeft=0.4),
        face(0.5, found=False, eyeSquintLeft=1.0),
        face(0.9, eyeSquintLeft=1.0),
    ]
    assert measure_neutral(frames, 0.0, 0.5).blendshapes[SQUINT] == pytest.approx(0.3)


def test_a_resting_head_looks_straight_and_turns_about_its_own_axes() -> None:
    neutral = measure_neutral([face(0.0, pitch=0.3), face(0.1, pitch=0.3)], 0.0, 1.0)
    np.testing.assert_allclose(neutral.straighten(neutral.head), np.eye(3), atol=1e-9)
    turned = neutral.head @ matrix_from_angles(np.array([0.5, 0.0, 0.0]))
    np.testing.assert_allclose(
        angles_from_matrix(neutral.straighten(turned)), [0.5, 0.0, 0.0], atol=1e-9
    )


@pytest.mark.parametrize(("start", "end"), [(0.5, 0.5), (1.0, 0.2)])
def test_empty_ranges_are_refused(start: float, end: float) -> None:
    with pytest.raises(SourceError, match="empty"):
        measure_neutral([face(0.0)], start, end)


def test_a_range_without_a_face_says_so() -> None:
    with pytest.raises(SourceError, match=r"no face between 2 and 3 s.*--neutral"):
        measure_neutral([face(0.0), face(2.5, found=False)], 2.0, 3.0)


def test_automatic_takes_hanging_lids_out() -> None:
    automatic = AutomaticNeutral()
    for i in range(60):
        neutral = automatic.update(face(0, eyeSquintLeft=0.25).blendshapes, i / 30)
    assert neutral.blendshapes[SQUINT] == pytest.approx(0.25)
    assert np.all(neutral.head == np.eye(3)), "heads stay as they are seen"


def test_a_smile_is_never_called_neutral() -> None:
    """Ten seconds of smiling from the first frame on still play as a smile."""
    automatic = AutomaticNeutral()
    seen = face(0, mouthSmileLeft=0.8, jawOpen=0.5).blendshapes
    for i in range(300):
        neutral = automatic.update(seen, i / 30)
    assert neutral.subtract(seen)[SMILE] > 0.75
    assert neutral.subtract(seen)[JAW] > 0.48


def test_it_falls_quickly_and_rises_slowly() -> None:
    automatic = AutomaticNeutral()
    automatic.update(face(0, eyeSquintLeft=0.3).blendshapes, 0.0)
    for i in range(1, 31):
        fallen = automatic.update(face(0).blendshapes, i / 30).blendshapes[SQUINT]
    assert fallen < 0.01
    before = fallen
    for i in range(31, 61):
        after = automatic.update(face(0, eyeSquintLeft=0.3).blendshapes, i / 30)
        assert after.blendshapes[SQUINT] - before <= 0.02 / 30 + 1e-9
        before = after.blendshapes[SQUINT]
    assert before == pytest.approx(fallen + 0.02, abs=1e-6)


def test_automatic_streams_and_resets() -> None:
    automatic = AutomaticNeutral()
    automatic.update(face(0, eyeSquintLeft=0.3).blendshapes, 0.0)
    branch = automatic.copy()
    automatic.reset()
    assert automatic.update(face(0).blendshapes, 1.0).blendshapes[SQUINT] == 0.0
    assert branch.update(face(0, eyeSquintLeft=0.3).blendshapes, 1 / 30).blendshapes[SQUINT] > 0.29


def test_a_held_expression_is_not_worn_away() -> None:
    estimate = AutomaticNeutral()
    shapes = np.zeros(52)
    brow = BLENDSHAPES.index("browInnerUp")
    estimate.update(shapes, 0.0)
    shapes[brow] = 0.5
    for i in range(30 * 30):
        rest = estimate.update(shapes, 1 + i / 30)
    assert rest.subtract(shapes)[brow] == pytest.approx(0.5)
    shapes[brow] = 0.4  # low enough to be how this brow rests
    for i in range(30 * 30):
        rest = estimate.update(shapes, 31 + i / 30)
    assert rest.subtract(shapes)[brow] < 0.2


def _played(*parts: tuple[float, dict[str, float]]) -> list[Neutral]:
    """The estimates while each face (52,) is shown for some seconds, 30 times a second."""
    automatic, found, count = AutomaticNeutral(), [], 0
    for seconds, values in parts:
        for _ in range(round(30 * seconds)):
            found.append(automatic.update(face(0, **values).blendshapes, count / 30))
            count += 1
    return found


BROW = BLENDSHAPES.index("browInnerUp")
HIGH = {"browInnerUp": 0.75, "browOuterUpLeft": 0.35, "mouthFrownLeft": 0.25}


def test_high_brows_of_a_quiet_face_are_its_own() -> None:
    found = _played((1.0, HIGH), (1.0, {"browDownLeft": 0.7}), (3.0, HIGH))
    assert found[0].blendshapes[BROW] == pytest.approx(0.75)
    assert found[29].subtract(face(0, **HIGH).blendshapes)[BROW] < 0.01
    assert found[-1].blendshapes[BROW] > 0.6, "a frown does not change whose they are"


def test_brows_that_are_raised_when_we_meet_play_once_they_have_come_down() -> None:
    found = _played((1.0, {"browInnerUp": 0.8}), (12.0, {}), (2.0, {"browInnerUp": 0.8}))
    assert found[-1].subtract(face(0, browInnerUp=0.8).blendshapes)[BROW] > 0.55


def test_brows_of_a_face_that_acts_are_acted() -> None:
    for acted in ({"jawOpen": 0.6}, {"mouthSmileLeft": 0.7}, {"eyeWideLeft": 0.8}):
        (*_, last) = _played((2.0, {"browInnerUp": 0.8, **acted}))
        assert last.blendshapes[BROW] < 0.36


def test_the_first_frames_are_averaged() -> None:
    make = np.random.default_rng(0)
    automatic = AutomaticNeutral()
    for i in range(12):
        seen = np.clip(0.2 + make.normal(0, 0.05, 52), 0, 1) * (np.arange(52) == SQUINT)
        neutral = automatic.update(seen, i / 30)
    assert neutral.blendshapes[SQUINT] == pytest.approx(0.2, abs=0.03)
