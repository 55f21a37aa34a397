"""What rigs do while the actor's face rests: before a noisy camera, and while the head turns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.animator.calibration import Neutral
from freeavatar.animator.performer import Performer, PerformerOptions, performers_of
from freeavatar.foundation.embedded_reader import EmbeddedReader
from freeavatar.foundation.expression import Expression, Frame
from freeavatar.rigs.spec import Rig

from .steadiness import SETTLING, TURN, with_noise

GAZE_WORDS = ("look", "gaze")
"""A control with one of them in its name turns the eyes."""
METHODS: Mapping[str, bool] = {"solver": False, "animator": True}
"""What drives the rigs, and `PerformerOptions.animator`."""


@dataclass(frozen=True, kw_only=True)
class RestingFace:
    """One face, read."""

    turning: Sequence[Expression]
    """From one side to the other; straight ahead is number `TURN`."""
    still: Sequence[Expression]
    """Straight ahead, each time with new noise of the sensor."""


@dataclass(frozen=True, kw_only=True)
class Restless:
    """How far controls that should rest move, in shares of their range."""

    turn: float
    """Largest change of any control but those of the gaze, away from straight ahead."""
    control: str
    """The one that moves most."""
    mean: float
    """Mean over the controls of each one's largest change."""
    noise: float
    """Largest standard deviation of any control on the still face."""


def read_resting(frames: Sequence[Frame]) -> RestingFace:
    """Read a face of `turning_faces` with the embedded networks.

    Raises:
        ValueError: no face was found where it looks straight ahead.
    """
    turning = _read(frames)
    if not turning[TURN].found:
        raise ValueError("no face was found in the frame that looks straight ahead")
    return RestingFace(turning=turning, still=_read(list(with_noise(frames[TURN].picture))))


def restless(rigs: Sequence[Rig], face: RestingFace, *, animator: bool) -> list[Restless]:
    """Let rigs perform a resting face, unsmoothed, its own neutral taken away.

    Args:
        rigs: driven at once.
        face: that is performed.
        animator: whether the animator drives them, or the solver.

    Raises:
        RigError: nothing says what a rig's controls do.
    """
    neutral = Neutral(blendshapes=np.asarray(face.turning[TURN].blendshapes, np.float64))
    options = PerformerOptions(smooth=0.0, neutral=neutral, animator=animator)
    turned = _performed(performers_of(rigs, options), face.turning)
    still = _performed(performers_of(rigs, options), face.still)
    return [_restless(rig, t, s[SETTLING:]) for rig, t, s in zip(rigs, turned, still, strict=True)]


def resting_lines(found: Mapping[str, Mapping[str, Mapping[str, Restless]]]) -> list[str]:
    """Rows of face, rig and method.

    Args:
        found: face to rig to method to figures.
    """
    lines = [f"{'resting face':28} {'rig':24} {'method':9} {'turned':>7} {'mean':>6} {'noise':>6}"]
    for face, rigs in found.items():
        for rig, methods in rigs.items():
            for method, one in methods.items():
                lines.append(
                    f"{face[:28]:28} {rig[:24]:24} {method:9} {one.turn:7.3f} {one.mean:6.3f} "
                    f"{one.noise:6.4f}  {one.control}"
                )
    return [
        *lines,
        "turned: largest change of a control, gaze left out, while the head turns ±25°; mean: over",
        "the controls; noise: largest standard deviation of a control before a camera's noise.",
    ]


def _read(frames: Sequence[Frame]) -> list[Expression]:
    reader = EmbeddedReader()
    try:
        return [reader.read(frame) for frame in frames]
    finally:
        reader.close()


def _performed(
    performers: Sequence[Performer], moments: Sequence[Expression]
) -> list[NDArray[np.float64]]:
    """(T, K) controls of each rig, in shares of their range."""
    taken: list[list[NDArray[np.float32]]] = [[] for _ in performers]
    for moment in moments:
        for performer, values in zip(performers, taken, strict=True):
            values.append(performer.perform(moment).values)
    spans = [np.maximum([c.maximum - c.minimum for c in p.rig.controls], 1e-6) for p in performers]
    return [np.stack(v) / span for v, span in zip(taken, spans, strict=True)]


def _restless(rig: Rig, turned: NDArray[np.float64], still: NDArray[np.float64]) -> Restless:
    counted = np.array([not any(w in c.name.lower() for w in GAZE_WORDS) for c in rig.controls])
    moved = np.where(counted, np.abs(turned - turned[TURN]).max(axis=0), 0.0)
    most = int(moved.argmax())
    return Restless(
        turn=float(moved[most]),
        control=rig.controls[most].name,
        mean=float(moved[counted].mean()) if counted.any() else 0.0,
        noise=float(still.std(axis=0).max()),
    )
