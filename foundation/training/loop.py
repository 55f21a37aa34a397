"""The loop that all trainings share: budget, optimiser, averages, log, checkpoints, resuming.

A run is a folder: ``run.json`` (what was asked), ``log.jsonl`` (one line for each report and each
validation), ``last.safetensors`` (to resume) and ``best.safetensors`` (the best validation).
"""

import copy
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from freeavatar.foundation.errors import TrainingError

from . import checkpoints
from .distributed import Processes
from .optimisers import optimisers
from .precision import half_precision
from .schedule import Budget, Schedule

log = logging.getLogger(__name__)
Batch = TypeVar("Batch")

LAST, BEST = "last.safetensors", "best.safetensors"
REPORT_EVERY = 50
"""Steps between two lines of the log."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to train, whatever is trained."""

    folder: Path
    budget: Budget
    schedule: Schedule = field(default_factory=Schedule)
    resume: bool = False
    """Go on from the folder's last checkpoint where there is one."""
    validate_every: int = 1000
    """Steps between two validations, each of which keeps a checkpoint."""
    weight_decay: float = 0.05
    clip: float = 2.0
    """Norm at which gradients are cut."""
    average_decay: float = 0.999
    muon: bool = False
    """Train the matrices of transformer blocks with Muon, see `optimisers`."""
    half: bool = True
    """Compute in bfloat16 where that is safe."""


@dataclass(frozen=True, kw_only=True)
class Job(Generic[Batch]):
    """What is trained."""

    model: nn.Module
    config: dict[str, Any]
    """Rebuilds the network; kept in checkpoints."""
    facts: dict[str, Any]
    """Told in ``run.json``."""
    losses: Callable[[nn.Module, Batch], dict[str, Tensor]]
    """Losses of one batch; ``total`` is minimised, the others are reported."""
    size: Callable[[Batch], int]
    """Pictures in a batch."""
    validate: Callable[[nn.Module], dict[str, Any]]
    """Figures of the averaged network; ``score`` (higher is better) decides which one is best."""


