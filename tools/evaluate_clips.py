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
TURNED = ("valid_black_m_1.glb", "facecap_generic.glb")
"""Files of DATA/rigs that are further reference heads, and further faces to turn."""
SHEET_RIGS = ("mannequin", "toon")


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


def add_clip_options(p: argparse.ArgumentParser) -> None:
    """Options of everything that is measured on clips."""
    p.add_argument(
        "--reader",
        action="append",
        metavar="NAME",
        help="of `freeavatar drive`, may be repeated (default: embedded); mediapipe always joins",
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
    p.add_argument("--quick", action="store_true", help="no mirrored, still or turning faces")
    p.add_argument("--mediapipe-bundle", type=Path, metavar="FILE", help="face_landmarker.task")


def named_file(text: str) -> tuple[str, Path]:
    """NAME=FILE, or FILE, which is then called by its own name."""
    name, found, path = text.partition("=")
    return (name, Path(path)) if found else (Path(text).stem, Path(text))


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    clips = clip_paths(args.clip, args.data)
    readers = open_readers(args)
    report = measure(args, clips, readers)
    print(json.dumps(report.figures(), indent=1) if args.json else "\n".join(report.lines()))
    if args.sheets is not None:
        for path in write_sheets(clips, report, readers, args.sheets):
            print(path, file=sys.stderr)
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


def open_readers(args: argparse.Namespace) -> "dict[str, Callable[[], Reader]]":
    """Name to what opens a fresh reader; the yardstick comes last.

    Raises:
        ReaderError: a reader is unknown or its parts are missing.
    """
    from freeavatar.foundation.readers import open_reader

    from .evaluation.clips import YARDSTICK

    names = args.reader or ["embedded"]
    readers: dict[str, Callable[[], Reader]] = {}
    for name in (*(n for n in names if n != YARDSTICK), YARDSTICK):
        readers[name] = partial(open_reader, name, bundle=args.mediapipe_bundle)
        try:
            readers[name]().close()
        except ReaderError as error:
            if args.reader or name == YARDSTICK:
                raise
            print(f"without {name}: {error}", file=sys.stderr)
            del readers[name]
    for name, path in args.weights:
        readers[name] = partial(_with_weights, path)
    readers[YARDSTICK] = readers.pop(YARDSTICK)
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
    from .evaluation.clips import clip_figures, read_clip

    heads = _heads(args)
    figures = []
    for path in clips:
        frames, bar = _frames(path)
        with bar:
            run = read_clip(Path(path).stem, frames, readers, mirror=not args.quick)
        figures.append(clip_figures(run, heads, readers, still=not args.quick))
    turns = {} if args.quick else _turns(args, readers)
    return ClipReport(clips=figures, readers=list(readers), heads=list(heads), turns=turns)


def _frames(path: str) -> tuple[Any, Any]:
    """A source under a progress bar: what to iterate, and the bar to close."""
    from tqdm import tqdm

    from freeavatar.foundation.sources import open_source

    source = open_source(path, skip_damaged=True)
    bar = tqdm(
        source, Path(path).stem[:24], source.count, unit="frame", disable=None, file=sys.stderr
    )
    return bar, bar


def _heads(args: argparse.Namespace) -> "dict[str, ReferenceHead]":
    from .evaluation.apertures import reference_head

    names = args.head or ["mannequin", *_of_data(args.data, HEADS)]
    rigs = [_with_points(name, args.mediapipe_bundle) for name in names]
    return {rig.name: reference_head(rig) for rig in rigs}


def _turns(
    args: argparse.Namespace, readers: "Mapping[str, Callable[[], Reader]]"
) -> "dict[str, dict[str, Movement | None]]":
    """Cross-talk of every reader on rendered heads that turn."""
    from freeavatar.rigs import registry

    from .evaluation.steadiness import TURN, cross_talk, read_curves, turning

    table: dict[str, dict[str, Movement | None]] = {}
    for name in ["mannequin", *_of_data(args.data, TURNED)]:
        rig = registry.load(name)
        frames = list(turning(rig))
        row = table.setdefault(rig.name, {})
        for reader, make in readers.items():
            try:
                row[reader] = cross_talk(read_curves(iter(frames), make), TURN)
            except ValueError:
                row[reader] = None
    return table


def _of_data(data: Path | None, names: Sequence[str]) -> list[str]:
    if data is None:
        return []
    return [str(data / "rigs" / n) for n in names if (data / "rigs" / n).is_file()]


def _with_points(name: str, bundle: Path | None) -> "Rig":
    from freeavatar.rigs import registry
    from freeavatar.rigs.errors import RigError

    from .rig import anchor_finder

    rig = registry.load(name)
    if rig.mesh is not None and rig.anchors is None:
        rig = replace(rig, anchors=anchor_finder(bundle)(rig))
    if rig.mesh is None or rig.anchors is None:
        raise RigError(f"rig {rig.name} has no face that could perform curves: choose another")
    return rig


def write_sheets(
    clips: Sequence[str],
    report: ClipReport,
    readers: "Mapping[str, Callable[[], Reader]]",
    folder: Path,
) -> list[Path]:
    """A contact sheet of each clip with a face, for every reader."""
    from freeavatar.rigs import registry

    from .evaluation.sheets import sheet_of

    rigs = [registry.load(name) for name in SHEET_RIGS]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path, clip in zip(clips, report.clips, strict=True):
        for name in readers if clip.counted else ():
            frames, bar = _frames(path)
            reader = readers[name]()
            try:
                with bar:
                    sheet = sheet_of(frames, reader, rigs, title=f"{clip.name}, {name}")
            finally:
                reader.close()
            written.append(folder / f"{clip.name}.{name}.png")
            sheet.save(written[-1])
    return written
