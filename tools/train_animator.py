"""freeavatar train animator: the network that turns an expression into any rig's controls."""

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeavatar.foundation.errors import TrainingError

if TYPE_CHECKING:
    from freeavatar.animator.training.batches import Performances
    from freeavatar.foundation.training.distributed import Processes
    from freeavatar.foundation.training.loop import RunOptions

WITHOUT = ("perceptual", "injection", "pictures")
HELD_NUMBER = 1_000_000
"""Number from which rigs are held out; their people are the validation split's as well."""
DRAWN = ("mannequin", "toon", "fox")
"""Rigs of the perceptual loop: our own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the verb takes, besides what every training takes."""
    _add_performances(parser)
    _add_learning(parser)
    _add_export(parser)


def _add_performances(parser: argparse.ArgumentParser) -> None:
    """Rigs, and the faces that they are shown."""
    add = parser.add_argument
    add(
        "--data",
        nargs="+",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="shards of faces whose expressions are known, train and validation",
    )
    add(
        "--synth",
        type=Path,
        metavar="FOLDER",
        help="heads that the made-up rigs are made of; needed until --kept has them all",
    )
    add(
        "--rigs",
        type=int,
        default=1000,
        metavar="N",
        help="made-up rigs to train on; default %(default)s",
    )
    add(
        "--held",
        type=int,
        default=96,
        metavar="N",
        help="made-up rigs to validate on; default %(default)s",
    )
    add(
        "--faces",
        type=int,
        default=8000,
        metavar="N",
        help="training pictures that are read, in 75 kB each; default %(default)s",
    )
    add(
        "--sequences",
        type=int,
        default=12,
        metavar="N",
        help="sequences shown by each rig, besides their mirror images; default %(default)s",
    )
    add(
        "--drawn",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of the made-up rigs that are drawn, so that the network learns what controls "
        "look like; 5 to 20 s each, once; default %(default)s",
    )
    add(
        "--kept",
        type=Path,
        metavar="FOLDER",
        help="where faces and rigs are kept for other runs; default: in --out",
    )
    add(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="processes that make rigs; default 0: this one",
    )
    add("--cache", type=Path, metavar="FOLDER", help="for face points (default: your cache folder)")


