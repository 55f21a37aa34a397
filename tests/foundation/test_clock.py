"""Times only go forward."""

import numpy as np
import pytest

from freeavatar.foundation.sources.clock import Clock


def run(stamps: list[float | None]) -> list[float]:
    clock = Clock(10.0, 0.04)
    return [clock.time(stamp) for stamp in stamps]


def test_true_times_pass() -> None:
    assert run([10.0, 10.04, 10.5]) == pytest.approx([0, 0.04, 0.5])


def test_repeated_and_swapped_times_are_nudged_and_the_rest_stays_true() -> None:
    assert run([10.0, 10.2, 10.2, 10.1, 10.3]) == pytest.approx([0, 0.2, 0.201, 0.202, 0.3])


def test_a_new_clock_goes_on_where_the_old_one_ended() -> None:
    assert run([10.0, 15.0, 10.0, 10.04, 10.08]) == pytest.approx([0, 5.0, 5.04, 5.08, 5.12])


def test_missing_times_follow_the_rate() -> None:
    assert run([None, None, 10.5, None]) == pytest.approx([0, 0.04, 0.5, 0.54])


def test_never_backwards() -> None:
    noise = np.random.default_rng(0).normal(10, 2, 500)
    assert (np.diff(run(list(noise))) > 0).all()
