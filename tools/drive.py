"""freeavatar drive: from a performance to takes, streams and a preview."""

import argparse
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .animator_options import add_animator_options, with_animator
from .arguments import READER_NAMES, number, time_range, whole_number
from .inputs import Input, is_take, open_input
from .take_options import add_take_options, start_timecode, write_sounds

if TYPE_CHECKING:
    from freeavatar.animator.performer import Performer, PerformerOptions
    from freeavatar.rigs.spec import Rig

    from .performance import Result

log = logging.getLogger(__name__)

EPILOG = """\
examples:
  freeavatar drive clip.mp4 --rig mannequin --preview preview.mp4
  freeavatar drive clip.mp4 --rig mannequin --rig toon --take take.csv --take take.glb
  freeavatar drive clip.mp4 --take anna.csv                     for MetaHumans: ARKit curves
  freeavatar drive 0 --rig hero --to osc://127.0.0.1:9000       webcam into an engine
  freeavatar drive Slate_1_iPhone.csv --rig hero --take hero.glb   an iPhone take on your rig

targets: osc://HOST:9000  vmc://HOST:39539  livelink://HOST:11111?subject=NAME
takes:   .csv (Live Link Face)  .glb (rig and animation)  .jsonl (one object a frame)
"""


def add_verb(verbs: Any) -> None:
    """Add ``drive`` to the command line."""
    p = verbs.add_parser(
        "drive",
        help="perform a clip, webcam or iPhone take on one or more rigs",
        description="Perform a video, image folder, webcam or Live Link Face take on rigs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "input", metavar="INPUT", help="video, image folder, webcam number, or Live Link Face .csv"
    )
    p.add_argument(
        "--rig",
        action="append",
        metavar="NAME",
        help="rig to drive, may be given several times; a name of `freeavatar rig list` or a rig "
        "file (default: arkit, the 52 ARKit curves, head and eyes)",
    )
    out = p.add_argument_group("output")
    out.add_argument(
        "--take",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help=".csv, .glb or .jsonl; with several rigs {rig} stands for the rig's name, which is "
        "appended where it is missing",
    )
    add_take_options(out)
    out.add_argument("--to", action="append", default=[], metavar="URL", help="stream live, below")
    out.add_argument(
        "--preview", type=Path, metavar="FILE.mp4", help="film of actor and rigs, with sound"
    )
    out.add_argument(
        "--preview-size",
        type=whole_number(64, 2048),
        default=384,
        metavar="PIXELS",
        help="side of a panel (default 384)",
    )
    out.add_argument("--subject", default="", help="name of the actor in takes (default: input's)")
    out.add_argument("--json", action="store_true", help="print a summary for scripts")
    read = p.add_argument_group("reading the face")
    read.add_argument("--reader", choices=READER_NAMES, default="auto")
    read.add_argument("--mediapipe-bundle", type=Path, metavar="FILE", help="face_landmarker.task")
    read.add_argument("--start", type=float, metavar="SECONDS", help="leave out what is before")
    read.add_argument("--end", type=float, metavar="SECONDS", help="leave out what is after")
    read.add_argument(
        "--face",
        type=whole_number(1, 100),
        metavar="N",
        help="the N-th face from the left (default: the largest)",
    )
    feel = p.add_argument_group("performance")
    feel.add_argument(
        "--smooth",
        type=number(0.0, 1.0),
        metavar="0..1",
        help="0 is off (default 0.5; a .csv input: 0)",
    )
    feel.add_argument(
        "--neutral", type=time_range, metavar="START-END", help="seconds with a neutral face"
    )
    feel.add_argument("--gain", type=Path, metavar="FILE", help="gain of each control, TOML/JSON")
    add_animator_options(feel)
    p.set_defaults(run=run)


def performer_options(args: argparse.Namespace) -> "PerformerOptions":
    """What the command line says of smoothing, neutral, gains and the animator.

    Raises:
        SourceError: no face in the neutral range.
    """
    from freeavatar.animator.performer import FINISHED_TAKE, PerformerOptions

    options = FINISHED_TAKE if is_take(args.input) else PerformerOptions()
    if args.smooth is not None:
        options = replace(options, smooth=args.smooth)
    if args.gain is not None:
        options = replace(options, gain_file=args.gain)
    options = with_animator(options, args)
    if args.neutral is not None:
        options = replace(options, neutral=_measure_neutral(args))
    return options


def _measure_neutral(args: argparse.Namespace) -> Any:
    """Read the neutral range first; a camera is watched for so long before the run begins."""
    from tqdm import tqdm

    from freeavatar.animator.calibration import measure_neutral
    from freeavatar.foundation.sources import camera_number

    from .performance import Timings

    start, end = args.neutral
    # A camera cannot seek; measuring leaves out what it shows before the range.
    seek = None if camera_number(args.input) is not None else start
    first = argparse.Namespace(**{**vars(args), "start": seek, "end": end})
    with open_input(first, Timings()) as opened:
        bar = tqdm(opened.moments, "neutral", opened.count, unit="frame", delay=1.0, disable=None)
        with bar as moments:
            return measure_neutral((e for _, e in moments), start, end)


