"""A small network that learns toy faces within seconds, for tests of whole trainings."""

import json
from pathlib import Path

from freeavatar.foundation.config import EncoderConfig, ExpressionConfig, HeadsConfig
from freeavatar.foundation.training.distributed import Processes
from freeavatar.foundation.training.loop import RunOptions
from freeavatar.foundation.training.schedule import Budget, Schedule

SMALL = EncoderConfig(
    size=64, stem_widths=(8, 8, 8, 16), stem_residuals=(0, 1, 1, 0), depth=1, heads=2
)
CONFIG = ExpressionConfig(encoder=SMALL, heads=HeadsConfig(token_dim=8, hidden_dim=32))
ALONE = Processes()


def run_options(folder: Path, *, samples: int, resume: bool = False, every: int = 50) -> RunOptions:
    return RunOptions(
        folder=folder,
        budget=Budget(samples=samples),
        schedule=Schedule(peak=3e-3),
        resume=resume,
        validate_every=every,
        half=False,
    )


def log_lines(folder: Path, key: str) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line[key] for line in lines if key in line]
