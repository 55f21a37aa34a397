"""Options of ``freeavatar eval quality``."""

import argparse
import math
from pathlib import Path

from .arguments import whole_number
from .evaluate_clips import add_clip_options

EPILOG = """\
Rendered actors: rigs with ARKit's names, and test people where --data has synth/, perform recorded
takes, head still and head turning, so that every curve is known. Real clips are measured as by
`freeavatar eval clips`, the embedding as by `freeavatar eval foundation`, where --data names
folders for them. The curves of the embedded reader are called ours; --weights adds others,
MediaPipe always joins.

examples:
  freeavatar eval quality --data ../shared/data
  freeavatar eval quality --data ../shared/data --weights previous=old/expression.onnx --cards
  freeavatar eval quality --data ../shared/data --data data/puppets --data data/avatars
  freeavatar eval quality --actor hero.glb --curves MySlate_1_iPhone.csv --quick --json
"""


def add_quality_options(p: argparse.ArgumentParser) -> None:
    """Add what is measured, with what, and where the figures go."""
    p.add_argument(
        "--data",
        action="append",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="with test-*.tar, or with clips/, rigs/, curves/, synth/ and faces/; may be repeated",
    )
    p.add_argument(
        "--curves",
        action="append",
        type=Path,
        metavar="TAKE",
        help="ARKit take that the actors perform, may be repeated (default: the alex_rom takes of "
        "--data, else the bundled one)",
    )
    p.add_argument(
        "--actor",
        action="append",
        metavar="RIG",
        help="rig that performs, may be repeated (default: mannequin, the rigs of --data whose set "
        "of ARKit names is complete, and test people of --data)",
    )
    p.add_argument(
        "--frames",
        type=whole_number(10, math.inf),
        default=120,
        metavar="N",
        help="frames of each performance, spread evenly over the takes (default: %(default)s)",
    )
    p.add_argument(
        "--limit",
        type=whole_number(50, math.inf),
        default=2000,
        metavar="N",
        help="test pictures that are read (default: %(default)s)",
    )
    p.add_argument(
        "--html",
        type=Path,
        default=Path("quality-report.html"),
        metavar="FILE",
        help="the report (default: %(default)s)",
    )
    p.add_argument(
        "--cards",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="write the tables into these documents, between their marker comments (default: the "
        "model card and docs/training.md)",
    )
    add_clip_options(
        p, quick="few frames and pictures; no sheets, no mirrored, still or turning clips, no speed"
    )
    p.add_argument("--json", action="store_true", help="figures for scripts")
