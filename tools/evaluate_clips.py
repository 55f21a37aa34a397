"""freeavatar eval clips: how well readers follow real clips."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeavatar.foundation.errors import ReaderError, SourceError

from .torch_first import import_torch

if TYPE_CHECKING:
    from freeavatar.foundation.expression import Reader
    from freeavatar.rigs.spec import Rig

    from .evaluation.apertures import ReferenceHead
    from .evaluation.clips import ClipFigures
    from .evaluation.steadiness import Movement

EPILOG = """\
The apertures of mouth, lids and brows are measured on the picture, frame by frame, with MediaPipe's
landmarks, and compared with the apertures that each reader's curves give a reference head.

examples:
  freeavatar eval clips take.mp4
  freeavatar eval clips --data ../shared/data
  freeavatar eval clips take.mp4 --reader embedded --head hero.glb --json
  freeavatar eval clips --data ../shared/data --sheets out/sheets
"""
HEADS = ("ict_face_53.glb", "facecap_generic.glb")
"""Files of DATA/rigs that are further reference heads."""


@dataclass(frozen=True, kw_only=True)
class ClipReport:
    """Everything that was measured on clips."""

    clips: "list[ClipFigures]"
    readers: list[str]
    heads: list[str]
    turns: "dict[str, dict[str, Movement | None]]"

    def lines(self) -> list[str]:
        """The tables."""
        from .evaluation import clip_tables

        parts = [
            clip_tables.clip_lines(self.clips, self.readers, self.heads[0]),
            clip_tables.head_lines(self.clips, self.readers, self.heads),
            clip_tables.steadiness_lines(self.clips, self.readers),
            clip_tables.turn_lines(self.turns) if self.turns else [],
        ]
        lines = [line for part in parts if part for line in (*part, "")]
        return lines[:-1]

    def figures(self) -> dict[str, Any]:
        """The same for scripts."""
        from .evaluation import clip_tables

        return clip_tables.summary(self.clips, self.readers, self.heads, self.turns)


def add_clips(kinds: Any) -> None:
    """Add ``eval clips`` to the command line."""
    p = kinds.add_parser(
        "clips",
        help="readers on real clips: do the curves follow the picture?",
        description="Measure how well readers follow real clips, beside MediaPipe's blendshapes.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("clip", nargs="*", metavar="CLIP", help="video (default: those of --data)")
    p.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="its clips/ are measured where no CLIP is given; its rigs/ are used, too",
    )
    add_clip_options(p)
    p.add_argument("--sheets", type=Path, metavar="FOLDER", help="write contact sheets there (PNG)")
    p.add_argument("--json", action="store_true", help="figures for scripts")
    p.set_defaults(run=run)


def add_clip_options(
    p: argparse.ArgumentParser, *, quick: str = "no mirrored, still or turning faces"
) -> None:
    """Options of everything that is measured on clips.

    Args:
        p: the verb.
        quick: what ``--quick`` leaves out there.
    """
    p.add_argument(
        "--reader",
        action="append",
        metavar="NAME",
        help="of `freeavatar drive`, may be repeated (default: embedded and combined); mediapipe "
        "always joins",
    )
    p.add_argument(
        "--weights",
        action="append",
        default=[],
        type=named_file,
        metavar="[NAME=]FILE",
        help="further weights (.onnx) of the embedded reader, compared with those that ship",
    )
    p.add_argument(
        "--head",
        action="append",
        metavar="RIG",
        help="ARKit head that performs the curves, may be repeated; the first one counts "
        "(default: mannequin, then those of --data)",
    )
    p.add_argument(
        "--cache", type=Path, metavar="FOLDER", help="of `freeavatar data` (default: the user's)"
    )
    p.add_argument("--quick", action="store_true", help=quick)
    p.add_argument("--mediapipe-bundle", type=Path, metavar="FILE", help="face_landmarker.task")


def named_file(text: str) -> tuple[str, Path]:
    """NAME=FILE, or FILE, which is then called by its own name."""
    name, found, path = text.partition("=")
    return (name, Path(path)) if found else (Path(text).stem, Path(text))


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    import_torch()
    clips = clip_paths(args.clip, args.data)
    readers = open_readers(args)
    report = measure(args, clips, readers)
    print(json.dumps(report.figures(), indent=1) if args.json else "\n".join(report.lines()))
    if args.sheets is not None:
        from .evaluation.sheets import write_sheets

        shown = [path for path, clip in zip(clips, report.clips, strict=True) if clip.counted]
        for sheet in write_sheets(shown, readers, args.sheets):
            print(sheet, file=sys.stderr)
    return 0


def clip_paths(named: Sequence[str], data: Path | None) -> list[str]:
    """The clips to measure.

    Raises:
        SourceError: none is named and the data folder has none.
    """
    if named:
        return list(named)
    if data is None:
        raise SourceError("no clip to measure: name one, or a folder with clips/ by --data")
    found = sorted((data / "clips").glob("*.*"))
    if not found:
        raise SourceError(f"{data / 'clips'} holds no clip")
    return [str(path) for path in found if path.suffix.lower() not in (".jpg", ".png")]


def open_readers(
    args: argparse.Namespace, *, strict: bool = True
) -> "dict[str, Callable[[], Reader]]":
    """Name to what opens a fresh reader; the yardstick comes last.

    Args:
        args: of the command line.
        strict: False leaves out, with a line on standard error, networks of --weights that cannot
            follow a face in a clip (they need the detector that ships).

    Raises:
        ReaderError: a reader is unknown or its parts are missing.
    """
    from freeavatar.foundation.readers import open_reader

    from .evaluation.clips import YARDSTICK

    asked = [n for n in args.reader or ["embedded", "combined"] if n != YARDSTICK]
    wanted: list[tuple[str, Callable[[], Reader], bool]] = [
        (name, partial(open_reader, name, bundle=args.mediapipe_bundle), bool(args.reader))
        for name in asked
    ]
    wanted += [(name, partial(_with_weights, path), strict) for name, path in args.weights]
    wanted.append((YARDSTICK, partial(open_reader, YARDSTICK, bundle=args.mediapipe_bundle), True))
    readers: dict[str, Callable[[], Reader]] = {}
    for name, make, needed in wanted:
        try:
            make().close()
        except ReaderError as error:
            if needed:
                raise
            print(f"without {name} on clips: {error}", file=sys.stderr)
        else:
            readers[name] = make
    return readers


def _with_weights(path: Path) -> "Reader":
    from freeavatar.foundation.embedded_reader import EmbeddedReader
    from freeavatar.foundation.expression_model import ExpressionModel

    return EmbeddedReader(model=ExpressionModel(path))


def measure(
    args: argparse.Namespace,
    clips: Sequence[str],
    readers: "Mapping[str, Callable[[], Reader]]",
) -> ClipReport:
    """Read all clips and compute every figure."""
    from .evaluation.clips import clip_figures, read_clip, watched

    heads = _heads(args)
    figures = []
    for path in clips:
        with watched(path) as frames:
            run = read_clip(Path(path).stem, frames, readers, mirror=not args.quick)
        figures.append(clip_figures(run, heads, readers, still=not args.quick))
    turns = {} if args.quick else _turns(args, readers)
    return ClipReport(clips=figures, readers=list(readers), heads=list(heads), turns=turns)


def _heads(args: argparse.Namespace) -> "dict[str, ReferenceHead]":
    from .evaluation.apertures import reference_head

    names = args.head or ["mannequin", *_of_data(args.data, HEADS)]
    rigs = [_with_points(name, args.mediapipe_bundle) for name in names]
    return {rig.name: reference_head(rig) for rig in rigs}


def _turns(
    args: argparse.Namespace, readers: "Mapping[str, Callable[[], Reader]]"
) -> "dict[str, dict[str, Movement | None]]":
    """Cross-talk of every reader on rendered heads that turn."""
    from tqdm import tqdm

    from freeavatar.foundation.bundle import find_bundle

    from .evaluation.steadiness import TURN, cross_talk, read_curves
    from .evaluation.turning_faces import turning_faces

    table: dict[str, dict[str, Movement | None]] = {}
    faces = turning_faces(args.data, find_bundle(args.mediapipe_bundle), cache_folder(args.cache))
    for face, frames in tqdm(faces, "turning heads", disable=None, file=sys.stderr):
        row = table.setdefault(face, {})
        for reader, make in readers.items():
            try:
                row[reader] = cross_talk(read_curves(iter(frames), make), TURN)
            except ValueError:
                row[reader] = None
    return table


def cache_folder(named: Path | None) -> Path:
    """Where fitted portraits are kept: shared with ``freeavatar data``."""
    import platformdirs

    path: Path = named or platformdirs.user_cache_path("freeavatar") / "dataset"
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


def _of_data(data: Path | None, names: Sequence[str]) -> list[str]:
    if data is None:
        return []
    return [str(data / "rigs" / n) for n in names if (data / "rigs" / n).is_file()]


def _with_points(name: str, bundle: Path | None) -> "Rig":
    from freeavatar.rigs import registry
    from freeavatar.rigs.errors import RigError

    from .face_points import anchor_finder

    rig = registry.load(name)
    if rig.mesh is not None and rig.anchors is None:
        rig = replace(rig, anchors=anchor_finder(bundle)(rig))
    if rig.mesh is None or rig.anchors is None:
        raise RigError(f"rig {rig.name} has no face that could perform curves: choose another")
    return rig
