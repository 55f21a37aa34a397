"""What INPUT on the command line means, opened: frames and expressions on one clock."""

import argparse
import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from freeavatar.foundation.errors import SourceError

if TYPE_CHECKING:
    from freeavatar.foundation.expression import Expression, Frame, Reader

    from .performance import Timings

    Moment = TypeVar("Moment", Frame, Expression)


ACTOR_CLIP = Path(__file__).parent / "data" / "actor.mp4"
"""The bundled synthetic actor (`freeavatar data actor` films him); his curves lie beside it."""
DEMO_TAKE = Path(__file__).parent / "data" / "demo_take.csv"
"""The bundled performance (`freeavatar.tools.demo_take` composes it)."""


def is_take(text: str) -> bool:
    """Whether INPUT is a recorded take of curves rather than pictures."""
    return text.lower().endswith((".csv", ".csv.part"))


@dataclass
class Input:
    """An opened input: what it is, how long, and its moments."""

    description: str
    rate: float
    count: int | None
    audio: Path | None
    timecode: str
    live: bool
    moments: "Iterator[tuple[Frame | None, Expression]]"
    reader: "Reader | None" = None
    """What reads the faces; None for recorded curves."""

    def without_face(self, frames: int, face: int | None) -> str:
        """Why nothing could be driven, and what to do, in one line."""
        seen = getattr(self.reader, "most_faces", 0)
        if face is not None and seen:
            return f"--face {face}: never more than {seen} of them in the picture at once"
        return (
            f"no face in {frames} frames; nothing was written. "
            f"Is the actor in the picture, lit, and facing the camera?"
        )


@contextlib.contextmanager
def open_input(
    args: argparse.Namespace, timings: "Timings", *, seconds: float | None = None
) -> "Iterator[Input]":
    """Open what INPUT names.

    Args:
        args: of the command line.
        timings: takes the time of decoding and finding.
        seconds: repeats the input, on one clock, until so much of it has passed.

    Raises:
        SourceError, ReaderError, BridgeError, RigError: it cannot be read.
    """
    if is_take(args.input):
        yield _open_take(args, seconds)
        return
    from freeavatar.foundation.readers import open_reader
    from freeavatar.foundation.sources import open_source

    from .performance import read_expressions

    with contextlib.ExitStack() as stack:
        source = stack.enter_context(
            open_source(args.input, start=args.start, end=args.end, skip_damaged=True)
        )
        reader = open_reader(
            args.reader,
            bundle=args.mediapipe_bundle,
            face=args.face,
            live=source.count is None,
        )
        stack.callback(reader.close)
        yield Input(
            description=source.description,
            rate=source.rate,
            count=source.count,
            audio=source.audio,
            timecode=source.timecode,
            live=source.count is None,
            moments=read_expressions(repeated(source, source.rate, seconds), reader, timings),
            reader=reader,
        )


def _open_take(args: argparse.Namespace, seconds: float | None) -> Input:
    from freeavatar.animator.performer import expressions_from_take
    from freeavatar.bridge.takes import read_take
    from freeavatar.foundation.sources import check_range

    check_range(args.start, args.end)
    take = read_take(Path(args.input))
    start, end = args.start or 0.0, args.end if args.end is not None else float("inf")
    chosen = [e for e in expressions_from_take(take) if start <= e.time < end]
    if not chosen:
        until = "the end" if args.end is None else f"{args.end:g} s"
        raise SourceError(f"{args.input} has no frame between {start:g} s and {until}")
    return Input(
        description=f"{Path(args.input).name}: {len(take.frames)} frames, {take.rate:.4g} fps",
        rate=take.rate,
        count=len(chosen),
        audio=None,
        timecode=take.timecode,
        live=False,
        moments=(
            (None, replace(e, index=i)) for i, e in enumerate(repeated(chosen, take.rate, seconds))
        ),
    )


def repeated(moments: "Iterable[Moment]", rate: float, seconds: float | None) -> "Iterator[Moment]":
    """Frames or expressions over and over on one clock, until ``seconds`` of it; None: once."""
    if seconds is None:
        yield from moments
        return
    offset, index = 0.0, 0
    while offset < seconds:
        last = 0.0
        for moment in moments:
            last = moment.time
            if last + offset >= seconds:
                return
            yield replace(moment, time=last + offset, index=index)
            index += 1
        offset += last + 1.0 / rate
