"""Tunes a registered rig: what the animator and the neural renderer should know of it alone.

Everything lies in a folder beside the rig until it is done, so that a run that was interrupted goes
on where it was.
"""

from pathlib import Path

import numpy as np

from freeavatar.animator.animator_export import load_exported
from freeavatar.animator.animator_files import WEIGHTS
from freeavatar.animator.columns import Columns, columns_of
from freeavatar.animator.identity import RigIdentity
from freeavatar.animator.naming import name_map
from freeavatar.animator.training.batches import Performances
from freeavatar.animator.training.expression_views import ExpressionViews, gather_views
from freeavatar.animator.training.performances import perform
from freeavatar.animator.training.sequences import random_sequences
from freeavatar.animator.training.training_rig import (
    TrainingRig,
    mirrored_columns,
    nameless,
    solved,
)
from freeavatar.animator.training.tuning import Tuned, tune_animator
from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.foundation.expression_model import ExpressionModel
from freeavatar.foundation.training.loop import LAST, RunOptions
from freeavatar.foundation.training.schedule import Budget, Schedule
from freeavatar.rigs.spec import FloatArray, Rig

FACES = Path(__file__).parents[1] / "data" / "faces"
"""Shards of rendered heads that ship: to learn from, and of other people to judge by."""
COUNT = 1000
"""Faces at most."""
SEQUENCES = {"train": 160, "validation": 32}
RATE = 2e-3


def tune_rig_animator(
    rig: Rig, identity: RigIdentity, folder: Path, minutes: float, *, weights: Path = WEIGHTS
) -> Tuned:
    """Learn how the animator should drive one rig.

    Right is what the solver makes of the true expressions, which goes by names where the rig has
    names that are known, and by face points elsewhere.

    Args:
        rig: registered, with something that tells what its controls do.
        identity: of the rig.
        folder: for what is learned until it is done.
        minutes: of learning.
        weights: folder of the animator.

    Raises:
        RigError: nothing tells what the rig's controls do.
        TrainingError: what lies in the folder is damaged, or the animator cannot be learned from.
    """
    columns = columns_of(identity.descriptors)
    told = TrainingRig(
        columns=columns,
        solved=nameless(rig, columns),
        ideal=solved(rig, columns),
        mirrored=mirrored_columns(identity.descriptors, columns),
    )
    training, held = (
        Performances([perform(told, random_sequences(views, SEQUENCES[split], make))], views)
        for split in SEQUENCES
        for views, make in [(_views(folder, split), np.random.default_rng(len(split)))]
    )
    run = resumable(folder / "animator", minutes, rate=RATE, average=0.98)
    net, _ = load_exported(weights)
    learned = {name: getattr(identity, name) for name in ("code", "follow", "trust")}
    return tune_animator(
        net,
        columns,
        training,
        held,
        run,
        named=_by_name(rig, columns),
        kept={name: array for name, array in learned.items() if array is not None},
    )


def resumable(folder: Path, minutes: float, *, rate: float, average: float) -> RunOptions:
    """How one part of a rig is tuned; what lies in the folder is gone on with.

    Args:
        folder: of the run.
        minutes: of learning.
        rate: highest learning rate.
        average: decay of the weights' moving average.
    """
    return RunOptions(
        folder=folder,
        budget=Budget(minutes=minutes),
        schedule=Schedule(peak=rate),
        resume=(folder / LAST).is_file(),
        validate_every=50,
        weight_decay=0.0,
        average_decay=average,
        half=False,
    )


def _by_name(rig: Rig, columns: Columns) -> FloatArray | None:
    """(52, C) how controls follow blendshapes by their names; None where no name is known."""
    names = name_map(rig)
    if not len(names.direct):
        return None
    sides = np.zeros((2, len(BLENDSHAPES), len(rig.controls)), np.float32)
    sides[0, names.shapes, names.direct] = names.scale
    return columns.of_sides(sides)


def _views(folder: Path, split: str) -> ExpressionViews:
    return gather_views([FACES], split, COUNT, folder / f"{split}-faces", ExpressionModel())
