"""freeavatar embed: the expression of every face in pictures and videos, as numbers for scripts."""

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import whole_number

if TYPE_CHECKING:
    from freeavatar.foundation.expression import Expression, FloatArray, Reader

log = logging.getLogger(__name__)

VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".avi", ".webm", ".mpg", ".mpeg", ".gif", ".mts", ".ogv"),
)
"""Files of a folder that are taken for videos; a file that is named may be called anything."""

EPILOG = """\
examples:
  freeavatar embed faces/ --out features.npz
  freeavatar embed a.jpg b.png clip.mp4 --out features.npz
  freeavatar embed interview.mov --face 2 --out guest.npz

FILE holds three arrays of N rows:
  path   (N,) text: the picture, or VIDEO#FRAME with frames counted from 0
  x      (N, D) float32: the expression, of unit length; 0 where no face was found.
         The distance of two rows is the difference of the expressions.
  found  (N,) true or false

A folder is searched through all its folders. Every picture is looked at on its own; in a video one
face is followed.
"""


def add_verb(verbs: Any) -> None:
    """Add ``embed`` to the command line."""
    p = verbs.add_parser(
        "embed",
        help="write the expressions in pictures and videos as numbers",
        description="Write the expression of each picture and video frame to an .npz file.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("input", nargs="+", metavar="PATH", help="picture, video or folder of them")
    p.add_argument("--out", type=Path, required=True, metavar="FILE", help=".npz to write")
    p.add_argument(
        "--face",
        type=whole_number(1, 99),
        metavar="N",
        help="the N-th face from the left (default: the largest)",
    )
    p.add_argument(
        "--threads",
        type=whole_number(1, 256),
        default=1,
        metavar="N",
        help="cores that the networks use (default: %(default)s)",
    )
    p.set_defaults(run=run)


@dataclass
class Rows:
    """What is written, as it grows."""

    paths: list[str] = field(default_factory=list)
    features: "list[FloatArray | None]" = field(default_factory=list)
    unreadable: int = 0

    def add(self, path: str, expression: "Expression | None") -> None:
        """Note one picture; None where it could not be read."""
        known = expression is not None and expression.found
        self.paths.append(path)
        self.features.append(expression.embedding if expression and known else None)
        self.unreadable += expression is None

    @property
    def found(self) -> int:
        """Rows with a face."""
        return sum(x is not None for x in self.features)

    def save(self, out: Path) -> None:
        """Write the file in one step, so that a failure leaves none that is half written."""
        import numpy as np

        width = next(x.size for x in self.features if x is not None)
        x = np.zeros((len(self.paths), width), np.float32)
        for row, feature in zip(x, self.features, strict=True):
            if feature is not None:
                row[:] = feature
        found = np.array([feature is not None for feature in self.features])
        part = out.with_name(out.name + ".part")
        try:
            with part.open("wb") as file:
                np.savez(file, path=np.array(self.paths), x=x, found=found)
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)


def run(args: argparse.Namespace) -> int:
    """Run the verb; 0 when the file was written, 1 when nothing holds a face."""
    from tqdm import tqdm

    from freeavatar.foundation.embedded_reader import EmbeddedReader
    from freeavatar.foundation.errors import SourceError

    from .outlets import refuse_overwriting

    _check_out(args.out)
    files = files_of(args.input)
    refuse_overwriting(files, [args.out])
    rows = Rows()
    pictures = EmbeddedReader(args.face, args.threads, video=False)
    for file in tqdm(files, unit="file", delay=1.0, disable=None):
        reader = EmbeddedReader(args.face, args.threads) if _is_video(file) else pictures
        for path, expression in read_file(file, reader, named=str(file) in args.input):
            rows.add(path, expression)
    if not rows.found:
        pictures_seen = f"{len(rows.paths)} pictures and frames"
        raise SourceError(f"no face in {pictures_seen}; {args.out} was not written")
    rows.save(args.out)
    print(
        f"{args.out}: {len(rows.paths)} rows, a face in {rows.found}"
        + (f", {rows.unreadable} unreadable" if rows.unreadable else ""),
        file=sys.stderr,
    )
    return 0


def read_file(
    file: Path, reader: "Reader", *, named: bool
) -> "Iterator[tuple[str, Expression | None]]":
    """Path and expression of a picture, or of each frame of a video; None where it is unreadable.

    Raises:
        SourceError: a file that was named on the command line cannot be read.
    """
    from freeavatar.foundation.errors import SourceError
    from freeavatar.foundation.expression import Frame
    from freeavatar.foundation.sources import open_source
    from freeavatar.foundation.sources.pictures import read_picture

    try:
        if not _is_video(file):
            yield str(file), reader.read(Frame(picture=read_picture(file), index=0, time=0.0))
            return
        with open_source(str(file)) as source:
            for frame in source:
                yield f"{file}#{frame.index}", reader.read(frame)
    except SourceError as error:
        if named:
            raise
        log.warning("%s", error)
        yield str(file), None


def files_of(inputs: Sequence[str]) -> list[Path]:
    """The pictures and videos that were named, folders searched through, each once.

    Raises:
        SourceError: there is no such path, or a folder holds no picture and no video.
    """
    from freeavatar.foundation.errors import SourceError

    files: dict[Path, None] = {}
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            inside = list(_in_folder(path))
            if not inside:
                raise SourceError(f"{path} holds no pictures and no videos")
            files.update(dict.fromkeys(inside))
        elif path.exists():
            files[path] = None
        else:
            raise SourceError(f"there is no file or folder called {text!r}")
    return list(files)


def _in_folder(folder: Path) -> Iterable[Path]:
    from freeavatar.foundation.sources.pictures import PICTURE_SUFFIXES

    suffixes = {*PICTURE_SUFFIXES, *VIDEO_SUFFIXES}
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in suffixes and not hidden and path.is_file():
            yield path


def _is_video(file: Path) -> bool:
    from freeavatar.foundation.sources.pictures import PICTURE_SUFFIXES

    return file.suffix.lower() not in PICTURE_SUFFIXES


def _check_out(out: Path) -> None:
    """Before hours of reading, not after them."""
    from freeavatar.foundation.errors import SourceError

    if out.suffix.lower() != ".npz":
        raise SourceError(f"--out writes an .npz file, not {out.name!r}")
    if not out.parent.is_dir():
        raise SourceError(f"--out {out}: there is no folder {out.parent}")
