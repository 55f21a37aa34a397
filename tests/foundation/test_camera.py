"""Webcams; a movie stands in for the device, read by the same OpenCV class."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.sources import camera, camera_number, open_source


@pytest.mark.parametrize("text", ["97", "camera:97"])
def test_an_absent_camera_is_named_with_those_there_are(text: str, capfd: Any) -> None:
    with pytest.raises(SourceError, match="no camera 97; cameras found: "):
        open_source(text)
    assert capfd.readouterr().err == ""


def test_a_camera_has_no_past() -> None:
    with pytest.raises(SourceError, match="--start"):
        open_source("0", start=2)


def test_a_number_or_camera_is_a_camera_unless_a_file_has_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "7").touch()
    monkeypatch.chdir(tmp_path)
    assert [camera_number(text) for text in ("0", "camera:12", "7", "clip.mp4", "1234", "")] == [
        0, 12, None, None, None, None,
    ]  # fmt: skip


def test_an_empty_name_is_no_input() -> None:
    with pytest.raises(SourceError, match="no file, folder or camera called ''"):
        open_source("")


def test_a_file_named_like_a_number_wins(
    tmp_path: Path, movie: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    movie("a.mkv").rename(tmp_path / "7")
    monkeypatch.chdir(tmp_path)
    assert len(list(open_source("7"))) == 24


def test_a_slow_reader_gets_the_newest_picture(
    movie: Callable[..., Path], number: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    class Paced:
        """A camera delivers at its own pace, a file at once."""

        def __init__(self, path: str) -> None:
            self.capture = cv2.VideoCapture(path)
            self.get, self.release = self.capture.get, self.capture.release

        def read(self) -> Any:
            time.sleep(0.02)
            return self.capture.read()

    path = str(movie("camera.avi", codec="mjpeg", form="yuvj420p"))
    monkeypatch.setattr(camera, "_open_camera", lambda index: Paced(path))
    with open_source("camera:0") as source:
        seen: list[tuple[int, int, float]] = []

        def watch() -> None:
            for frame in source:
                seen.append((frame.index, number(frame.picture), frame.time))
                time.sleep(0.1)

        with pytest.raises(SourceError, match="camera 0 gives no more pictures; was it unplugged"):
            watch()
    indices, numbers, times = zip(*seen, strict=True)
    assert indices == tuple(range(len(seen))) and 3 <= len(seen) <= 8
    assert list(numbers) == sorted(set(numbers)) and max(numbers) >= 20
    assert times[0] == 0 and all(0.05 < b - a < 0.3 for a, b in pairwise(times))
    assert source.size == (64, 48) and source.count is None and source.audio is None
