"""freeavatar data actor: films the synthetic actor of the demo."""

import argparse
from pathlib import Path
from typing import Any

from .dataset.errors import DataError

EPILOG = """\
example:
  freeavatar data actor --face faces/webmorph/composite__m_multi.jpg --synth synth --out actor.mp4
"""


def add_actor(kinds: Any) -> None:
    """Add ``data actor`` to the command line."""
    p = kinds.add_parser(
        "actor",
        help="film of the synthetic actor, and its curves",
        description="Film an averaged face, which is no person's, in a composed performance, and "
        "write the exact curves beside the film. The other portraits of its folder teach where "
        "landmarks lie on the 3D face.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--face", type=Path, required=True, metavar="FILE", help="portrait on a light backdrop"
    )
    p.add_argument("--out", type=Path, required=True, metavar="FILE", help=".mp4 to write")
    p.add_argument("--synth", type=Path, required=True, metavar="DIR", help="has ict_face.npz")
    p.add_argument(
        "--mediapipe-bundle", type=Path, metavar="FILE", help="face_landmarker.task, finds faces"
    )
    p.add_argument(
        "--cache", type=Path, metavar="DIR", help="for face points (default: your cache folder)"
    )
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run ``data actor``."""
    import platformdirs

    from freeavatar.foundation.bundle import find_bundle

    from .dataset.actor_clip import write_actor

    ict = args.synth / "ict_face.npz"
    for file in (args.face, ict):
        if not file.is_file():
            raise DataError(f"there is no file {file}")
    cache = args.cache or platformdirs.user_cache_path("freeavatar") / "dataset"
    bundle = find_bundle(args.mediapipe_bundle)
    frames = write_actor(args.face.resolve(), args.out, ict, bundle, cache)
    print(f"{frames} frames: {args.out} and {args.out.with_suffix('.csv')}")
    return 0
