"""The whole way from what a reader saw to the frames of one rig.

Calibration, then the solver or the animator (`animation`), then presence (hold and ease while the
face is lost), smoothing, the studio's gains, mouthClose no larger than jawOpen (where names count:
the animator knows none), and the controls' own limits.

Head and eyes: the head's rotation and the gaze pass through as joint rotations. On a rig with eye
joints the eyes turn *and* its eyeLook controls follow, which then move the lids alone; on a rig
without eye joints the eyeLook controls carry the gaze.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES, Expression
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.rotation import angles_from_matrix, matrix_from_angles
from freeavatar.rigs.spec import Rig, RigFrame, Take

from .animation import Animation, Member, Solved, animate, moves_eyes
from .calibration import AutomaticNeutral, Neutral
from .gains import gains_for, read_gains
from .naming import SHAPE_INDEX, name_map
from .presence import Presence
from .smoothing import OneEuro, angle_filter, value_filter


@dataclass(frozen=True, kw_only=True)
class PerformerOptions:
    """How expressions become frames."""

    smooth: float = 0.5
    """One-Euro strength 0..1; 0 is off. A still channel's cutoff is ``4 · (1/8)^smooth`` Hz."""
    neutral: Neutral | None = None
    """A measured resting face (`calibration.measure_neutral`)."""
    automatic_neutral: bool = True
    """Estimate the resting face on the way, where none was measured."""
    gain_file: Path | None = None
    """Per-control corrections, see `freeavatar.animator.gains`."""
    use_names: bool = True
    """False drives the rig by what its controls do, whatever they are called."""
    animator: bool | None = None
    """Whether the animator drives the rig, by what its controls do; False takes the solver, None
    what is better for the rig (`animation.prefers_animator`)."""
    animator_folder: Path | None = None
    """Holds the animator's network; None for the one that ships."""


FINISHED_TAKE = PerformerOptions(smooth=0.0, automatic_neutral=False, animator=False)
"""Options for a take that was recorded and cleaned elsewhere: its curves are taken as they are."""


