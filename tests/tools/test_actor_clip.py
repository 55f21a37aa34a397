"""The bundled actor: what the film shows, and the curves it was made from."""

from pathlib import Path

import av
import numpy as np
import pytest

from freeavatar.bridge.takes import read_take
from freeavatar.foundation.expression import BLENDSHAPES, Frame
from freeavatar.rigs.spec import Take
from freeavatar.tools.dataset.actor_performance import (
    BLINKS,
    RATE,
    SECONDS,
    Performance,
    perform,
    speech,
)
from freeavatar.tools.inputs import ACTOR_CLIP

LARGEST = 3 << 20
TRUTH = ACTOR_CLIP.with_suffix(".csv")


@pytest.fixture(scope="module")
def performance() -> Performance:
    return perform()


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    with av.open(str(ACTOR_CLIP)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


@pytest.fixture(scope="module")
def truth() -> Take:
    return read_take(TRUTH)


def channel(values: np.ndarray, name: str) -> np.ndarray:
    return values[:, BLENDSHAPES.index(name)]


def test_the_film_is_small_and_long_enough() -> None:
    assert ACTOR_CLIP.stat().st_size <= LARGEST
    with av.open(str(ACTOR_CLIP)) as film:
        video = film.streams.video[0]
        assert video.codec_context.name == "h264"
        assert video.codec_context.pix_fmt == "yuv420p"
        assert video.average_rate == RATE
        assert 8.0 <= float(video.duration * video.time_base) <= 10.0
        assert 512 <= video.width <= 640 and 512 <= video.height <= 640


def test_every_frame_has_its_curves(pictures: list[np.ndarray], truth: Take) -> None:
    assert len(pictures) == len(truth.frames) == round(RATE * SECONDS)
    np.testing.assert_allclose(
        [frame.time for frame in truth.frames], np.arange(len(pictures)) / RATE, atol=1e-3
    )


def test_the_bundled_curves_are_the_performance(truth: Take, performance: Performance) -> None:
    order = [truth.names.index(name) for name in BLENDSHAPES]
    values = np.stack([frame.values for frame in truth.frames])[:, order]
    np.testing.assert_allclose(values, performance.blendshapes, atol=1e-4)
    head = np.stack([frame.head for frame in truth.frames])
    np.testing.assert_allclose(head, performance.head, atol=1e-4)
    eyes = np.stack([frame.eyes for frame in truth.frames])
    np.testing.assert_allclose(eyes, performance.eyes, atol=1e-4)


def test_curves_stay_in_range_and_move(performance: Performance) -> None:
    assert performance.blendshapes.min() >= 0.0
    assert performance.blendshapes.max() <= 1.0
    spread = np.ptp(performance.blendshapes, axis=0)
    for name in ("jawOpen", "eyeBlinkLeft", "mouthSmileLeft", "browInnerUp", "browDownRight",
                 "mouthPucker", "mouthPressLeft", "eyeWideLeft", "eyeLookInLeft"):  # fmt: skip
        assert spread[BLENDSHAPES.index(name)] > 0.25, name
    assert np.ptp(performance.head[:, 0]) > np.radians(20)
    assert np.ptp(performance.head[:, 1]) > np.radians(10)


def test_blinks_last_as_long_as_a_persons(performance: Performance) -> None:
    closed = channel(performance.blendshapes, "eyeBlinkRight")
    starts = np.flatnonzero((closed[1:] > 0.02) & (closed[:-1] <= 0.02))
    ends = np.flatnonzero((closed[1:] <= 0.02) & (closed[:-1] > 0.02))
    assert len(starts) == len(BLINKS)
    lengths = (ends - starts[: len(ends)]) / RATE
    assert lengths.min() >= 0.15 - 1 / RATE
    assert lengths.max() <= 0.25 + 1 / RATE
    assert np.diff(performance.times[starts]).max() <= 4.0


def test_lips_close_for_closed_lips() -> None:
    """Coarticulation may soften a vowel, but a p must shut the mouth between two of them."""
    times = np.arange(0, 9, 1 / 240)
    mouth = speech(times)
    pressed = mouth["mouthPressLeft"]
    tops = np.flatnonzero((pressed[1:-1] > pressed[:-2]) & (pressed[1:-1] >= pressed[2:])) + 1
    tops = tops[pressed[tops] > 0.3]
    assert len(tops) >= 6
    assert mouth["jawOpen"][tops].max() < 0.12
    assert mouth["jawOpen"].max() > 0.35


def test_nothing_jumps(performance: Performance) -> None:
    """At 30 frames a second only lids and eyes may cross half their range in one frame."""
    steps = np.abs(np.diff(performance.blendshapes, axis=0)).max(axis=0)
    for name, step in zip(BLENDSHAPES, steps, strict=True):
        assert step < (0.75 if name.startswith("eye") else 0.3), name
    assert np.abs(np.diff(performance.head, axis=0)).max() < np.radians(3)


def test_the_picture_does_not_flicker(pictures: list[np.ndarray]) -> None:
    """The backdrop stays, and no frame is an outlier between its neighbours."""
    corner = np.array([p[:40, :40].mean() for p in pictures])
    assert np.ptp(corner) < 2.0
    small = np.stack([p[::4, ::4].astype(np.float32).mean(axis=-1) for p in pictures])
    beyond = np.abs(small[1:-1] - (small[:-2] + small[2:]) / 2).mean(axis=(1, 2))
    assert beyond.max() < 4.0


def test_a_reader_we_did_not_write_follows_the_actor(
    pictures: list[np.ndarray], shared: Path, performance: Performance
) -> None:
    from freeavatar.foundation.mediapipe_reader import MediaPipeReader

    bundle = shared / "mediapipe" / "face_landmarker.task"
    if not bundle.is_file():
        pytest.skip("MediaPipe's bundle is absent")
    reader = MediaPipeReader(bundle)
    seen = [
        reader.read(Frame(picture=pictures[index], index=index, time=index / RATE))
        for index in range(0, len(pictures), 2)
    ]
    reader.close()
    assert all(expression.found for expression in seen)
    read = np.stack([expression.blendshapes for expression in seen])
    for name, least in (("jawOpen", 0.8), ("eyeBlinkLeft", 0.75), ("mouthSmileLeft", 0.7),
                        ("browInnerUp", 0.6)):  # fmt: skip
        made = channel(performance.blendshapes, name)[::2]
        found = np.corrcoef(channel(read, name), made)[0, 1]
        assert found > least, (name, found)
