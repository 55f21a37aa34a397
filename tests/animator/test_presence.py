"""What is shown while the face is lost, by the clock."""

import numpy as np
import pytest

from freeavatar.animator.presence import Presence

NEUTRAL = np.array([0.0, 0.2])
SEEN = np.array([1.0, 0.6])
LOST = np.zeros(2)


def lost_for(seconds: float, rate: float) -> np.ndarray:
    presence = Presence(NEUTRAL)
    presence.update(SEEN, True, 0.0)
    shown = SEEN
    for i in range(1, round(seconds * rate) + 2):
        shown = presence.update(LOST, False, i / rate)
    return shown


def test_what_is_seen_is_shown() -> None:
    presence = Presence(NEUTRAL)
    for i in range(5):
        np.testing.assert_array_equal(presence.update(SEEN * i, True, i / 30), SEEN * i)


@pytest.mark.parametrize("rate", [24.0, 60.0])
def test_holds_half_a_second_then_eases_to_neutral_in_one(rate: float) -> None:
    np.testing.assert_array_equal(lost_for(0.5, rate), SEEN)
    np.testing.assert_allclose(lost_for(1.0, rate), (SEEN + NEUTRAL) / 2, atol=1e-9)
    np.testing.assert_allclose(lost_for(1.5, rate), NEUTRAL, atol=1e-9)
    np.testing.assert_array_equal(lost_for(4.0, rate), NEUTRAL)


def test_easing_never_turns_back_or_jumps() -> None:
    presence = Presence(NEUTRAL)
    presence.update(SEEN, True, 0.0)
    shown = np.array([presence.update(LOST, False, i / 60)[0] for i in range(1, 120)])
    assert np.all(np.diff(shown) <= 0)
    assert np.abs(np.diff(shown)).max() < 0.03


def test_eases_back_in_over_a_fifth_of_a_second() -> None:
    presence = Presence(NEUTRAL)
    presence.update(SEEN, True, 0.0)
    for time in (0.1, 5.0):
        presence.update(LOST, False, time)
    np.testing.assert_array_equal(presence.update(SEEN, True, 6.0), NEUTRAL)
    np.testing.assert_allclose(presence.update(SEEN, True, 6.1), (SEEN + NEUTRAL) / 2)
    np.testing.assert_array_equal(presence.update(SEEN, True, 6.2), SEEN)


def test_a_short_loss_is_no_jump_at_either_end() -> None:
    presence = Presence(NEUTRAL)
    presence.update(SEEN, True, 0.0)
    np.testing.assert_array_equal(presence.update(LOST, False, 0.1), SEEN)
    np.testing.assert_array_equal(presence.update(NEUTRAL, True, 0.2), SEEN)
    assert presence.update(NEUTRAL, True, 0.3)[0] == pytest.approx(0.5)


def test_lost_again_while_easing_in_holds_what_was_shown() -> None:
    presence = Presence(NEUTRAL)
    presence.update(SEEN, True, 0.0)
    for time in (0.1, 5.0):
        presence.update(LOST, False, time)
    presence.update(SEEN, True, 6.0)
    half = presence.update(SEEN, True, 6.1)
    np.testing.assert_array_equal(presence.update(LOST, False, 6.15), half)


def test_a_take_that_starts_without_a_face_starts_neutral_and_eases_in() -> None:
    presence = Presence(NEUTRAL)
    np.testing.assert_array_equal(presence.update(LOST, False, 0.0), NEUTRAL)
    np.testing.assert_array_equal(presence.update(SEEN, True, 0.1), NEUTRAL)
    np.testing.assert_array_equal(presence.update(SEEN, True, 0.4), SEEN)


def test_reset_and_copy() -> None:
    presence = Presence(NEUTRAL)
    presence.update(SEEN, True, 0.0)
    other = presence.copy()
    presence.reset()
    np.testing.assert_array_equal(presence.update(LOST, False, 0.1), NEUTRAL)
    np.testing.assert_array_equal(other.update(LOST, False, 0.1), SEEN)
