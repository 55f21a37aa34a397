"""What a running performance is told, and what of it lasts to the next run.

The session file is JSON: gains that were set, the neutral of each actor, the number of the last
take, the subject. It is written anew at each change, beside its old self and then in its place, so
that it is whole whenever the run is killed.
"""

import contextlib
import json
import logging
import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from freeavatar.animator.calibration import Neutral
from freeavatar.bridge.control.commands import (
    Command,
    Gain,
    Mark,
    Pause,
    Recalibrate,
    Record,
    SetSubject,
    Stop,
    StopRecording,
)
from freeavatar.bridge.sink import BridgeError
from freeavatar.foundation.expression import BLENDSHAPES

from .recording import Recorder
from .sending import Actor, Sending

log = logging.getLogger(__name__)

FORMAT = "freeavatar-session/1"
LARGEST = 1 << 20
"""Bytes of a session file that is read."""


class Session:
    """Carries out commands; a `Handler`.

    Args:
        actors: whose gains and neutral are changed.
        sending: is paused.
        recorder: starts and ends takes.
        path: of the session file; None keeps nothing.

    Raises:
        BridgeError: the session file is there and is none.
    """

    def __init__(
        self,
        actors: Sequence[Actor],
        sending: Sending,
        recorder: Recorder,
        path: Path | None = None,
    ) -> None:
        self.over = False
        """Whether the end was asked for."""
        self.marks = 0
        self._actors, self._sending, self._recorder, self._path = actors, sending, recorder, path
        self._gains: dict[str, float] = {}
        self._lock = threading.RLock()
        self._kept = 0
        if path is not None and path.exists():
            self._resume(_read(path))

    @property
    def gain(self) -> float:
        """Gain of all controls that have none of their own."""
        return self._gains.get("*", 1.0)

    def __call__(self, command: Command) -> str:
        """Do what is asked; "" or one line that says why not. Any thread may ask."""
        with self._lock:
            refusal = self._carry_out(command)
            self.keep()
        log.info("%s%s", command, f": {refusal}" if refusal else "")
        return refusal

    def _carry_out(self, command: Command) -> str:
        match command:
            case Gain(control=control, value=value):
                refusal = self._gain(control, value)
            case Recalibrate():
                refusal = ""
                for actor in self._actors:
                    actor.watch(self._sending.time)
            case Pause(paused=paused):
                refusal = ""
                self._sending.paused = not self._sending.paused if paused is None else paused
            case Record(slate=slate, take=take):
                refusal = self._recorder.begin(slate, take)
            case StopRecording():
                refusal = self._recorder.end()
            case Mark(text=text):
                refusal = self._recorder.mark(self._sending.time, text)
                self.marks += not refusal
            case SetSubject(name=name):
                refusal = self._recorder.set_subject(name)
            case Stop():
                refusal, self.over = "", True
            case _:
                refusal = f"{type(command).__name__} is not known here"
        return refusal

    def record(self) -> None:
        """Start a take at once, under the plain name.

        Raises:
            BridgeError: it cannot be.
        """
        if refusal := self(Record()):
            raise BridgeError(refusal)

    def keep(self) -> None:
        """Write the session file, where there is one. A full disk costs the file alone."""
        self._kept = self._sending.recalibrated
        if self._path is None:
            return
        text = json.dumps(self._state(), indent=1)
        part = self._path.with_name(f"{self._path.name}.part")
        try:
            part.write_text(f"{text}\n", encoding="utf-8")
            part.replace(self._path)
        except OSError as error:
            log.error("%s: the session is not kept: %s", self._path, error.strerror)
            with contextlib.suppress(OSError):
                part.unlink()

    def keep_if_changed(self) -> None:
        """Write the session file after a new neutral has been found."""
        if self._kept != self._sending.recalibrated:
            with self._lock:
                self.keep()

    def _gain(self, control: str, value: float) -> str:
        control = control or "*"
        known = [p.set_gain(control, value) for a in self._actors for p in a.performers]
        if not any(known):
            return f"no rig has a control {control}"
        if control == "*":
            self._gains.clear()
        self._gains[control] = value
        return ""

    def _state(self) -> dict[str, Any]:
        neutrals = {
            actor.name: {
                "blendshapes": actor.neutral.blendshapes.round(6).tolist(),
                "head": actor.neutral.head.round(6).tolist(),
                "eyes": actor.neutral.eyes.round(6).tolist(),
            }
            for actor in self._actors
            if actor.neutral is not None
        }
        return {
            "format": FORMAT,
            "gains": self._gains,
            "neutrals": neutrals,
            "take": self._recorder.number,
        }

    def _resume(self, state: Mapping[str, Any]) -> None:
        for control, value in state["gains"].items():
            self._gain(control, value)
        for actor in self._actors:
            if (kept := state["neutrals"].get(actor.name)) is not None:
                actor.set_neutral(kept)
        self._recorder.number = state["take"]


def _read(path: Path) -> dict[str, Any]:
    """A session file, checked.

    Raises:
        BridgeError: it is none.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise BridgeError(f"{path}: too large for a session file")
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"its format is {data['format']}")
        gains = {str(k): _number(v, 0.0, 4.0) for k, v in data["gains"].items()}
        neutrals = {str(k): _neutral(v) for k, v in data["neutrals"].items()}
        return {"gains": gains, "neutrals": neutrals, "take": int(data["take"])}
    except OSError as error:
        raise BridgeError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BridgeError(
            f"{path}: no session file ({error}); remove it or name another with --session"
        ) from error


def _number(value: Any, low: float, high: float) -> float:
    number = float(value)
    if not (math.isfinite(number) and low <= number <= high):
        raise ValueError(f"{value} is not between {low:g} and {high:g}")
    return number


def _neutral(data: Mapping[str, Any]) -> Neutral:
    shapes = {"blendshapes": (len(BLENDSHAPES),), "head": (3, 3), "eyes": (2, 3)}
    arrays = {k: np.array(data[k], np.float64) for k in shapes}
    for name, shape in shapes.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ValueError(f"the neutral's {name} are not {shape} numbers")
    return Neutral(**arrays)
