"""Speed of reading faces: statistics, tables, and the measurement itself where networks ship."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np
import pytest

from freeavatar.foundation.errors import ReaderError
from freeavatar.foundation.readers import embedded_is_there
from freeavatar.tools.evaluation.speed import (
    HEIGHT,
    WIDTH,
    Cost,
    Speed,
    _wide,
    lines,
    measure,
    summary,
)


def speed(**other: Any) -> Speed:
    facts: dict[str, Any] = {
        "clip": "actor.mp4",
        "frames": 150,
        "found": 149,
        "ours": Cost(median=3.0, p95=4.0),
        "landmarker": Cost(median=10.0, p95=16.0),
        "mediapipe": Cost(median=11.0, p95=17.0),
        "detection": Cost(median=5.0, p95=6.0),
        "every_face": Cost(median=9.0, p95=12.0),
        "start": Cost(median=11.0, p95=12.0),
        "peak_mib": 180.4,
        "first_frame": 0.91,
    }
    return Speed(**{**facts, **other})


def test_a_cost_is_the_middle_and_the_95th_of_100() -> None:
    assert Cost.of([i / 1000 for i in range(1, 102)]) == Cost(median=51.0, p95=96.0)
    assert Cost.of([0.002]) == Cost(median=2.0, p95=2.0)


def test_the_table_sets_ours_beside_theirs() -> None:
    assert speed().ratio == pytest.approx((0.3, 0.25))
    text = lines(speed())
    assert text[0] == "faces of actor.mp4: 149 of 150 frames, on one core"
    rows = {line[:34].strip(): line[34:].split() for line in text[2:9]}
    assert rows["tracked frame, ours"] == ["3.00", "4.00"]
    assert rows["tracked frame, Face Landmarker"] == ["10.00", "16.00"]
    assert rows["ours / Face Landmarker"] == ["0.30", "0.25"]
    assert rows["detection at 1280×720"] == ["5.00", "6.00"]
    assert rows["detection of every face there"] == ["9.00", "12.00"]
    assert text[-2:] == ["import and first frame: 0.91 s", "peak memory: 180 MiB"]
    assert summary(speed())["ratio"] == [0.3, 0.25]


@pytest.mark.parametrize("size", [(560, 560), (400, 1000), (720, 1280)])
def test_faces_are_sought_in_a_wide_picture_that_keeps_their_shape(size: tuple[int, int]) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    cv2.circle(picture, (size[1] // 2, size[0] // 2), 100, (255, 255, 255), -1)
    wide = _wide(picture)
    assert wide.shape == (HEIGHT, WIDTH, 3)
    rows, columns = np.nonzero(wide[:, :, 0] > 127)
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=2)
    assert np.ptp(rows) == pytest.approx(200 * min(HEIGHT / size[0], WIDTH / size[1]), rel=0.03)


def test_without_mediapipe_ours_is_printed_alone() -> None:
    alone = speed(landmarker=None, mediapipe=None)
    assert alone.ratio is None and summary(alone)["ratio"] is None
    text = "\n".join(lines(alone))
    assert "tracked frame, ours" in text and "Face Landmarker  " not in text
    assert "no MediaPipe bundle" in text


def test_a_reader_that_fails_says_its_own_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ReaderError, match=r"faces cannot be read here: .*absent\.mp4") as caught:
        measure(tmp_path / "absent.mp4", None)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(
    not embedded_is_there() or sys.platform != "linux",
    reason="the networks are not in this checkout",
)
def test_measuring(tmp_path: Path, stand_in: ModuleType) -> None:
    """A painted face is none for the real networks: it is the clock that is tested here."""
    clip = tmp_path / "clip.mp4"
    with av.open(str(clip), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height = 640, 480
        for i in range(12):
            picture = stand_in.draw(stand_in.blank(), (200 + i, 150))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    got = measure(clip, None)
    assert got.frames == 12 and got.landmarker is None
    assert 0.1 < got.ours.median <= got.ours.p95 < 1000
    assert 0.1 < got.detection.median < 1000
    # Where nothing is found all are the same work.
    assert got.start.median > 0.5 * got.detection.median
    assert got.every_face.median > 0.5 * got.detection.median
    assert 40 < got.peak_mib < 1000 and 0.1 < got.first_frame < 60
