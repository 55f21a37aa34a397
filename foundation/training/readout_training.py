"""Trains anew what reads the expression from a finished encoder.

Of what a picture costs in training, the encoder takes nearly all. Once it stays as it is, its view
of many pictures can be kept, and the small layers behind it see each of them many times over. Of
two views of one face they must say the same.

Source:
    Kang et al., Decoupling Representation and Classifier, ICLR 2020.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from freeavatar.foundation.config import ExpressionConfig
from freeavatar.foundation.contrastive import CONTRASTIVE
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.heads import MEANING, Heads
from freeavatar.foundation.vit import normalised

from . import checkpoints
from .distributed import Processes
from .expression_training import WEIGHED, Validation
from .feeding import Feed, Pictures
from .loop import BEST, Job, Run, RunOptions
from .losses import (
    LossWeights,
    absolute_loss,
    blendshape_loss,
    channel_weights,
    consistency_losses,
    weighted_sum,
)
from .metrics import channel_correlations, correlations, triplet_accuracy
from .precision import half_precision

SENSOR = 3.0
"""Standard deviation of a camera's noise, steps of 255."""
SHAKEN = 2.0
"""Times what that noise does to a view that views are shaken while training."""
PARTS = ("meaning.", *(f"out.{name}." for name in MEANING))
"""Tensors of the heads that are trained."""


@dataclass(frozen=True, kw_only=True)
class ReadoutOptions:
    """What is particular to this training."""

    count: int
    """Pictures whose view is kept, each once augmented."""
    dropout: float = 0.2
    contrastive: str = "both"
    """A name of `freeavatar.foundation.contrastive.CONTRASTIVE`."""
    batch: int
    seed: int = 0
    weights: LossWeights = dataclasses.field(default_factory=LossWeights)


@dataclass(frozen=True, kw_only=True)
class Views:
    """What `Heads.meant` sees of N pictures, and what is known of them."""

    seen: Tensor
    """(N, S) float16."""
    blendshapes: Tensor
    """(N, 52) NaN where unknown."""
    eyes: Tensor
    """(N, 2, 2) NaN where unknown."""
    expressions: Tensor
    """(N,) int64."""
    people: Tensor
    """(N,) int64."""
    other: Tensor
    """(N,) int64 number of the picture that shows the same face with the same expression, -1 where
    there is none."""
    opposite: Tensor
    """(N,) bool, whether that one is mirrored against this one."""

    def __len__(self) -> int:
        """Pictures."""
        return len(self.seen)


@dataclass(frozen=True, kw_only=True)
class ViewBatch:
    """Some views, and the second views of those that have one."""

    views: Views
    paired: Tensor
    """(P,) numbers of the views, in this batch, that have a second one."""
    second: Tensor
    """(P, S) what is seen there."""

    def __len__(self) -> int:
        """Pictures, second views not counted."""
        return len(self.views)


class Readout(nn.Module):
    """The trained part of some heads: views to blendshapes, eyes and embedding."""

    tremble: Tensor

    def __init__(self, heads: Heads, dropout: float, tremble: Tensor) -> None:
        super().__init__()
        self.heads = heads
        self.register_buffer("tremble", tremble)
        for name, parameter in heads.named_parameters():
            parameter.requires_grad_(name.startswith(PARTS))
        self._dropout = dropout

    def forward(self, seen: Tensor) -> dict[str, Tensor]:
        """(N, S) as `Heads.meant`."""
        seen = seen.float()
        if not self.training:
            return self.heads.meant(seen)
        # Kept views do not tremble as a camera's pictures do; curves must not follow that.
        seen = seen + SHAKEN * self.tremble * torch.randn_like(seen)
        return self.heads.meant(seen, dropout=self._dropout)


def train_readout(
    start: Path, feed: Feed, options: ReadoutOptions, run: RunOptions
) -> checkpoints.State:
    """Train on kept views; ``best.safetensors`` in ``run.folder`` then is the whole network.

    Args:
        start: checkpoint or folder of a run of `train_expression`.
        feed: training and validation pictures.
        run: its folder gets ``readout`` with the course of this training.

    Returns:
        The state of the whole network, with figures of its validation.

    Raises:
        TrainingError: there is no such checkpoint, or the folder holds another run.
    """
    checkpoint = checkpoints.load(start / BEST if start.is_dir() else start)
    net = ExpressionNet(ExpressionConfig.from_dict(checkpoint.state.config))
    checkpoints.fill(net, checkpoint.part("average"))
    net.eval()
    judged = list(feed.validation())
    held = gather(net, iter(judged), sum(len(b) for b in judged), "validation")
    channels = channel_weights(feed.blendshapes(WEIGHED))
    job = Job(
        model=Readout(net.heads, options.dropout, trembling(net, judged[0].crops)),
        config=checkpoint.state.config,
        facts={"trained": "readout"},
        losses=_Losses(options=options, channels=channels),
        size=len,
        validate=_Validation(held),
    )
    # Before minutes of gathering: it refuses a folder that holds another run.
    inner = Run(job, dataclasses.replace(run, folder=run.folder / "readout"), Processes())
    kept = gather(net, feed.training(0), options.count, "views")
    inner.train(shuffled(kept, options.batch, options.seed))
    best = checkpoints.load(run.folder / "readout" / BEST)
    checkpoints.fill(net.heads, best.part("average.heads"))
    state = checkpoint.state
    with torch.no_grad():
        figures = Validation(judged, Processes())(net.eval())
    state.facts |= {
        "readout": {"pictures": len(kept), "views": best.state.samples},
        "validation": figures,
    }
    whole = checkpoints.Average(net)
    checkpoints.save(run.folder / BEST, state, model=net, average=whole)
    return state


