"""What a person and a script see of a running performance."""

import json
import sys
import time
from typing import Any

from freeavatar.tools.outlets import Outlets

from .capture import Capture
from .recording import Recorder
from .sending import Sending
from .session import Session
from .slot import Slot
from .statistics import Latencies, Rate, rounded
from .tracking import Tracking

EVERY = 0.5
"""Seconds between two status lines."""
NEWEST = 600
"""Frames over which the latencies of the running status are taken."""
JSON_EVERY = 1.0
"""Seconds between two objects of the JSON stream."""


class Status:
    """Tells of all threads of a run.

    Args:
        as_json: one JSON object a second on standard output, instead of a line on the terminal.
    """

    def __init__(
        self,
        *,
        capture: Capture,
        tracking: Tracking,
        sending: Sending,
        outlets: Outlets,
        recorder: Recorder,
        session: Session,
        latencies: Latencies,
        slots: tuple[Slot[Any], ...],
        as_json: bool,
    ) -> None:
        self._capture, self._tracking, self._sending = capture, tracking, sending
        self._outlets, self._recorder, self._session = outlets, recorder, session
        self._latencies, self._slots, self._json = latencies, slots, as_json
        self._rates = {"camera_fps": Rate(), "tracked_fps": Rate(), "sent_fps": Rate()}
        self._began = time.perf_counter()
        self._seconds: float | None = None
        self._line_due = self._json_due = 0.0
        self._on_line = False

    def show(self) -> None:
        """Bring what is shown up to date, where that is due."""
        now = time.perf_counter()
        if self._json:
            if now >= self._json_due:
                self._json_due = now + JSON_EVERY
                print(json.dumps(self.state()), flush=True)
        elif sys.stderr.isatty() and now >= self._line_due:
            self._line_due = now + EVERY
            print(f"\r\x1b[K{self._line()}", end="", file=sys.stderr, flush=True)
            self._on_line = True

    def begin(self) -> None:
        """The threads begin now."""
        self._began = time.perf_counter()

    def end(self) -> None:
        """The performance is over; what is printed from here on begins on a new line."""
        self._seconds = time.perf_counter() - self._began
        if self._on_line:
            print(file=sys.stderr)
            self._on_line = False

    def state(self) -> dict[str, Any]:
        """Rates, latencies and counts as of now."""
        counts = {
            "camera_fps": self._capture.captured,
            "tracked_fps": self._tracking.tracked,
            "sent_fps": self._sending.sent,
        }
        return {
            "seconds": round(self._seconds or time.perf_counter() - self._began, 3),
            **rounded({k: self._rates[k].of(v) for k, v in counts.items()}),
            "captured": self._capture.captured,
            "tracked": self._tracking.tracked,
            "found": self._tracking.found,
            "sent": self._sending.sent,
            "dropped": sum(slot.dropped for slot in self._slots),
            "camera_gone": self._capture.gone,
            "camera_reopened": self._capture.reopened,
            "paused": self._sending.paused,
            "recording": self._recorder.recording,
            "recorded": self._recorder.frames,
            "marks": self._session.marks,
            "latency_ms": self._latencies.table(NEWEST).get("total", {}),
            "sinks": [d.counts() for d in self._outlets.all],
        }

    def summary(self, failures: list[str]) -> dict[str, Any]:
        """The last object of the stream: the whole run."""
        state = self.state()
        seconds = max(state["seconds"], 1e-9)
        whole = {
            "camera_fps": self._capture.captured / seconds,
            "tracked_fps": self._tracking.tracked / seconds,
            "sent_fps": self._sending.sent / seconds,
        }
        stages = self._latencies.table()
        return {
            "summary": True,
            **state,
            **rounded(whole),
            "latency_ms": stages.get("total", {}),
            "stages_ms": stages,
            "written": list(self._recorder.written),
            "recording_left_out": self._recorder.left_out,
            "errors": failures,
        }

    def _line(self) -> str:
        state = self.state()
        latency = state["latency_ms"]
        parts = [
            "camera gone" if state["camera_gone"] else f"camera {state['camera_fps']:.0f}",
            f"tracked {state['tracked_fps']:.0f}",
            f"sent {state['sent_fps']:.0f} fps",
            f"latency {latency.get('p50', 0):.0f}/{latency.get('p99', 0):.0f} ms",
            f"dropped {state['dropped']}",
        ]
        troubled = [s for s in state["sinks"] if s["error"] or s["errors"]]
        if troubled:
            parts.append(f"{len(troubled)} of {len(state['sinks'])} receivers not reached")
        if state["paused"]:
            parts.append("PAUSED")
        if state["recording"]:
            parts.append("RECORDING")
        return " · ".join(parts)
