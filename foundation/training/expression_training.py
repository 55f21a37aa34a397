"""Trains the expression network: heads and embedding together.

Each batch may carry second views of its first pictures (the same pictures, jittered otherwise, half
of them mirrored), on which the network must say the same; that needs no label, so pictures of real
people with nothing known of them take part. It may carry triplets of faces that people have
compared, too; they act on the embedding.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from freeavatar.foundation.config import ExpressionConfig
from freeavatar.foundation.contrastive import CONTRASTIVE, compared_loss
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.heads import ExpressionOutput

from . import checkpoints
from .distributed import Processes
from .feeding import Feed, Pictures
from .loop import BEST, Job, Run, RunOptions
from .losses import (
    LossWeights,
    channel_weights,
    consistency_losses,
    head_losses,
    landmark_weights,
    weighted_sum,
)
from .metrics import channel_correlations, expression_figures, triplet_accuracy
from .warm_start import start_from

WEIGHED = 4096
"""Pictures from which the weights of the channels are taken."""


@dataclass(frozen=True, kw_only=True)
class ExpressionOptions:
    """What is particular to this training."""

    config: ExpressionConfig = field(default_factory=ExpressionConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    contrastive: str = "both"
    """A name of `freeavatar.foundation.contrastive.CONTRASTIVE`."""
    mae: Path | None = None
    """Checkpoint or run of a masked autoencoder whose encoder is taken over."""
    start: Path | None = None
    """Weights to start from: an exported file, a checkpoint or a run, see `start_from`."""
    frozen: int = 0
    """Stages of the stem that stay as they started."""

    def __post_init__(self) -> None:
        """Refuse an unknown loss."""
        if self.contrastive not in CONTRASTIVE:
            names = ", ".join(CONTRASTIVE)
            raise TrainingError(f"there is no contrastive loss {self.contrastive!r}; {names}")
        if self.mae is not None and self.start is not None:
            raise TrainingError("start from an autoencoder or from other weights, not from both")
        stages = len(self.config.encoder.stem_widths)
        if not 0 <= self.frozen <= stages:
            raise TrainingError(f"the stem has {stages} stages, of which {self.frozen} cannot stay")
        if self.frozen and self.mae is None and self.start is None:
            raise TrainingError(
                "stages that were never trained cannot stay as they are: add --from"
            )


def train_expression(
    feed: Feed, options: ExpressionOptions, run: RunOptions, processes: Processes
) -> checkpoints.State:
    """Train, validate, keep checkpoints in ``run.folder``.

    Args:
        feed: training and validation pictures.

    Returns:
        The state at the end.

    Raises:
        TrainingError: the folder holds another run, or the loss is no number any more.
    """
    model = ExpressionNet(options.config)
    judged = feed.validation()
    started: dict[str, Any] = {}
    if options.mae is not None:
        model.encoder.load_state_dict(pretrained_encoder(options.mae, options.config))
    elif options.start is not None and not run.resume:
        started["start"] = start_from(options.start, model, judged[0].crops)
    model.encoder.stem.freeze(options.frozen)
    channels = channel_weights(feed.blendshapes(WEIGHED))
    job = Job(
        model=model,
        config=options.config.to_dict(),
        facts={
            "trained": "expression",
            "weights": asdict(options.weights),
            "contrastive": options.contrastive,
            "mae": options.mae is not None,
            "frozen": options.frozen,
            **started,
            **feed.facts(),
        },
        losses=Losses(options=options, channels=channels, processes=processes),
        size=len,
        validate=Validation(judged, processes),
    )
    training = Run(job, run, processes)
    _keep_fec(job.facts, training.state.facts)
    return training.train(feed.training(training.state.step))


def _keep_fec(asked: dict[str, Any], kept: dict[str, Any]) -> None:
    """Triplets stay told of in both, whichever part of a resumed run they took part in."""
    if fec := kept.get("fec", {}) | asked.get("fec", {}):
        asked["fec"] = kept["fec"] = fec


def pretrained_encoder(path: Path, config: ExpressionConfig) -> dict[str, Tensor]:
    """The averaged weights of a masked autoencoder's encoder.

    Args:
        path: its checkpoint or the folder of its run.

    Raises:
        TrainingError: it is of another size or no autoencoder.
    """
    checkpoint = checkpoints.load(path / BEST if path.is_dir() else path)
    if checkpoint.state.config.get("encoder") != config.encoder.to_dict():
        raise TrainingError(f"{path}: an encoder of another size; pretrain with the same --size")
    return checkpoint.part("average.encoder")


@dataclass(frozen=True, kw_only=True)
class Losses:
    """The losses of a batch."""

    options: ExpressionOptions
    channels: Tensor
    processes: Processes

    def __call__(self, model: nn.Module, batch: Pictures) -> dict[str, Tensor]:
        """Every loss by name, and their weighted ``total``."""
        batch = batch.to(self.processes.device)
        channels = self.channels.to(self.processes.device)
        found: ExpressionOutput = model(batch.crops)
        # Losses are small differences: half precision would drown them.
        with torch.autocast(batch.crops.device.type, enabled=False):
            points = landmark_weights().to(self.processes.device)
            losses = head_losses(found, batch.targets, channels=channels, points=points)
            losses["contrastive"] = CONTRASTIVE[self.options.contrastive](
                found.embedding, batch.targets.expressions, batch.targets.blendshapes
            )
            end = len(batch) - 3 * len(batch.margins)
            if len(batch.margins):
                losses["fec"] = compared_loss(found.embedding[end:], batch.margins)
            if count := len(batch.opposite):
                again = slice(end - count, end)
                losses |= consistency_losses(
                    (found.blendshapes[:count], found.blendshapes[again]),
                    (found.embedding[:count], found.embedding[again]),
                    batch.opposite,
                )
            return {**losses, "total": weighted_sum(losses, self.options.weights)}


class Validation:
    """Judges a network on the same pictures each time."""

    def __init__(self, batches: Sequence[Pictures], processes: Processes) -> None:
        self.batches, self.processes = batches, processes

    def __call__(self, model: nn.Module) -> dict[str, Any]:
        """Figures of `expression_figures`, triplets, each channel; ``score`` is the correlation."""
        parts: list[dict[str, np.ndarray[Any, Any]]] = []
        for batch in self.batches:
            found: ExpressionOutput = model(batch.crops.to(self.processes.device))
            parts.append({k: v.float().cpu().numpy() for k, v in _without_tokens(found).items()})
        found_all = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
        wanted = {
            k: np.concatenate([getattr(b.targets, k).numpy() for b in self.batches])
            for k in vars(self.batches[0].targets)
        }
        people = np.concatenate([b.people.numpy() for b in self.batches])
        figures: dict[str, Any] = dict(expression_figures(found_all, wanted))
        triplets = triplet_accuracy(found_all["embedding"], wanted["blendshapes"], people)
        if np.isfinite(triplets):
            figures["triplets"] = triplets
        figures["channels"] = channel_correlations(found_all["blendshapes"], wanted["blendshapes"])
        figures["score"] = figures.get("correlation", -figures.get("landmarks, px", 0.0))
        return figures


def _without_tokens(found: ExpressionOutput) -> dict[str, Tensor]:
    return {k: v for k, v in found._asdict().items() if k != "tokens"}