def _add_learning(parser: argparse.ArgumentParser) -> None:
    """What is learned from them, and how."""
    add = parser.add_argument
    add(
        "--from",
        dest="start",
        type=Path,
        metavar="FOLDER|RUN",
        help="go on from these weights (animator/weights, which ship, or a run)",
    )
    add(
        "--renderer",
        type=Path,
        metavar="RUN",
        help="of train renderer, for the perceptual loop; default: the renderer that ships",
    )
    add(
        "--perceptual-rigs",
        nargs="+",
        default=list(DRAWN),
        metavar="RIG",
        help="rigs that are drawn in the perceptual loop; default " + " ".join(DRAWN),
    )
    add(
        "--foundation",
        type=Path,
        metavar="FILE",
        help="expression network of the loop; default: the one that ships",
    )
    add(
        "--without",
        nargs="+",
        choices=WITHOUT,
        default=[],
        metavar="PART",
        help="ablations: leave out " + ", ".join(WITHOUT),
    )
    add(
        "--separate-decoders",
        action="store_true",
        help="ablation: a network of its own for each of the --rigs, judged on held-out faces",
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    """What becomes of a finished run."""
    add = parser.add_argument
    add(
        "--export",
        type=Path,
        metavar="FOLDER",
        help="no training: write the best of --out there as ONNX, with its model card",
    )
    add(
        "--average-with",
        type=Path,
        metavar="FOLDER|RUN",
        help="with --export: write the mean of the run's weights and of these, which it went on "
        "from",
    )
    add(
        "--figures",
        type=Path,
        metavar="FILE",
        help="with --export: what eval animator --json said, for the model card",
    )


def run(
    args: argparse.Namespace,
    processes: "Callable[[argparse.Namespace], AbstractContextManager[Processes]]",
    options: "Callable[[argparse.Namespace], RunOptions]",
) -> int:
    """Run the verb."""
    if args.export is not None:
        return _export(args)
    if args.average_with is not None:
        raise TrainingError("--average-with changes what --export writes: say that, too")
    if not args.data:
        raise TrainingError("say with --data what to learn from")
    from freeavatar.animator.animator_config import AnimatorConfig
    from freeavatar.animator.training.animator_training import AnimatorOptions, train_animator

    from .training.animator_data import known_reference, perceptual_loop

    training = _performances(args, "train")
    held = _performances(args, "validation")
    loop = None
    if "perceptual" not in args.without and not args.separate_decoders:
        loop = perceptual_loop(
            args.perceptual_rigs,
            training.views,
            renderer=args.renderer,
            foundation=args.foundation,
            seed=args.seed,
        )
    with processes(args) as joined:
        state = train_animator(
            training,
            held,
            AnimatorOptions(
                config=AnimatorConfig(
                    injection="injection" not in args.without,
                    pictures="pictures" not in args.without,
                ),
                rigs=args.batch,
                separate=args.separate_decoders,
                start=args.start,
                seed=args.seed,
            ),
            options(args),
            joined,
            loop=loop,
            reference=known_reference(),
            facts={
                "command": shlex.join(["freeavatar", *sys.argv[1:]]),
                "drawn rigs": args.perceptual_rigs if loop is not None else [],
                "renderer": args.renderer is not None,
            },
        )
        if joined.first:
            print(json.dumps({"run": str(args.out), **_told(state.facts["validation"])}))
    return 0


def _told(figures: dict[str, Any]) -> dict[str, Any]:
    from freeavatar.animator.training.validation import ERRORS

    both = (f"{who}{key}" for key in ERRORS for who in ("", "solver "))
    return {key: figures[key] for key in (*both, "score") if key in figures}


def _performances(args: argparse.Namespace, split: str) -> "Performances":
    from freeavatar.animator.training.batches import Performances
    from freeavatar.animator.training.performances import Stage, gather_performances

    from .training.animator_data import open_rigs, open_views

    kept = args.kept or args.out
    open_faces = partial(open_views, args.data, split, _faces(args, split), kept / f"{split}-faces")
    # Separate networks are judged on the rigs that they have, with faces they have not seen.
    own = args.separate_decoders or split == "train"
    people = "train" if own else split
    stage = Stage(
        open_source=partial(open_rigs, args.synth, _points(args), people, args.drawn),
        open_views=open_faces,
        folder=kept / f"{split}-rigs{'-separate' if own and split != 'train' else ''}",
        pairs=args.sequences if split == "train" else 6,
    )
    first = 0 if own else HELD_NUMBER
    count = args.rigs if own else args.held
    views = open_faces()
    numbers = range(first, first + count)
    made = gather_performances(stage, numbers, workers=args.workers, what=f"{split} rigs")
    return Performances(made, views)


def _faces(args: argparse.Namespace, split: str) -> int:
    return int(args.faces if split == "train" else max(args.faces // 8, 256))


def _points(args: argparse.Namespace) -> Path:
    import platformdirs

    path: Path = args.cache or platformdirs.user_cache_path("freeavatar") / "dataset"
    return path


def _export(args: argparse.Namespace) -> int:
    from freeavatar.animator.animator_export import export_animator
    from freeavatar.animator.training.animator_training import average_with, load_animator
    from freeavatar.animator.training.card import animator_card

    net, state = load_animator(args.out)
    if args.average_with is not None:
        state.facts["averaged"] = average_with(args.average_with, net)
    facts = {
        "licence": "MIT",
        "samples": str(state.samples),
        "version": metadata.version("freeavatar"),
    }
    exported = export_animator(net, args.export, facts=facts)
    card = args.export / "animator.md"
    card.write_text(animator_card(exported, net, state, _real(args.figures)))
    print(f"{exported.folder}: {exported.bytes / 1e6:.1f} MB; {card}")
    return 0


def _real(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} cannot be read: {error}") from error
    if not isinstance(told, dict) or "rigs" not in told:
        raise TrainingError(f"{path}: expected what freeavatar eval animator --json prints")
    return told
