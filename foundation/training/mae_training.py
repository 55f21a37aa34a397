"""Pretrains the encoder as a masked autoencoder, on pictures alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from freeavatar.foundation.config import MAEConfig
from freeavatar.foundation.mae import MAE, MAEOutput, reconstruction
from freeavatar.foundation.masking import random_masks

from . import checkpoints
from .distributed import Processes
from .feeding import Feed, Pictures
from .loop import Job, Run, RunOptions

SHOWN = 24
"""Faces on the sheet of reconstructions."""
COLUMNS = 4


def train_mae(
    feed: Feed, config: MAEConfig, run: RunOptions, processes: Processes
) -> checkpoints.State:
    """Train, validate, keep checkpoints and ``reconstructions.png`` in ``run.folder``.

    Returns:
        The state at the end.

    Raises:
        TrainingError: the folder holds another run, or the loss is no number any more.
    """

    def losses(model: nn.Module, batch: Pictures) -> dict[str, Tensor]:
        output: MAEOutput = model(batch.crops.to(processes.device))
        return {"total": output.loss()}

    job = Job(
        model=MAE(config),
        config=config.to_dict(),
        facts={"trained": "mae", **feed.facts()},
        losses=losses,
        size=len,
        validate=Validation(
            batches=feed.validation(),
            config=config,
            sheet=run.folder / "reconstructions.png",
            processes=processes,
        ),
    )
    started = Run(job, run, processes)
    return started.train(feed.training(started.state.step))


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Judges a network on the same pictures with the same masks each time, and shows some."""

    batches: Sequence[Pictures]
    config: MAEConfig
    sheet: Path
    """PNG of what was seen, painted and true."""
    processes: Processes

    def __call__(self, model: nn.Module) -> dict[str, Any]:
        """``error`` (squared, of normalised pixels) and ``score``, its negative."""
        generator = torch.Generator().manual_seed(0)
        encoder, device = self.config.encoder, self.processes.device
        errors = []
        for number, batch in enumerate(self.batches):
            masks = random_masks(
                len(batch), encoder.tokens, self.config.mask_ratio, generator=generator
            ).to(device)
            crops = batch.crops.to(device)
            output: MAEOutput = model(crops, masks)
            errors.append(float(output.loss()))
            if number == 0:
                write_sheet(self.sheet, crops, output, encoder.patch)
        error = sum(errors) / len(errors)
        return {"error": error, "score": -error}


def write_sheet(path: Path, crops: Tensor, output: MAEOutput, patch: int) -> None:
    """Triples of pictures: what was seen, what was painted, what was true."""
    seen, painted = reconstruction(crops, output, patch)
    # The first batch lies in the order of its shard: step through it for variety.
    rows = torch.arange(0, len(crops), max(len(crops) // SHOWN, 1))[:SHOWN]
    triples = torch.cat([seen[rows], painted[rows], crops[rows]], dim=2).cpu()
    count, height, width, _ = triples.shape
    lines = -(-count // COLUMNS)
    sheet = torch.full((lines * (height + 4), COLUMNS * (width + 8), 3), 255, dtype=torch.uint8)
    for i, triple in enumerate(triples):
        y, x = i // COLUMNS * (height + 4), i % COLUMNS * (width + 8)
        sheet[y : y + height, x : x + width] = triple
    Image.fromarray(sheet.numpy()).save(path)
