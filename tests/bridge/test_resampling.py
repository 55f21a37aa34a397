"""Takes on a constant grid: what is between the frames, what is left out, how many there are."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes import grid_rate, open_take, read_take
from freeavatar.bridge.takes.resampling import ResamplingSink
from freeavatar.bridge.takes.timecode import exact_rate
from freeavatar.rigs.spec import Rig, RigFrame


class Kept:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.frames: list[RigFrame] = []
        self.closed = 0
        self.discarded = 0

    def send(self, frame: RigFrame) -> None:
        self.frames.append(frame)

    def close(self) -> None:
        self.closed += 1

    def discard(self) -> None:
        self.discarded += 1

    @property
    def times(self) -> NDArray[np.float64]:
        return np.array([f.time for f in self.frames])

    @property
    def values(self) -> NDArray[np.float32]:
        return np.array([f.values[0] for f in self.frames])


def frame(time: float, value: float, index: int = 0, **more: Any) -> RigFrame:
    return RigFrame(index=index, time=time, values=np.array([value], np.float32), **more)


def resample(
    times: Any, values: Any, rate: float | Fraction, *, source_rate: float, **more: Any
) -> Kept:
    kept = Kept()
    sink = ResamplingSink(kept, rate, source_rate=source_rate)
    for i, (time, value) in enumerate(zip(times, values, strict=True)):
        sink.send(frame(float(time), float(value), i, **more))
    sink.close()
    return kept


def amplitude(values: NDArray[np.float32], times: NDArray[np.float64], hertz: float) -> float:
    """Of the part of a signal at a frequency."""
    waves = np.stack([np.sin(2 * np.pi * hertz * times), np.cos(2 * np.pi * hertz * times)], 1)
    return float(np.hypot(*np.linalg.lstsq(waves, values - values.mean(), rcond=None)[0]))


def test_a_sine_at_irregular_times_comes_out_in_its_place() -> None:
    random = np.random.default_rng(5)
    times = 7.3 + np.cumsum(random.uniform(0.015, 0.045, 600))
    wave = np.sin(2 * np.pi * 1.5 * times)
    kept = resample(times, wave, 30, source_rate=33.3)
    true = np.sin(2 * np.pi * 1.5 * kept.times)
    worst = np.abs(kept.values - true)[:-1].max()
    nearest = wave[np.abs(times[None] - kept.times[:-1, None]).argmin(1)]
    # Linear between frames 45 ms apart: at most (2 pi 1.5)^2 0.045^2 / 8 = 0.0225.
    assert worst < 0.023
    assert np.abs(nearest - true[:-1]).max() > 0.1
    np.testing.assert_allclose(kept.times, times[0] + np.arange(len(kept.times)) / 30, atol=1e-9)
    assert [f.index for f in kept.frames] == list(range(len(kept.frames)))
    assert 0 <= times[-1] + 1 / 33.3 - kept.times[-1] < 1.5 / 30


@pytest.mark.parametrize("jitter", [0.0, 0.004])
def test_fast_motion_does_not_come_out_as_slow_motion(jitter: float) -> None:
    """20 Hz cannot be shown at 24 frames a second; taken frame by frame it would look like 4 Hz."""
    random = np.random.default_rng(2)
    times = np.arange(1200) / 60 + random.uniform(-jitter, jitter, 1200)
    kept = resample(times, np.sin(2 * np.pi * 20 * times), 24, source_rate=60)
    inner = slice(5, -5)
    alias = amplitude(kept.values[inner], kept.times[inner], 4)
    picked = np.sin(2 * np.pi * 20 * kept.times)
    assert amplitude(picked[inner].astype(np.float32), kept.times[inner], 4) > 0.95
    assert alias < 0.08
    slow = resample(times, np.sin(2 * np.pi * 2 * times), 24, source_rate=60)
    assert amplitude(slow.values[inner], slow.times[inner], 2) > 0.95
    # Averaging to both sides moves nothing in time.
    np.testing.assert_allclose(
        slow.values[inner], np.sin(2 * np.pi * 2 * slow.times[inner]), atol=0.08
    )


@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), 24, 25, Fraction(30000, 1001), 30, 50, 59.94, 60, 120]
)
@pytest.mark.parametrize("begin", [0.0, 1234.567])
def test_frames_on_the_grid_pass_bit_for_bit(rate: float | Fraction, begin: float) -> None:
    random = np.random.default_rng(1)
    exact = Fraction(60000, 1001) if rate == 59.94 else Fraction(rate)
    kept = Kept()
    sink = ResamplingSink(kept, rate, source_rate=float(rate))
    given = [
        RigFrame(
            # As Matroska stores it: whole thousandths of a second.
            index=i, time=begin + round(float(i / exact), 3), found=i % 3 != 0,
            values=random.random(7, np.float32), head=random.random(3, np.float32) * 4,
            eyes=random.random((2, 3), np.float32),
        )
        for i in range(400)
    ]  # fmt: skip
    for one in given:
        sink.send(one)
    sink.close()
    assert len(kept.frames) == 400
    for a, b in zip(given, kept.frames, strict=True):
        assert (a.index, a.found) == (b.index, b.found)
        for name in ("values", "head", "eyes"):
            assert getattr(a, name).tobytes() == getattr(b, name).tobytes()
        assert b.time == pytest.approx(begin + float(a.index / exact), abs=1e-9)


@pytest.mark.parametrize(
    ("source", "rate", "minutes", "count"),
    [
        # One picture a second is only held, so that an hour is quick.
        (Fraction(1), Fraction(30000, 1001), 60, 107892),
        (Fraction(1), Fraction(2997, 100), 60, 107892),
        (Fraction(24000, 1001), Fraction(5), 10, 3000),
        (Fraction(30), Fraction(30000, 1001), 2, 3596),
        (Fraction(60), Fraction(24), 2, 2880),
        (Fraction(24), Fraction(60), 2, 7200),
    ],
)
def test_an_hour_has_all_its_frames_and_no_drift(
    source: Fraction, rate: Fraction, minutes: int, count: int
) -> None:
    ended: list[RigFrame] = []

    class Last:
        frames = 0

        def send(self, one: RigFrame) -> None:
            self.frames += 1
            ended[:] = [one]

        def close(self) -> None: ...

    last = Last()
    sink = ResamplingSink(last, rate, source_rate=float(source))
    still = frame(0.0, 0.5)
    for i in range(round(60 * minutes * source)):
        sink.send(replace(still, time=i * source.denominator / source.numerator))
    sink.close()
    assert last.frames == count
    assert ended[0].time == pytest.approx(float((count - 1) / exact_rate(rate)), abs=1e-9)


@pytest.mark.parametrize(
    ("source", "rate"), [(24, 60), (60, 24), (60, 48), (33, 30), (240, 24), (24, 25)]
)
def test_first_and_last_pose_are_kept(source: float, rate: float) -> None:
    count = 77
    values = np.random.default_rng(4).random(count).astype(np.float32)
    kept = resample(3 + np.arange(count) / source, values, rate, source_rate=source)
    assert kept.values[0] == values[0] and kept.values[-1] == values[-1]
    assert len(kept.frames) == round(count * rate / source)
    assert kept.times[0] == 3 and kept.closed == 1


def test_angles_go_the_short_way_round() -> None:
    kept = Kept()
    sink = ResamplingSink(kept, 60, source_rate=30)
    for i, yaw in enumerate([3.1, -3.1, -3.0]):
        head = np.array([yaw, 0.1, 0.0], np.float32)
        eyes = np.array([[-yaw, 0, 0], [0.2 * i, 0, 0]], np.float32)
        sink.send(replace(frame(i / 30, 0.0), head=head, eyes=eyes))
    sink.close()
    between = kept.frames[1]
    assert abs(between.head[0]) == pytest.approx(np.pi, abs=1e-6)
    assert abs(between.eyes[0, 0]) == pytest.approx(np.pi, abs=1e-6)
    assert between.eyes[1, 0] == pytest.approx(0.1)
    assert kept.frames[3].head[0] == pytest.approx(-3.05)
    assert all(np.abs(f.head).max() <= np.float32(np.pi) for f in kept.frames)


def test_angles_are_averaged_the_short_way_round() -> None:
    kept = Kept()
    sink = ResamplingSink(kept, 30, source_rate=120)
    for i in range(120):
        yaw = 3.1 if i % 2 else -3.1
        sink.send(replace(frame(i / 120, 0.0), head=np.array([yaw, 0, 0], np.float32)))
    sink.close()
    inner = np.array([f.head[0] for f in kept.frames[2:-2]])
    assert (np.abs(inner) > 3.09).all()


@pytest.mark.parametrize("source", [30.0, 120.0])
def test_a_hole_holds_the_frame_before_and_blends_nothing_across(source: float) -> None:
    before = np.arange(round(source)) / source
    times = np.concatenate([before, before + 3.0])
    values = np.concatenate([np.zeros(len(before)), np.ones(len(before))])
    kept = resample(times, values, 30, source_rate=source)
    assert len(kept.frames) == 120
    assert (kept.values[:90] == 0).all() and (kept.values[90:] == 1).all()


def test_a_short_hole_is_bridged_also_where_frames_are_averaged() -> None:
    times = np.concatenate([np.arange(60), np.arange(90, 150)]) / 120
    kept = resample(times, times, 30, source_rate=120)
    # A frame held over it would be 0.25 off, the nearest 0.125.
    np.testing.assert_allclose(kept.values[2:-2], kept.times[2:-2], atol=0.015)


def test_found_is_the_nearest_frames() -> None:
    kept = Kept()
    sink = ResamplingSink(kept, 100, source_rate=10)
    for i, found in enumerate([True, False, True]):
        sink.send(frame(i / 10, 0.0, found=found))
    sink.close()
    found = [f.found for f in kept.frames]
    assert found[:5] == [True] * 5 and found[6:15] == [False] * 9 and all(found[16:])


@pytest.mark.parametrize(("source", "rate", "behind"), [(30, 30, 1), (24, 60, 1), (33, 30, 1)])
def test_frames_are_written_as_soon_as_one_more_has_come(
    source: float, rate: float, behind: int
) -> None:
    kept = Kept()
    sink = ResamplingSink(kept, rate, source_rate=source)
    for i in range(60):
        sink.send(frame(i / source, 0.0))
        due = int((i - behind) / source * rate + 1e-9)
        assert len(kept.frames) >= due, "all but the newest before the last source frame are out"


def test_arrays_that_are_filled_again_do_no_harm() -> None:
    kept, values = Kept(), np.zeros(1, np.float32)
    sink = ResamplingSink(kept, 30, source_rate=30)
    for i in range(10):
        values[0] = i
        sink.send(RigFrame(index=i, time=i / 30, values=values))
    sink.close()
    assert kept.values.tolist() == list(range(10))


def test_times_that_stand_still_step_back_or_are_none_are_left_out() -> None:
    times = [float("nan"), 0, 1 / 30, 1 / 30, 0.01, float("inf"), 2 / 30, 3 / 30]
    kept = resample(times, [9, 0, 1, 9, 9, 9, 2, 3], 30, source_rate=30)
    assert kept.values.tolist() == [0, 1, 2, 3]


def test_what_is_no_number_spoils_no_neighbour() -> None:
    values = [0.5] * 20
    values[7] = float("nan")
    kept = resample(np.arange(20) / 120, values, 30, source_rate=120)
    assert np.isfinite(kept.values).all()


def test_a_jump_of_hours_is_refused_and_names_the_times() -> None:
    sink = ResamplingSink(Kept(), 30, source_rate=30)
    sink.send(frame(0.0, 0.0))
    with pytest.raises(BridgeError, match=r"jumps from 0\.0 s to 7200\.0 s.*--start and --end"):
        sink.send(frame(7200.0, 0.0))


def test_one_frame_no_frame_and_discarding() -> None:
    assert resample([5.0], [0.25], 60, source_rate=60).values.tolist() == [0.25]
    empty = resample([], [], 30, source_rate=30)
    assert (len(empty.frames), empty.closed) == (0, 1)
    kept = Kept()
    sink = ResamplingSink(kept, 30, source_rate=30)
    sink.send(frame(0.0, 0.0))
    sink.discard()
    assert (kept.frames, kept.closed, kept.discarded) == ([], 0, 1)


def test_takes_are_written_on_the_grid_asked_for(
    tmp_path: Path, mesh_rig: Rig, perform: Any
) -> None:
    frames = perform(mesh_rig, 60, rate=24)
    for suffix in (".csv", ".jsonl", ".glb"):
        path = tmp_path / f"t{suffix}"
        sink = open_take(path, mesh_rig, rate=24, take_rate=30)
        for one in frames:
            sink.send(one)
        sink.close()
        take = read_take(path)
        assert len(take.frames) == 75 and take.rate == 30, suffix
        np.testing.assert_allclose(take.frames[4].values, (
            frames[3].values * 0.8 + frames[4].values * 0.2
        ), atol=1e-6)  # fmt: skip
    assert grid_rate(tmp_path / "t.csv", 24) == 60
    assert grid_rate(tmp_path / "t.glb", 24) is None
    assert grid_rate(tmp_path / "t.jsonl", 24) is None


@pytest.mark.parametrize("rate", [0.0, -5.0, float("nan"), float("inf")])
def test_impossible_rates_are_refused(tmp_path: Path, mesh_rig: Rig, rate: float) -> None:
    with pytest.raises(BridgeError, match="is no frame rate"):
        open_take(tmp_path / "t.csv", mesh_rig, rate=30, take_rate=rate)
    assert not list(tmp_path.iterdir())