def run(args: argparse.Namespace) -> int:
    """Run the verb; 0 when every output was written, 1 otherwise, 130 after an interruption."""
    from freeavatar.animator.gains import check_gains, read_gains
    from freeavatar.animator.performer import performers_of
    from freeavatar.foundation.errors import SourceError
    from freeavatar.rigs import registry

    from .face_points import anchor_finder
    from .outlets import Outlets, plan_takes, refuse_overwriting
    from .performance import Result

    find_anchors = anchor_finder(args.mediapipe_bundle)
    names = dict.fromkeys(args.rig or ["arkit"])
    rigs = [registry.load(name, find_anchors=find_anchors) for name in names]
    takes = plan_takes(args.take, rigs)
    films = [] if args.preview is None else [args.preview]
    refuse_overwriting([args.input, *names], [*(path for path, _ in takes), *films])
    if args.gain is not None:
        check_gains(rigs, read_gains(args.gain), args.gain)
    performers = performers_of(rigs, performer_options(args))
    result = Result()
    with open_input(args, result.timings) as opened:
        print(opened.description, file=sys.stderr)
        outlets = Outlets.open(
            rigs,
            takes,
            args.to,
            rate=opened.rate,
            subject=args.subject or Path(args.input).stem,
            timecode=start_timecode(args.timecode, opened.timecode, opened.rate),
            take_rate=args.take_rate,
            blender=args.blender,
            renderer=args.renderer,
            keep_times=is_take(args.input),
        )
        preview = None
        try:
            preview = _open_preview(args, rigs, opened)
            _perform(args, opened, performers, outlets, preview, result)
        finally:
            # Whatever happened, a face that was captured is kept; takes without one are not.
            for output in filter(None, (outlets, preview)):
                output.close() if result.found else output.discard()
        if not result.found and not result.interrupted:
            raise SourceError(f"{args.input}: {opened.without_face(result.frames, args.face)}")
    if result.found and not args.no_audio:
        outlets.sounds = write_sounds(opened.audio, outlets, rate=opened.rate)
    return _report(args, opened, outlets, preview, result)


def _open_preview(args: argparse.Namespace, rigs: "list[Rig]", opened: Input) -> Any:
    if args.preview is None:
        return None
    from .preview import Preview

    return Preview(
        args.preview,
        rigs,
        rate=opened.rate,
        size=args.preview_size,
        audio=opened.audio,
        start=args.start or 0.0,
    )


def _perform(
    args: argparse.Namespace,
    opened: Input,
    performers: "list[Performer]",
    outlets: Any,
    preview: Any,
    result: "Result",
) -> None:
    """Run the loop under a progress bar; an input that breaks off ends the takes properly."""
    from tqdm import tqdm

    from freeavatar.foundation.errors import SourceError

    from .performance import perform

    with tqdm(total=opened.count, unit="frame", delay=1.0, disable=None) as bar:
        try:
            perform(
                opened.moments,
                performers,
                outlets,
                result=result,
                stage=preview,
                pace=bool(args.to) and not opened.live,
                tick=lambda _: bar.update(),
            )
        except SourceError as error:
            if not result.frames:
                raise
            result.error = str(error)
        except KeyboardInterrupt:
            result.interrupted = True


def _report(
    args: argparse.Namespace, opened: Input, outlets: Any, preview: Any, result: "Result"
) -> int:
    failed = [o for o in outlets.all if o.error]
    written = [str(o.path) for o in outlets.all if o.is_take and not o.error]
    written += map(str, outlets.sounds)
    if preview is not None:
        (failed if preview.error else written).append(str(preview.path))
    if not result.found:
        written = []
    fps = result.frames / result.seconds if result.seconds else 0.0
    if args.json:
        print(json.dumps(_summary(args, opened, outlets, result, written, fps)))
    else:
        frames = "1 frame" if result.frames == 1 else f"{result.frames} frames"
        print(f"{frames}, a face in {result.found}, {fps:.1f} frames a second", file=sys.stderr)
        for path in written:
            print(path)
    for stage, cost in result.timings.table().items():
        log.info(
            "%s: %.1f ms a frame, 95 of 100 within %.1f", stage, cost["mean_ms"], cost["p95_ms"]
        )
    if result.error:
        print(f"freeavatar: the input ended early: {result.error}", file=sys.stderr)
    if result.interrupted:
        kept = "what was captured is kept" if result.found else "no face was seen, nothing written"
        print(f"freeavatar: interrupted; {kept}", file=sys.stderr)
        return 130
    return 1 if failed or result.error else 0


def _summary(
    args: argparse.Namespace,
    opened: Input,
    outlets: Any,
    result: "Result",
    written: list[str],
    fps: float,
) -> dict[str, Any]:
    return {
        "input": args.input,
        "rate": opened.rate,
        "timecode": outlets.first_timecode,
        "frames": result.frames,
        "found": result.found,
        "seconds": round(result.seconds, 3),
        "frames_per_second": round(fps, 2),
        "stages": result.timings.table(),
        "written": written,
        "outputs": [
            {"to": o.label, "rig": o.rig, "frames": o.frames, "error": o.error} for o in outlets.all
        ],
        "interrupted": result.interrupted,
        "error": result.error,
    }
