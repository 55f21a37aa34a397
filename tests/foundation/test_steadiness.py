"""Noise is held back, moves are not."""

import numpy as np
import pytest

from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.foundation.steadiness import Steadiness

JAW, LOOK = BLENDSHAPES.index("jawOpen"), BLENDSHAPES.index("eyeLookInLeft")


def played(rows: np.ndarray, *, rate: float = 30.0) -> np.ndarray:
    steadiness = Steadiness()
    return np.stack(
        [steadiness.steadied(row.astype(np.float32), i / rate) for i, row in enumerate(rows)]
    )


def test_a_cameras_noise_is_halved() -> None:
    noise = np.random.default_rng(0).normal(0, 1, (600, 52))
    rows = 0.3 + noise * np.where(np.arange(52) == LOOK, 0.02, 0.007)
    shown = played(rows)[100:]
    before, after = rows[100:].std(axis=0), shown.std(axis=0)
    assert (after < 0.55 * before).all() and np.median(after / before) < 0.5
    np.testing.assert_allclose(shown.mean(axis=0), 0.3, atol=0.006)


@pytest.mark.parametrize("level", [0.004, 0.01, 0.02])
def test_noise_is_held_back_however_loud_it_is(level: float) -> None:
    rows = 0.4 + np.random.default_rng(1).normal(0, level, (400, 52))
    before, after = rows[150:].std(axis=0), played(rows)[150:].std(axis=0)
    assert (after / before).mean() < 0.3


def test_noise_is_known_within_the_first_second() -> None:
    rows = 0.4 + np.random.default_rng(5).normal(0, 0.015, (60, 52))
    assert (played(rows)[30:].std(axis=0) / rows[30:].std(axis=0)).mean() < 0.35


def test_speech_in_noise_is_followed() -> None:
    """Four syllables a second; the jaw rests between sentences."""
    time = np.arange(600) / 30
    spoken = 0.15 * (1 - np.cos(2 * np.pi * 4 * time)) * (np.sin(2 * np.pi * time / 8) > -0.3)
    noise = np.random.default_rng(2).normal(0, 0.01, (600, 52))
    shown = played(0.2 + np.repeat(spoken[:, None], 52, axis=1) + noise)[60:, JAW]
    wanted = 0.2 + spoken[60:]
    assert np.corrcoef(shown, wanted)[0, 1] > 0.985
    assert shown.std() / wanted.std() > 0.93
    peaks = np.abs(spoken[60:] - 0.3) < 0.01
    assert np.mean(wanted[peaks] - shown[peaks]) < 0.03


def test_a_move_passes_at_once() -> None:
    rows = np.full((6, 52), 0.1)
    rows[2:, JAW] = 0.5
    rows[4:, JAW] = 0.45
    rows[3:, LOOK] = 0.3
    shown = played(rows)
    np.testing.assert_allclose(shown[:, JAW], rows[:, JAW], atol=1e-6)
    np.testing.assert_allclose(shown[:, LOOK], rows[:, LOOK], atol=1e-6)


def test_a_slow_smile_is_at_most_a_hundredth_and_a_half_behind() -> None:
    rows = np.repeat(np.linspace(0, 0.9, 181)[:, None], 52, axis=1)
    rows = np.concatenate([rows, np.repeat(rows[-1:], 60, axis=0)])
    shown = played(rows)[:, JAW]
    assert np.abs(shown - rows[:, JAW]).max() < 0.015
    assert abs(shown[-1] - 0.9) < 0.002


def test_frames_far_apart_say_nothing_of_each_other() -> None:
    """As in a time-lapse: every change may be a move, and after it noise is held back as before."""
    rows = 0.4 + np.random.default_rng(6).normal(0, 0.02, (90, 52))
    np.testing.assert_array_equal(played(rows, rate=2.0), rows.astype(np.float32))
    steadiness = Steadiness()
    times = np.where(np.arange(90) < 60, 0.0, 10.0) + np.arange(90) / 30
    shown = np.stack(
        [steadiness.steadied(r.astype(np.float32), t) for r, t in zip(rows, times, strict=True)]
    )
    np.testing.assert_array_equal(shown[60], rows[60].astype(np.float32))
    assert (shown[62:].std(axis=0) / rows[62:].std(axis=0)).mean() < 0.5


def test_another_person_begins_anew_and_what_is_no_number_passes_by() -> None:
    steadiness = Steadiness()
    steadiness.steadied(np.full(52, 0.2, np.float32), 0.0)
    steadiness.forget()
    assert steadiness.steadied(np.full(52, 0.21, np.float32), 0.03)[0] == np.float32(0.21)
    broken = np.full(52, np.nan, np.float32)
    assert np.isnan(steadiness.steadied(broken, 0.07)).all()
    assert np.isfinite(steadiness.steadied(np.full(52, 0.3, np.float32), 0.1)).all()
