"""Trains the face finder.

The loss is the heat's focal loss plus the numbers' L1, both per face and of weight 1
(`freeavatar.foundation.finder_targets`). Kept are the averaged weights that find most validation
faces, false finds subtracted.
"""

import argparse
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from freeavatar.foundation.face_finder import FINDER
from freeavatar.foundation.finder_net import FinderNet, FinderPeaks
from freeavatar.foundation.finder_targets import loss

from . import checkpoints, distributed
from .finder_data import Batch, batches, decoded, read_shard, shards_of
from .finder_export import export, quantise
from .finder_validation import tallies
from .precision import half_precision
from .schedule import Budget, Schedule

log = logging.getLogger(__name__)

THRESHOLDS = (0.3, 0.5, 0.7)
VALIDATED = 500
"""Validation pictures looked at each time."""
LAST, BEST = "last.safetensors", "best.safetensors"


@dataclass(frozen=True, kw_only=True)
class FinderRun:
    """One training run."""

    data: Path
    """Folder of composites, ``train-*.tar`` and ``validation-*.tar``."""
    out: Path
    """Folder of checkpoints and log."""
    budget: Budget
    batch: int = 32
    """Pictures of a step and process."""
    rate: float = 2e-3
    """Highest learning rate."""
    validate_every: float = 180.0
    """Seconds."""
    seed: int = 0
    resume: bool = False
    device: str = "auto"


def run(args: argparse.Namespace) -> int:
    """Run ``freeavatar train finder``; its folder gets the best network as ONNX too."""
    path = args.out / FINDER.name
    if args.quantise is not None:
        quantise(args.quantise, args.data, path)
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB in eight bits")
        return 0
    best = train(
        FinderRun(
            data=args.data,
            out=args.out,
            budget=Budget(samples=args.samples, minutes=args.minutes),
            batch=args.batch or FinderRun.batch,
            seed=args.seed,
            resume=args.resume,
            device=args.device,
        )
    )
    apart = export(best, path)
    print(f"{path}: differs from torch by {apart:.1e}")
    return 0


def train(options: FinderRun) -> Path:
    """Train until the budget is used up; returns the best checkpoint.

    Raises:
        TrainingError: no data, or a checkpoint that cannot be resumed.
    """
    with distributed.joined(options.device) as processes:
        torch.manual_seed(options.seed)
        trainer = _Trainer(options, processes)
        trainer.go()
    return options.out / BEST


class _Trainer:
    def __init__(self, options: FinderRun, processes: distributed.Processes) -> None:
        self.options = options
        self.processes = processes
        self.net = FinderNet().to(processes.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = checkpoints.Average(self.net)
        self.model = processes.wrapped(self.net)
        self.optimiser = torch.optim.AdamW(self._groups(), lr=options.rate)
        self.state = checkpoints.State(config=self.net.config.to_dict())
        if options.resume:
            kept = checkpoints.load(options.out / LAST)
            checkpoints.restore(
                kept, model=self.net, average=self.average, optimiser=self.optimiser
            )
            self.state = kept.state

    def _groups(self) -> list[dict[str, object]]:
        """Only the weights of convolutions decay."""
        decayed = [p for p in self.net.parameters() if p.ndim > 1]
        free = [p for p in self.net.parameters() if p.ndim <= 1]
        return [{"params": decayed, "weight_decay": 0.02}, {"params": free, "weight_decay": 0.0}]

    def go(self) -> None:
        """Train to the end."""
        options, state = self.options, self.state
        schedule = Schedule(peak=options.rate)
        before, begun = state.seconds, time.monotonic()
        checked = state.seconds
        done = 0.0
        sums: dict[str, float] = {}
        stream = self._stream()
        while done < 1.0:
            for group in self.optimiser.param_groups:
                group["lr"] = schedule.rate(done)
            parts = self._step(next(stream))
            for name, value in parts.items():
                sums[name] = 0.95 * sums.get(name, value) + 0.05 * value
            state.step += 1
            state.samples += options.batch * self.processes.count
            self.average.update(self.net, state.step)
            state.seconds = before + time.monotonic() - begun
            done = self.processes.from_first(
                options.budget.progress(samples=state.samples, seconds=state.seconds)
            )
            if self.processes.first and (
                done >= 1.0 or state.seconds - checked >= options.validate_every
            ):
                self._keep(sums)
                checked = state.seconds
        self.processes.wait()

    def _stream(self) -> Iterator[Batch]:
        options, processes = self.options, self.processes
        return batches(
            options.data,
            options.batch,
            options.seed + self.state.step,
            rank=processes.rank,
            count=processes.count,
        )

    def _step(self, batch: Batch) -> dict[str, float]:
        batch = batch.to(self.processes.device)
        self.model.train()
        with half_precision(self.processes.device):
            found = self.model(batch.pictures)
        parts = loss(found, batch.wanted)
        total = parts["heat"] + parts["numbers"]
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.optimiser.step()
        return {name: float(value.detach()) for name, value in parts.items()}

    def _keep(self, sums: dict[str, float]) -> None:
        """Validate, log and save."""
        options, state = self.options, self.state
        figures = self.validate()
        middle = figures["0.5"]
        score = middle["recall"] - middle["false_per_picture"]
        line = {
            "step": state.step, "samples": state.samples, "seconds": round(state.seconds),
            **{k: round(v, 4) for k, v in sums.items()}, "validation": figures,
        }  # fmt: skip
        options.out.mkdir(parents=True, exist_ok=True)
        with (options.out / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        log.info("%s", json.dumps(line))
        better = score > state.best
        state.best = max(score, state.best)
        if better:
            checkpoints.save(options.out / BEST, state, model=self.net, average=self.average)
        checkpoints.save(
            options.out / LAST,
            state,
            model=self.net,
            average=self.average,
            optimiser=self.optimiser,
        )

    def validate(self) -> dict[str, dict[str, float]]:
        """Recall and false finds of the averaged weights on validation people."""
        net = FinderNet(self.net.config).to(self.processes.device)
        checkpoints.fill(net, self.average.values)
        records = [r for s in shards_of(self.options.data, "validation") for r in read_shard(s)]
        samples = ((decoded(d), faces) for d, faces in records[:VALIDATED])
        peaks = FinderPeaks(net).eval()
        counted = tallies(peaks, samples, THRESHOLDS, self.processes.device)
        return {
            str(threshold): {
                "recall": round(tally.recall, 4),
                "false_per_picture": round(tally.false_per_picture, 4),
                "overlap": round(sum(tally.overlaps) / max(len(tally.overlaps), 1), 3),
            }
            for threshold, tally in counted.items()
        }
