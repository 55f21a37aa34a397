"""freeavatar data: builds training data into shards."""

import argparse
import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import build_composites, build_rig_renders
from .arguments import number, whole_number
from .build_actor import add_actor
from .build_shards import add_numbered_arguments, finish, write_numbered
from .dataset.errors import DataError

if TYPE_CHECKING:
    from .dataset.shards import SampleSource

WEBMORPH = "webmorph faces: CC BY 4.0, debruine/webmorphR.stim"
LEGISLATORS = "portraits of US legislators: works of the US government, voteview/member_photos"
ICT = "ICT-FaceKit: MIT, ICT-VGL/ICT-FaceKit"
AVATARS = (
    ICT,
    "VALID avatars: MIT, c-frame/valid-avatars-glb",
    "MakeHuman head: CC0; its ARKit targets: MIT, met4citizen/TalkingHead",
    "environment maps: CC0, Poly Haven",
)
EXPRESSIONS = (build_rig_renders.STATISTICS,)
EPILOG = """\
Every kind writes shards {train,validation,test}-NNNNNN.tar (WebDataset) into --out, a whole one at
a time: the same command again goes on where it stopped. manifest.json there says what is shown, how
it was made and under which licences. People belong to one split for good, by their name.

examples:
  freeavatar data puppets --faces faces/webmorph faces/legislators --synth synth --out data/puppets
  freeavatar data avatars --synth synth --out data/avatars --count 100000 --workers 8
  freeavatar data avatars --synth synth --out data/avatars --count 4000 --split validation
  freeavatar data rig-renders hero --out data/renders/hero --count 10000
  freeavatar data frames takes/*.mov --out data/frames
  freeavatar data fec faceexp-comparison-data-train-public.csv --pictures photos --out data/fec
"""


