"""Where frames go while they are live: every sink of every rig, each on its own.

Senders never wait (see `freeavatar.bridge.sink`): a receiver that is gone, or has stopped reading,
costs its own frames alone. So one thread feeds them all, in order, with the same frame.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from freeavatar.bridge.sink import BridgeError, Sink
from freeavatar.bridge.targets import open_target
from freeavatar.rigs.spec import Rig, RigFrame

log = logging.getLogger(__name__)


@dataclass
class Delivery:
    """One sink of one rig."""

    url: str
    rig: str
    sink: Sink
    frames: int = 0
    error: str = ""
    """Why it was given up; empty while it works."""

    def counts(self) -> dict[str, Any]:
        """For the summary: frames given to it, datagrams sent, errors, frames left out."""
        sender = getattr(self.sink, "sender", None)
        return {
            "to": self.url,
            "rig": self.rig,
            "frames": self.frames,
            "sent": getattr(sender, "sent", 0),
            "errors": getattr(sender, "errors", 0),
            "dropped": getattr(sender, "dropped", 0),
            "error": self.error,
        }


class Deliveries:
    """All sinks of a run.

    Args:
        rigs: whose frames are sent, each to every target.
        targets: URLs, see `open_target`.
        rate: nominal frames per second.

    Raises:
        BridgeError: one cannot be opened; those opened before are closed.
    """

    def __init__(self, rigs: Sequence[Rig], targets: Sequence[str], *, rate: float) -> None:
        self.all: list[Delivery] = []
        self._of: dict[str, list[Delivery]] = {rig.name: [] for rig in rigs}
        try:
            for url in dict.fromkeys(targets):
                for rig in rigs:
                    delivery = Delivery(url, rig.name, open_target(url, rig, rate=rate))
                    self.all.append(delivery)
                    self._of[rig.name].append(delivery)
        except BaseException:
            self.close()
            raise

    def send(self, rig: str, frame: RigFrame) -> None:
        """Give a frame to every sink of a rig that still works."""
        for delivery in self._of[rig]:
            if delivery.error:
                continue
            try:
                delivery.sink.send(frame)
                delivery.frames += 1
            except (BridgeError, OSError) as error:
                delivery.error = str(error)
                log.error("%s: given up, the rest goes on: %s", delivery.url, error)

    def close(self) -> None:
        """Tell every receiver and release what is open."""
        for delivery in self.all:
            try:
                delivery.sink.close()
            except (BridgeError, OSError) as error:
                delivery.error = delivery.error or str(error)
                log.error("%s: %s", delivery.url, error)
