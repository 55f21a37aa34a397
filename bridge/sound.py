"""The sound of a recording: laid under a film as AAC, or written beside a take as WAV."""

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

from .sink import BridgeError

BLOCK = 1024
"""Samples of one AAC frame."""
GAP = 0.01
"""Seconds; timestamps that leave a longer hole are believed and the hole is filled by silence: a
lost packet is 20 ms, and phones stamp theirs some milliseconds early or late."""
RATES = (44100, 48000)
"""Sample rates kept as they are in a film; all others become the last."""
WAV_RATE = 48000
MADE_HERE = "sound of a take, written by freeavatar"
"""Comment in our WAV files: another's is never written over."""
LOUDEST = 32767

Samples = NDArray[np.float32]


class Sound:
    """A recording's sound from some time on, decoded a little at a time; use as a context manager.

    Args:
        source: a recording; time 0 is the start of its container.
        start: source time in seconds of the first sample.
        rates: sample rates kept as they are; all others become the last.

    Raises:
        ValueError: the source has no sound that can be decoded.
    """

    def __init__(self, source: Path, start: float, *, rates: tuple[int, ...] = RATES) -> None:
        try:
            self._input = av.open(str(source), metadata_errors="replace")
        except (av.FFmpegError, OSError) as error:
            raise ValueError(f"{source} cannot be opened: {error}") from error
        if not self._input.streams.audio or self._input.streams.audio[0].codec_context is None:
            self._input.close()
            raise ValueError(f"{source} has no sound that can be decoded")
        coded = self._input.streams.audio[0].codec_context
        self.rate = coded.sample_rate if coded.sample_rate in rates else rates[-1]
        """Samples per second that come out."""
        self.layout = "mono" if coded.layout.nb_channels == 1 else "stereo"
        self._origin = (self._input.start_time or 0) / av.time_base
        self._start = start

    @property
    def channels(self) -> int:
        """1 or 2; more are mixed down."""
        return 1 if self.layout == "mono" else 2

    def __enter__(self) -> "Sound":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the source."""
        self._input.close()

    def blocks(self) -> Iterator[Samples]:
        """Blocks (C, n) in -1..1 that follow each other from ``start`` without holes."""
        begin = self._origin + self._start
        at = 0
        for frame in self._resampled():
            block = frame.to_ndarray().astype(np.float32, copy=False)
            due = at if frame.time is None else round((frame.time - begin) * self.rate)
            if due > at + (GAP * self.rate if at else 0):
                yield from self._silence(due - at)
                at = due
            elif due < at and not at:
                block = block[:, at - due :] if at - due < block.shape[1] else block[:, :0]
            at += block.shape[1]
            if block.shape[1]:
                yield block

    def _silence(self, length: int) -> Iterator[Samples]:
        # A second at a time: a damaged timestamp may claim a hole of years.
        while length > 0:
            yield np.zeros((self.channels, min(length, self.rate)), np.float32)
            length -= self.rate

    def _resampled(self) -> Iterator[AudioFrame]:
        """Decoded frames at one rate, each with the time of its own first sample."""
        form: tuple[Any, ...] = ()
        resampler: AudioResampler | None = None
        for decoded in self._decoded():
            coded = (decoded.format.name, decoded.layout.name, decoded.sample_rate)
            if resampler is None or coded != form:
                form = coded
                resampler = AudioResampler("fltp", self.layout, self.rate)
            yield from resampler.resample(decoded)
        if resampler is not None:
            yield from resampler.resample(None)

    def _decoded(self) -> Iterator[AudioFrame]:
        """Decoded frames from a little before the start; damage is stepped over."""
        stream = self._input.streams.audio[0]
        if self._start > 1 and stream.time_base is not None:
            with contextlib.suppress(av.FFmpegError):
                seconds = self._start - 1 + self._origin
                self._input.seek(int(seconds / stream.time_base), stream=stream)
        with contextlib.suppress(av.FFmpegError):
            for packet in self._input.demux(stream):
                try:
                    yield from packet.decode()
                except av.FFmpegError:
                    continue


def write_wav(source: Path, path: Path, *, start: float, end: float) -> None:
    """Write a stretch of a recording's sound as a 48 kHz, 16-bit WAV file, whole or not at all.

    Args:
        source: a recording; time 0 is the start of its container.
        path: of the file; one that an earlier call wrote is replaced.
        start: source time in seconds that becomes the file's 0.
        end: source time in seconds up to which sound is written, where there is some.

    Raises:
        BridgeError: there is no sound in the stretch, the file cannot be written, or one is there
            that was not written here.
    """
    if path.exists() and not _made_here(path):
        raise BridgeError(
            f"{path} is there and no sound of a take of ours: move it, or name the take otherwise"
        )
    part = path.with_name(f"{path.name}.part")
    try:
        with Sound(source, start, rates=(WAV_RATE,)) as sound:
            written = _write_pcm(part, sound, round((end - start) * WAV_RATE))
        if not written:
            raise BridgeError(f"{source.name} has no sound between {start:.2f} s and {end:.2f} s")
        part.replace(path)
    except BridgeError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BridgeError(f"cannot write {path.name}: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _write_pcm(path: Path, sound: Sound, length: int) -> int:
    """Write up to ``length`` samples; how many there were."""
    written = 0
    with av.open(str(path), "w", format="wav", options={"rf64": "auto"}) as file:
        file.metadata["comment"] = MADE_HERE
        stream: Any = file.add_stream("pcm_s16le", rate=WAV_RATE, layout=sound.layout)
        for block in sound.blocks():
            block = block[:, : length - written]
            if not block.shape[1]:
                break
            whole = np.rint(block.T * (LOUDEST + 1)).clip(-LOUDEST - 1, LOUDEST)
            frame = AudioFrame.from_ndarray(
                whole.astype(np.int16).reshape(1, -1), format="s16", layout=sound.layout
            )
            frame.sample_rate, frame.time_base = WAV_RATE, Fraction(1, WAV_RATE)
            frame.pts = written
            written += block.shape[1]
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return written


def _made_here(path: Path) -> bool:
    try:
        with av.open(str(path), format="wav", metadata_errors="replace") as file:
            return file.metadata.get("comment") == MADE_HERE
    except (av.FFmpegError, OSError):
        return False


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
        self._sound = Sound(source, start)
        self._rate, self._layout = self._sound.rate, self._sound.layout
        self._film = film
        self._stream = film.add_stream("aac", rate=self._rate, layout=self._layout)
        self._stream.bit_rate = 160_000
        self._blocks: Any = self._sound.blocks()
        self._waiting: Samples = np.zeros((self._sound.channels, 0), np.float32)
        self._written = 0
        self._ended = False

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
        self._sound.close()

    def _encode(self, samples: NDArray[np.float32]) -> None:
        block = np.ascontiguousarray(samples)
        frame = AudioFrame.from_ndarray(block, format="fltp", layout=self._layout)
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._written
        self._written += samples.shape[1]
        self._film.mux(self._stream.encode(frame))
