"""Trains the neural renderer on reference pictures of several rigs.

Losses: absolute difference, the foundation's features (perceptual), its embedding (what the face
expresses), and a discriminator. Figures are those of held-out combinations of controls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from freeavatar.animator.motion import anchor_positions
from freeavatar.foundation.crops import Crop
from freeavatar.foundation.training.checkpoints import State
from freeavatar.foundation.training.distributed import Processes
from freeavatar.foundation.training.loop import Job, Run, RunOptions
from freeavatar.renderer_net.appearance import Appearance
from freeavatar.renderer_net.discriminator import Discriminator
from freeavatar.renderer_net.dots import COVERAGE
from freeavatar.renderer_net.losses import (
    deceiving_loss,
    expression_loss,
    judged_loss,
    perceptual_loss,
    picture_loss,
    signal_to_noise,
    structural_similarity,
)
from freeavatar.renderer_net.net import RendererConfig, RendererNet, TorchRenderer
from freeavatar.rigs.camera import face_camera
from freeavatar.rigs.spec import Rig

from .rig_feed import RigFeed, RigPictures
from .torch_foundation import TorchFoundation, cut, face_crop


@dataclass(frozen=True, kw_only=True)
class RendererWeights:
    """How much each loss counts."""

    colour: float = 10.0
    mask: float = 2.0
    perceptual: float = 0.5
    expression: float = 0.5
    deceiving: float = 0.02
    judged: float = 1.0
    """Of the discriminator alone."""


class Trained(nn.Module):
    """Renderer and discriminator, as one thing to train."""

    def __init__(self, renderer: TorchRenderer) -> None:
        super().__init__()
        self.renderer = renderer
        self.judge = Discriminator()

    def forward(self, batch: RigPictures) -> tuple[Tensor, Tensor]:
        """Draw what a batch shows."""
        drawn: tuple[Tensor, Tensor] = self.renderer.render(
            batch.rig, batch.weights, batch.head, batch.eyes, batch.light, batch.lens
        )
        return drawn


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Of one batch."""

    view: TorchFoundation
    crops: Sequence[Crop]
    weights: RendererWeights

    def __call__(self, model: nn.Module, batch: RigPictures) -> dict[str, Tensor]:
        colour, mask = model(batch)
        mask = mask.clamp(1e-4, 1.0 - 1e-4)
        crop = self.crops[batch.rig]
        with torch.no_grad():
            theirs = self.view.look(cut(batch.pictures, crop))
        ours = self.view.look(cut(colour, crop))
        judge = _bare(model).judge
        real = torch.cat((batch.pictures, batch.masks), dim=1)
        drawn = torch.cat((colour, mask), dim=1)
        fixed = {k: v.detach() for k, v in judge.named_parameters()}
        losses = {
            "colour": picture_loss(colour, batch.pictures, batch.masks),
            "mask": functional.binary_cross_entropy(mask, batch.masks),
            "perceptual": perceptual_loss(ours.features, theirs.features),
            "expression": expression_loss(ours.embedding, theirs.embedding),
            "deceiving": deceiving_loss(functional_call(judge, fixed, (drawn,))),
            "judged": judged_loss(judge(real), judge(drawn.detach())),
        }
        terms = [getattr(self.weights, name) * value for name, value in losses.items()]
        return {**losses, "total": torch.stack(terms).sum()}


def _bare(model: nn.Module) -> Trained:
    inner = model.module if hasattr(model, "module") else model
    assert isinstance(inner, Trained)
    return inner


@torch.no_grad()
def judged(
    renderer: TorchRenderer, feed: RigFeed, view: TorchFoundation, crops: Sequence[Crop], most: int
) -> dict[str, dict[str, float]]:
    """Figures of every rig, and of the points alone under ``points``.

    Args:
        renderer: in evaluation mode, with the feed's rigs in its order.
        feed: of held-out pictures.
        view: of the foundation.
        crops: of every rig.
        most: pictures of each rig.

    Returns:
        For each rig what `figures_of` gives, each also with ``points_`` before its name.
    """
    out = {}
    for rig, name in enumerate(feed.names):
        rows: list[dict[str, float]] = []
        for batch in feed.all_of(rig, most):
            maps = renderer.rigs[rig].maps(  # type: ignore[operator]
                batch.weights, batch.head, batch.eyes, batch.light, feed.size, batch.lens
            )
            code = renderer.codes[rig].expand(len(batch), -1)
            colour, mask = renderer.net(maps, torch.cat((batch.light, code), dim=1))
            row = figures_of(colour, mask, batch, view, crops[rig])
            points = figures_of(*points_alone(maps), batch, view, crops[rig])
            row |= {f"points_{k}": v for k, v in points.items()}
            rows.append({k: v * len(batch) for k, v in row.items()} | {"count": len(batch)})
        total = sum(row["count"] for row in rows)
        out[name] = {k: sum(r[k] for r in rows) / total for k in rows[0] if k != "count"}
    return out