class Performer:
    """Performs expressions on one rig; stateful, fed in order of time.

    Args:
        rig: to be driven.
        options: see `PerformerOptions`.
        animation: gives the controls; None makes one as the options say (`performers_of` shares one
            among several rigs).

    Raises:
        RigError: nothing says what the rig's controls do, or the gain file does not fit it.
        ReaderError: the animator's network is missing, damaged or another one.
        ValueError: the smoothing strength is outside 0..1.
    """

    def __init__(
        self,
        rig: Rig,
        options: PerformerOptions | None = None,
        *,
        animation: Animation | None = None,
    ) -> None:
        self.rig = rig
        self.options = options or PerformerOptions()
        self._animation = animation or _animations([rig], self.options)[0]
        self._neutral = rig.neutral.astype(np.float64)
        self._minimum = np.array([c.minimum for c in rig.controls], np.float64)
        self._maximum = np.array([c.maximum for c in rig.controls], np.float64)
        self._range = np.maximum(self._maximum - self._minimum, 1e-6)
        nameless = isinstance(self._animation, Member)
        self._closing = [] if nameless else _closing_pairs(rig)
        self._rest = AutomaticNeutral()
        self._presence = Presence(np.concatenate([self._neutral, np.zeros(9)]))
        quick = moves_eyes(rig) if nameless else _named_eyes(rig)
        self._filters = _filters(quick, self.options.smooth)
        path = self.options.gain_file
        self._gains = gains_for(rig, read_gains(path), path) if path else None
        self._measured = self.options.neutral
        self._boost = np.ones(len(self._neutral))
        self._clock = _Clock()

    def set_neutral(self, neutral: Neutral | None) -> None:
        """Take another resting face from now on; None goes back to the options'."""
        self._measured = neutral if neutral is not None else self.options.neutral

    def set_gain(self, control: str, value: float) -> bool:
        """Multiply how far a control moves from its neutral, from now on.

        Args:
            control: its name; ``*`` means all.
            value: 0 or more, 1 changes nothing; the studio's gain file acts besides.

        Returns:
            Whether the rig has such a control.
        """
        if control == "*":
            self._boost[:] = value
            return True
        if control not in self.rig.index:
            return False
        self._boost[self.rig.index[control]] = value
        return True

    def perform(self, expression: Expression) -> RigFrame:
        """The rig's frame for the next expression.

        An expression with a value that is no number counts as a lost face; where the source's time
        runs backwards, filters and easing go on from there.
        """
        count = len(self._neutral)
        now = self._clock.at(expression.time)
        found = expression.found and _is_whole(expression)
        seen = self._solve(expression, now) if found else np.zeros(count + 9)
        shown = self._presence.update(seen, found, now)
        values, angles = shown[:count], shown[count:]
        if self._filters is not None:
            share = (values - self._minimum) / self._range
            share = self._filters[0].filter(share, now)
            values = self._minimum + share * self._range
            angles = self._filters[1].filter(angles, now)
        return RigFrame(
            index=expression.index,
            time=expression.time,
            values=self._finish(values),
            found=found,
            head=angles[:3].astype(np.float32),
            eyes=angles[3:].reshape(2, 3).astype(np.float32),
        )

    def reset(self) -> None:
        """Forget the actor and the past, as before the first frame."""
        self._clock = _Clock()
        self._rest.reset()
        self._presence.reset()
        self._animation.reset()
        for part in self._filters or ():
            part.reset()

    def _solve(self, expression: Expression, now: float) -> NDArray[np.float64]:
        """(K + 9,) control values, then head and eye angles, of a frame with a face."""
        rest = self._measured
        if rest is None and self.options.automatic_neutral:
            rest = self._rest.update(expression.blendshapes, now)
        rest = rest or Neutral()
        values = self._animation.solve(rest.subtract(expression.blendshapes), expression.tokens)
        head = angles_from_matrix(rest.straighten(expression.head))
        eyes = np.asarray(expression.eyes, np.float64) - rest.eyes
        return np.concatenate([values, head, eyes.ravel()])

    def _finish(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        if (self._boost != 1.0).any():
            values = self._neutral + self._boost * (values - self._neutral)
        if self._gains is not None:
            values = self._gains.apply(values, self._neutral)
        values = np.clip(values, self._minimum, self._maximum)
        for closing, opening in self._closing:
            values[closing] = min(values[closing], values[opening])
        return values.astype(np.float32)


@dataclass
class _Clock:
    """Seconds that never fall, whatever a source's times do."""

    _source: float | None = None
    _now: float = 0.0

    def at(self, time: float) -> float:
        if self._source is not None:
            self._now += max(time - self._source, 0.0)
        self._source = time
        return self._now


def _is_whole(expression: Expression) -> bool:
    parts: list[NDArray[Any]] = [expression.blendshapes, expression.head, expression.eyes]
    if expression.tokens is not None:
        parts.append(expression.tokens)
    return all(bool(np.isfinite(part).all()) for part in parts)


def expressions_from_take(take: Take) -> Iterator[Expression]:
    """Read a recorded ARKit take (Live Link Face CSV) as if a reader had seen it.

    Perform it with `FINISHED_TAKE`, unless the recording is raw.

    Args:
        take: whose names are ARKit's, in any spelling the conventions know.

    Yields:
        One expression per frame: the 52 values, head rotation and gaze.

    Raises:
        RigError: no name of the take is an ARKit name.
    """
    columns = _arkit_columns(take.names)
    if not columns:
        raise RigError(
            "the take has no ARKit columns (jawOpen, eyeBlinkLeft, ...): nothing to drive"
        )
    for frame in take.frames:
        shapes = np.zeros(len(BLENDSHAPES), np.float32)
        for shape, sources in columns.items():
            shapes[shape] = float(np.mean(frame.values[sources]))
        yield Expression(
            index=frame.index,
            time=frame.time,
            found=frame.found,
            blendshapes=np.clip(shapes, 0.0, 1.0),
            head=matrix_from_angles(frame.head),
            eyes=frame.eyes,
            confidence=float(frame.found),
        )


def _arkit_columns(names: tuple[str, ...]) -> Mapping[int, list[int]]:
    """Columns of a take that carry each ARKit shape (two where a rig splits a shape by side)."""
    from freeavatar.rigs.conventions import describe_controls

    known = name_map(Rig(name="take", controls=describe_controls(names)))
    columns: dict[int, list[int]] = {}
    for column, shape in zip(known.direct, known.shapes, strict=True):
        columns.setdefault(int(shape), []).append(int(column))
    return columns


def performers_of(rigs: Sequence[Rig], options: PerformerOptions | None = None) -> list[Performer]:
    """Performers of rigs that show one actor; the animator's network runs once for all of them.

    Raises:
        RigError, ReaderError, ValueError: as `Performer`.
    """
    options = options or PerformerOptions()
    pairs = zip(rigs, _animations(rigs, options), strict=True)
    return [Performer(rig, options, animation=animation) for rig, animation in pairs]


def _animations(rigs: Sequence[Rig], options: PerformerOptions) -> list[Animation]:
    if options.animator is False or not (options.animator or options.use_names):
        return [Solved(rig, use_names=options.use_names) for rig in rigs]
    everywhere = options.animator is True
    return animate(rigs, folder=options.animator_folder, everywhere=everywhere)


def _named_eyes(rig: Rig) -> NDArray[np.bool_]:
    return np.array([c.region in ("eyes", "gaze") for c in rig.controls], bool)


def _filters(quick: NDArray[np.bool_], strength: float) -> tuple[OneEuro, OneEuro] | None:
    """Filters of the controls and of the nine head and eye angles; None when off."""
    if strength == 0.0:
        return None
    return value_filter(quick, strength), angle_filter(9, strength)


def _closing_pairs(rig: Rig) -> list[tuple[int, int]]:
    """(mouthClose, jawOpen) of a rig that has both: lips only close as far as the jaw is open.

    A rig that splits mouthClose by side has one pair for each half.
    """
    known = name_map(rig)
    closing = known.direct[known.shapes == SHAPE_INDEX["mouthClose"]]
    opening = known.direct[known.shapes == SHAPE_INDEX["jawOpen"]]
    return [(int(c), int(opening[0])) for c in closing] if len(opening) else []
