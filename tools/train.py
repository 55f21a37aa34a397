"""freeavatar train: the networks, from shards to the files that ship."""

import argparse
import importlib.util
import json
import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import metadata
from typing import TYPE_CHECKING, Any

from freeavatar.foundation.errors import TrainingError

from . import train_animator, train_options, train_renderer
from .torch_first import import_torch

if TYPE_CHECKING:
    from freeavatar.foundation.training.distributed import Processes
    from freeavatar.foundation.training.loop import RunOptions
    from freeavatar.foundation.training.shard_feed import ShardFeed

TWO_VIEWS = 0.5
"""Part of the readout's pictures that show a face of the others again."""
CALIBRATED = 4000
"""Validation pictures at most on which an export is put on its scale."""
FREED = 8000
"""Training pictures at most on which its embedding is freed of who is seen."""

EPILOG = """\
examples:
  freeavatar train mae --data puppets avatars frames --out runs/mae --minutes 120
  freeavatar train expression --data puppets:2 avatars --mae runs/mae --out runs/full --minutes 480
  freeavatar train expression --data puppets:2 avatars --out runs/full --minutes 480 --resume
  freeavatar train expression --data puppets:2 avatars --fec fec --out runs/fec --minutes 480
  freeavatar train readout runs/full --data puppets:2 avatars --out runs/read --minutes 8
  freeavatar train finder --data composites --out runs/finder --minutes 60
  freeavatar train export runs/read --out weights --calibrate puppets avatars --int8
  freeavatar train animator --data puppets avatars --synth synth --out runs/animator --minutes 240
  freeavatar train renderer --data renders/* --out runs/renderer --minutes 60

--fec takes a folder of `freeavatar data fec`: part of each batch then shows triplets that people
have compared, which need no labels and act on the embedding alone.

two processes:
  torchrun --nproc-per-node 2 -m freeavatar.tools train expression …

ablations are the same command with one thing left out:
  without MAE           no --mae
  without contrastive   --contrastive none
  without puppets       --data avatars
  without avatars       --data puppets
"""


def add_verb(verbs: Any) -> None:
    """Add ``train`` and its own verbs to the command line."""
    p = verbs.add_parser(
        "train",
        help="train the networks and export them",
        description="Train the networks on shards that `freeavatar data` made, and export them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = p.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb, run, options, text in (
        ("mae", _mae, train_options.add_mae, "pretrain the encoder on pictures alone"),
        ("expression", _expression, train_options.add_expression, "train the expression network"),
        (
            "readout",
            _readout,
            train_options.add_readout,
            "train anew what reads the expression from a finished encoder",
        ),
        ("finder", _finder, train_options.add_finder, "train the face finder"),
        ("renderer", _renderer, _renderer_options, "train the network that draws rigs"),
        ("animator", _animator, _animator_options, "train the network that drives any rig"),
        ("export", _export, train_options.add_export, "write a trained expression network as ONNX"),
    ):
        options(_add(inner, verb, run, text))


def _renderer_options(parser: argparse.ArgumentParser) -> None:
    train_renderer.add_arguments(parser)
    train_options.add_run(parser, batch=8, validate_every=250)


def _animator_options(parser: argparse.ArgumentParser) -> None:
    train_animator.add_arguments(parser)
    train_options.add_run(parser, batch=8, validate_every=500)


