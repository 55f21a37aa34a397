"""Tunes one rig: learns what is particular to it, while the network that all rigs share is frozen.

Three things are learned of a rig: an addition to its identity code, which modulates the decoder
layers; additions to how each control follows each blendshape; and how far the solver is believed.

Source:
    Qiu et al., FreeAvatar, SIGGRAPH Asia 2024 (a new avatar learns its identity alone).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from freeavatar.animator.animator_batch import AnimatorBatch
from freeavatar.animator.animator_config import CODE_SIZE, SHAPES
from freeavatar.animator.animator_net import AnimatorNet, Answer
from freeavatar.animator.columns import Columns
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.training import checkpoints
from freeavatar.foundation.training.distributed import Processes
from freeavatar.foundation.training.loop import BEST, Job, Run, RunOptions

from .batches import Performances, TrainingBatch
from .losses import AnimatorWeights, supervised_losses, total
from .validation import Validation

PAIRS = 16
"""Sequences of a batch, each with its mirror image."""
KEPT_SMALL = 0.02
"""Weight of the squares of what is learned: a few hundred faces do not tell everything."""
SCORED = ("weight error", "motion error")
"""What is right for one rig is known; how the known head moves is a help where it is not."""
FOLLOWED = 0.3
"""Weight of that help."""
WORTH = 0.01
"""Score, as of `Validation`, that a tuned rig must gain to be kept."""


class TunedAnimator(nn.Module):
    """A frozen animator and what is learned of one rig; untuned, it is the animator.

    Args:
        net: shared by all rigs; is frozen.
        count: columns of the rig.
    """

    def __init__(self, net: AnimatorNet, count: int) -> None:
        super().__init__()
        self.net = net.eval().requires_grad_(False)
        self.code = nn.Parameter(torch.zeros(CODE_SIZE))
        self.follow = nn.Parameter(torch.zeros(SHAPES, count))
        self.trust = nn.Parameter(torch.zeros(count))

    def forward(self, given: AnimatorBatch) -> Answer:
        """Perform on the rig; see `AnimatorNet.forward`."""
        rigs = replace(given.rigs, code=given.rigs.code + self.code)
        described = self.net.describe(rigs)
        own = described._replace(
            follow=described.follow + self.follow, trust=described.trust + self.trust
        )
        return self.net.perform(given, own)


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What came of it."""

    before: Mapping[str, float]
    """Figures of `Validation` on held-out faces."""
    after: Mapping[str, float]
    learned: Mapping[str, FloatArray]
    """``code`` (16,), ``follow`` (2, 52, K), ``trust`` (2, K), as `RigIdentity` keeps them."""

    @property
    def better(self) -> bool:
        """Whether the rig is worth changing."""
        return self.after["score"] >= self.before["score"] + WORTH


@dataclass(frozen=True, kw_only=True)
class _Losses:
    weights: AnimatorWeights

    def __call__(self, model: nn.Module, batch: TrainingBatch) -> dict[str, Tensor]:
        assert isinstance(model, TunedAnimator)
        losses = supervised_losses(model(batch.given), batch)
        sizes = (p.square().sum() for p in (model.code, model.follow, model.trust))
        size = torch.stack(list(sizes)).sum()
        return {**losses, "size": size, "total": total(losses, self.weights) + KEPT_SMALL * size}


def tune_animator(
    net: AnimatorNet,
    columns: Columns,
    training: Performances,
    held: Performances,
    run: RunOptions,
) -> Tuned:
    """Learn what is particular to a rig.

    Args:
        net: frozen while its rig learns.
        columns: of the rig.
        training: the rig alone, shown faces to learn from.
        held: the rig alone, shown other people's faces.
        run: folder, budget and so on; a run that was interrupted is resumed.

    Raises:
        TrainingError: the run's folder is damaged.
    """
    model = TunedAnimator(net, len(columns.upper))
    judge = Validation(held, SCORED)
    before = judge(model.eval())
    job = Job(
        model=model,
        config=net.config.to_dict(),
        facts={"trained": "rig tuning"},
        losses=_Losses(weights=AnimatorWeights(followed=FOLLOWED)),
        size=len,
        validate=judge,
    )
    loop = Run(job, run, Processes())
    loop.train(training.training(1, PAIRS, start=loop.state.step))
    best = checkpoints.load(run.folder / BEST)
    checkpoints.fill(model, best.part("average"))
    after: dict[str, Any] = judge(model.eval())
    learned = {
        "code": model.code.detach().numpy(),
        "follow": columns.to_sides(model.follow.detach().numpy()),
        "trust": columns.to_sides(model.trust.detach().numpy()),
    }
    return Tuned(before=before, after=after, learned=learned)
