"""freeavatar eval animator: how well rigs follow test people, by the animator and by the solver."""

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeavatar.foundation.errors import SourceError
from freeavatar.rigs.errors import RigError

from .arguments import whole_number
from .torch_first import import_torch

if TYPE_CHECKING:
    from freeavatar.rigs.spec import Rig

    from .evaluation.animator_figures import Followed, Method, Readings
    from .evaluation.resting_rigs import Restless

EPILOG = """\
The faces are those of people that no network has learned from: the test-*.tar that `freeavatar
data` writes. "nameless" is the solver without control names, which is all that the animator has;
"named" is the solver with them. Columns: mean correlation of the face points' motion with a known
head's; "own" with the rig's own motion, where ARKit's names tell it; mean error of the controls
that have these names; "drawn" distance of what the drawn rig and the actor express (one minus the
cosine of the embeddings).

examples:
  freeavatar eval animator --data data/puppets data/avatars --rig mannequin --rig hero.glb
  freeavatar eval animator --data data/avatars --animator runs/animator/weights --rig hero
"""
BATCH = 32


def add_animator(kinds: Any) -> None:
    """Add ``eval animator`` to the command line."""
    p = kinds.add_parser(
        "animator",
        help="the animator on rigs it has never seen, beside the solver",
        description="Measure how well rigs follow test people.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--data", nargs="+", type=Path, required=True, metavar="FOLDER", help="with test-*.tar"
    )
    p.add_argument("--rig", action="append", required=True, metavar="NAME", help="or a rig file")
    p.add_argument(
        "--animator", type=Path, metavar="FOLDER", help="its network; default: the one that ships"
    )
    p.add_argument(
        "--limit",
        type=whole_number(20, math.inf),
        default=600,
        metavar="N",
        help="faces that are read (default: %(default)s)",
    )
    p.add_argument(
        "--drawn",
        type=whole_number(0, math.inf),
        default=0,
        metavar="N",
        help="faces for which every rig is drawn and read, too (default: none)",
    )
    p.add_argument(
        "--resting",
        nargs="?",
        const=Path(),
        type=Path,
        metavar="SHARED",
        help="also what the rigs do while faces rest, before a camera's noise and while the head "
        "turns: the mannequin's, and those in SHARED/rigs and SHARED/faces/webmorph; with the "
        "network that ships only",
    )
    p.add_argument("--json", action="store_true", help="figures for scripts")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.resting is not None and args.animator is not None:
        raise SourceError("--resting measures the network that ships: leave out --animator")
    import_torch()
    from freeavatar.animator.reference import built_in_reference
    from freeavatar.foundation.expression_model import ExpressionModel
    from freeavatar.rigs import registry

    from .evaluation.animator_figures import followed, hard_table, table
    from .evaluation.drawn_expressions import expressed
    from .evaluation.resting_rigs import resting_lines
    from .face_points import anchor_finder

    finder = anchor_finder(None)
    rigs = [registry.load(name, find_anchors=finder) for name in dict.fromkeys(args.rig)]
    methods = _methods(args.animator)
    readings = read_faces(args.data, args.limit)
    source = built_in_reference()
    look = partial(expressed, model=ExpressionModel()) if args.drawn else None
    figures: dict[str, dict[str, Followed]] = {}
    for rig in rigs:
        rows = figures.setdefault(rig.name, {})
        for name, make in methods.items():
            try:
                rows[name] = followed(
                    rig, make(rig), readings, source, expressed=look, drawn=args.drawn
                )
            except RigError as error:
                print(f"{rig.name}, {name}: {error}", file=sys.stderr)
    rested = {} if args.resting is None else resting_figures(args.resting, rigs)
    if args.json:
        summary = _plain(figures, len(readings)) | {"resting": _resting_summary(rested)}
        print(json.dumps(summary, indent=1))
        return 0
    print(f"{len(readings)} faces of test people")
    print("\n".join(table(figures, list(methods))))
    print("\n".join(["", *hard_table(figures, list(methods))]))
    if rested:
        print("\n".join(["", *resting_lines(rested)]))
    return 0


