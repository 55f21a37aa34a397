"""How well readers follow rendered actors, whose curves are known, head still and head turning."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.animator.calibration import AutomaticNeutral
from freeavatar.foundation.expression import BLENDSHAPES, Reader

from .accuracy import Channels, Row, channel_figures
from .rendered_actors import Actor, Moments, head_turns, resting_turn, truth_of
from .steadiness import TURN, Movement, cross_talk, read_curves
from .worst_frames import WorstFrame, worst_frames

Values = NDArray[np.float64]
OpenReader = Callable[[], Reader]

STILL, TURNING, BOTH = "still", "turning", "both"
"""The head, and all frames together."""
DEAD_CORRELATION, DEAD_DEVIATION = 0.05, 0.005
"""A channel that moves in the truth, and below one of these in what is read, is dead."""


@dataclass(frozen=True, kw_only=True)
class ReaderFigures:
    """One reader on one actor."""

    found: float
    """Share of the frames in which it found the face; only they count in the figures."""
    channels: Mapping[str, Channels]
    """`STILL`, `TURNING` and `BOTH`, with the resting face taken out as ``freeavatar drive``
    does, of what was read and of the truth alike, so that a perfect reader has no error."""
    raw: Channels
    """`BOTH` as it was read, against the truth as it is."""
    dead: tuple[str, ...]
    """Channels that the actor moves and the reader does not."""
    turn: Movement | None
    """How far the channels other than gaze move while a resting face turns; None where it was not
    found straight ahead."""


@dataclass(frozen=True, kw_only=True)
class ActorFigures:
    """One actor, all readers side by side."""

    name: str
    shown: int
    """Channels that it can show."""
    readers: Mapping[str, ReaderFigures]
    worst: Sequence[WorstFrame]
    """Of the first reader."""


def actor_figures(
    actor: Actor,
    moments: Moments,
    readers: Mapping[str, OpenReader],
    *,
    tick: Callable[[], Any] = lambda: None,
) -> ActorFigures:
    """Let an actor perform and every reader read it.

    Args:
        actor: a rig or a person.
        moments: of the takes.
        readers: name to what opens a fresh one; the worst frames are those of the first.
        tick: called after each performance that a reader has read, for progress.

    Raises:
        RenderError: no OpenGL is to be had.
    """
    truth = truth_of(actor, moments.curves)
    rested_truth = without_rest(truth, moments.times)
    heads = {STILL: np.zeros((len(truth), 3)), TURNING: head_turns(len(truth))}
    read: dict[str, dict[str, Values]] = {name: {} for name in readers}
    worst: list[WorstFrame] = []
    for way, head in heads.items():
        frames = list(actor.frames(moments, head))
        for i, (name, make) in enumerate(readers.items()):
            read[name][way] = read_curves(iter(frames), make)
            if i == 0:
                rested = without_rest(read[name][way], moments.times)
                worst += worst_frames(actor.name, way, frames, rested_truth, rested)
            tick()
    resting = list(actor.frames(*resting_turn()))
    figures = {}
    for name, make in readers.items():
        turns = _turns(read_curves(iter(resting), make))
        figures[name] = reader_figures(truth, read[name], moments.times, turns)
        tick()
    shown = int(np.isfinite(truth).all(axis=0).sum())
    return ActorFigures(name=actor.name, shown=shown, readers=figures, worst=worst)


def reader_figures(
    truth: Values, read: Mapping[str, Values], times: Values, turn: Movement | None
) -> ReaderFigures:
    """Figures of what a reader read.

    Args:
        truth: (T, 52) curves, NaN in the channels that the actor cannot show.
        read: `STILL` and `TURNING` to curves (T, 52) as they were read, NaN without a face.
        times: (T,) seconds.
        turn: of the resting face.
    """
    rested = {way: without_rest(curves, times) for way, curves in read.items()}
    wanted = without_rest(truth, times)
    every = np.concatenate(list(rested.values()))
    raw = np.concatenate(list(read.values()))
    channels = {way: channel_figures(wanted, curves) for way, curves in rested.items()}
    channels[BOTH] = channel_figures(np.concatenate([wanted] * len(read)), every)
    return ReaderFigures(
        found=float(np.isfinite(raw).all(axis=1).mean()),
        channels=channels,
        raw=channel_figures(np.concatenate([truth] * len(read)), raw),
        dead=dead_channels(channels[BOTH], every),
        turn=turn,
    )


def without_rest(curves: Values, times: Values) -> Values:
    """Curves (T, 52) at ``times`` (T,) seconds with the resting face taken out, as
    ``freeavatar drive`` estimates it on the way; NaN stays NaN, and rows of nothing else are
    passed over."""
    rest, out = AutomaticNeutral(), np.full_like(curves, np.nan)
    for i, row in enumerate(curves):
        if np.isfinite(row).any():
            known = np.nan_to_num(row)
            out[i] = rest.update(known, float(times[i])).subtract(known)
    return np.where(np.isfinite(curves), out, np.nan)


def dead_channels(channels: Channels, given: Values) -> tuple[str, ...]:
    """Names of the live channels that do not follow (`DEAD_CORRELATION`) or hardly move
    (`DEAD_DEVIATION`) in what was given (T, 52)."""
    seen = given[np.isfinite(given).all(axis=1)]
    moved = seen.std(axis=0) if len(seen) else np.zeros(given.shape[1])
    dead = (channels.correlation < DEAD_CORRELATION) | (moved < DEAD_DEVIATION)
    return tuple(BLENDSHAPES[i] for i in np.flatnonzero(channels.live & dead))


def mean_table(actors: Sequence[ActorFigures], reader: str, way: str) -> dict[str, Row]:
    """Rows of `Channels.table`, averaged over the actors that have them.

    Args:
        actors: at least one.
        reader: whose figures.
        way: `STILL`, `TURNING` or `BOTH`.
    """
    return _mean([a.readers[reader].channels[way].table() for a in actors])


def mean_raw(actors: Sequence[ActorFigures], reader: str) -> dict[str, Row]:
    """The same of what was read, the resting face left in."""
    return _mean([a.readers[reader].raw.table() for a in actors])


def _mean(tables: Sequence[Mapping[str, Row]]) -> dict[str, Row]:
    out = {}
    for group in tables[0]:
        rows = [t[group] for t in tables if np.isfinite(t[group].error)]
        out[group] = Row(
            error=_average([r.error for r in rows]),
            correlation=_average([r.correlation for r in rows]),
            never_moving=_average([r.never_moving for r in rows]),
            channels=max((r.channels for r in rows), default=0),
        )
    return out


def _average(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _turns(curves: Values) -> Movement | None:
    try:
        return cross_talk(curves, TURN)
    except ValueError:
        return None
