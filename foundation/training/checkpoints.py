"""Checkpoints: one safetensors file with weights, averages, optimiser and the state as JSON.

Tensors are named ``model.…``, ``average.…`` (exponential moving average of the weights) and
``optimiser.N.…`` (N counts the parameters); the file's metadata holds the rest under ``state``.
Nothing is pickled, so a checkpoint from a stranger runs no code.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from freeavatar.foundation.errors import TrainingError

FORMAT = "freeavatar-checkpoint/1"


class Kept(Protocol):
    """What checkpoints need of an optimiser."""

    def state_dict(self) -> dict[str, Any]:
        """As torch's optimisers tell it: ``state`` by number of the parameter."""

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Take that back."""


@dataclass(kw_only=True)
class State:
    """Where a run is, besides its tensors."""

    step: int = 0
    samples: int = 0
    """Pictures seen by all processes together."""
    seconds: float = 0.0
    """Wall-clock time so far."""
    best: float = float("-inf")
    """Score of the best checkpoint; higher is better."""
    config: dict[str, Any] = field(default_factory=dict)
    """Rebuilds the network."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What else the run needs to go on or tells about itself."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a file holds."""

    state: State
    tensors: Mapping[str, Tensor]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Tensors below ``prefix.``, without it."""
        start = f"{prefix}."
        return {k.removeprefix(start): v for k, v in self.tensors.items() if k.startswith(start)}


class Average:
    """Exponential moving average of a model's weights and buffers.

    Source:
        Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992.
    """

    def __init__(self, model: nn.Module, *, decay: float = 0.999) -> None:
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after ``step`` (from 1); early on the average follows faster."""
        keep = min(self.decay, step / (step + 10))
        mine, theirs = [], []
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                mine.append(self.values[name])
                theirs.append(value.detach())
            else:
                self.values[name].copy_(value)
        torch._foreach_lerp_(mine, theirs, 1.0 - keep)


def save(
    path: Path,
    state: State,
    *,
    model: nn.Module,
    average: Average,
    optimiser: Kept | None = None,
) -> None:
    """Write a checkpoint; the file is either the old one or the new one, never half.

    Args:
        path: ``*.safetensors``.
        optimiser: None for a checkpoint that is only read from, not resumed.
    """
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.values.items()}
    if optimiser is not None:
        for number, values in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{k}": v for k, v in values.items()}
    kept = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    metadata = {"format": FORMAT, "state": json.dumps(vars(state))}
    save_file(kept, part, metadata=metadata)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        TrainingError: there is none, or it is no checkpoint of ours.
    """
    if not path.is_file():
        raise TrainingError(f"{path}: there is no checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise TrainingError(f"{path}: not a readable checkpoint ({error})") from error
    if metadata.get("format") != FORMAT:
        raise TrainingError(f"{path}: not a checkpoint of this version ({FORMAT})")
    return Checkpoint(state=State(**json.loads(metadata["state"])), tensors=tensors)


def restore(
    checkpoint: Checkpoint,
    *,
    model: nn.Module,
    average: Average,
    optimiser: Kept,
) -> None:
    """Put a checkpoint's tensors back where they came from.

    Raises:
        TrainingError: it is of another network, or it was kept without its optimiser.
    """
    fill(model, checkpoint.part("model"))
    fill_average = checkpoint.part("average")
    for name, value in average.values.items():
        value.copy_(fill_average[name])
    values: dict[int, dict[str, Tensor]] = {}
    for name, value in checkpoint.part("optimiser").items():
        number, key = name.split(".", 1)
        values.setdefault(int(number), {})[key] = value
    if not values and checkpoint.state.step:
        raise TrainingError("this checkpoint cannot be resumed: it was kept without its optimiser")
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": values, "param_groups": groups})


def fill(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load tensors into a model.

    Raises:
        TrainingError: names or shapes differ.
    """
    try:
        model.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise TrainingError(f"the checkpoint is of another network: {error}") from error