def resting_figures(data: Path, rigs: "list[Rig]") -> "dict[str, dict[str, dict[str, Restless]]]":
    """Resting face to rig to method to how far its controls move.

    Args:
        data: see `turning_faces`; a folder without any gives the mannequin alone.
        rigs: that perform the faces.
    """
    from freeavatar.foundation.bundle import bundle_at_hand

    from .evaluate_clips import cache_folder
    from .evaluation.resting_rigs import METHODS, read_resting, restless
    from .evaluation.turning_faces import turning_faces

    found: dict[str, dict[str, dict[str, Restless]]] = {}
    for name, frames in turning_faces(data, bundle_at_hand(), cache_folder(None)):
        face = read_resting(frames)
        rows = found.setdefault(name, {rig.name: {} for rig in rigs})
        for method, animator in METHODS.items():
            for rig, one in zip(rigs, restless(rigs, face, animator=animator), strict=True):
                rows[rig.name][method] = one
    return found


def read_faces(folders: list[Path], limit: int) -> "Readings":
    """What is known of the faces of test shards, and what the embedded network reads of them.

    Channels that a head cannot show count as 0.

    Raises:
        SourceError: a folder has no such shards.
    """
    import numpy as np

    from freeavatar.foundation.expression_model import ExpressionModel

    from .evaluation.animator_figures import Readings
    from .evaluation.predictions import network_view
    from .evaluation.shards import load_truth

    truth = load_truth(folders, limit=limit)
    crops, model = network_view(truth.pictures), ExpressionModel()
    outputs = [model.read(crops[i : i + BATCH]) for i in range(0, len(crops), BATCH)]
    return Readings(
        known=np.nan_to_num(truth.blendshapes).astype(np.float32),
        read=np.clip(np.concatenate([o.blendshapes for o in outputs]), 0.0, 1.0),
        tokens=np.concatenate([o.tokens for o in outputs]),
        embedding=np.concatenate([o.embedding for o in outputs]),
    )


class _Solver:
    """The solver, without memory."""

    def __init__(self, rig: "Rig", use_names: bool) -> None:
        from freeavatar.animator.solver import ExpressionSolver

        self._solver = ExpressionSolver(rig, use_names=use_names)

    def solve(self, blendshapes: Any, tokens: Any) -> Any:
        """See `Method`."""
        return self._solver.solve(blendshapes)


class _Animator:
    """The animator, each face a stream of its own."""

    def __init__(self, rig: "Rig", folder: Path | None) -> None:
        from freeavatar.animator.animator_model import Animator

        self._animator = Animator(rig, folder=folder)

    def solve(self, blendshapes: Any, tokens: Any) -> Any:
        """See `Method`."""
        self._animator.reset()
        return self._animator.solve(blendshapes, tokens)


def _methods(folder: Path | None) -> "Mapping[str, Callable[[Rig], Method]]":
    from freeavatar.animator.animator_files import FRAME_FILE, WEIGHTS

    methods: dict[str, Callable[[Rig], Method]] = {
        "named": lambda rig: _Solver(rig, True),
        "nameless": lambda rig: _Solver(rig, False),
    }
    if folder is not None or (WEIGHTS / FRAME_FILE).is_file():
        methods["animator"] = lambda rig: _Animator(rig, folder)
    return methods


def _plain(figures: "dict[str, dict[str, Followed]]", faces: int) -> dict[str, Any]:
    rows = {
        rig: {
            method: {
                "mean": _known(one.mean),
                "own": _known(one.own),
                "error": _known(one.error),
                "drawn": _known(one.distance),
                "motion": dict(one.motion),
                "hard": dict(one.hard),
            }
            for method, one in by_method.items()
        }
        for rig, by_method in figures.items()
    }
    return {"faces": faces, "rigs": rows}


def _resting_summary(
    rested: "Mapping[str, Mapping[str, Mapping[str, Restless]]]",
) -> dict[str, Any]:
    return {
        face: {rig: {m: asdict(one) for m, one in row.items()} for rig, row in rigs.items()}
        for face, rigs in rested.items()
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
