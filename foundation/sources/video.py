"""Video files through PyAV: true times, upright pictures, damage survived."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import Frame

from .clock import Clock
from .pictures import LARGEST_PICTURE, over_backdrop
from .source import Closing

Matrix = NDArray[np.int32]
log = logging.getLogger(__name__)

FASTEST = 480.0
"""Frames per second; a larger nominal rate is the tick of a clock, not a frame rate."""
USUAL_RATE = 30.0
"""Frames per second where a file states no usable rate."""
FAILED_READS = 20
"""Reads of the container that may fail in a row before the rest is given up."""


class VideoSource(Closing):
    """Frames of a video file; each iteration starts over.

    Time 0 is the start of the container (the earliest of its streams), so that sound stays in
    place; frames between ``start`` and ``end`` keep their time. What cannot be decoded is skipped
    and counted; a file that ends early is reported once in the log.

    Args:
        path: any container FFmpeg reads.
        start: seconds; earlier frames are left out.
        end: seconds; frames from here on are left out.

    Raises:
        SourceError: not readable, no video in it, or no frame can be decoded.
    """

    def __init__(self, path: Path, *, start: float | None = None, end: float | None = None) -> None:
        self.damaged = 0
        self._path = path
        self._start = start or 0.0
        self._end = end
        self._told = False
        with _opened(path) as container:
            stream = _video_stream(container, path)
            self.rate = _nominal_rate(stream)
            self._pixel = _pixel_shape(stream)
            self.audio: Path | None = path if container.streams.audio else None
            self.timecode = _timecode(container)
            self._length = _length(container, stream)
            self.count: int | None = self._expected(stream.frames)
            codec = stream.codec_context.name
        self.size = self._first_size()
        width, height = self.size
        self.description = f"{path.name}: {width}×{height}, {self.rate:.4g} fps, {codec}"

    def __iter__(self) -> Iterator[Frame]:
        self.damaged = 0
        index = 0
        matrix: Matrix | None = None
        time = self._start
        for time, frame in self._from_start():
            if self._end is not None and time >= self._end - 1e-6:
                break
            if not index:
                # Asked once: in PyAV a frame whose side data was read is freed late, by the garbage
                # collector, and memory grows with the clip. The matrix belongs to the whole track.
                matrix = _display_matrix(frame)
            yield Frame(picture=_upright(frame, self._pixel, matrix), index=index, time=time)
            index += 1
        else:
            self._tell_losses(time)
        if not index:
            until = "the end" if self._end is None else f"{self._end:g} s"
            raise SourceError(f"{self._path} has no frame between {self._start:g} s and {until}")

    def _from_start(self) -> Iterator[tuple[float, VideoFrame]]:
        """Times and frames from ``start`` on; seeks, unless the seek lands behind it."""
        earliest = self._start - 1e-6
        if self._start > 0:
            timed = self._timed(seek=self._start)
            first = next(timed, None)
            if first is not None and first[0] <= self._start + 1e-6:
                if first[0] >= earliest:
                    yield first
                yield from (item for item in timed if item[0] >= earliest)
                return
            self.damaged = 0
        yield from (item for item in self._timed(seek=None) if item[0] >= earliest)

    def _timed(self, seek: float | None) -> Iterator[tuple[float, VideoFrame]]:
        with _opened(self._path) as container:
            stream = _video_stream(container, self._path)
            stream.thread_type = "AUTO"
            origin = _origin(container, stream)
            if seek is not None and not _seek(container, stream, seek + origin):
                return
            clock = Clock(origin, 1 / self.rate)
            for frame in self._decoded(container, stream):
                yield clock.time(frame.time if frame.pts is not None else None), frame

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """Every frame that can be decoded, stepping over damaged packets."""
        failed = 0
        while failed < FAILED_READS:
            try:
                for packet in container.demux(stream):
                    failed = 0
                    try:
                        frames = packet.decode()
                    except EOFError:
                        return
                    except av.FFmpegError:
                        self.damaged += 1
                        continue
                    for frame in frames:
                        self.damaged += bool(frame.is_corrupt)
                        yield frame
                return
            except av.FFmpegError:
                failed += 1
                self.damaged += failed == 1

    def _first_size(self) -> tuple[int, int]:
        for _, frame in self._timed(seek=None):
            height, width = _upright(frame, self._pixel, _display_matrix(frame)).shape[:2]
            return width, height
        raise SourceError(f"{self._path} holds a video stream, but no frame of it can be decoded")

    def _expected(self, declared: int) -> int | None:
        """Frames to expect in the chosen range."""
        if self._length is None:
            return declared or None
        if self._end is None and not self._start:
            return declared or round(self._length * self.rate)
        end = self._length if self._end is None else min(self._end, self._length)
        return max(round((end - self._start) * self.rate), 0)

    def _tell_losses(self, last: float) -> None:
        if self._told:
            return
        if self._length is not None and last < self._length - max(1.0, 3 / self.rate):
            self._told = True
            log.warning(
                "%s ends early: %.1f of %.1f s could be read; the file is cut off or damaged",
                self._path.name,
                last,
                self._length,
            )
        elif self.damaged:
            self._told = True
            log.warning("%s: %d damaged places were skipped", self._path.name, self.damaged)


def _opened(path: Path) -> InputContainer:
    try:
        return av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(
            f"{path} cannot be read as a video or picture ({reason}); "
            "is it complete, and can another player open it?"
        ) from error


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    # FFmpeg's own choice passes over cover pictures.
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream):
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "no streams"
        raise SourceError(f"{path} has no video stream (it holds: {kinds})")
    coded = stream.codec_context
    if coded is None:
        raise SourceError(f"{path} is coded in a way this installation of PyAV cannot decode")
    if coded.width * coded.height > LARGEST_PICTURE:
        raise SourceError(f"{path} claims {coded.width}×{coded.height} pixels, which is too many")
    return stream


def _nominal_rate(stream: VideoStream) -> float:
    # The guess repairs averages that a late first or last frame distorts.
    for rate in (stream.guessed_rate, stream.average_rate):
        if rate is not None and 0 < rate <= FASTEST:
            return float(rate)
    return USUAL_RATE


def _origin(container: InputContainer, stream: VideoStream) -> float:
    """Start of the container on the stream's clock, seconds."""
    own = None
    if stream.start_time is not None and stream.time_base is not None:
        own = float(stream.start_time * stream.time_base)
    if container.start_time is None:
        return own or 0.0
    whole = container.start_time / av.time_base
    return own if own is not None and abs(own - whole) < 2e-6 else whole


