"""How far the animator and the solver are from the best answers, on rigs that neither has seen."""

from collections import defaultdict
from typing import Any

from torch import Tensor, nn

from .batches import Performances, TrainingBatch
from .losses import SMALLEST

RIGS = 8
"""Rigs in a batch."""
STILL = 1e-3
"""Most that the best weights of a face that rests change from frame to frame."""
PAIRS = 6
"""Sequences of each rig, each with its mirror image."""


class Validation:
    """Judges a network on the same performances each time.

    Args:
        held: rigs that are not trained on.
    """

    def __init__(self, held: Performances) -> None:
        self._held = held

    def __call__(self, model: nn.Module) -> dict[str, Any]:
        """Mean figures over rigs, those of the solver with ``solver`` before their names.

        ``weight error`` is absolute, ``motion error`` in weighted features, ``unsteadiness`` the
        change between frames of a face that rests, ``calm`` the mean weight of a neutral face.
        What none of the rigs shows is left out: no rig without face points, no figure of them.
        ``score`` is the share of the solver's errors that the network does away with.
        """
        figures: dict[str, list[float]] = defaultdict(list)
        for batch in self._held.all_in_turn(RIGS, PAIRS):
            found = answer(model, batch)
            for name, weights in (("", found), ("solver ", batch.given.solver)):
                for key, value in _errors(weights.detach().float(), batch).items():
                    figures[name + key] += [float(x) for x in value if x == x]
        means = {k: sum(v) / len(v) for k, v in figures.items() if v}
        errors = ("weight error", "motion error")
        left = [means[k] / max(means[f"solver {k}"], 1e-9) for k in errors if k in means]
        return {**means, "score": 1.0 - sum(left) / len(left)}


def answer(model: nn.Module, batch: TrainingBatch) -> Tensor:
    """Column weights (N, T, C) of a joint network, or of networks for each rig."""
    inner = model.module if hasattr(model, "module") else model
    if getattr(inner, "each", None) is not None:
        separate: Tensor = model(batch.given, batch.numbers)
        return separate
    joint: Tensor = model(batch.given)
    return joint


def _errors(found: Tensor, batch: TrainingBatch) -> dict[str, list[float]]:
    """Figures of each rig; NaN where there is nothing to measure."""
    out: dict[str, list[float]] = defaultdict(list)
    for rig in range(len(batch.numbers)):
        mine = batch.given.rig == rig
        valid = batch.given.rigs.valid[rig]
        wrong = (found - batch.ideal)[mine][..., valid]
        out["weight error"].append(float(wrong.abs().mean()))
        moved = wrong @ batch.given.rigs.motion[rig][valid]
        anchored = bool(batch.given.rigs.motion[rig].any())
        motion = (moved.square().sum(-1) + SMALLEST).sqrt().mean()
        out["motion error"].append(float(motion) if anchored else float("nan"))
        out["faceless weight error"].append(float("nan") if anchored else float(wrong.abs().mean()))
        still = batch.ideal[mine].diff(dim=1).abs().amax(dim=(1, 2)) < STILL
        changes = found[mine][still].diff(dim=1)[..., valid].abs()
        out["unsteadiness"].append(float(changes.mean()) if len(changes) else float("nan"))
        calm = found[mine][batch.calm[mine]][..., valid]
        out["calm"].append(float(calm.mean()) if len(calm) else float("nan"))
    return out