@torch.no_grad()
def trembling(net: ExpressionNet, crops: Tensor) -> Tensor:
    """(S,) standard deviation of each number of a view under a camera's noise.

    Args:
        net: in evaluation mode.
        crops: (N, S, S, 3) uint8 RGB.
    """
    make = torch.Generator().manual_seed(0)
    noise = SENSOR * torch.randn(crops.shape, generator=make)
    noisy = (crops.float() + noise).round().clamp(0, 255).to(torch.uint8)
    first, second = (
        net.heads.placed(*net.encoder.looked(normalised(x)))[1] for x in (crops, noisy)
    )
    return (second - first).std(dim=0)


@torch.no_grad()
def gather(net: ExpressionNet, batches: Iterator[Pictures], count: int, what: str) -> Views:
    """The view that a network has of the faces of ``count`` pictures."""
    parts: list[Views] = []
    net = net.to(memory_format=torch.channels_last)
    seen_so_far, kept = 0, 0
    with tqdm(total=count, desc=what, unit=" pictures", disable=None) as bar:
        while seen_so_far < count:
            batch = next(batches)
            with half_precision(torch.device("cpu")):
                tokens, maps = net.encoder.looked(normalised(batch.crops))
            _, seen = net.heads.placed(tokens.float(), [m.float() for m in maps])
            faces = batch.targets.face > 0.5
            other, opposite = _second_views(batch, faces)
            columns = {
                "seen": seen.half(),
                "blendshapes": batch.targets.blendshapes,
                "eyes": batch.targets.eyes,
                "expressions": batch.targets.expressions,
                "people": batch.people,
                "other": torch.where(other >= 0, other + kept, other),
                "opposite": opposite,
            }
            parts.append(Views(**{k: v[faces] for k, v in columns.items()}))
            seen_so_far += len(batch)
            kept += len(parts[-1])
            bar.update(len(batch))
    return Views(**{k: torch.cat([vars(p)[k] for p in parts]) for k in vars(parts[0])})


def _second_views(batch: Pictures, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Of each picture: its second view's place among the faces (-1 where there is none), and
    whether that is mirrored against it."""
    other = torch.full((len(batch),), -1)
    opposite = torch.zeros(len(batch), dtype=torch.bool)
    count, end = len(batch.opposite), len(batch) - 3 * len(batch.margins)
    first, second = torch.arange(count), torch.arange(end - count, end)
    both = faces[first] & faces[second]
    place = faces.cumsum(0) - 1
    other[first[both]], other[second[both]] = place[second[both]], place[first[both]]
    opposite[first], opposite[second] = batch.opposite, batch.opposite
    return other, opposite


def shuffled(views: Views, batch: int, seed: int) -> Iterator[ViewBatch]:
    """Batches of passes through all views without end."""
    make = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(len(views), generator=make)
        for start in range(0, max(len(order) - batch, 0) + 1, batch):
            chosen = order[start : start + batch]
            paired = (views.other[chosen] >= 0).nonzero()[:, 0]
            yield ViewBatch(
                views=Views(**{k: v[chosen] for k, v in vars(views).items()}),
                paired=paired,
                second=views.seen[views.other[chosen[paired]]],
            )


@dataclass(frozen=True, kw_only=True)
class _Losses:
    options: ReadoutOptions
    channels: Tensor

    def __call__(self, model: nn.Module, batch: ViewBatch) -> dict[str, Tensor]:
        views, paired = batch.views, batch.paired
        with torch.autocast("cpu", enabled=False):
            found: Mapping[str, Tensor] = model(torch.cat([views.seen, batch.second]))
            again = {k: v[len(views) :] for k, v in found.items()}
            found = {k: v[: len(views)] for k, v in found.items()}
            contrastive = CONTRASTIVE[self.options.contrastive]
            losses = {
                "blendshapes": blendshape_loss(
                    found["blendshapes"], views.blendshapes, self.channels
                ),
                "eyes": absolute_loss(found["eyes"], views.eyes),
                "contrastive": contrastive(
                    found["embedding"], views.expressions, views.blendshapes
                ),
            }
            if len(paired):
                first = {k: v[paired] for k, v in found.items()}
                losses |= consistency_losses(
                    (first["blendshapes"], again["blendshapes"]),
                    (first["embedding"], again["embedding"]),
                    views.opposite[paired],
                )
            return {**losses, "total": weighted_sum(losses, self.options.weights)}


class _Validation:
    """Judges by the views of validation people."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def __call__(self, model: nn.Module) -> dict[str, Any]:
        """``correlation``, ``triplets`` and each channel; ``score`` is the correlation."""
        found = {k: v.float().numpy() for k, v in model(self._views.seen).items()}
        wanted = self._views.blendshapes.numpy()
        each = correlations(found["blendshapes"], wanted)
        people = self._views.people.numpy()
        mean = float(each[each == each].mean())
        return {
            "correlation": mean,
            "triplets": triplet_accuracy(found["embedding"], wanted, people),
            "channels": channel_correlations(found["blendshapes"], wanted),
            "score": mean,
        }
