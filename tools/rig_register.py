"""freeavatar rig register: read a rig file, learn what its controls do, keep it."""

import argparse
import json
import logging
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeavatar.foundation.errors import ReaderError
from freeavatar.rigs.errors import RenderError

from .face_points import anchor_finder, given_anchors
from .rig_tune import MINUTES, tune
from .torch_first import import_torch

if TYPE_CHECKING:
    from freeavatar.animator.identity import RigIdentity
    from freeavatar.rigs.registry import FindAnchors
    from freeavatar.rigs.spec import Rig

log = logging.getLogger(__name__)

STEPS = 3
"""Of the registry's, told one by one; drawing has a bar of its own."""
EPILOG = """\
examples:
  freeavatar rig register hero.vrm
  freeavatar rig register head_v3.glb --name hero --force
  freeavatar rig register robot.glb --no-anchors    no face to find: driven by names and pictures
  freeavatar rig register dragon.glb --anchors dragon.toml
  freeavatar rig register hero.vrm --tune           ten minutes more; again after an interruption
  freeavatar rig register dragon.glb --anchors nose_tip=512,430 chin=512,700 \\
      eye_corner_outer_left=690,330 mouth_corner_left=620,560

Where no face is found by itself, --anchors gives a few of its points; the rest is filled in from
the proportions of a head. A point is NAME=X,Y in pixels of the picture that
'freeavatar rig show FILE --front FRONT.png' writes, or NAME=X,Y,Z in metres (y up, the face looks
along +z). Left is the character's, and a point of one side stands for the other too. Three points
are the least, a dozen are good: eye_corner_outer_left, eye_corner_inner_left, lid_upper_mid_left,
lid_lower_mid_left, brow_mid_upper_left, nose_root, nose_tip, nose_wing_left, mouth_corner_left,
upper_lip_line, chin, jaw_angle_left. In a file they are lines of a table:

  [points]
  nose_tip = [512, 430]
  chin = [512, 700]

With --tune the rig then performs faces that are known and is drawn, and what is particular to it is
learned; the networks that all rigs share stay as they are. What is no better than before is not
kept. It needs torch: pip install 'freeavatar[train]'.

The rig is kept with a copy of its file in your data folder; edit its rig.toml to change ranges or
what a control stands for.
"""

AddVerb = Callable[
    [Any, str, Callable[[argparse.Namespace], int], str, str], argparse.ArgumentParser
]


def add_register(inner: Any, add: AddVerb) -> None:
    """Add ``rig register`` to the verbs of ``rig``."""
    p = add(inner, "register", _register, "read a rig file and keep it", EPILOG)
    p.add_argument(
        "file", type=Path, metavar="FILE|FOLDER", help=".glb, .gltf, .vrm or a folder of .obj"
    )
    p.add_argument("--name", help="default: the file's name")
    p.add_argument("--force", action="store_true", help="replace a rig of this name")
    face = p.add_mutually_exclusive_group()
    face.add_argument("--no-anchors", action="store_true", help="do not look for the face")
    face.add_argument(
        "--anchors",
        nargs="+",
        metavar="FILE.toml|NAME=X,Y[,Z]",
        help="points of the face that you give, see below",
    )
    p.add_argument("--no-pictures", action="store_true", help="do not draw what controls look like")
    p.add_argument("--mediapipe-bundle", type=Path, metavar="FILE", help="landmark model")
    p.add_argument("--tune", action="store_true", help="learn what is particular to the rig")
    p.add_argument(
        "--tune-minutes",
        type=_minutes,
        default=MINUTES,
        metavar="M",
        help="time of learning with --tune; default %(default)s",
    )


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0.0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no time: minutes, above 0")
    return minutes


def _register(args: argparse.Namespace) -> int:
    from freeavatar.rigs import registry

    if args.tune:
        import_torch()
    rig = _there(args) if args.tune and not args.force else None
    if rig is None:
        rig, report = _fresh(args)
    else:
        report = {"rig": rig.name}
        print(
            f"{rig.name} is registered already and is tuned now; --force registers it anew.",
            file=sys.stderr,
        )
    place = registry.folder() / rig.name
    if args.tune:
        from freeavatar.animator.identity import load_identity

        known = load_identity(rig)
        report["tuned"] = tune(rig, known, place / "tuning", args.tune_minutes, quiet=args.json)
    if args.json:
        print(json.dumps({**report, "folder": str(place)}, indent=1, ensure_ascii=False))
    else:
        print(f"Registered as {rig.name}. Try: freeavatar rig show {rig.name}", file=sys.stderr)
    return 0