def points_alone(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Colour (N, 3, S, S) and mask (N, 1, S, S) as maps (N, C, S, S) show them, no network."""
    return maps[:, :3].clamp(0.0, 1.0), (maps[:, COVERAGE : COVERAGE + 1] > 0.5).float()


def figures_of(
    colour: Tensor, mask: Tensor, batch: RigPictures, view: TorchFoundation, crop: Crop
) -> dict[str, float]:
    """How far drawn pictures are from a batch's.

    Args:
        colour: (N, 3, S, S) sRGB 0..1.
        mask: (N, 1, S, S) 0..1.
        batch: what should have been drawn.
        view: of the foundation.
        crop: where the face is.

    Returns:
        Means: ``psnr`` dB, ``ssim``, ``features`` and ``embedding`` distance, ``mask`` error.
    """
    a, b = view.look(cut(colour, crop)), view.look(cut(batch.pictures, crop))
    return {
        "psnr": float(signal_to_noise(colour, batch.pictures).mean()),
        "ssim": float(structural_similarity(colour, batch.pictures).mean()),
        "features": float(perceptual_loss(a.features, b.features)),
        "embedding": float(expression_loss(a.embedding, b.embedding)),
        "mask": float((mask - batch.masks).abs().mean()),
    }


def crop_of(rig: Rig, size: int) -> Crop:
    """Where a rig's face lies in its reference pictures."""
    if rig.anchors is None or rig.mesh is None or not rig.anchors.found.all():
        return face_crop(None, size)
    pixels, _ = face_camera(rig, (size, size)).project(anchor_positions(rig))
    return face_crop(np.asarray(pixels), size)


def train_renderer(
    feeds: tuple[RigFeed, RigFeed],
    rigs: Sequence[Rig],
    appearances: Sequence[Appearance],
    run: RunOptions,
    processes: Processes,
    *,
    foundation: Path | None = None,
    weights: RendererWeights | None = None,
    most: int = 96,
    facts: dict[str, Any] | None = None,
) -> State:
    """Train, keep the best in ``run.folder``.

    Args:
        feeds: of training and of held-out pictures, with the same rigs.
        rigs: in the feeds' order.
        appearances: of the rigs.
        run: folder, budget and so on.
        processes: that train together.
        foundation: see `TorchFoundation`.
        weights: of the losses.
        most: held-out pictures of each rig in a validation.
        facts: told in ``run.json``.

    Raises:
        TrainingError: see `freeavatar.foundation.training.loop.Run`.
    """
    training, held = feeds
    view = TorchFoundation(foundation)
    crops = [crop_of(rig, training.size) for rig in rigs]
    config = RendererConfig()
    model = Trained(TorchRenderer(RendererNet(config), list(appearances), size=training.size))
    job = Job(
        model=model,
        config=config.to_dict(),
        facts={"rigs": training.counts, **(facts or {})},
        losses=Losses(view=view, crops=crops, weights=weights or RendererWeights()),
        size=len,
        validate=partial(_validated, feed=held, view=view, crops=crops, most=most),
    )
    loop = Run(job, run, processes)
    return loop.train(training.training(loop.state.step))


def _validated(
    model: nn.Module, feed: RigFeed, view: TorchFoundation, crops: Sequence[Crop], most: int
) -> dict[str, Any]:
    figures = judged(_bare(model).renderer, feed, view, crops, most)
    kinds = next(iter(figures.values()))
    means = {k: float(np.mean([each[k] for each in figures.values()])) for k in kinds}
    return {**means, "rigs": figures, "score": means["psnr"]}