class Run(Generic[Batch]):
    """One training, from its start or from its last checkpoint to the end of its budget."""

    def __init__(self, job: Job[Batch], options: RunOptions, processes: Processes) -> None:
        self.job, self.options, self.processes = job, options, processes
        self.bare_model = job.model.to(processes.device).to(memory_format=torch.channels_last)
        self.average = checkpoints.Average(self.bare_model, decay=options.average_decay)
        self.optimiser = optimisers(
            self.bare_model,
            rate=options.schedule.peak,
            weight_decay=options.weight_decay,
            muon=options.muon,
        )
        facts = job.facts | {"muon": options.muon}
        self.state = checkpoints.State(config=job.config, facts=facts)
        self._restore()
        self.model = processes.wrapped(self.bare_model)
        self._report: dict[str, Tensor] = {}
        self._judged = copy.deepcopy(self.bare_model) if processes.first else None

    def train(self, batches: Iterator[Batch]) -> checkpoints.State:
        """Take batches until the budget is used.

        Raises:
            TrainingError: the loss is no number any more.
        """
        if self.processes.first:
            self._write_facts()
        self._started = time.monotonic() - self.state.seconds
        self._reported = (time.monotonic(), self.state.samples)
        shown = self.processes.first
        with tqdm(total=100.0, unit="%", disable=None if shown else True, bar_format=_BAR) as bar:
            try:
                while (progress := self._progress()) < 1.0:
                    self.step(next(batches), progress)
                    bar.update(100 * progress - bar.n)
                    if self.state.step % REPORT_EVERY == 0:
                        self._say(bar)
                    if self.state.step % self.options.validate_every == 0:
                        self._validate()
            except KeyboardInterrupt:
                self._save(LAST)
                raise
        if self.state.step % self.options.validate_every:
            self._validate()
        return self.state

    def step(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """One update of the weights; the losses before it."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.schedule.rate(progress)
        self.model.train()
        with self.half():
            losses = self.job.losses(self.model, batch)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(losses["total"])
        torch.nn.utils.clip_grad_norm_(self.bare_model.parameters(), self.options.clip)
        self.optimiser.step()
        self.state.step += 1
        self.state.samples += self.job.size(batch) * self.processes.count
        self.average.update(self.bare_model, self.state.step)
        for name, value in losses.items():
            value = value.detach()
            self._report[name] = self._report[name] + value if name in self._report else value
        return losses

    def half(self) -> torch.autocast:
        """The context in which networks compute in bfloat16, where asked."""
        return half_precision(self.processes.device, wanted=self.options.half)

    def _progress(self) -> float:
        self.state.seconds = time.monotonic() - self._started
        mine = self.options.budget.progress(samples=self.state.samples, seconds=self.state.seconds)
        return self.processes.from_first(mine)

    def _restore(self) -> None:
        path = self.options.folder / LAST
        if not self.options.resume:
            if path.exists():
                raise TrainingError(
                    f"{self.options.folder} holds a run; take --resume or another folder"
                )
            return
        if path.exists():
            checkpoint = checkpoints.load(path)
            if checkpoint.state.config != self.job.config:
                raise TrainingError(f"{path} is of another network; take its own options")
            if checkpoint.state.facts.get("muon", False) != self.options.muon:
                raise TrainingError(f"{path} was trained with the other --optimiser; take that")
            checkpoints.restore(
                checkpoint,
                model=self.bare_model,
                average=self.average,
                optimiser=self.optimiser,
            )
            self.state = checkpoint.state

    def _say(self, bar: Any) -> None:
        """One line of the log; on the terminal the loss and the speed."""
        means = {k: float(v) / REPORT_EVERY for k, v in self._report.items()}
        self._report = {}
        if not all(value == value for value in means.values()):
            raise TrainingError(f"the loss is no number at step {self.state.step}; lower --rate")
        then, samples = self._reported
        speed = (self.state.samples - samples) / max(time.monotonic() - then, 1e-9)
        self._reported = (time.monotonic(), self.state.samples)
        bar.set_postfix_str(f"loss {means['total']:.3f}, {speed:.0f} pictures/s")
        rate = self.optimiser.param_groups[0]["lr"]
        self._write({"losses": _rounded(means), "rate": rate, "pictures per second": round(speed)})

    def _validate(self) -> None:
        """Judge the averaged network, keep it if it is the best so far."""
        if self._judged is not None:
            self._judged.load_state_dict(self.average.values)
            self._judged.eval()
            with torch.no_grad(), self.half():
                figures = self.job.validate(self._judged)
            better = figures["score"] > self.state.best
            self.state.best = max(figures["score"], self.state.best)
            self._write({"validation": _rounded(figures)})
            log.info("step %d: %s", self.state.step, json.dumps(_rounded(figures)))
            self.state.facts["validation"] = _rounded(figures)
            self._save(LAST)
            if better:
                self._save(BEST)
        self.processes.wait()

    def _save(self, name: str) -> None:
        if self.processes.first:
            optimiser = self.optimiser if name == LAST else None
            checkpoints.save(
                self.options.folder / name,
                self.state,
                model=self.bare_model,
                average=self.average,
                optimiser=optimiser,
            )

    def _write_facts(self) -> None:
        self.options.folder.mkdir(parents=True, exist_ok=True)
        facts = {"config": self.job.config, **self.job.facts}
        text = json.dumps(facts, indent=1, ensure_ascii=False)
        (self.options.folder / "run.json").write_text(text + "\n")

    def _write(self, line: Mapping[str, Any]) -> None:
        if not self.processes.first:
            return
        where = {
            "step": self.state.step,
            "samples": self.state.samples,
            "seconds": round(self.state.seconds, 1),
        }
        with (self.options.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps({**where, **line}) + "\n")


_BAR = "{l_bar}{bar}| {elapsed}{postfix}"


def _rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in figures.items()}