def _there(args: argparse.Namespace) -> "Rig | None":
    """The rig, where this file is registered already."""
    from freeavatar.rigs import registry
    from freeavatar.rigs.loaders.load import load_rig

    name = args.name or registry.name_from(args.file)
    if name not in registry.registered():
        return None
    rig = registry.load(name)
    return rig if load_rig(args.file).source_sha256 == rig.source_sha256 else None


def _fresh(args: argparse.Namespace) -> tuple["Rig", dict[str, Any]]:
    kept: list[RigIdentity] = []

    def keep(rig: "Rig", folder: Path) -> None:
        from freeavatar.animator.identity import FILE_NAME, write_identity

        kept.append(identity_of(rig, pictures=not args.no_pictures))
        write_identity(rig, kept[0], folder / FILE_NAME)

    rig = _registered(args, _finder(args), keep)
    return rig, _report(args, rig, kept[0])


def _registered(
    args: argparse.Namespace, find: "FindAnchors | None", keep: Callable[["Rig", Path], None]
) -> "Rig":
    from tqdm import tqdm

    from freeavatar.rigs import registry

    with tqdm(total=STEPS, disable=None, leave=False, delay=1.0, bar_format="{desc} {bar}") as bar:

        def progress(step: str) -> None:
            bar.set_description(step)
            bar.update()

        return registry.register(
            args.file,
            args.name,
            force=args.force,
            find_anchors=find,
            also_keep=keep,
            progress=progress,
        )


def _finder(args: argparse.Namespace) -> "FindAnchors | None":
    if args.anchors:
        return given_anchors(args.anchors)
    return None if args.no_anchors else anchor_finder(args.mediapipe_bundle)


def identity_of(rig: "Rig", *, pictures: bool = True) -> "RigIdentity":
    """What the networks should know of a rig, with progress on a terminal.

    Where the rig cannot be drawn, a warning says so and its face points have to do.

    Args:
        rig: as it will be loaded.
        pictures: False draws nothing.
    """
    from freeavatar.animator.descriptors import descriptors_of
    from freeavatar.animator.identity import RigIdentity

    if pictures and rig.mesh is not None and len(rig.mesh.triangles):
        try:
            return _drawn(rig)
        except (RenderError, ReaderError, ImportError) as error:
            log.warning("%s: what its controls look like was not drawn: %s", rig.name, error)
            log.warning("%s: its controls are known by their motion of face points only", rig.name)
    return RigIdentity(descriptors=descriptors_of(rig))


def _drawn(rig: "Rig") -> "RigIdentity":
    from tqdm import tqdm

    from freeavatar.animator.control_pictures import foundation_view
    from freeavatar.animator.descriptors import descriptors_of
    from freeavatar.animator.identity import RigIdentity
    from freeavatar.renderer_net.capturing import appearance_of

    view = foundation_view()
    words = f"drawing the controls of {rig.name}"
    with tqdm(total=len(rig.controls), desc=words, disable=None, leave=False, delay=1.0) as bar:

        def drawn() -> None:
            bar.update()

        descriptors = descriptors_of(rig, view, progress=drawn)
    words = f"learning what {rig.name} looks like"
    with tqdm(desc=words, bar_format="{desc} …", disable=None, leave=False):
        return RigIdentity(descriptors=descriptors, appearance=appearance_of(rig))


def _report(args: argparse.Namespace, rig: "Rig", identity: "RigIdentity") -> dict[str, Any]:
    """Print what was found, for a person; the same as fields of a summary."""
    from freeavatar.rigs.check import check

    report = check(rig)
    points = 0 if identity.appearance is None else len(identity.appearance.points)
    drawn = identity.descriptors.drawn
    if not args.json:
        print("\n".join(report.lines()))
        if drawn:
            print(
                f"Every control was drawn and read; {points:,} points of the surface are kept.",
                file=sys.stderr,
            )
    return {**report.to_dict(), "identity": {"drawn": drawn, "surface_points": points}}
