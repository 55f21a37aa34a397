"""Tunes how the neural renderer draws one rig: its code and its points' colours.

The network that all rigs share is frozen. What is right are reference pictures of the rig, of which
others, with other combinations of controls, judge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from freeavatar.foundation.crops import Crop
from freeavatar.foundation.training import checkpoints
from freeavatar.foundation.training.distributed import Processes
from freeavatar.foundation.training.loop import BEST, Job, Run
from freeavatar.renderer_net.appearance import Appearance
from freeavatar.renderer_net.losses import expression_loss, perceptual_loss, picture_loss
from freeavatar.renderer_net.model import WEIGHTS
from freeavatar.renderer_net.net import TorchRenderer
from freeavatar.renderer_net.splatting import to_srgb
from freeavatar.renderer_net.warm_start import exported_renderer
from freeavatar.rigs.spec import FloatArray, Rig
from freeavatar.tools.build_rig_renders import open_source
from freeavatar.tools.dataset.rig_renders import PICTURES, state_of
from freeavatar.tools.dataset.shards import write_shards
from freeavatar.tools.dataset.splits import Split

from .renderer_training import RendererWeights, crop_of, judged
from .rig_feed import RigFeed, RigPictures
from .rig_tuning import resumable
from .torch_foundation import TorchFoundation, cut

COUNTS: Mapping[Split, int] = {"train": 400, "validation": 64}
"""Reference pictures to learn from, and to judge by."""
PER_SHARD = 100
BATCH = 4
RATE = 3e-3
WORTH = 0.1
"""Decibels that a tuned rig must gain to be kept."""
AWAY = 0.005
"""Embedding distance that it may lose."""


class TunedLook(nn.Module):
    """A frozen renderer and what is learned of one rig; untuned, it is the renderer.

    Args:
        renderer: of the rig alone.
    """

    def __init__(self, renderer: TorchRenderer) -> None:
        super().__init__()
        self.renderer = renderer.requires_grad_(False)
        self.renderer.codes.requires_grad_(True)
        points = renderer.rigs[0]
        self._colours: Tensor = points.colours  # type: ignore[assignment]
        self.tint = nn.Parameter(torch.zeros_like(self._colours))

    def forward(self, batch: RigPictures) -> tuple[Tensor, Tensor]:
        """Draw what a batch shows."""
        drawn: tuple[Tensor, Tensor] = self.tinted().render(
            0, batch.weights, batch.head, batch.eyes, batch.light, batch.lens
        )
        return drawn

    def tinted(self) -> TorchRenderer:
        """The renderer with what was learned."""
        self.renderer.rigs[0].colours = self.colours
        return self.renderer

    @property
    def colours(self) -> Tensor:
        """(N, 3) linear, of the rig's points."""
        return (self._colours + self.tint).clamp(0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class TunedRenderer:
    """What came of it."""

    before: Mapping[str, float]
    """Figures of `judged` on held-out pictures."""
    after: Mapping[str, float]
    code: FloatArray
    """(16,)"""
    appearance: Appearance
    """With the colours that were learned."""

    @property
    def better(self) -> bool:
        """Whether the rig is worth changing."""
        nearer = self.after["psnr"] >= self.before["psnr"] + WORTH
        return nearer and self.after["embedding"] <= self.before["embedding"] + AWAY


@dataclass(frozen=True, kw_only=True)
class _Losses:
    view: TorchFoundation
    crop: Crop
    weights: RendererWeights

    def __call__(self, model: nn.Module, batch: RigPictures) -> dict[str, Tensor]:
        colour, mask = model(batch)
        with torch.no_grad():
            theirs = self.view.look(cut(batch.pictures, self.crop))
        ours = self.view.look(cut(colour, self.crop))
        losses = {
            "colour": picture_loss(colour, batch.pictures, batch.masks),
            "mask": functional.binary_cross_entropy(mask.clamp(1e-4, 1.0 - 1e-4), batch.masks),
            "perceptual": perceptual_loss(ours.features, theirs.features),
            "expression": expression_loss(ours.embedding, theirs.embedding),
        }
        terms = [getattr(self.weights, name) * value for name, value in losses.items()]
        return {**losses, "total": torch.stack(terms).sum()}


def tune_rig_renderer(
    rig: Rig,
    appearance: Appearance,
    folder: Path,
    minutes: float,
    *,
    code: FloatArray | None = None,
    weights: Path = WEIGHTS,
    counts: Mapping[Split, int] | None = None,
    workers: int = 1,
) -> TunedRenderer:
    """Learn how to draw one rig.

    Args:
        rig: registered.
        appearance: as it was captured, or tuned before.
        folder: for what is learned until it is done; a run that was interrupted goes on.
        minutes: of learning, after the reference pictures were drawn.
        code: what an earlier tuning learned, where learning begins.
        weights: the renderer.
        counts: pictures of each split; None for `COUNTS`.
        workers: processes that draw.

    Raises:
        RenderError: there is no OpenGL, or no renderer.
        TrainingError: what lies in the folder is damaged.
    """
    counts = counts or COUNTS
    training, held = _pictures(rig, folder / f"pictures-{state_of(rig)}", counts, workers)
    crop = crop_of(rig, training.size)
    view = TorchFoundation()
    look = TunedLook(TorchRenderer(exported_renderer(weights), [appearance], size=training.size))
    judge = partial(_judged, feed=held, view=view, crops=[crop])
    if code is not None:
        with torch.no_grad():
            look.renderer.codes[0] = torch.from_numpy(code)
    before = judge(look.eval())
    run = resumable(folder / "renderer", minutes, rate=RATE, average=0.95)
    job = Job(
        model=look,
        config=look.renderer.net.config.to_dict(),
        facts={"trained": "rig tuning"},
        losses=_Losses(view=view, crop=crop, weights=RendererWeights()),
        size=len,
        validate=judge,
    )
    loop = Run(job, run, Processes())
    loop.train(training.training(loop.state.step))
    checkpoints.fill(look, checkpoints.load(run.folder / BEST).part("average"))
    after = judge(look.eval())
    return TunedRenderer(
        before=before,
        after=after,
        code=look.renderer.codes[0].detach().numpy(),
        appearance=replace(appearance, colours=to_srgb(look.colours.detach()).numpy()),
    )


def _pictures(
    rig: Rig, folder: Path, counts: Mapping[Split, int], workers: int
) -> tuple[RigFeed, RigFeed]:
    """Draw what is missing, read all: to learn from, to judge by."""
    for split, count in counts.items():
        write_shards(
            partial(open_source, rig.name, split, 128, 0),
            folder,
            split,
            count=count,
            workers=workers,
            shard_size=PER_SHARD,
            kind=PICTURES,
        )
    training, held = (RigFeed([folder], split, batch=BATCH) for split in counts)
    return training, held


@torch.no_grad()
def _judged(
    model: nn.Module, feed: RigFeed, view: TorchFoundation, crops: Sequence[Crop]
) -> dict[str, Any]:
    assert isinstance(model, TunedLook)
    figures = judged(model.tinted(), feed, view, crops, COUNTS["validation"])
    (only,) = figures.values()
    return {**only, "score": only["psnr"]}
