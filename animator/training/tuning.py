"""Tunes one rig: learns what is particular to it, while the network that all rigs share is frozen.

Three things are learned of a rig: an addition to its identity code, which modulates the decoder
layers; additions to how each control follows each blendshape; and how far the solver is believed.

Source:
    Qiu et al., FreeAvatar, SIGGRAPH Asia 2024 (a new avatar learns its identity alone).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from freeavatar.animator.animator_batch import AnimatorBatch, RigBatch, batch_rigs
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
KEPT_SMALL = 0.15
"""Weight of the squares of what is learned: a few hundred faces do not tell everything."""
SHARES = (0.0, 0.5, 1.0)
"""How far names are followed where learning begins; what is best on the faces to learn from."""
WEIGHTS = AnimatorWeights(motion=3.0, sureness=2.0, followed=0.3)
"""Motion counts more than for all rigs together, what is certain is known."""
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
        self.named_follow: Tensor
        self.named_trust: Tensor
        self.register_buffer("named_follow", torch.zeros(SHAPES, count))
        self.register_buffer("named_trust", torch.zeros(count))

    @torch.no_grad()
    def take(self, kept: Mapping[str, FloatArray], columns: Columns) -> None:
        """What an earlier tuning learned, by the names of `Tuned.learned`."""
        if "code" in kept:
            self.code.copy_(torch.from_numpy(kept["code"]))
        for name, there in (("follow", self.named_follow), ("trust", self.named_trust)):
            if name in kept:
                there.copy_(torch.from_numpy(columns.of_sides(kept[name])))

    @torch.no_grad()
    def go_by_names(self, rigs: RigBatch, named: FloatArray, share: float) -> None:
        """Begin with controls that follow the blendshapes of their names.

        Args:
            rigs: the rig alone.
            named: (52, C) share of the largest weight for each blendshape; columns of zeros for
                controls whose names are not known.
            share: 0..1 of the way from what the network thinks.
        """
        described = self.net.describe(rigs)
        wanted = torch.from_numpy(named)
        known = wanted.any(dim=0).to(wanted.dtype)
        self.named_follow.copy_(share * known * (wanted - described.follow[0]))
        self.named_trust.copy_(-share * known * described.trust[0])

    def forward(self, given: AnimatorBatch) -> Answer:
        """Perform on the rig; see `AnimatorNet.forward`."""
        rigs = replace(given.rigs, code=given.rigs.code + self.code)
        described = self.net.describe(rigs)
        own = described._replace(
            follow=described.follow + self.named_follow + self.follow,
            trust=described.trust + self.named_trust + self.trust,
        )
        return self.net.perform(given, own)


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What came of it."""

    before: Mapping[str, float]
    """Figures of `Validation` on held-out faces, with what was there."""
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
    *,
    named: FloatArray | None = None,
    kept: Mapping[str, FloatArray] | None = None,
) -> Tuned:
    """Learn what is particular to a rig.

    Args:
        net: frozen while its rig learns.
        columns: of the rig.
        training: the rig alone, shown faces to learn from.
        held: the rig alone, shown other people's faces.
        run: folder, budget and so on; a run that was interrupted is resumed.
        named: see `TunedAnimator.go_by_names`; None for a rig whose names are not known.
        kept: what an earlier tuning learned, by the names of `Tuned.learned`; what is better than
            that is better.

    Raises:
        TrainingError: the run's folder is damaged.
    """
    judge = Validation(held)
    old = TunedAnimator(net, len(columns.upper))
    old.take(kept or {}, columns)
    before = judge(old.eval())
    model = TunedAnimator(net, len(columns.upper))
    if named is not None:
        _begin(model, training, named)
    begun = judge(model.eval()), _learned(model, columns)
    job = Job(
        model=model,
        config=net.config.to_dict(),
        facts={"trained": "rig tuning"},
        losses=_Losses(weights=WEIGHTS),
        size=len,
        validate=judge,
    )
    loop = Run(job, run, Processes())
    loop.train(training.training(1, PAIRS, start=loop.state.step))
    checkpoints.fill(model, checkpoints.load(run.folder / BEST).part("average"))
    ended = judge(model.eval()), _learned(model, columns)
    after, learned = max(begun, ended, key=lambda pair: float(pair[0]["score"]))
    return Tuned(before=before, after=after, learned=learned)


def _begin(model: TunedAnimator, training: Performances, named: FloatArray) -> None:
    """Follow names as far as is best on the faces to learn from."""
    judge = Validation(training)
    rigs = batch_rigs([training.performances[0].columns])
    scores = []
    for share in SHARES:
        model.go_by_names(rigs, named, share)
        scores.append(judge(model.eval())["score"])
    model.go_by_names(rigs, named, SHARES[scores.index(max(scores))])


def _learned(model: TunedAnimator, columns: Columns) -> dict[str, FloatArray]:
    """As `RigIdentity` keeps it."""
    follow, trust = model.named_follow + model.follow, model.named_trust + model.trust
    return {
        "code": model.code.detach().numpy().copy(),
        "follow": columns.to_sides(follow.detach().numpy()),
        "trust": columns.to_sides(trust.detach().numpy()),
    }
