"""freeavatar bench: how fast the whole path runs here, stage by stage, whether memory grows, and
how our reading of faces compares with MediaPipe's."""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import READER_NAMES, number
from .inputs import ACTOR_CLIP, DEMO_TAKE, is_take, open_input

if TYPE_CHECKING:
    from .evaluation.speed import Speed
    from .performance import Result


EPILOG = """\
examples:
  freeavatar bench                                  the bundled take; faces of the bundled actor
  freeavatar bench clip.mp4                         the whole path, the clip once
  freeavatar bench clip.mp4 --minutes 10            the clip over and over, memory watched
  freeavatar bench clip.mp4 --rig mannequin --rig toon --rig fox
"""


def add_verb(verbs: Any) -> None:
    """Add ``bench`` to the command line."""
    p = verbs.add_parser(
        "bench",
        help="measure speed and memory of the whole path on this machine",
        description="Drive rigs as fast as possible and print what each stage costs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("input", nargs="?", default=str(DEMO_TAKE), metavar="INPUT")
    p.add_argument("--rig", action="append", metavar="NAME", help="default: mannequin")
    p.add_argument(
        "--minutes",
        type=number(0.01, 1e4),
        metavar="M",
        help="repeat the input for M minutes of its own time",
    )
    p.add_argument("--reader", choices=READER_NAMES, default="auto")
    p.add_argument("--mediapipe-bundle", type=Path, metavar="FILE", help="face_landmarker.task")
    p.add_argument("--json", action="store_true", help="print the figures for scripts")
    p.set_defaults(run=run)


@dataclass
class MemoryLog:
    """Resident memory of this process, sampled once in so many frames."""

    every: int = 100
    samples: list[float] = field(default_factory=list)

    def tick(self, result: "Result") -> None:
        """Sample, if it is time."""
        if result.frames % self.every == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.samples.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)

    def figures(self) -> dict[str, float]:
        """MiB after the first tenth of the run (warm) and at its end, and the largest."""
        if not self.samples:
            return {}
        return {
            "warm_mib": round(self.samples[len(self.samples) // 10], 1),
            "end_mib": round(self.samples[-1], 1),
            "peak_mib": round(max(self.samples), 1),
        }


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from tqdm import tqdm

    from freeavatar.animator.performer import Performer
    from freeavatar.rigs import registry

    from .drive import performer_options
    from .outlets import Outlets, plan_takes
    from .performance import Result, perform

    unsaid = ("start", "end", "face", "smooth", "gain", "neutral", "animator")
    drive = argparse.Namespace(**vars(args), **dict.fromkeys(unsaid))
    rigs = [registry.load(name) for name in dict.fromkeys(args.rig or ["mannequin"])]
    options = performer_options(drive)
    if options.smooth == 0.0:
        options = replace(options, smooth=0.5)  # a recorded take must cost what a live face costs
    result, memory = Result(), MemoryLog()
    with tempfile.TemporaryDirectory() as folder:
        takes = plan_takes([Path(folder) / f"{{rig}}{end}" for end in (".csv", ".jsonl")], rigs)
        outlets = Outlets.open(
            rigs, takes, ["osc://127.0.0.1:9"], rate=60.0, subject="bench", timecode=""
        )
        with tqdm(unit="frame", delay=1.0, disable=None) as bar:

            def tick(so_far: "Result") -> None:
                bar.update()
                memory.tick(so_far)

            seconds = None if args.minutes is None else args.minutes * 60
            with open_input(drive, result.timings, seconds=seconds) as opened:
                performers = [Performer(rig, options) for rig in rigs]
                perform(opened.moments, performers, outlets, result=result, tick=tick)
        outlets.close()
    report(args, [r.name for r in rigs], result, memory, _faces(args))
    return 0


def _faces(args: argparse.Namespace) -> "Speed | None":
    """The speed of reading faces, on the input or, where that has no picture, on our actor."""
    from freeavatar.foundation.bundle import find_bundle
    from freeavatar.foundation.errors import ReaderError
    from freeavatar.foundation.readers import embedded_is_there

    from .evaluation.speed import measure

    clip = ACTOR_CLIP if is_take(args.input) else Path(args.input)
    if not clip.is_file() or not embedded_is_there():
        return None
    try:
        bundle = find_bundle(args.mediapipe_bundle, download=False)
    except ReaderError:
        if args.mediapipe_bundle is not None:
            raise
        bundle = None
    return measure(clip, bundle)


def report(
    args: argparse.Namespace,
    rigs: list[str],
    result: "Result",
    memory: MemoryLog,
    faces: "Speed | None",
) -> None:
    """Print the tables, or the same as JSON."""
    from .evaluation.speed import lines, summary

    fps = result.frames / result.seconds if result.seconds else 0.0
    stages = result.timings.table()
    if args.json:
        print(
            json.dumps(
                {
                    "input": args.input,
                    "rigs": rigs,
                    "frames": result.frames,
                    "found": result.found,
                    "frames_per_second": round(fps, 2),
                    "stages": stages,
                    "memory": memory.figures(),
                    "faces": None if faces is None else summary(faces),
                }
            )
        )
        return
    print(f"{Path(args.input).name} on {', '.join(rigs)}: {result.frames} frames", end="")
    print(f" ({result.last_time / 60:.1f} min), a face in {result.found}, {fps:.1f} frames/s")
    print(f"{'stage':<10}{'mean':>10}{'median':>10}{'p95':>10}   milliseconds a frame")
    for stage, cost in stages.items():
        print(f"{stage:<10}{cost['mean_ms']:>10.3f}{cost['p50_ms']:>10.3f}{cost['p95_ms']:>10.3f}")
    for name, value in memory.figures().items():
        print(f"memory {name.removesuffix('_mib')}: {value:.1f} MiB")
    if faces is not None:
        print("", *lines(faces), sep="\n")
    sys.stdout.flush()
