"""freeavatar rig export: a rig's mapping from ARKit's curves, for an engine."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from freeavatar.rigs.spec import Rig

LEVELS = 33
"""Values from 0 to 1 at which the solver is asked what one curve does; its answers have kinks."""
EPILOG = """\
examples:
  freeavatar rig export hero --rigmapper RM_hero.json

Unreal (RigMapper plugin) reads it with RigMapperDefinition.load_from_json_file. On rigs whose
controls are ARKit's curves it means exactly what FreeAvatar does. On rigs that are driven by what
their controls move, it is that for one curve alone (within 0.05 of a control's range), and the sum
of such answers for several, where FreeAvatar weighs them against each other.
"""


def add_export(inner: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``export`` to the verbs of ``rig``."""
    p = add(inner, "export", run, "write how its controls follow ARKit's curves", EPILOG)
    p.add_argument("name", metavar="NAME", help="of a rig, or a rig file")
    p.add_argument(
        "--rigmapper", type=Path, metavar="FILE.json", required=True, help="for Unreal's RigMapper"
    )


def run(args: argparse.Namespace) -> int:
    """Write the definition and say what is in it."""
    from freeavatar.bridge.rigmapper import definition, write_definition
    from freeavatar.rigs import registry

    from .face_points import anchor_finder
    from .outlets import refuse_overwriting

    refuse_overwriting([args.name], [args.rigmapper])
    finder = None if args.name in registry.names() else anchor_finder(None)
    rig = registry.load(args.name, find_anchors=finder)
    content = definition(rig, answers(rig))
    write_definition(args.rigmapper, content)
    idle = content["null_outputs"]
    if args.json:
        summary = {
            "rig": rig.name,
            "rigmapper": str(args.rigmapper),
            "inputs": len(content["inputs"]),
            "outputs": len(content["outputs"]),
            "null_outputs": idle,
        }
        print(json.dumps(summary, indent=1, ensure_ascii=False))
        return 0
    print(
        f"{len(content['outputs'])} of {len(rig.controls)} controls follow "
        f"{len(content['inputs'])} curves: {args.rigmapper}"
    )
    if idle:
        print(f"Nothing drives {', '.join(idle)}.", file=sys.stderr)
    return 0


def answers(rig: "Rig") -> NDArray[np.float64]:
    """What the solver makes of each curve alone.

    Args:
        rig: any.

    Returns:
        (LEVELS, 52, K) distance of each control from neutral, as a share of its maximum's.

    Raises:
        RigError: nothing says what any control of the rig does.
    """
    from tqdm import tqdm

    from freeavatar.animator.solver import ExpressionSolver
    from freeavatar.rigs.conventions import ARKIT

    solver = ExpressionSolver(rig)
    span = np.array([c.maximum - c.neutral for c in rig.controls], np.float64)
    out = np.zeros((LEVELS, len(ARKIT), len(rig.controls)))
    levels = np.linspace(0.0, 1.0, LEVELS)
    columns = range(len(ARKIT))
    for column in tqdm(columns, desc=f"asking {rig.name}", disable=None, leave=False, delay=1.0):
        shapes = np.zeros(len(ARKIT))
        for row, level in enumerate(levels):
            shapes[column] = level
            out[row, column] = (solver.solve(shapes) - rig.neutral) / span
    return out
