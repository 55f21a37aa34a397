"""Preview films: actor and rigs side by side, H.264 with the actor's sound."""

import logging
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from .layout import Board, arrange
from .sink import BridgeError
from .sound import SoundTrack

log = logging.getLogger(__name__)

PANEL = 384
"""Pixels a side of a rig's panel unless told otherwise: faces read well, and drawing several rigs
in software stays affordable."""
CLOCK = Fraction(1, 90000)
"""Time base of the pictures: fine enough for any camera's own times."""
KEYFRAME_EVERY = 1.0
"""Seconds; also the most that a killed process loses."""
SUFFIXES = (".mp4", ".m4v", ".mov")


class PreviewFilm:
    """Writes a film that plays in browsers; use as a context manager.

    While it grows the file is a fragmented MP4, so that a killed process leaves all but the last
    second; closing turns it into a plain one with its index in front.

    Args:
        path: ends in .mp4, .m4v or .mov; overwritten.
        labels: one for each rig panel.
        rate: nominal frames per second; each picture brings its own time.
        panel: pixels a side of a rig panel.
        actor: width and height of the actor's pictures, which then come first in `add`; None
            for a film without them.
        audio_source: a recording whose sound is laid under, cut to the film's stretch.
        start: time, on the clock of `add` and of ``audio_source``, that becomes the film's 0.

    Raises:
        BridgeError: the path cannot be written or is not a film's.
    """

    def __init__(
        self,
        path: Path,
        labels: Sequence[str],
        *,
        rate: float,
        panel: int = PANEL,
        actor: tuple[int, int] | None = None,
        audio_source: Path | None = None,
        start: float = 0.0,
    ) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise BridgeError(f"a film's name ends in .mp4, .m4v or .mov, not {path.name!r}")
        self.path = path
        self.frames = 0
        self._actor = actor is not None
        self._board = Board(arrange(labels, panel, actor))
        self._step = 1.0 / rate if rate > 0 else 1 / 30
        self._start = start
        self._last: int | None = None
        self._next_key = 0.0
        self._film: Any = _open(path)
        self._video = self._add_video(rate)
        self._sound = self._add_sound(audio_source)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the film, pixels."""
        return self._board.layout.width, self._board.layout.height

    def add(
        self, pictures: Sequence[NDArray[np.uint8]], time: float, *, found: bool = True
    ) -> None:
        """Append one moment.

        Args:
            pictures: (h, w, 3) sRGB each: the actor's first, where the film has one, then one for
                each rig; fitted to their panels.
            time: seconds on the source's clock; a moment not later than the last is left out.
            found: whether the actor's face was seen.

        Raises:
            BridgeError: the film is closed, or the disk is full.
        """
        if self._film is None:
            raise BridgeError(f"{self.path} is closed")
        stamp = round((time - self._start) / CLOCK)
        if stamp < 0 or (self._last is not None and stamp <= self._last):
            return
        shown = self._board.compose(pictures, found=found, actor=self._actor)
        frame = VideoFrame.from_ndarray(shown, format="rgb24")
        frame.time_base, frame.pts = CLOCK, stamp
        seconds = float(stamp * CLOCK)
        if seconds >= self._next_key:
            frame.pict_type = av.video.frame.PictureType.I
            self._next_key = seconds + KEYFRAME_EVERY
        try:
            if self._sound is not None:
                self._sound.write_until(seconds)
            self._write(self._video.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise BridgeError(f"{self.path} cannot be written: {error}") from error
        self._last = stamp
        self.frames += 1

    def close(self) -> None:
        """Finish the file; removes one that got no picture. Safe to call twice."""
        if self._film is None:
            return
        film, self._film = self._film, None
        try:
            self._finish(film)
        finally:
            film.close()
        if self.frames:
            _settle(self.path)
        else:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> "PreviewFilm":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _finish(self, film: Any) -> None:
        if self._last is None:
            if self._sound is not None:
                self._sound.abandon()
            return
        for packet in self._video.encode(None):
            self._write([packet], film)
        if self._sound is not None:
            self._sound.close(float(self._last * CLOCK) + self._step)

    def _write(self, packets: Sequence[Any], film: Any = None) -> None:
        for packet in packets:
            packet.duration = round(self._step / packet.time_base)
            (film or self._film).mux(packet)

    def _add_video(self, rate: float) -> Any:
        nominal = Fraction(rate).limit_denominator(1001) if rate > 0 else Fraction(30)
        stream = self._film.add_stream("libx264", rate=nominal)
        stream.width, stream.height = self.size
        stream.pix_fmt = "yuv420p"
        stream.time_base = CLOCK
        stream.codec_context.time_base = CLOCK
        # No reordering and no look-ahead: what was added is in the file, whatever happens next.
        stream.options = {
            "preset": "veryfast",
            "tune": "zerolatency",
            "crf": "19",
            "forced-idr": "1",
            "x264-params": "keyint=infinite:scenecut=0",
        }
        return stream

    def _add_sound(self, source: Path | None) -> SoundTrack | None:
        if source is None:
            return None
        try:
            return SoundTrack(self._film, source, self._start)
        except (ValueError, av.FFmpegError) as error:
            log.warning("the film stays silent: %s", error)
            return None


def _open(path: Path) -> Any:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return av.open(
            str(path),
            "w",
            format="mp4",
            options={
                "movflags": "frag_keyframe+delay_moov+default_base_moof",
                "flush_packets": "1",
            },
        )
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BridgeError(f"{path} cannot be written: {reason}") from error


def _settle(path: Path) -> None:
    """Rewrite a fragmented film as a plain one with its index in front; no picture is re-coded."""
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        with (
            av.open(str(path)) as grown,
            av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as plain,
        ):
            copies = {s.index: plain.add_stream_from_template(s) for s in grown.streams}
            for packet in grown.demux():
                if packet.dts is None:
                    continue
                packet.stream = copies[packet.stream.index]
                plain.mux(packet)
        part.replace(path)
    except (av.FFmpegError, OSError) as error:
        log.warning("%s stays in fragments: %s", path, error)
        part.unlink(missing_ok=True)
