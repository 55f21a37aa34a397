"""What each training of the foundation takes on the command line."""

import argparse
from pathlib import Path

SIZES = ("tiny", "small", "base")
OPTIMISERS = ("adamw", "muon")
CONTRASTIVE = ("both", "ranking", "infonce", "triplet", "none")


def add_mae(parser: argparse.ArgumentParser) -> None:
    """Of ``train mae``."""
    _add_data(parser)
    add_run(parser)
    _add_optimiser(parser)


def add_expression(parser: argparse.ArgumentParser) -> None:
    """Of ``train expression``."""
    _add_data(parser)
    add_run(parser)
    _add_optimiser(parser)
    parser.add_argument(
        "--mae", type=Path, metavar="RUN|FILE", help="start from this pretrained encoder"
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="FILE|RUN",
        help="go on from these weights (.onnx, also those that ship, or a run) with new data",
    )
    parser.add_argument(
        "--freeze",
        type=int,
        default=0,
        metavar="N",
        help="first stages of the stem that stay as --from or --mae gives them; 2 save a quarter "
        "of the time; default %(default)s",
    )
    parser.add_argument(
        "--contrastive", choices=CONTRASTIVE, default="both", help="default %(default)s"
    )
    parser.add_argument(
        "--second-views",
        type=float,
        default=0.25,
        metavar="PART",
        help="part of a batch that shows other pictures of it again, jittered otherwise, on which "
        "the network must agree; default %(default)s",
    )
    parser.add_argument(
        "--fec",
        type=Path,
        metavar="FOLDER",
        help="triplets of faces that people have compared, made with: data fec",
    )
    parser.add_argument(
        "--fec-part",
        type=float,
        default=0.2,
        metavar="PART",
        help="part of a batch that shows such triplets; default %(default)s",
    )


def add_readout(parser: argparse.ArgumentParser) -> None:
    """Of ``train readout``."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="of train expression")
    _add_data(parser)
    _add_common(parser, batch=256)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak; default %(default)s")
    parser.add_argument(
        "--count",
        type=int,
        default=80_000,
        metavar="N",
        help="pictures whose view is kept, in 5 kB of memory each; default %(default)s",
    )


def add_finder(parser: argparse.ArgumentParser) -> None:
    """Of ``train finder``."""
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="composites")
    parser.add_argument(
        "--quantise",
        type=Path,
        metavar="FILE",
        help="no training: write the eight-bit copy of this trained file (.onnx) into --out",
    )
    _add_common(parser, batch=32)


def add_export(parser: argparse.ArgumentParser) -> None:
    """Of ``train export``."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a run, or FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--name", default="expression", help="of the file; default %(default)s")
    parser.add_argument(
        "--half", action="store_true", help="store weights in half precision: half the size"
    )
    parser.add_argument(
        "--calibrate",
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="put each blendshape on its scale by the validation people of these shards",
    )
    parser.add_argument(
        "--average-with",
        type=Path,
        metavar="FILE",
        help="write the mean of the run and of the weights it went on from (.onnx, or a run)",
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="make NAME.onnx an eight-bit copy, about twice as fast; the network itself is kept "
        "beside it as NAME_full.onnx, for --from",
    )
    parser.add_argument(
        "--data", nargs="+", default=[], metavar="FOLDER", help="real crops to check the file on"
    )


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        metavar="FOLDER[:WEIGHT]",
        help="folders of shards; pictures are drawn in proportion to the weights, default 1",
    )
    parser.add_argument("--size", choices=SIZES, default="tiny", help="default %(default)s")
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="processes that read pictures; default 0",
    )
    parser.add_argument(
        "--validated",
        type=int,
        default=2048,
        metavar="N",
        help="validation pictures at most; default %(default)s",
    )


def add_run(
    parser: argparse.ArgumentParser, *, batch: int = 128, validate_every: int = 1000
) -> None:
    """What every training takes that is validated on its way."""
    _add_common(parser, batch=batch)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak; default %(default)s")
    parser.add_argument(
        "--validate-every",
        type=int,
        default=validate_every,
        metavar="STEPS",
        help="default %(default)s",
    )
    parser.add_argument(
        "--full-precision", action="store_true", help="compute in float32 instead of bfloat16"
    )


def _add_optimiser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--optimiser",
        choices=OPTIMISERS,
        default="adamw",
        help="muon trains the matrices of transformer blocks with Muon, the rest with AdamW; "
        "default %(default)s",
    )


def _add_common(parser: argparse.ArgumentParser, *, batch: int) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="of the run")
    parser.add_argument("--minutes", type=float, help="stop after this time")
    parser.add_argument("--samples", type=int, metavar="N", help="stop after so many pictures")
    parser.add_argument(
        "--batch", type=int, default=batch, metavar="N", help="per process; default %(default)s"
    )
    parser.add_argument("--resume", action="store_true", help="go on where the run stopped")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda; default: a GPU if there is one"
    )
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="cores of each process; default 1"
    )