def add_verb(verbs: Any) -> None:
    """Add ``data`` to the command line."""
    parser = verbs.add_parser(
        "data",
        help="build training data",
        description="Build training data into shards.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(metavar="KIND", required=True)
    puppets = _kind(kinds, "puppets", "portraits that play known expressions")
    puppets.add_argument(
        "--faces", type=Path, nargs="+", required=True, metavar="DIR", help="folders of portraits"
    )
    avatars = _kind(kinds, "avatars", "rendered heads with known expressions")
    avatars.add_argument(
        "--unpainted",
        type=number(0.0, 1.0),
        default=0.06,
        metavar="SHARE",
        help="training heads of one colour, without irises (default: 0.06)",
    )
    for kind, run in ((puppets, run_puppets), (avatars, run_avatars)):
        kind.add_argument(
            "--synth", type=Path, required=True, metavar="DIR", help="heads, textures, hdri"
        )
        kind.add_argument(
            "--expressions",
            type=whole_number(2, math.inf),
            metavar="N",
            help="draw from so many, so that puppets and avatars of a test share more of them "
            "(default: 40000)",
        )
        add_numbered_arguments(kind)
        kind.set_defaults(run=run)
    words = "pictures with faces anywhere, for the face finder"
    build_composites.add_arguments(_kind(kinds, "composites", words))
    frames = _kind(kinds, "frames", "faces cut from your own videos and pictures, without labels")
    frames.add_argument("video", nargs="+", metavar="VIDEO", help="video, picture or folder")
    frames.add_argument(
        "--every",
        type=whole_number(1, math.inf),
        default=5,
        metavar="N",
        help="take each N-th frame (default: 5)",
    )
    frames.add_argument(
        "--split",
        choices=("auto", "train", "validation", "test"),
        default="auto",
        help="of all files (default: auto, by each file's name)",
    )
    frames.set_defaults(run=run_frames)
    fec = _kind(kinds, "fec", "triplets of Google's facial expression comparison data")
    fec.add_argument("csv", type=Path, metavar="CSV", help="the file as Google publishes it")
    fec.add_argument("--pictures", type=Path, metavar="DIR", help="pictures you have, by name")
    fec.add_argument("--fetch", action="store_true", help="download the pictures that are missing")
    fec.add_argument(
        "--count", type=whole_number(1, math.inf), metavar="N", help="first N triplets only"
    )
    fec.set_defaults(run=run_fec)
    add_actor(kinds)
    words = "reference pictures of a rig, for the neural renderer"
    renders = _kind(kinds, "rig-renders", words)
    build_rig_renders.add_arguments(renders)
    add_numbered_arguments(renders)
    renders.set_defaults(run=run_rig_renders)


def _kind(kinds: Any, name: str, words: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = kinds.add_parser(
        name,
        help=words,
        description=f"Build training data: {words}.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets the shards")
    parser.add_argument(
        "--mediapipe-bundle", type=Path, metavar="FILE", help="face_landmarker.task, finds faces"
    )
    return parser


def run_puppets(args: argparse.Namespace) -> int:
    """Run ``data puppets``."""
    from freeavatar.foundation.bundle import find_bundle

    folders = [_folder(path) for path in args.faces]
    factory = functools.partial(
        open_puppets,
        folders,
        _folder(args.synth) / "ict_face.npz",
        find_bundle(args.mediapipe_bundle),
        _cache(args),
        args.split,
        args.seed,
        args.expressions,
    )
    licence = _licence_of_faces(folders)
    return write_numbered(args, "puppets", factory, licence, recipe=_drawn_from(args))


def run_avatars(args: argparse.Namespace) -> int:
    """Run ``data avatars``."""
    return write_numbered(
        args,
        "avatars",
        functools.partial(
            open_avatars,
            _folder(args.synth),
            _bundle(args),
            _cache(args),
            args.split,
            args.seed,
            args.unpainted,
            args.expressions,
        ),
        [*AVATARS, *EXPRESSIONS],
        recipe={"unpainted": args.unpainted, **_drawn_from(args)},
    )


def _drawn_from(args: argparse.Namespace) -> dict[str, int]:
    """How many expressions, for the recipe; folders made the usual way do not say."""
    return {} if args.expressions is None else {"expressions": args.expressions}


def run_rig_renders(args: argparse.Namespace) -> int:
    """Run ``data rig-renders``."""
    return build_rig_renders.run(args)


def run_frames(args: argparse.Namespace) -> int:
    """Run ``data frames``."""
    from .dataset.frames import write_frames

    balance = write_frames(
        args.video, args.out, bundle=_bundle(args), every=args.every, split=args.split
    )
    licence = ["your own pictures: their rights are yours to keep"]
    finish(args.out, {"kind": "frames", "every": args.every}, licence, balance)
    return 0


def run_fec(args: argparse.Namespace) -> int:
    """Run ``data fec``."""
    from .dataset.fec_pictures import build_fec

    report = build_fec(
        args.csv,
        args.out,
        pictures=args.pictures,
        fetch=args.fetch,
        bundle=_bundle(args),
        count=args.count,
    )
    print("\n".join(report.lines()))
    return 0


def open_puppets(
    faces: Sequence[Path],
    ict: Path,
    bundle: Path,
    cache: Path,
    split: str,
    seed: int,
    expressions: int | None,
) -> "SampleSource[Any]":
    """The source of ``data puppets``, opened in each process."""
    from .dataset.puppets import PuppetSource

    return PuppetSource(faces, ict, bundle, cache, split, seed, expressions)


def open_avatars(
    synth: Path,
    bundle: Path | None,
    cache: Path,
    split: str,
    seed: int,
    bare: float,
    expressions: int | None,
) -> "SampleSource[Any]":
    """The source of ``data avatars``, opened in each process."""
    from .dataset.avatars import AvatarSource

    return AvatarSource(synth, bundle, cache, split, seed, bare, expressions)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise DataError(f"there is no folder {path}")
    return path.resolve()


def _cache(args: argparse.Namespace) -> Path:
    import platformdirs

    path: Path = args.cache or platformdirs.user_cache_path("freeavatar") / "dataset"
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


def _bundle(args: argparse.Namespace) -> Path | None:
    """MediaPipe's bundle where there is one; sources say so where they cannot do without."""
    from freeavatar.foundation.bundle import find_bundle
    from freeavatar.foundation.errors import ReaderError

    try:
        return find_bundle(args.mediapipe_bundle, download=False)
    except ReaderError:
        if args.mediapipe_bundle is not None:
            raise
        return None


def _licence_of_faces(folders: Sequence[Path]) -> list[str]:
    known = {"webmorph": WEBMORPH, "legislators": LEGISLATORS}
    faces = [known.get(f.name, f"{f.name}: your own pictures, not known here") for f in folders]
    return [*faces, ICT, *EXPRESSIONS]
