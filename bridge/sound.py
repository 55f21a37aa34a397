"""The sound of a recording, cut to a stretch of time and re-coded as AAC."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

BLOCK = 1024
"""Samples of one AAC frame."""
GAP = 0.03
"""Seconds; timestamps that leave a longer hole are believed and the hole is filled by silence."""
RATES = (44100, 48000)
"""Sample rates kept as they are; all others become the last."""


class SoundTrack:
    """Copies a source's sound into a film, a little at a time, beside the pictures.

    Args:
        film: open for writing; gets an AAC stream.
        source: a recording; time 0 is the start of its container.
        start: source time in seconds that becomes the film's 0.

    Raises:
        ValueError: the source has no sound that can be decoded.
    """

    def __init__(self, film: Any, source: Path, start: float) -> None:
        try:
            self._input = av.open(str(source), metadata_errors="replace")
        except (av.FFmpegError, OSError) as error:
            raise ValueError(f"{source} cannot be opened: {error}") from error
        if not self._input.streams.audio:
            self._input.close()
            raise ValueError(f"{source} has no sound")
        coded = self._input.streams.audio[0].codec_context
        self._rate = coded.sample_rate if coded.sample_rate in RATES else RATES[-1]
        self._layout = "mono" if coded.layout.nb_channels == 1 else "stereo"
        self._start = start
        self._film = film
        self._stream = film.add_stream("aac", rate=self._rate, layout=self._layout)
        self._stream.bit_rate = 160_000
        self._blocks = self._samples()
        self._waiting: NDArray[np.float32] = np.zeros((self._channels, 0), np.float32)
        self._written = 0
        self._ended = False

    @property
    def _channels(self) -> int:
        return 1 if self._layout == "mono" else 2

    def write_until(self, time: float) -> None:
        """Write sound up to a time of the film, seconds; nothing where the source has ended."""
        while not self._ended and self._written + self._waiting.shape[1] < time * self._rate:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
                break
            self._waiting = np.concatenate([self._waiting, block], axis=1)
        limit = round(time * self._rate) - self._written
        while self._waiting.shape[1] >= BLOCK and limit >= BLOCK:
            self._encode(self._waiting[:, :BLOCK])
            self._waiting = self._waiting[:, BLOCK:]
            limit -= BLOCK

    def close(self, time: float) -> None:
        """Write the rest up to the film's end, seconds, and flush."""
        self.write_until(time)
        rest = min(self._waiting.shape[1], max(round(time * self._rate) - self._written, 0))
        if rest:
            self._encode(self._waiting[:, :rest])
        self._film.mux(self._stream.encode(None))
        self.abandon()

    def abandon(self) -> None:
        """Close the source without writing more."""
        self._blocks.close()
        self._input.close()

    def _encode(self, samples: NDArray[np.float32]) -> None:
        block = np.ascontiguousarray(samples)
        frame = AudioFrame.from_ndarray(block, format="fltp", layout=self._layout)
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._written
        self._written += samples.shape[1]
        self._film.mux(self._stream.encode(frame))

    def _samples(self) -> Any:
        """Blocks (C, n) that follow each other from ``start`` without holes."""
        resampler = AudioResampler("fltp", self._layout, self._rate)
        origin = (self._input.start_time or 0) / av.time_base + self._start
        at = 0
        for decoded in self._decoded():
            stamp = decoded.time
            for frame in resampler.resample(decoded):
                block = frame.to_ndarray().astype(np.float32, copy=False)
                due = at if stamp is None else round((stamp - origin) * self._rate)
                stamp = None
                if due > at + (GAP * self._rate if at else 0):
                    yield np.zeros((self._channels, due - at), np.float32)
                    at = due
                elif due < at and not at:
                    block = block[:, at - due :] if at - due < block.shape[1] else block[:, :0]
                at += block.shape[1]
                if block.shape[1]:
                    yield block

    def _decoded(self) -> Iterator[Any]:
        """Decoded frames from a little before the start; damage is stepped over."""
        stream = self._input.streams.audio[0]
        if self._start > 1 and stream.time_base is not None:
            with contextlib.suppress(av.FFmpegError):
                seconds = self._start - 1 + (self._input.start_time or 0) / av.time_base
                self._input.seek(int(seconds / stream.time_base), stream=stream)
        with contextlib.suppress(av.FFmpegError):
            for packet in self._input.demux(stream):
                try:
                    yield from packet.decode()
                except av.FFmpegError:
                    continue
