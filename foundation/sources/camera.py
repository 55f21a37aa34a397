"""Webcams through OpenCV: always the newest picture, never a backlog."""

import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import Frame

from .source import Closing

WAIT = 5.0
"""Seconds without a picture after which a camera counts as gone."""


class CameraSource(Closing):
    """Newest frames of a webcam until it is closed or ``end`` is reached.

    A thread empties the camera's queue, so a slow reader skips pictures instead of falling behind.

    Args:
        index: camera number, 0 for the first.
        end: seconds of capture, None without end.

    Raises:
        SourceError: there is no such camera or it gives no picture; names the cameras there are.
    """

    count: int | None = None
    audio: Path | None = None
    timecode = ""
    damaged = 0

    def __init__(self, index: int, *, end: float | None = None) -> None:
        self._end = end
        self._index = index
        self._camera = _open_camera(index)
        good, picture = self._camera.read()
        if not good:
            self._camera.release()
            raise SourceError(f"camera {index} gives no picture; is another program using it?")
        import cv2

        stated = float(self._camera.get(cv2.CAP_PROP_FPS))
        self.rate = stated if 0 < stated <= 480 else 30.0
        self.size = (picture.shape[1], picture.shape[0])
        self.description = f"camera {index}: {self.size[0]}×{self.size[1]}, {self.rate:.4g} fps"
        self._fresh = threading.Condition()
        self._newest: tuple[float, NDArray[np.uint8]] | None = None
        self._stopping = False
        self._lost = False
        self._thread = threading.Thread(target=self._capture, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        begin: float | None = None
        index = 0
        while (captured := self._next()) is not None:
            moment, picture = captured
            begin = moment if begin is None else begin
            if self._end is not None and moment - begin >= self._end:
                return
            yield Frame(picture=picture, index=index, time=moment - begin)
            index += 1

    def close(self) -> None:
        """Stop capturing and give the camera back."""
        with self._fresh:
            self._stopping = True
            self._fresh.notify_all()
        self._thread.join(WAIT)
        self._camera.release()

    def _capture(self) -> None:
        while not self._stopping:
            good, picture = self._camera.read()
            moment = monotonic()
            with self._fresh:
                if not good:
                    self._stopping = self._lost = True
                else:
                    self._newest = (moment, np.ascontiguousarray(picture[..., ::-1]))
                self._fresh.notify_all()

    def _next(self) -> tuple[float, NDArray[np.uint8]] | None:
        with self._fresh:
            waited = self._fresh.wait_for(lambda: self._newest or self._stopping, WAIT)
            if not waited:
                raise SourceError(f"camera {self._index} has given no picture for {WAIT:g} s")
            newest, self._newest = self._newest, None
            if newest is None and self._lost:
                raise SourceError(f"camera {self._index} gives no more pictures; was it unplugged?")
            return newest


def _open_camera(index: int) -> Any:
    import cv2

    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        camera = cv2.VideoCapture(index)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not camera.isOpened():
        raise SourceError(f"no camera {index}; cameras found: {_cameras()}")
    camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return camera


def _cameras() -> str:
    """Camera numbers of this machine as text (Linux lists them as /dev/video*)."""
    numbers = sorted(
        int(device.name.removeprefix("video"))
        for device in Path("/dev").glob("video*")
        if device.name.removeprefix("video").isdigit()
    )
    return ", ".join(map(str, numbers)) or "none"