def _add(
    inner: Any, verb: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    p: argparse.ArgumentParser = inner.add_parser(
        verb, help=text, description=text[0].upper() + text[1:] + "."
    )
    p.set_defaults(run=_with_torch(run))
    return p


def _with_torch(
    run: Callable[[argparse.Namespace], int],
) -> Callable[[argparse.Namespace], int]:
    """The verb, refused in one line where what training needs is not installed."""

    def checked(args: argparse.Namespace) -> int:
        needed = ("torch", "timm", "safetensors", "webdataset", "onnx")
        if missing := [n for n in needed if importlib.util.find_spec(n) is None]:
            raise TrainingError(
                f"training needs {', '.join(missing)}; install with: "
                "pip install 'freeavatar[train]'"
            )
        import_torch()
        import torch

        torch.set_num_threads(max(getattr(args, "threads", 1), 1))
        return run(args)

    return checked


def _mae(args: argparse.Namespace) -> int:
    from freeavatar.foundation.config import SIZES as ENCODERS
    from freeavatar.foundation.config import MAEConfig
    from freeavatar.foundation.training.mae_training import train_mae

    with _processes(args) as processes:
        config = MAEConfig(encoder=ENCODERS[args.size])
        run = _run_options(args, muon=args.optimiser == "muon")
        state = train_mae(_feed(args, processes), config, run, processes)
        return _done(args, processes, state.best)


def _expression(args: argparse.Namespace) -> int:
    from freeavatar.foundation.config import SIZES as ENCODERS
    from freeavatar.foundation.config import ExpressionConfig
    from freeavatar.foundation.training.expression_training import (
        ExpressionOptions,
        train_expression,
    )

    with _processes(args) as processes:
        options = ExpressionOptions(
            config=ExpressionConfig(encoder=ENCODERS[args.size]),
            contrastive=args.contrastive,
            mae=args.mae,
            start=args.start,
            frozen=args.freeze,
        )
        fec = {"fec": args.fec, "fec_part": args.fec_part}
        feed = _feed(args, processes, second_views=args.second_views, **fec)
        run = _run_options(args, muon=args.optimiser == "muon")
        state = train_expression(feed, options, run, processes)
        return _done(args, processes, state.best)


def _readout(args: argparse.Namespace) -> int:
    from freeavatar.foundation.training.loop import RunOptions
    from freeavatar.foundation.training.readout_training import ReadoutOptions, train_readout
    from freeavatar.foundation.training.schedule import Budget, Schedule

    with _processes(args) as processes:
        # The views are gathered in batches as the encoder takes them best.
        batch, args.batch = args.batch, 128
        state = train_readout(
            args.run_folder,
            _feed(args, processes, second_views=TWO_VIEWS),
            ReadoutOptions(count=args.count, batch=batch, seed=args.seed),
            RunOptions(
                folder=args.out,
                budget=Budget(minutes=args.minutes, samples=args.samples),
                schedule=Schedule(peak=args.rate),
                resume=args.resume,
                validate_every=500,
                half=False,
            ),
        )
        figures = state.facts["validation"]
        print(json.dumps({"run": str(args.out), "correlation": figures.get("correlation")}))
        return 0


def _finder(args: argparse.Namespace) -> int:
    from freeavatar.foundation.training import finder_training

    return finder_training.run(args)


def _animator(args: argparse.Namespace) -> int:
    args.full_precision = True
    return train_animator.run(args, _processes, _run_options)


def _renderer(args: argparse.Namespace) -> int:
    return train_renderer.run(args, _processes, _run_options)


def _export(args: argparse.Namespace) -> int:
    from freeavatar.foundation.training.card import write_card
    from freeavatar.foundation.training.export import export_facts, export_network, load_network
    from freeavatar.foundation.training.shard_feed import FeedOptions, ShardFeed, some_crops

    if args.int8 and not args.calibrate:
        raise TrainingError("--int8 measures ranges on faces: name shards with --calibrate")
    if args.average_with is not None and not args.calibrate:
        raise TrainingError("--average-with changes the scales: name shards with --calibrate")
    net, state = load_network(args.run_folder)
    people = []
    facts = export_facts(state, version=metadata.version("freeavatar"))
    if args.calibrate:
        from freeavatar.foundation.expression_model import POINT_GAINS
        from freeavatar.foundation.training.calibration import calibrate
        from freeavatar.foundation.training.person_directions import free_embedding
        from freeavatar.foundation.training.point_gains import point_gains

        feed = ShardFeed(FeedOptions(folders=args.calibrate, validated=CALIBRATED))
        people = list(feed.validation())
        if args.average_with is not None:
            from freeavatar.foundation.training.weight_average import average_with

            state.facts["averaged"] = average_with(args.average_with, net, people[0].crops)
        state.facts["freed"] = free_embedding(net, feed.plain(FREED))
        state.facts["validation"] = calibrate(net, people)
        state.facts["calibrated"] = True
        facts[POINT_GAINS] = point_gains(net, people).to_json()
    path = args.out / f"{args.name}.onnx"
    exported = export_network(
        net,
        path.with_stem(f"{args.name}_full") if args.int8 else path,
        facts=facts,
        crops=some_crops(args.data) if args.data else None,
        half=args.half,
    )
    quantised = None
    if args.int8:
        from freeavatar.foundation.training.quantise import quantise

        quantised = quantise(exported.path, path, people)
    card = write_card(exported, net, state, quantised)
    print(
        f"{exported.path}: {exported.bytes / 1e6:.1f} MB, {exported.milliseconds:.2f} ms a crop, "
        f"differs from torch by {exported.difference:.1e}; {card}"
    )
    if quantised is not None:
        print(f"{quantised.path}: {quantised.bytes / 1e6:.1f} MB in eight bits")
    return 0


def _processes(args: argparse.Namespace) -> "AbstractContextManager[Processes]":
    import torch

    from freeavatar.foundation.training.distributed import joined

    torch.manual_seed(args.seed)
    return joined(args.device)


def _run_options(args: argparse.Namespace, *, muon: bool = False) -> "RunOptions":
    from freeavatar.foundation.training.loop import RunOptions
    from freeavatar.foundation.training.schedule import Budget, Schedule

    return RunOptions(
        folder=args.out,
        budget=Budget(minutes=args.minutes, samples=args.samples),
        schedule=Schedule(peak=args.rate),
        resume=args.resume,
        validate_every=args.validate_every,
        half=not args.full_precision,
        muon=muon,
    )


def _feed(args: argparse.Namespace, processes: "Processes", **chosen: Any) -> "ShardFeed":
    from freeavatar.foundation.training.shard_feed import FeedOptions, ShardFeed

    return ShardFeed(
        FeedOptions(
            folders=args.data,
            batch=args.batch,
            validated=args.validated,
            workers=args.workers,
            seed=args.seed,
            rank=processes.rank,
            facts={"command": shlex.join(["freeavatar", *sys.argv[1:]])},
            **chosen,
        )
    )


def _done(args: argparse.Namespace, processes: "Processes", best: float) -> int:
    if processes.first:
        print(json.dumps({"run": str(args.out), "best score": round(best, 4)}))
    return 0