def _length(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds from the container's start to the end of the video, where the file says."""
    if stream.duration is not None and stream.time_base is not None:
        begins = float((stream.start_time or 0) * stream.time_base)
        return begins + float(stream.duration * stream.time_base) - _origin(container, stream)
    return container.duration / av.time_base if container.duration is not None else None


def _seek(container: InputContainer, stream: VideoStream, time: float) -> bool:
    if stream.time_base is None:
        return False
    try:
        container.seek(int(time / stream.time_base), stream=stream)
    except av.FFmpegError:
        return False
    return True


def _timecode(container: InputContainer) -> str:
    places = [container.metadata, *(s.metadata for s in container.streams)]
    # Matroska writes the names of tags in capitals.
    tags = (tag for place in places for tag in place.items())
    return next((value for name, value in tags if name.lower() == "timecode" and value), "")


def _pixel_shape(stream: VideoStream) -> float:
    """Width of a pixel over its height; 1 where the file states nothing believable."""
    shape = float(stream.sample_aspect_ratio or 1)
    return shape if 0.25 <= shape <= 4 else 1.0


def _display_matrix(frame: VideoFrame) -> Matrix | None:
    """(9,) fixed-point matrix that turns a frame upright, or None where it is already."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    return None if matrix is None else np.frombuffer(bytes(matrix), np.int32)


def _upright(frame: VideoFrame, pixel: float, matrix: Matrix | None) -> NDArray[np.uint8]:
    """A decoded frame as (H, W, 3) RGB with square pixels, turned by a display matrix."""
    transparent = any(component.is_alpha for component in frame.format.components)
    form = "rgba" if transparent else "rgb24"
    width = max(round(frame.width * pixel), 1)
    picture = np.asarray(frame.to_ndarray(format=form, width=width), np.uint8)
    if transparent:
        picture = over_backdrop(picture)
    return picture if matrix is None else turned(picture, matrix)


def turned(picture: NDArray[np.uint8], matrix: Matrix) -> NDArray[np.uint8]:
    """Turn or mirror a picture by a display matrix, to the nearest right angle.

    Args:
        picture: (H, W, 3).
        matrix: (9,) a b u c d v x y w, fixed point: column x' = a x + c y, row y' = b x + d y.

    Returns:
        (H, W, 3) or (W, H, 3), contiguous.

    Source:
        ISO/IEC 14496-12, track header box.
    """
    a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
    if abs(b) > abs(a):
        picture, across, down = picture.swapaxes(0, 1), c, b
    else:
        across, down = a, d
    if across < 0:
        picture = picture[:, ::-1]
    if down < 0:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)
