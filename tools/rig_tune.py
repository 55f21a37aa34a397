"""The tuning of ``freeavatar rig register --tune``: learns what is particular to one rig."""

import logging
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeavatar.foundation.errors import ReaderError
from freeavatar.rigs.errors import RenderError, RigError

if TYPE_CHECKING:
    from freeavatar.animator.identity import RigIdentity
    from freeavatar.rigs.spec import Rig

log = logging.getLogger(__name__)

MINUTES = 7.0
"""Of learning. Reading faces and drawing pictures come on top, one to two minutes on two cores."""
ANIMATORS_SHARE = 0.3
"""Part of the time that the animator learns in; the renderer has the rest."""
TOLD: Mapping[str, Mapping[str, str]] = {
    "animator": {
        "weight error": "error of the controls",
        "motion error": "motion missed",
        "following error": "the known head's motion missed",
    },
    "renderer": {"psnr": "signal to noise, dB", "embedding": "distance of the expression"},
}
"""Figures that are told of each part, and what they are called."""


def tune(
    rig: "Rig", identity: "RigIdentity", folder: Path, minutes: float, *, quiet: bool = False
) -> dict[str, Any]:
    """Tune a registered rig and keep what is better than before.

    Args:
        rig: registered or built in.
        identity: that is kept for it.
        folder: for unfinished work; deleted when all is done, gone on with after an interruption.
        minutes: of learning.
        quiet: tells nothing.

    Returns:
        For each part that could be tuned its figures ``before`` and ``after``, and whether it was
        ``kept``.

    Raises:
        RigError: torch is missing, or nothing of the rig can be tuned.
        TrainingError: what lies in the folder is damaged.
    """
    from freeavatar.animator.identity import write_identity

    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Callable[[], tuple[Any, dict[str, Any]]]] = {}
    if identity.descriptors.anchored or identity.descriptors.drawn:
        share = ANIMATORS_SHARE if identity.appearance is not None else 1.0
        parts["animator"] = lambda: _animator(rig, identity, folder, share * minutes)
    if identity.appearance is not None:
        share_left = (1.0 - ANIMATORS_SHARE) if "animator" in parts else 1.0
        parts["renderer"] = lambda: _renderer(rig, identity, folder, share_left * minutes)
    report: dict[str, Any] = {}
    for name, run in parts.items():
        try:
            done, learned = run()
        except ModuleNotFoundError as error:
            raise RigError(
                f"tuning needs the package {error.name}: pip install 'freeavatar[train]'"
            ) from error
        except (RenderError, ReaderError, RigError) as error:
            log.warning("%s: its %s was not tuned: %s", rig.name, name, error)
            continue
        figures = {k: [float(part[k]) for part in (done.before, done.after)] for k in TOLD[name]
                   if k in done.before}  # fmt: skip
        report[name] = {"figures": figures, "kept": done.better}
        if done.better:
            identity = replace(identity, **learned)
            write_identity(rig, identity)
        if not quiet:
            _tell(name, report[name])
    if not report:
        raise RigError(f"rig {rig.name} cannot be tuned: neither its face nor its look is known")
    shutil.rmtree(folder, ignore_errors=True)
    return report


def _animator(
    rig: "Rig", identity: "RigIdentity", folder: Path, minutes: float
) -> tuple[Any, dict[str, Any]]:
    from .training.rig_tuning import tune_rig_animator

    done = tune_rig_animator(rig, identity, folder, minutes)
    return done, dict(done.learned)


def _renderer(
    rig: "Rig", identity: "RigIdentity", folder: Path, minutes: float
) -> tuple[Any, dict[str, Any]]:
    from .training.renderer_tuning import tune_rig_renderer

    assert identity.appearance is not None
    workers = os.cpu_count() or 1
    done = tune_rig_renderer(
        rig,
        identity.appearance,
        folder,
        minutes,
        code=identity.renderer_code,
        workers=workers,
    )
    return done, {"renderer_code": done.code, "appearance": done.appearance}


def _tell(name: str, part: Mapping[str, Any]) -> None:
    end = "kept" if part["kept"] else "not better: what was there is kept"
    print(f"{name} before and after tuning, on what it did not learn from: {end}", file=sys.stderr)
    for key, (before, after) in part["figures"].items():
        print(f"  {TOLD[name][key]:<32} {before:8.3f} {after:8.3f}", file=sys.stderr)
