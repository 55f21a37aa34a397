"""freeavatar train combination: MediaPipe's reading weighed together with that of our network."""

import argparse
import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from freeavatar.foundation.errors import TrainingError

HELD = 4000
"""Validation faces at most on which the readers are weighed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the verb takes."""
    parser.add_argument(
        "--data", nargs="+", type=Path, required=True, metavar="FOLDER",
        help="shards; of their training people is learnt what MediaPipe's points mean, of their "
        "validation people how far to trust which reader",
    )  # fmt: skip
    parser.add_argument(
        "--count", type=int, default=20_000, metavar="N",
        help="training faces that MediaPipe looks at; default %(default)s",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--mediapipe-bundle", type=Path, metavar="FILE")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="our network; default: the one that ships"
    )
    parser.add_argument("--epochs", type=int, default=40, help="default %(default)s")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from tqdm import tqdm

    from freeavatar.foundation.bundle import find_bundle
    from freeavatar.foundation.expression_model import ExpressionModel
    from freeavatar.foundation.training import combination_training as training

    def shards(split: str) -> list[list[Path]]:
        found = [sorted(folder.glob(f"{split}-*.tar")) for folder in args.data]
        if not any(found):
            raise TrainingError(f"no {split}-*.tar in the folders; make them with: freeavatar data")
        return found

    def faces(split: str, count: int) -> Any:
        return tqdm(training.alternating(shards(split), count), split, unit=" faces", disable=None)

    bundle = find_bundle(args.mediapipe_bundle)
    ours = ExpressionModel(args.weights)
    held = training.gather(iter(faces("validation", HELD)), bundle, ours)
    data = training.gather(iter(faces("train", args.count)), bundle)
    net = training.train(data, epochs=args.epochs)
    figures = training.judge(net, held)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "combination.onnx"
    training.export(net, path)
    command = shlex.join(["freeavatar", *sys.argv[1:]])
    path.with_suffix(".md").write_text(training.card(data, held, figures, command))
    print(json.dumps({"network": str(path), "learnt from": len(data.features), **asdict(figures)}))
    return 0
