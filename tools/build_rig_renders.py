"""freeavatar data rig-renders: reference pictures of one rig."""

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import whole_number
from .build_shards import write_numbered

if TYPE_CHECKING:
    from .dataset.rig_renders import RigRenders
    from .dataset.splits import Split

STATISTICS = "expression statistics: MIT, alexdjulin/LiveLinkFace-CSV-Retarget-For-Motionbuilder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the kind takes, besides what all numbered data takes."""
    parser.add_argument("rig", metavar="RIG", help="name of a rig, or a rig file")
    parser.add_argument(
        "--size", type=whole_number(32, 512), default=128, metavar="PX", help="default: 128"
    )
    parser.add_argument(
        "--curves",
        type=Path,
        nargs="+",
        default=[],
        metavar="CSV",
        help="recorded ARKit takes whose expressions are shown too",
    )


def run(args: argparse.Namespace) -> int:
    """Run the kind."""
    from freeavatar.rigs import registry

    from .dataset.rig_renders import PER_SHARD, PICTURES, state_of

    source = str(Path(args.rig).resolve()) if Path(args.rig).exists() else args.rig
    curves = [path.resolve() for path in args.curves]
    recipe = {
        "rig": args.rig,
        "state": state_of(registry.load(source)),
        "size": args.size,
        "curves": [path.name for path in curves],
    }
    return write_numbered(
        args,
        "rig-renders",
        functools.partial(open_source, source, args.split, args.size, args.seed, curves),
        ["the rig's own", STATISTICS],
        recipe=recipe,
        kind_of_sample=PICTURES,
        shard_size=PER_SHARD,
    )


def open_source(
    source: str, split: "Split", size: int, seed: int, curves: Sequence[Path] = ()
) -> "RigRenders":
    """The source of the pictures, opened in each process."""
    from .dataset.rig_renders import RigRenders

    return RigRenders(source, split, size=size, seed=seed, curves=curves)
