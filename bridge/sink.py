"""What every sender and take writer is."""

from typing import Protocol

from freeavatar.rigs.spec import RigFrame


class Sink(Protocol):
    """Accepts the frames of one rig, in order of time. Built for a rig, fed, then closed."""

    def send(self, frame: RigFrame) -> None:
        """Deliver or record one frame."""
        ...

    def close(self) -> None:
        """Finish: flush files, tell receivers. Safe to call twice."""
        ...


class BridgeError(ValueError):
    """A target or take cannot be opened or read; one line that says what to do."""
