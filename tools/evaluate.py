"""freeavatar eval: measures how exactly rigs are solved and faces are read."""

import argparse
import json
import math
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import whole_number
from .evaluate_animator import add_animator
from .evaluate_clips import add_clips
from .evaluate_foundation import add_foundation
from .evaluate_quality import add_quality
from .evaluate_renderer import add_renderer
from .inputs import DEMO_TAKE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from freeavatar.animator.comparison import Carried, RoundTrip
    from freeavatar.rigs.spec import Rig

EPILOG = """\
Two measurements. Round trip: random combinations of up to six controls deform the mesh, and the
solver recovers all controls from it; reported is the mean absolute error, a share of the range.
Carried: ARKit curves are performed by the source head and solved onto every other rig without its
control names; reported is how alike the face points move (correlation by region; 1 is the same).

examples:
  freeavatar eval rigs
  freeavatar eval rigs mannequin toon hero.glb --samples 500
  freeavatar eval rigs hero.glb --source ict.glb --curves MySlate_1_iPhone.csv --json
"""
KINDS = """\
examples:
  freeavatar eval rigs
  freeavatar eval clips take.mp4
  freeavatar eval foundation --shards data/puppets
"""


def add_verb(verbs: Any) -> None:
    """Add ``eval`` to the command line."""
    parser = verbs.add_parser(
        "eval",
        help="measure how exactly rigs are solved and faces are read",
        description="Measure quality on this machine and print tables.",
        epilog=KINDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(metavar="WHAT", required=True)
    rigs = kinds.add_parser(
        "rigs",
        help="round trip and transfer between rigs",
        description="Measure round trips through rigs and the transfer of motion between them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    rigs.add_argument(
        "rig",
        nargs="*",
        default=["mannequin", "toon", "fox"],
        metavar="RIG",
        help="name or file (default: the built-in rigs)",
    )
    rigs.add_argument(
        "--source", default="mannequin", metavar="RIG", help="ARKit head (default: %(default)s)"
    )
    rigs.add_argument(
        "--curves",
        type=Path,
        action="append",
        metavar="TAKE",
        help="ARKit take, may be repeated (default: the bundled one)",
    )
    rigs.add_argument(
        "--samples",
        type=whole_number(1, math.inf),
        default=200,
        metavar="N",
        help="round trips (default: 200)",
    )
    rigs.add_argument(
        "--seed",
        type=whole_number(0, math.inf),
        default=0,
        metavar="N",
        help="of the combinations (default: 0)",
    )
    rigs.add_argument("--mediapipe-bundle", type=Path, metavar="FILE", help="face_landmarker.task")
    rigs.add_argument("--points", action="store_true", help="also a row for every face point")
    rigs.add_argument("--json", action="store_true", help="figures for scripts, every face point")
    rigs.set_defaults(run=run)
    add_clips(kinds)
    add_foundation(kinds)
    add_quality(kinds)
    add_renderer(kinds)
    add_animator(kinds)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from tqdm import tqdm

    from freeavatar.animator.comparison import carry, round_trip
    from freeavatar.animator.reference import reference_of

    source = _load(args.source, args.mediapipe_bundle)
    rigs = [_load(name, args.mediapipe_bundle) for name in args.rig]
    head = reference_of(source)
    curves = {path.stem: _shapes(path) for path in args.curves or [DEMO_TAKE]}
    trips: list[RoundTrip] = []
    carried: list[tuple[str, Carried]] = []
    for rig in tqdm(rigs, desc="rigs", unit="rig", disable=None, file=sys.stderr):
        trips.append(round_trip(rig, samples=args.samples, seed=args.seed))
        if rig.anchors is not None and rig.name != source.name:
            carried += [(name, carry(shapes, head, rig)) for name, shapes in curves.items()]
    if args.json:
        print(json.dumps(_summary(source.name, trips, carried), indent=1))
    else:
        lines = [*_round_trip_lines(trips), "", *_carried_lines(source.name, carried)]
        if args.points:
            lines += ["", *_point_lines(carried)]
        print("\n".join(lines))
    return 0


def _load(name: str, bundle: Path | None) -> "Rig":
    """A rig with a mesh, and with face points where a face is to be seen."""
    from freeavatar.rigs import registry
    from freeavatar.rigs.errors import RigError

    from .face_points import anchor_finder

    rig = registry.load(name)
    if rig.mesh is None:
        raise RigError(f"rig {rig.name} has no mesh to measure: choose one that has")
    return rig if rig.anchors is not None else replace(rig, anchors=anchor_finder(bundle)(rig))


def _shapes(path: Path) -> "NDArray[np.floating[Any]]":
    """(T, 52) curves of an ARKit take."""
    import numpy as np

    from freeavatar.animator.performer import expressions_from_take
    from freeavatar.bridge.takes.opening import read_take

    return np.stack([e.blendshapes for e in expressions_from_take(read_take(path)) if e.found])


def _summary(
    source: str, trips: "list[RoundTrip]", carried: "list[tuple[str, Carried]]"
) -> dict[str, Any]:
    return {
        "round_trip": [asdict(trip) for trip in trips],
        "source": source,
        "carried": [
            {
                "rig": c.rig,
                "curves": curves,
                "regions": {
                    region: dict(zip(("mean", "lowest", "gain", "points"), row, strict=True))
                    for region, row in c.by_region().items()
                },
                "correlation": c.correlation,
                "gain": c.gain,
            }
            for curves, c in carried
        ],
    }


def _round_trip_lines(trips: "list[RoundTrip]") -> list[str]:
    lines = [f"{'round trip':28} {'error':>8} {'of set':>8}  remarks"]
    for trip in trips:
        remarks = [f"{name} {error:.3f}" for name, error in trip.worst]
        if trip.dead:
            remarks.append(f"dead: {', '.join(trip.dead[:4])}{' …' * (len(trip.dead) > 4)}")
        lines.append(
            f"{trip.rig:28} {trip.error:8.4f} {trip.active_error:8.4f}  {'; '.join(remarks)}"
        )
    return lines


def _carried_lines(source: str, carried: "list[tuple[str, Carried]]") -> list[str]:
    wide = max([len(f"{c.rig}, {curves}") for curves, c in carried] + [28])
    lines = [
        f"{'carried from ' + source:{wide}} {'region':10} {'mean':>6} {'lowest':>7} {'gain':>6}"
    ]
    for curves, c in carried:
        for region, (mean, lowest, gain, _) in c.by_region().items():
            name = f"{c.rig}, {curves}"
            lines.append(f"{name:{wide}} {region:10} {mean:6.3f} {lowest:7.3f} {gain:6.2f}")
    return lines


def _point_lines(carried: "list[tuple[str, Carried]]") -> list[str]:
    """A row for each face point, a column for each rig: mean correlation over all takes."""
    from freeavatar.animator.anchor_table import ANCHORS

    rigs = list(dict.fromkeys(c.rig for _, c in carried))
    lines = [f"{'face point':28}" + "".join(f" {rig[:15]:>15}" for rig in rigs)]
    for name in (a.name for a in ANCHORS):
        row = ""
        for rig in rigs:
            values = [
                c.correlation[name] for _, c in carried if c.rig == rig and name in c.correlation
            ]
            row += f" {sum(values) / len(values):15.3f}" if values else f" {'-':>15}"
        if row.strip(" -"):
            lines.append(f"{name:28}{row}")
    return lines
