"""freeavatar render: a recorded take drawn on one or more rigs."""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .arguments import number, whole_number

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

    from freeavatar.bridge.movie import PreviewFilm
    from freeavatar.foundation.sources import Source
    from freeavatar.rigs.spec import Rig, RigFrame, Take

    from .drawing import Drawing

    Picture = NDArray[uint8]

FILMS = (".mp4", ".m4v", ".mov")
EPILOG = """\
examples:
  freeavatar render --rig mannequin --take anna.csv --out anna.mp4
  freeavatar render --rig toon --rig hero --take anna.csv --actor anna.mov --out both.mp4
  freeavatar render --rig hero --take hero.glb --start 2.5 --out still.png
  freeavatar render --rig hero --take hero.jsonl --fps 24 --out frames/

A take made for the rig is shown as it is; a take of ARKit curves is solved onto any other rig.
"""


class _Output(Protocol):
    """Where moments are shown."""

    def add(self, pictures: "Sequence[Picture]", frame: "RigFrame") -> None: ...

    def __enter__(self) -> "_Output": ...

    def __exit__(self, *_: object) -> None: ...


def add_verb(verbs: Any) -> None:
    """Add ``render`` to the command line."""
    p = verbs.add_parser(
        "render",
        help="draw a take as a film or pictures",
        description="Draw a recorded take on one or more rigs, as a film, a picture or a folder "
        "of pictures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--rig",
        action="append",
        metavar="NAME",
        help="rig to draw, may be given several times; a name of `freeavatar rig list` or a rig "
        "file (default: mannequin)",
    )
    p.add_argument(
        "--take", type=Path, required=True, metavar="FILE", help=".csv, .jsonl or .glb take"
    )
    p.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="film (.mp4, .mov), one picture at --start (.png), or a folder for a picture of "
        "every frame",
    )
    p.add_argument(
        "--size",
        type=whole_number(32, 4096),
        default=512,
        metavar="PIXELS",
        help="of a rig (default 512)",
    )
    p.add_argument(
        "--fps",
        type=number(0.1, 1000),
        metavar="RATE",
        help="constant frame rate (default: the take's times)",
    )
    p.add_argument(
        "--actor", metavar="CLIP", help="recording shown beside the rigs, with its sound"
    )
    p.add_argument(
        "--actor-start",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="time in the clip at which the take begins (default 0)",
    )
    p.add_argument("--start", type=float, metavar="SECONDS", help="leave out what is before")
    p.add_argument("--end", type=float, metavar="SECONDS", help="leave out what is after")
    p.add_argument(
        "--neural",
        action="store_true",
        help="draw with the neural renderer, as is done where there is no OpenGL",
    )
    p.add_argument("--json", action="store_true", help="print a summary for scripts")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb; 0 when everything was drawn."""
    from freeavatar.bridge.sink import BridgeError
    from freeavatar.bridge.takes import read_take
    from freeavatar.rigs import registry
    from freeavatar.rigs.errors import RigError

    from .outlets import refuse_overwriting
    from .retarget import between

    rigs = [registry.load(name) for name in dict.fromkeys(args.rig or ["mannequin"])]
    for rig in rigs:
        if rig.mesh is None:
            raise RigError(
                f"rig {rig.name} has no mesh to draw: it is only curves; "
                f"choose another --rig, such as mannequin"
            )
    given = [args.take, *(args.rig or []), *([args.actor] if args.actor else [])]
    refuse_overwriting(given, [args.out])
    take = between(read_take(args.take), args.start, args.end)
    if not take.frames:
        raise BridgeError(f"{args.take} has no frame in the time asked for")
    started = time.perf_counter()
    with ExitStack() as stack:
        count = _draw(args, rigs, take, stack)
    seconds = time.perf_counter() - started
    if args.json:
        summary = {
            "take": str(args.take),
            "rigs": [rig.name for rig in rigs],
            "out": str(args.out),
            "frames": count,
            "seconds": round(seconds, 3),
            "ms_per_frame": round(seconds / count * 1e3, 2),
        }
        print(json.dumps(summary))
    else:
        print(f"{count} frames in {seconds:.1f} s", file=sys.stderr)
        print(args.out)
    return 0


def _draw(args: argparse.Namespace, rigs: "Sequence[Rig]", take: "Take", stack: ExitStack) -> int:
    """Draw every moment; returns how many."""
    from tqdm import tqdm

    from .drawing import open_renderer
    from .retarget import frames_on, resampled

    poses = [frames_on(rig, take) for rig in rigs]
    rate = args.fps or take.rate
    if args.fps:
        poses = [resampled(frames, args.fps) for frames in poses]
    if args.out.suffix.lower() == ".png":
        poses = [frames[:1] for frames in poses]
    renderers = [
        stack.enter_context(open_renderer(rig, side=args.size, neural=args.neural)) for rig in rigs
    ]
    actor = stack.enter_context(_Actor(args.actor, args.actor_start)) if args.actor else None
    output = stack.enter_context(_output(args, [rig.name for rig in rigs], rate, actor))
    moments = list(zip(*poses, strict=True))
    for moment in tqdm(moments, unit="frame", delay=1.0, disable=None):
        pictures = _pictures(renderers, moment)
        if actor is not None:
            pictures.insert(0, actor.at(moment[0].time))
        output.add(pictures, moment[0])
    return len(moments)


def _pictures(renderers: "Sequence[Drawing]", moment: "Sequence[RigFrame]") -> "list[Picture]":
    return [renderer.picture(pose) for renderer, pose in zip(renderers, moment, strict=True)]


def _output(
    args: argparse.Namespace, labels: Sequence[str], rate: float, actor: "_Actor | None"
) -> _Output:
    out: Path = args.out
    if out.suffix.lower() in FILMS:
        from freeavatar.bridge.movie import PreviewFilm

        film = PreviewFilm(
            out,
            labels,
            rate=rate,
            panel=args.size,
            actor=actor.size if actor else None,
            audio_source=actor.source.audio if actor else None,
            start=(args.start or 0.0) + args.actor_start,
        )
        return _Film(film, args.actor_start)
    return _Folder(out, labels, args.size, actor.size if actor else None)


class _Actor:
    """The recording beside the rigs: which picture belongs to a time of the take."""

    def __init__(self, clip: str, start: float) -> None:
        from freeavatar.foundation.sources import open_source

        self.source: Source = open_source(clip)
        self.size = self.source.size
        self._start = start
        self._frames = iter(self.source)
        self._shown = next(self._frames)
        self._coming = next(self._frames, None)

    def at(self, moment: float) -> "Picture":
        """The newest picture (H, W, 3) at a time of the take, seconds; the last one stays."""
        # Times of a take may be rounded to a thousandth of a frame.
        due = moment + self._start + 0.002
        while self._coming is not None and self._coming.time <= due:
            self._shown, self._coming = self._coming, next(self._frames, None)
        return self._shown.picture

    def __enter__(self) -> "_Actor":
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()


class _Film:
    """Moments as a film."""

    def __init__(self, film: "PreviewFilm", shift: float) -> None:
        self._film = film
        self._shift = shift

    def add(self, pictures: "Sequence[Picture]", frame: "RigFrame") -> None:
        """Append a moment."""
        self._film.add(pictures, frame.time + self._shift, found=frame.found)

    def __enter__(self) -> "_Film":
        return self

    def __exit__(self, *_: object) -> None:
        self._film.close()


class _Folder:
    """Moments as PNG files: one file, or a numbered one for each in a folder."""

    def __init__(
        self, out: Path, labels: Sequence[str], size: int, actor: tuple[int, int] | None
    ) -> None:
        from freeavatar.bridge.layout import Board, arrange
        from freeavatar.bridge.sink import BridgeError

        single = out.suffix.lower() == ".png"
        if out.suffix and not single and not out.is_dir():
            raise BridgeError(f"{out.name}: write a .mp4, .mov, a .png or a folder")
        if not single:
            out.mkdir(parents=True, exist_ok=True)
        self._names = iter([out]) if single else self._numbered(out)
        # A rig alone fills its picture; what stands beside others is labelled.
        several = len(labels) > 1 or actor is not None
        self._board = Board(arrange(labels, size, actor)) if several else None
        self._actor = actor is not None

    def add(self, pictures: "Sequence[Picture]", frame: "RigFrame") -> None:
        """Write a moment."""
        from PIL import Image

        picture = pictures[0]
        if self._board is not None:
            picture = self._board.compose(pictures, found=frame.found, actor=self._actor)
        Image.fromarray(picture).save(next(self._names))

    def __enter__(self) -> "_Folder":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @staticmethod
    def _numbered(folder: Path) -> Iterator[Path]:
        number = 0
        while True:
            yield folder / f"frame_{number:06d}.png"
            number += 1
