"""freeavatar train renderer: the network that draws any rig without OpenGL."""

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from freeavatar.foundation.errors import TrainingError

if TYPE_CHECKING:
    from freeavatar.foundation.training.distributed import Processes
    from freeavatar.foundation.training.loop import RunOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the verb takes, besides what every training takes."""
    parser.add_argument(
        "--data",
        nargs="+",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="of freeavatar data rig-renders, one for each rig, with train and validation shards",
    )
    parser.add_argument(
        "--foundation",
        type=Path,
        metavar="FILE",
        help="expression network whose features judge the pictures; default: the one that ships",
    )
    parser.add_argument(
        "--export",
        type=Path,
        metavar="FOLDER",
        help="no training: write the best of --out there, renderer.onnx and its model card",
    )


def run(
    args: argparse.Namespace,
    processes: "Callable[[argparse.Namespace], AbstractContextManager[Processes]]",
    options: "Callable[[argparse.Namespace], RunOptions]",
) -> int:
    """Run the verb."""
    from freeavatar.renderer_net.capturing import appearance_of

    from .training.renderer_training import train_renderer
    from .training.rig_feed import RigFeed

    if args.export is not None:
        return _export(args)
    if not args.data:
        raise TrainingError("say with --data what to learn from")
    feeds = (
        RigFeed(args.data, "train", batch=args.batch, seed=args.seed),
        RigFeed(args.data, "validation", batch=args.batch),
    )
    if feeds[0].names != feeds[1].names:
        raise TrainingError("training and validation shards show different rigs")
    rigs = feeds[0].rigs()
    with processes(args) as joined:
        state = train_renderer(
            feeds,
            rigs,
            [appearance_of(rig) for rig in rigs],
            options(args),
            joined,
            foundation=args.foundation,
            facts={"command": shlex.join(["freeavatar", *sys.argv[1:]])},
        )
        if joined.first:
            print(json.dumps({"run": str(args.out), "best psnr": round(state.best, 3)}))
    return 0


def _export(args: argparse.Namespace) -> int:
    from freeavatar.foundation.training import checkpoints
    from freeavatar.foundation.training.loop import BEST
    from freeavatar.renderer_net.export import export_renderer
    from freeavatar.renderer_net.net import RendererConfig, RendererNet

    from .training.renderer_card import write_card

    checkpoint = checkpoints.load(args.out / BEST)
    net = RendererNet(RendererConfig.from_dict(checkpoint.state.config))
    checkpoints.fill(net, checkpoint.part("average.renderer.net"))
    facts = {
        "licence": "MIT",
        "samples": str(checkpoint.state.samples),
        "version": metadata.version("freeavatar"),
    }
    exported = export_renderer(net, args.export / "renderer.onnx", facts=facts)
    card = write_card(exported, net, checkpoint.state)
    print(f"{exported.path}: {exported.bytes / 1e6:.1f} MB; {card}")
    return 0
