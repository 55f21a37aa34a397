"""Writes numbered samples and their manifest into shards, as all rendered data is kept."""

import argparse
import math
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import whole_number
from .dataset.errors import DataError

if TYPE_CHECKING:
    from .dataset.balance import Counts
    from .dataset.shard_files import SampleKind
    from .dataset.shards import SourceFactory


def add_numbered_arguments(parser: argparse.ArgumentParser) -> None:
    """Which samples are made, and how."""
    positive = whole_number(1, math.inf)
    parser.add_argument(
        "--count", type=positive, default=10_000, metavar="N", help="samples (default: 10000)"
    )
    parser.add_argument(
        "--start",
        type=whole_number(0, math.inf),
        default=0,
        metavar="N",
        help="first sample, where several machines share the work (default: 0)",
    )
    parser.add_argument(
        "--split",
        choices=("train", "validation", "test"),
        default="train",
        help="whose people are shown (default: train)",
    )
    parser.add_argument(
        "--workers",
        type=positive,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes (default: %(default)s, the number of cores)",
    )
    parser.add_argument(
        "--seed", type=whole_number(0, math.inf), default=0, metavar="N", help="default: 0"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="for face points (default: your cache folder)"
    )


def write_numbered(
    args: argparse.Namespace,
    kind: str,
    factory: "SourceFactory",
    licence: Sequence[str],
    *,
    recipe: dict[str, Any] | None = None,
    kind_of_sample: "SampleKind[Any] | None" = None,
    shard_size: int | None = None,
) -> int:
    """Make the samples that were asked for, a shard at a time.

    Args:
        args: see `add_numbered_arguments`; besides ``out``.
        kind: what the data is called.
        factory: opens the source of the samples in each process.
        licence: of all that is shown, for the manifest.
        recipe: what else decides how samples look; a folder holds one recipe only.
        kind_of_sample: None for faces.
        shard_size: samples in a shard; None for the usual number.

    Raises:
        DataError: the source cannot be opened, or the folder holds data of another recipe.
    """
    from .dataset.shard_files import FACES, check_recipe
    from .dataset.shards import SHARD_SIZE, write_shards

    whole = {"kind": kind, "seed": args.seed, **(recipe or {})}
    sort = kind_of_sample or FACES
    check_recipe(args.out, whole)
    # Here first: its caches are then filled once, its errors are said once.
    with explained():
        factory().sample(args.start)
    counts = write_shards(
        factory,
        args.out,
        args.split,
        count=args.count,
        start=args.start,
        workers=args.workers,
        shard_size=shard_size or SHARD_SIZE,
        kind=sort,
    )
    finish(args.out, whole, licence, counts, sort)
    return 0


@contextmanager
def explained() -> Iterator[None]:
    """What goes wrong in here is said in one line, with what to do.

    Raises:
        DataError: a package is missing, or the data cannot be made.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("freeavatar"):
            raise
        raise DataError(
            f"building data needs the package {error.name}; pip install 'freeavatar[train]'"
        ) from error
    except (ValueError, OSError) as error:
        raise DataError(f"the data cannot be made: {error}") from error


def finish(
    out: Path,
    recipe: dict[str, Any],
    licence: Sequence[str],
    counts: "Counts",
    kind: "SampleKind[Any] | None" = None,
) -> None:
    """Write the manifest and say how balanced the data is."""
    from .dataset.shard_files import FACES, write_manifest

    command = shlex.join(["freeavatar", *sys.argv[1:]])
    write_manifest(out, recipe, command, licence, kind or FACES)
    print("\n".join(counts.lines()))
