"""From a recorded take to the frames of any rig: by control name, or by what the controls do."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Rig, RigFrame, Take

log = logging.getLogger(__name__)


def frames_on(rig: Rig, take: Take) -> list[RigFrame]:
    """The frames of a take on a rig.

    A take of this rig (its columns are the rig's controls, or all belong to them) is taken as it
    is, clipped to the controls' ranges. A take of ARKit curves is solved onto any other rig. What
    remains goes by the names both have.

    Args:
        rig: to show the take on.
        take: of this or another rig.

    Raises:
        RigError: take and rig have nothing in common.
    """
    shared = [name for name in take.names if name in rig.index]
    if shared and (len(shared) == len(take.names) or len(shared) == len(rig.names)):
        return _by_name(rig, take, shared)
    try:
        return _solved(rig, take)
    except RigError:
        if not shared:
            raise RigError(
                f"the take and rig {rig.name} have no control in common, and the take holds no "
                f"ARKit curves to solve from: choose the rig it was made for"
                + (f" ({take.rig})" if take.rig else "")
            ) from None
    log.warning(
        "%s: only %d of the take's %d columns are controls of it",
        rig.name,
        len(shared),
        len(take.names),
    )
    return _by_name(rig, take, shared)


def between(take: Take, start: float | None, end: float | None) -> Take:
    """The part of a take from ``start`` up to, not including, ``end``, seconds; times stay."""
    low = -np.inf if start is None else start - 1e-6
    high = np.inf if end is None else end - 1e-6
    return replace(take, frames=[f for f in take.frames if low <= f.time < high])


def resampled(frames: Sequence[RigFrame], rate: float) -> list[RigFrame]:
    """Frames at a constant rate: at every instant the newest, numbered anew.

    Args:
        frames: in order of time, at least one.
        rate: frames per second, above 0.
    """
    times = np.array([frame.time for frame in frames])
    count = int(np.floor((times[-1] - times[0]) * rate + 1e-6)) + 1
    instants = times[0] + np.arange(count) / rate
    newest = np.searchsorted(times, instants + 1e-6, side="right") - 1
    return [
        replace(frames[j], index=i, time=float(t))
        for i, (j, t) in enumerate(zip(newest, instants, strict=True))
    ]


def _by_name(rig: Rig, take: Take, shared: Sequence[str]) -> list[RigFrame]:
    column = {name: i for i, name in enumerate(take.names)}
    sources = [column[name] for name in shared]
    targets = [rig.index[name] for name in shared]
    low = np.array([c.minimum for c in rig.controls], np.float32)
    high = np.array([c.maximum for c in rig.controls], np.float32)
    frames = []
    for frame in take.frames:
        values = rig.neutral.copy()
        values[targets] = frame.values[sources]
        frames.append(replace(frame, values=np.clip(values, low, high)))
    return frames


def _solved(rig: Rig, take: Take) -> list[RigFrame]:
    from freeavatar.animator.performer import FINISHED_TAKE, Performer, expressions_from_take

    expressions = list(expressions_from_take(take))
    performer = Performer(rig, FINISHED_TAKE)
    return [performer.perform(expression) for expression in expressions]
