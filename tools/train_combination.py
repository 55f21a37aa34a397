"""freeavatar train combination: MediaPipe's reading weighed together with that of our network."""

import argparse
import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from freeavatar.foundation.errors import TrainingError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the verb takes."""
    parser.add_argument(
        "--data", nargs="+", type=Path, required=True, metavar="FOLDER",
        help="shards; their validation people are learnt from, whom our network has not seen",
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

    shards = sorted(s for folder in args.data for s in folder.glob("validation-*.tar"))
    if not shards:
        raise TrainingError("no validation-*.tar in the folders; make them with: freeavatar data")
    faces = tqdm(training.read_faces(shards), unit=" faces", disable=None)
    data = training.gather(
        iter(faces), find_bundle(args.mediapipe_bundle), ExpressionModel(args.weights)
    )
    figures = training.judge(data, epochs=args.epochs)
    net = training.train(data, epochs=args.epochs)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "combination.onnx"
    training.export(net, path)
    command = shlex.join(["freeavatar", *sys.argv[1:]])
    path.with_suffix(".md").write_text(training.card(data, figures, command))
    print(json.dumps({"network": str(path), "learnt from": len(data.features), **asdict(figures)}))
    return 0
