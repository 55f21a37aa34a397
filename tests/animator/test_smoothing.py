"""One-Euro smoothing: known responses, jitter, blinks, streaming."""

import numpy as np
import pytest

from freeavatar.animator.smoothing import OneEuro, angle_filter, still_cutoff, value_filter


def plain(still: float, count: int = 1) -> OneEuro:
    return OneEuro(still=still, follow=np.zeros(count), speed_cutoff=np.ones(count))


def test_without_speed_it_is_the_first_order_low_pass() -> None:
    """Source formula: alpha = 1 / (1 + 1 / (2 pi cutoff step))."""
    filtered = plain(2.0)
    assert filtered.filter(np.array([0.0]), 0.0)[0] == 0.0
    alpha = 1.0 / (1.0 + 1.0 / (2 * np.pi * 2.0 * 0.04))
    assert filtered.filter(np.array([1.0]), 0.04)[0] == pytest.approx(alpha)
    assert filtered.filter(np.array([1.0]), 0.08)[0] == pytest.approx(1 - (1 - alpha) ** 2)


def test_speed_raises_the_cutoff_as_published() -> None:
    filtered = OneEuro(still=1.0, follow=np.array([3.0]), speed_cutoff=np.array([2.0]))
    filtered.filter(np.array([0.0]), 0.0)
    step = 0.05
    share = 1.0 / (1.0 + 1.0 / (2 * np.pi * 2.0 * step))
    speed = share * 0.4 / step
    alpha = 1.0 / (1.0 + 1.0 / (2 * np.pi * (1.0 + 3.0 * speed) * step))
    assert filtered.filter(np.array([0.4]), step)[0] == pytest.approx(0.4 * alpha)


@pytest.mark.parametrize(("strength", "cutoff"), [(0.0, 4.0), (0.5, 2**0.5), (1.0, 0.5)])
def test_strength_maps_to_the_documented_cutoff(strength: float, cutoff: float) -> None:
    assert still_cutoff(strength) == pytest.approx(cutoff)


@pytest.mark.parametrize("strength", [-0.1, 1.5])
def test_other_strengths_are_refused(strength: float) -> None:
    with pytest.raises(ValueError, match=r"outside 0\.\.1"):
        still_cutoff(strength)


def test_jitter_of_a_still_face_shrinks_by_more_than_half() -> None:
    make = np.random.default_rng(0)
    noisy = 0.3 + 0.01 * make.standard_normal((300, 2))
    filtered = value_filter(np.array([False, True]), 0.5)
    smooth = np.array([filtered.filter(row, i / 30) for i, row in enumerate(noisy)])[60:]
    assert smooth[:, 0].std() < 0.5 * noisy[60:, 0].std()
    assert smooth[:, 1].std() < 0.65 * noisy[60:, 1].std()
    assert np.abs(smooth.mean(axis=0) - 0.3).max() < 0.005


@pytest.mark.parametrize("rate", [24, 30, 60])
def test_a_blink_still_closes(rate: int) -> None:
    """0.1 s down, 0.06 s shut, 0.14 s up: what a relaxed blink takes."""
    times = np.arange(0, 1, 1 / rate)
    lid = np.interp(times, [0.4, 0.5, 0.56, 0.7], [0, 1, 1, 0])
    filtered = value_filter(np.array([True]), 0.5)
    smooth = np.array(
        [filtered.filter(np.array([x]), t)[0] for x, t in zip(lid, times, strict=True)]
    )
    assert smooth.max() > 0.9
    late = times[smooth.argmax()] - times[lid.argmax()]
    assert late < 0.07


def test_more_strength_smooths_and_lags_more() -> None:
    make = np.random.default_rng(2)
    noisy = 0.3 + 0.02 * make.standard_normal(200)
    left, late = [], []
    for strength in (0.1, 0.5, 1.0):
        filtered = value_filter(np.array([False]), strength)
        smooth = [filtered.filter(np.array([x]), i / 30)[0] for i, x in enumerate(noisy)]
        left.append(np.std(smooth[30:]))
        ramp = value_filter(np.array([False]), strength)
        late.append([ramp.filter(np.array([i / 30]), i / 30)[0] for i in range(31)][-1])
    assert left[0] > 1.3 * left[1] > 1.3**2 * left[2]
    assert 1.0 > late[0] > late[1] > late[2] > 0.7


def test_varying_steps_are_taken_into_account() -> None:
    """Two small steps at a constant input lead as far as the filter's own clock says."""
    coarse, fine = plain(1.0), plain(1.0)
    for f in (coarse, fine):
        f.filter(np.array([0.0]), 0.0)
    for time in np.arange(1, 101) / 1000:
        end = fine.filter(np.array([1.0]), float(time))
    assert end[0] == pytest.approx(1 - np.exp(-2 * np.pi * 0.1), abs=0.01)
    assert coarse.filter(np.array([1.0]), 0.1)[0] == pytest.approx(1 - 1 / (1 + 2 * np.pi * 0.1))


def test_a_repeated_time_holds_and_a_pause_is_no_jump() -> None:
    filtered = plain(1.0)
    filtered.filter(np.array([0.0]), 1.0)
    assert filtered.filter(np.array([5.0]), 1.0)[0] == 0.0
    assert filtered.filter(np.array([5.0]), 0.5)[0] == 0.0
    after_pause = filtered.filter(np.array([1.0]), 100.0)[0]
    assert after_pause == pytest.approx(1 - 1 / (1 + 2 * np.pi * 0.25))


def test_angles_cross_half_a_turn_without_a_jump() -> None:
    filtered = angle_filter(1, 0.5)
    filtered.filter(np.array([3.1]), 0.0)
    for i in range(1, 60):
        got = filtered.filter(np.array([-3.1]), i / 30)[0]
        assert abs(got) > 3.0
    assert got == pytest.approx(-3.1, abs=0.01)


def test_copy_continues_alike_and_reset_forgets() -> None:
    make = np.random.default_rng(1)
    frames = make.random((20, 3))
    whole = value_filter(np.array([True, False, False]), 0.7)
    expected = [whole.filter(x, i / 30) for i, x in enumerate(frames)]
    part = value_filter(np.array([True, False, False]), 0.7)
    for i in range(10):
        part.filter(frames[i], i / 30)
    branch = part.copy()
    part.filter(np.full(3, 9.0), 10 / 30)
    for i in range(10, 20):
        np.testing.assert_array_equal(branch.filter(frames[i], i / 30), expected[i])
    part.reset()
    np.testing.assert_array_equal(part.filter(frames[3], 0.0), frames[3])
