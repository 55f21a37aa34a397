"""The numbered expressions: always equal, rich, and possible for a face."""

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.tools.dataset.expression_bases import measured
from freeavatar.tools.dataset.expressions import INDEX, expression, eyes_of, is_neighbour

COUNT = 4000


@pytest.fixture(scope="module")
def drawn() -> NDArray[np.float32]:
    return np.stack([expression(number)[0] for number in range(COUNT)])


def channel(drawn: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    return drawn[:, INDEX[name]]


def test_a_number_always_gives_the_same_expression() -> None:
    """In any order, and as published: other numbers would part puppets from older avatars."""
    first = expression(1_000_007)
    for number in range(50):
        expression(number)
    again = expression(1_000_007)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    sums = [round(float(expression(number)[0].sum()), 3) for number in (0, 1, 2, 1_000_000)]
    assert sums == [6.355, 7.546, 4.435, 3.604]


def test_all_values_are_in_range(drawn: NDArray[np.float32]) -> None:
    assert drawn.dtype == np.float32
    assert drawn.min() >= 0 and drawn.max() <= 1


@pytest.mark.parametrize("name", BLENDSHAPES)
def test_every_channel_moves_often_enough_to_be_learned(
    drawn: NDArray[np.float32], name: str
) -> None:
    values = channel(drawn, name)
    assert values.mean() > 0.03
    assert (values > 0.3).mean() >= 0.03
    assert values.max() > 0.8


def test_what_excludes_each_other_never_comes_together(drawn: NDArray[np.float32]) -> None:
    for name in ("jaw", "mouth"):
        both = np.minimum(channel(drawn, name + "Left"), channel(drawn, name + "Right"))
        assert both.max() == 0
    assert (channel(drawn, "mouthClose") <= channel(drawn, "jawOpen") + 1e-6).all()
    for side in ("Left", "Right"):
        shut = channel(drawn, "eyeBlink" + side)
        assert (channel(drawn, "eyeWide" + side) <= 1 - shut + 1e-6).all()
        up, down = (channel(drawn, f"eyeLook{way}{side}") for way in ("Up", "Down"))
        assert np.minimum(up, down).max() == 0


def test_neutral_faces_are_there_in_their_share(drawn: NDArray[np.float32]) -> None:
    assert 0.02 < (drawn.max(axis=1) == 0).mean() < 0.05


def test_gaze_does_not_tell_the_blink(drawn: NDArray[np.float32]) -> None:
    down = channel(drawn, "eyeLookDownLeft") - channel(drawn, "eyeLookUpLeft")
    assert abs(np.corrcoef(down, channel(drawn, "eyeBlinkLeft"))[0, 1]) < 0.1


def test_one_eye_winks_now_and_then(drawn: NDArray[np.float32]) -> None:
    apart = np.abs(channel(drawn, "eyeBlinkLeft") - channel(drawn, "eyeBlinkRight"))
    assert (apart > 0.4).mean() > 0.03


def test_the_tongue_shows_with_an_open_jaw_and_seldom_without(drawn: NDArray[np.float32]) -> None:
    jaw = channel(drawn, "jawOpen")[channel(drawn, "tongueOut") > 0.2]
    assert (jaw > 0.12).mean() > 0.7
    assert (jaw < 0.12).any()


def test_eyes_agree_with_the_look_channels() -> None:
    for number in range(50):
        shapes, eyes = expression(number)
        np.testing.assert_array_equal(eyes, eyes_of(shapes))
    look = np.zeros(52, np.float32)
    look[[INDEX["eyeLookInLeft"], INDEX["eyeLookOutRight"]]] = 1  # toward the actor's right
    look[[INDEX["eyeLookDownLeft"], INDEX["eyeLookUpRight"]]] = 1
    np.testing.assert_allclose(np.degrees(eyes_of(look)), [[30, 25], [30, -25]], atol=1e-4)


def test_half_of_the_odd_numbers_are_hard_negatives(drawn: NDArray[np.float32]) -> None:
    odd = [number for number in range(1, COUNT, 2) if is_neighbour(number)]
    assert not any(is_neighbour(number) for number in range(0, COUNT, 2))
    assert 0.45 < len(odd) / (COUNT / 2) < 0.55
    change = np.abs(drawn[odd] - drawn[np.array(odd) - 1])
    assert change.max(axis=1).min() > 0.1
    # Two channels, and what anatomy or the gaze moves with them.
    assert np.median((change > 0.02).sum(axis=1)) <= 2


def test_measured_expressions_hold_the_actor_and_no_gaze() -> None:
    known = measured()
    assert len(known) == 64
    assert known[:, INDEX["jawOpen"]].max() > 0.9
    look = [i for i, name in enumerate(BLENDSHAPES) if name.startswith(("eyeLook", "eyeBlink"))]
    assert known[:, look].max() == 0


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no -1"):
        expression(-1)
