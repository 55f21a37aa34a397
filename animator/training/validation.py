"""How far the animator and the solver are from the best answers, on rigs that neither has seen."""

from collections import defaultdict
from typing import Any

from torch import Tensor, nn

from freeavatar.animator.animator_net import Answer

from .batches import Performances, TrainingBatch

RIGS = 8
"""Rigs in a batch."""
STILL = 1e-3
"""Most that the best weights of a face that rests change from frame to frame."""
ERRORS = ("weight error", "motion error", "following error")
SCORED = ("weight error", "motion error")
"""Of these the score is made: the known head's motion, which the solver follows by construction, is
not the rig's own, and the longer a network learns the rig's own, the less it follows the other."""
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

        ``weight error`` is absolute, ``motion error`` the share of the face points' squared motion
        that is missed, ``following error`` the same of the known head's motion, as far as the rig
        can follow it; ``unsteadiness`` the change between frames of a face that rests, ``calm`` the
        mean weight of a neutral face. What none of the rigs shows is left out: no rig without face
        points, no figure of them. ``score`` is the share of the solver's errors that the network
        does away with, mean of those in `SCORED`.
        """
        figures: dict[str, list[float]] = defaultdict(list)
        for batch in self._held.all_in_turn(RIGS, PAIRS):
            found = answer(model, batch)
            for name, weights in (("", found.weights), ("solver ", batch.solver)):
                for key, value in _errors(weights.detach().float(), batch).items():
                    figures[name + key] += [float(x) for x in value if x == x]
        means = {k: sum(v) / len(v) for k, v in figures.items() if v}
        left = [means[k] / max(means[f"solver {k}"], 1e-9) for k in SCORED if k in means]
        return {**means, "score": 1.0 - sum(left) / len(left)}


def answer(model: nn.Module, batch: TrainingBatch) -> Answer:
    """Of a joint network, or of networks for each rig."""
    inner = model.module if hasattr(model, "module") else model
    if getattr(inner, "each", None) is not None:
        separate: Answer = model(batch.given, batch.numbers)
        return separate
    joint: Answer = model(batch.given)
    return joint


def _errors(found: Tensor, batch: TrainingBatch) -> dict[str, list[float]]:
    """Figures of each rig; NaN where there is nothing to measure."""
    out: dict[str, list[float]] = defaultdict(list)
    for rig in range(len(batch.numbers)):
        mine = batch.given.rig == rig
        valid = batch.given.rigs.valid[rig]
        wrong = (found - batch.ideal)[mine][..., valid]
        out["weight error"].append(float(wrong.abs().mean()))
        motion = batch.given.rigs.motion[rig][valid]
        anchored = bool(motion.any())
        for key, wanted in (("motion error", batch.ideal), ("following error", batch.followed)):
            missed = _missed(found[mine][..., valid] @ motion, wanted[mine][..., valid] @ motion)
            out[key].append(missed if anchored else float("nan"))
        out["faceless weight error"].append(float("nan") if anchored else float(wrong.abs().mean()))
        still = batch.ideal[mine].diff(dim=1).abs().amax(dim=(1, 2)) < STILL
        changes = found[mine][still].diff(dim=1)[..., valid].abs()
        out["unsteadiness"].append(float(changes.mean()) if len(changes) else float("nan"))
        calm = found[mine][batch.calm[mine]][..., valid]
        out["calm"].append(float(calm.mean()) if len(calm) else float("nan"))
    return out


def _missed(motion: Tensor, wanted: Tensor) -> float:
    """Share of the squared motion (N, T, F) about its mean that another one misses."""
    about = wanted - wanted.mean(dim=(0, 1), keepdim=True)
    return float((motion - wanted).square().sum() / about.square().sum().clamp(min=1e-9))
