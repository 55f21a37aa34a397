"""What every source of frames offers."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from freeavatar.foundation.expression import Frame


class Source(Protocol):
    """A recording or camera; a context manager that yields its frames in order.

    Recordings can be iterated again and then start over; a camera goes on.
    """

    @property
    def rate(self) -> float:
        """Nominal frames per second, above 0; true times are in the frames."""
        ...

    @property
    def count(self) -> int | None:
        """Frames to expect (for progress: files may lie or vary in rate), None when endless."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the first frame, pixels."""
        ...

    @property
    def audio(self) -> Path | None:
        """A file with a sound track on the same clock as the frames' times, or None."""
        ...

    @property
    def timecode(self) -> str:
        """Timecode of time 0 as the container states it (``HH:MM:SS:FF``), or ""."""
        ...

    @property
    def description(self) -> str:
        """A few words for a person."""
        ...

    @property
    def damaged(self) -> int:
        """Packets or pictures that could not be decoded so far."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Frames with index from 0 in steps of 1 and strictly increasing time: seconds since the
        start of the source, also where only a part of it is read.

        Raises:
            SourceError: nothing more can be read and that was not to be expected.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def close(self) -> None:
        """Release files and devices."""
        ...


class Closing:
    """What every source of ours shares: leaving its ``with`` statement closes it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to do where files are open only while an iterator runs."""
