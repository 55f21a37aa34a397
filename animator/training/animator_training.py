"""Trains the animator: against the best weights on made-up rigs and by the perceptual loop."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from freeavatar.animator.animator_config import AnimatorConfig
from freeavatar.animator.animator_export import load_exported
from freeavatar.animator.animator_files import TRAINED_FILE
from freeavatar.animator.animator_net import AnimatorNet
from freeavatar.animator.columns import Columns
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.training import checkpoints
from freeavatar.foundation.training.distributed import Processes
from freeavatar.foundation.training.loop import BEST, Job, Run, RunOptions

from .batches import Performances, TrainingBatch
from .losses import AnimatorWeights, supervised_losses, total
from .perceptual import PerceptualLoop
from .separate import SeparateAnimators
from .validation import Validation, answer


@dataclass(frozen=True, kw_only=True)
class AnimatorOptions:
    """What is particular to this training."""

    config: AnimatorConfig = field(default_factory=AnimatorConfig)
    weights: AnimatorWeights = field(default_factory=AnimatorWeights)
    rigs: int = 8
    """Rigs in a batch."""
    pairs: int = 2
    """Sequences of each rig in a batch, each with its mirror image."""
    perceptual_every: int = 8
    """Steps between two that go through the perceptual loop."""
    separate: bool = False
    """A network of its own for each rig, for comparison; the rigs validated are those trained on.
    """
    start: Path | None = None
    """Goes on from these weights, see `start_from`."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse batches of nothing, and separate networks that go on from one."""
        if min(self.rigs, self.pairs, self.perceptual_every) < 1:
            raise TrainingError("a batch has at least one rig and one pair of sequences")
        if self.separate and self.start is not None:
            raise TrainingError("separate networks start untrained: leave --from out")


def train_animator(
    training: Performances,
    held: Performances,
    options: AnimatorOptions,
    run: RunOptions,
    processes: Processes,
    *,
    loop: PerceptualLoop | None = None,
    reference: Columns | None = None,
    facts: Mapping[str, Any] | None = None,
) -> checkpoints.State:
    """Train, validate, keep checkpoints in ``run.folder``.

    Args:
        training: rigs to learn from.
        held: rigs (or, for separate networks, expressions) that are not learned from.
        options: of this training.
        run: folder, budget and so on.
        processes: that train together.
        loop: the perceptual loop; None trains without.
        reference: see `AnimatorNet`.
        facts: told in ``run.json``.

    Returns:
        The state at the end.

    Raises:
        TrainingError: the folder holds another run, or the loss is no number any more.
    """
    if options.separate and loop is not None:
        raise TrainingError("separate networks know no drawn rigs: train them --without perceptual")
    net = AnimatorNet(options.config, reference)
    started = None if options.start is None else start_from(options.start, net)
    model: nn.Module = net
    if options.separate:
        model = SeparateAnimators(options.config, len(training.performances), reference)
    job = Job(
        model=model,
        config=options.config.to_dict(),
        facts={
            "trained": "animator",
            "weights": asdict(options.weights),
            "perceptual": loop is not None,
            "separate": options.separate,
            "start": started,
            "rigs": len(training.performances),
            "held rigs": len(held.performances),
            "faces": len(training.views),
            **(facts or {}),
        },
        losses=Losses(options=options, loop=loop, processes=processes),
        size=len,
        validate=Validation(held),
    )
    whole = Run(job, run, processes)
    seed = options.seed * processes.count + processes.rank
    batches = training.training(options.rigs, options.pairs, seed=seed, start=whole.state.step)
    return whole.train(batches)


@dataclass(kw_only=True)
class Losses:
    """The losses of a batch."""

    options: AnimatorOptions
    loop: PerceptualLoop | None
    processes: Processes
    steps: int = 0

    def __call__(self, model: nn.Module, batch: TrainingBatch) -> dict[str, Tensor]:
        """Every loss by name, and their weighted ``total``.

        A step through the perceptual loop counts for those between, so that the log's means can be
        compared.
        """
        batch = batch.to(self.processes.device)
        losses = supervised_losses(answer(model, batch), batch)
        if self.loop is not None:
            losses["perceptual"] = torch.zeros((), device=self.processes.device)
            if self.steps % self.options.perceptual_every == 0:
                cost = self.loop.cost(model)
                losses["perceptual"] = self.options.perceptual_every * cost
        self.steps += 1
        return {**losses, "total": total(losses, self.options.weights)}


def start_from(path: Path, net: AnimatorNet) -> dict[str, Any]:
    """Fill a network with one that was trained before; the known head stays the new one's.

    Args:
        path: a folder that `freeavatar.animator.animator_export.export_animator` wrote, as the one
            that ships, or of a run, or a checkpoint.
        net: to fill.

    Returns:
        For ``run.json``: name of the file, frames it was trained on.

    Raises:
        TrainingError: it cannot be read, or its sizes are others.
    """
    before, about = _trained_before(path, net)
    net.load_state_dict(_learnt(before), strict=False)
    return about


def average_with(path: Path, net: AnimatorNet) -> dict[str, Any]:
    """Set a network to the mean of its weights and of those it went on from.

    What was learnt last stays, and less of what was known before is lost.

    Args:
        path: as for `start_from`.
        net: to change.

    Returns:
        As `start_from`.

    Raises:
        TrainingError: the other weights cannot be read, or their sizes are others.

    Source:
        Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022.
    """
    before, about = _trained_before(path, net)
    own = net.state_dict()
    net.load_state_dict({k: (own[k] + v) / 2 for k, v in _learnt(before).items()}, strict=False)
    return about


def _trained_before(path: Path, net: AnimatorNet) -> tuple[AnimatorNet, dict[str, Any]]:
    """A network of the same sizes, and what is told of it."""
    if (path / TRAINED_FILE).is_file():
        before, samples = load_exported(path)
        file = TRAINED_FILE
    else:
        before, state = load_animator(path)
        file, samples = path.name, state.samples
    if before.config != net.config:
        raise TrainingError(f"{path}: an animator of other sizes ({before.config.to_dict()})")
    return before, {"file": file, "samples": samples}


def _learnt(net: AnimatorNet) -> dict[str, Tensor]:
    return {name: parameter.detach() for name, parameter in net.named_parameters()}


def load_animator(path: Path) -> tuple[AnimatorNet, checkpoints.State]:
    """The averaged network of a checkpoint or of a run's folder, ready to be used.

    Raises:
        TrainingError: there is none, or it is of separate networks.
    """
    checkpoint = checkpoints.load(path / BEST if path.is_dir() else path)
    if checkpoint.state.facts.get("trained") != "animator" or checkpoint.state.facts["separate"]:
        raise TrainingError(f"{path} is not a joint animator")
    net = AnimatorNet(AnimatorConfig.from_dict(checkpoint.state.config))
    checkpoints.fill(net, checkpoint.part("average"))
    return net.eval(), checkpoint.state
