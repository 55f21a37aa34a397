"""freeavatar load: what the senders hold on this machine."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from freeavatar.tools.arguments import number, whole_number

if TYPE_CHECKING:
    from .load_measurement import Figures

EPILOG = """\
examples:
  freeavatar load                                             8 rigs, 60 controls, 6 sinks, 60 fps
  freeavatar load --rigs 1 --fps 240 --minutes 1
  freeavatar load --minutes 10 --stalled                      one receiver reads nothing
"""


def add_verb(verbs: Any) -> None:
    """Add ``load`` to the command line."""
    p = verbs.add_parser(
        "load",
        help="measure what the senders hold on this machine",
        description="Send made-up frames of many rigs to six receivers and count what arrives.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--rigs", type=whole_number(1, 64), default=8, metavar="N")
    p.add_argument("--controls", type=whole_number(52, 2000), default=60, metavar="N")
    p.add_argument("--fps", type=number(1, 1000), default=60.0, metavar="N")
    p.add_argument("--minutes", type=number(0.01, 1e4), default=0.25, metavar="M")
    p.add_argument("--stalled", action="store_true", help="one more receiver, which reads nothing")
    p.add_argument("--json", action="store_true", help="print the figures for scripts")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb; 0 when nothing was lost."""
    from .load_measurement import measure

    figures = measure(
        rigs=args.rigs,
        controls=args.controls,
        fps=args.fps,
        seconds=args.minutes * 60,
        stalled=args.stalled,
    )
    if args.json:
        print(json.dumps(vars(figures)))
    else:
        _print(args, figures)
    return 1 if figures.datagrams_lost or figures.stream_frames_lost else 0


def _print(args: argparse.Namespace, figures: "Figures") -> None:
    from .load_measurement import SINKS

    print(
        f"{args.rigs} rigs, {args.controls} controls, {len(SINKS)} sinks, {args.fps:g} fps, "
        f"{figures.seconds:g} s: {figures.frames} moments"
    )
    print(f"datagrams: {figures.datagrams_sent} sent, {figures.datagrams_lost} lost")
    print(f"stream frames: {figures.stream_frames_sent} sent, {figures.stream_frames_lost} lost")
    if args.stalled:
        print(f"left out for the receiver that reads nothing: {figures.stalled_frames_left_out}")
    for title, ms in (
        ("lateness", figures.jitter_ms),
        ("a moment", figures.cost_ms),
        ("a rig's frame", figures.frame_ms),
    ):
        print(f"{title:<14}" + "  ".join(f"{k} {v:.3f}" for k, v in ms.items()) + "  ms")
    print(f"processor: {figures.processor_percent:.1f} % of one core")
