"""Sends a face to VRChat: every parameter that the avatar in use has and we know, every frame.

While nothing is known of the avatar (VRChat not found, OSCQuery off) all names are sent as floats
below ``/avatar/parameters/v2/``; VRChat drops what the avatar has not.
"""

import logging
import uuid
from collections.abc import Sequence

import numpy as np

from freeavatar.bridge.bundles import BundleTemplate, Message
from freeavatar.bridge.curves import Curves
from freeavatar.bridge.datagrams import DatagramSender
from freeavatar.bridge.sink import BridgeError
from freeavatar.rigs.spec import FloatArray, Rig, RigFrame

from . import LOOPBACK
from .oscquery_client import AvatarWatch, announcement
from .oscquery_server import OscQueryServer
from .parameters import AvatarOutput, Parameter, everything
from .unified import INDEX, NAMES, unified_values

log = logging.getLogger(__name__)

LOST = 1.5
"""Seconds without a face after which the status bools turn off; by then a face that is lost has
been held and eased to neutral, and VRChat's own blinking and looking may take over."""
EYES = ("/tracking/eye/LeftRightPitchYaw", "/tracking/eye/EyesClosedAmount")
"""VRChat's own eyes: degrees, pitch + down, yaw + right, left eye first; and 0..1."""


class VrchatSender:
    """Sends a rig's frames as VRChat avatar parameters; a `Sink`."""

    def __init__(
        self,
        rig: Rig,
        host: str,
        port: int,
        *,
        listen: str = LOOPBACK,
        search: bool = True,
        eyes: bool = False,
    ) -> None:
        """Open the ports and start to look for VRChat; nothing of that is waited for.

        Args:
            rig: an ARKit rig, or one whose controls' names say what they mean in ARKit's curves.
            host: name or address of the machine that runs VRChat.
            port: UDP port where VRChat hears OSC.
            listen: address of ours at which VRChat tells that the avatar was changed.
            search: whether to ask VRChat by OSCQuery what the avatar has; else all is sent.
            eyes: whether to move VRChat's own eyes and lids too, for avatars without eye
                parameters.

        Raises:
            BridgeError: the rig's controls mean nothing in ARKit's curves, the host cannot be
                found, or ``listen`` is no address of this machine.
        """
        self._curves = Curves(rig)
        if not self._curves.covered:
            raise BridgeError(
                f"vrchat: faces are made from ARKit curves and rig {rig.name} has none; "
                f"use --rig arkit for this target, or osc:// for this rig"
            )
        self._output = AvatarOutput(everything())
        self._known: Sequence[Parameter] | None = None
        self._eyes = _NativeEyes() if eyes else None
        self._values = np.zeros(len(NAMES), np.float32)
        self._seen = -LOST
        self._closed = False
        self.sender = DatagramSender(host, port)
        self._watch: AvatarWatch | None = None
        self._server: OscQueryServer | None = None
        if search:
            self._start(host, listen)

    def _start(self, host: str, listen: str) -> None:
        name = f"FreeAvatar-{uuid.uuid4().hex[:6].upper()}"
        try:
            self._server = OscQueryServer(listen, name, self._changed)
        except BridgeError:
            self.sender.close()
            raise
        server = self._server
        told = announcement(name, server.host, host, server.http_port, server.osc_port)
        self._watch = AvatarWatch(host, self._found, told)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Parameters that each frame sets now."""
        return self._output.addresses

    def send(self, frame: RigFrame) -> None:
        """Send one frame; frames without a face carry the held or easing values."""
        curves = self._curves.of(frame.values)
        self._values = unified_values(curves, frame.eyes, frame.head)
        if frame.found:
            self._seen = frame.time
        active = 0 <= frame.time - self._seen < LOST
        for datagram in self._output.fill(self._values, active=active):
            self.sender.send(datagram)
        if self._eyes and active:
            for datagram in self._eyes.fill(self._values, frame.eyes):
                self.sender.send(datagram)

    def close(self) -> None:
        """Turn the status bools off, end the search and release the sockets."""
        if self._closed:
            return
        self._closed = True
        if self._watch:
            self._watch.close()
        if self._server:
            self._server.close()
        for datagram in self._output.fill(self._values, active=False):
            self.sender.send(datagram)
        self.sender.close()

    def _changed(self) -> None:
        if self._watch:
            self._watch.wake()

    def _found(self, parameters: Sequence[Parameter]) -> None:
        """Take another set of names up; frames being sent are not held up."""
        if parameters == self._known:
            return
        self._known = parameters
        self._output = AvatarOutput(parameters)
        count = len(self._output.addresses)
        log.info("VRChat: %d of the avatar's %d parameters are ours", count, len(parameters))


class _NativeEyes:
    def __init__(self) -> None:
        self._template = BundleTemplate([Message(EYES[0], floats=4), Message(EYES[1], floats=1)])
        self._closed = [INDEX["EyeClosedLeft"], INDEX["EyeClosedRight"]]

    def fill(self, values: FloatArray, eyes: FloatArray) -> list[bytearray]:
        numbers = np.zeros(5, np.float32)
        numbers[:4] = np.degrees(eyes[:, 1::-1]).reshape(4)
        numbers[4] = values[self._closed].mean()
        return self._template.fill(numbers)
