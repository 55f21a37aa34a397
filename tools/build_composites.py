"""freeavatar data composites: pictures with faces anywhere, for the face finder."""

import argparse
import functools
import os
import shlex
import sys
from pathlib import Path

from .build_shards import explained
from .dataset.errors import DataError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``data composites`` takes."""
    parser.add_argument(
        "--faces", type=Path, nargs="+", required=True, metavar="DIR", help="folders of portraits"
    )
    parser.add_argument(
        "--synth", type=Path, required=True, metavar="DIR", help="environment maps in its hdri"
    )
    parser.add_argument(
        "--crops",
        type=Path,
        nargs="*",
        default=[],
        metavar="DIR",
        help="folders that data puppets or data avatars wrote: rendered faces to show as well",
    )
    parser.add_argument(
        "--count", type=int, default=20_000, metavar="N", help="pictures (default: 20000)"
    )
    parser.add_argument(
        "--split", choices=("train", "validation", "test"), default="train", help="whose people"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: 1")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run ``data composites``."""
    from freeavatar.foundation.bundle import find_bundle

    from .dataset.composite_shards import write_shards
    from .dataset.composites import open_composer
    from .dataset.shard_files import check_recipe

    for folder in (*args.faces, args.synth, *args.crops):
        if not folder.is_dir():
            raise DataError(f"there is no folder {folder}")
    if args.count < 1 or args.workers < 1:
        raise DataError("--count and --workers begin at 1")
    crops = [sorted(folder.glob(f"{args.split}-*.tar")) for folder in args.crops]
    opened = functools.partial(
        open_composer,
        args.faces,
        args.synth / "hdri",
        args.split,
        bundle=find_bundle(args.mediapipe_bundle),
        cache=args.out / "landmarks",
        crops=crops,
    )
    check_recipe(
        args.out,
        {"kind": "composites", "seed": args.seed, "crops": [str(f.name) for f in args.crops]},
    )
    with explained():
        opened()  # finds the landmarks once, and says once what is wrong
        done = write_shards(
            opened,
            args.out,
            args.split,
            count=args.count,
            seed=args.seed,
            workers=args.workers,
        )
    print(f"{done} shards written to {args.out} by: {shlex.join(['freeavatar', *sys.argv[1:]])}")
    return 0
