"""VMC protocol 3.1 (Performer to Marionette): OSC for VRM tools, Unity, Unreal and Godot.

Every blend name travels every frame, since receivers drop or zero the ones left out, and
``/VMC/Ext/Blend/Apply`` ends the last bundle. Bones are in Unity's axes (left-handed, y up): x is
mirrored from rig space, so positions become (-x, y, z) and quaternions (x, -y, -z, w).
"""

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.conventions.arkit import LIVE_LINK_UDP
from freeavatar.rigs.spec import Control, FloatArray, Rig, RigFrame

from .bundles import BundleTemplate, Message
from .curves import Curves, is_arkit, other_controls
from .datagrams import DatagramSender

DEFAULT_PORT = 39539
PERFECT_SYNC = LIVE_LINK_UDP[:52]
"""ARKit's 52 names in PascalCase, the only spelling that case-sensitive receivers know."""
VRM0_PRESETS = (
    "Neutral", "A", "I", "U", "E", "O", "Blink", "Joy", "Angry", "Sorrow", "Fun", "LookUp",
    "LookDown", "LookLeft", "LookRight", "Blink_L", "Blink_R",
)  # fmt: skip
VRM1_PRESETS = (
    "neutral", "aa", "ih", "ou", "ee", "oh", "blink", "happy", "angry", "sad", "relaxed",
    "surprised", "lookUp", "lookDown", "lookLeft", "lookRight", "blinkLeft", "blinkRight",
)  # fmt: skip
_SPELLING = {
    "vrm0": {name.lower(): name for name in VRM0_PRESETS},
    "vrm1": {name.lower(): name for name in VRM1_PRESETS},
}

# A bone's position is relative to its parent. Rigs know only head and eyes, so the neck and the
# head on it have an adult's usual lengths, as have the eyes where a rig has no eye joints.
NECK_REST = np.array([0.0, 0.12, 0.0])
HEAD_REST = np.array([0.0, 0.09, 0.0])
EYE_REST = {
    "left_eye": np.array([0.032, 0.065, 0.08]),
    "right_eye": np.array([-0.032, 0.065, 0.08]),
}
_MIRROR_POSITION = np.array([-1.0, 1.0, 1.0])
_UNTURNED = np.array([0.0, 0.0, 0.0, 1.0])
_STILL = np.concatenate([np.zeros(3), _UNTURNED])


def unity_position(position: NDArray[np.floating]) -> NDArray[np.float64]:
    """(..., 3) metres from rig space to Unity's axes."""
    return np.asarray(position * _MIRROR_POSITION)


def unity_rotation(angles: NDArray[np.floating]) -> NDArray[np.float64]:
    """(..., 3) yaw, pitch, roll to (..., 4) quaternions x, y, z, w in Unity's axes.

    The product of the three half turns of `rigs.rotation`, ``Ry(-yaw) Rx(pitch) Rz(roll)``,
    mirrored; written out because a general rotation library takes longer than the rest of a frame.
    """
    half = np.asarray(angles, np.float64) / 2
    sin, cos = np.sin(half), np.cos(half)
    sin_y, sin_p, sin_r = sin[..., 0], sin[..., 1], sin[..., 2]
    cos_y, cos_p, cos_r = cos[..., 0], cos[..., 1], cos[..., 2]
    out = np.empty((*half.shape[:-1], 4))
    x = cos_y * sin_p * cos_r - sin_y * cos_p * sin_r
    y = sin_y * cos_p * cos_r + cos_y * sin_p * sin_r
    z = -cos_y * cos_p * sin_r - sin_y * sin_p * cos_r
    w = cos_y * cos_p * cos_r - sin_y * sin_p * sin_r
    out[..., 0], out[..., 1], out[..., 2], out[..., 3] = x, y, z, w
    return out


def blend_name(control: Control) -> str:
    """Name a control has on the wire: its VRM version's spelling of presets, else its own."""
    spelling = _SPELLING.get(control.convention, {})
    return spelling.get(control.name.lower(), control.name)


class VmcSender:
    """Sends a rig's frames as a VMC performer; a `Sink`."""

    def __init__(self, rig: Rig, host: str, port: int) -> None:
        """Build the messages of the rig's names and bones.

        Raises:
            BridgeError: the host cannot be found, or a control's name is too long to send.
        """
        self._curves = Curves(rig) if is_arkit(rig) else None
        kept = set(other_controls(rig) if self._curves else rig.names)
        self._kept = np.array([i for i, name in enumerate(rig.names) if name in kept], np.intp)
        own = [blend_name(rig.controls[i]) for i in self._kept]
        names = [*PERFECT_SYNC, *own] if self._curves else own
        messages = [
            Message("/VMC/Ext/OK", floats=0, integers=1),
            Message("/VMC/Ext/T", floats=1),
            Message("/VMC/Ext/Root/Pos", ("root",), floats=7),
            *(Message("/VMC/Ext/Bone/Pos", (b,), floats=7) for b in BONES),
            *(Message("/VMC/Ext/Blend/Val", (name,), floats=1) for name in names),
            Message("/VMC/Ext/Blend/Apply"),
        ]
        self._template = BundleTemplate(messages)
        self._numbers = np.zeros(self._template.count, np.float32)
        self._numbers[:_BLENDS] = np.concatenate([[1, 0], _STILL, _rest(rig)])
        self._goodbye = BundleTemplate([Message("/VMC/Ext/OK", integers=1)])
        self._closed = False
        self.sender = DatagramSender(host, port)

    def send(self, frame: RigFrame) -> None:
        """Send one frame; frames without a face carry the held or easing values."""
        numbers = self._numbers
        numbers[1] = frame.time
        numbers[_TURNS] = _turns(frame).reshape(-1)
        split = len(numbers)
        split -= len(self._kept)
        numbers[split:] = frame.values[self._kept]
        if self._curves:
            numbers[_BLENDS:split] = self._curves.of(frame.values)
        for datagram in self._template.fill(numbers):
            self.sender.send(datagram)

    def close(self) -> None:
        """Tell the receiver that the performer is gone (OK 0) and release the socket."""
        if self._closed:
            return
        self._closed = True
        for datagram in self._goodbye.fill(np.zeros(1, np.float32)):
            self.sender.send(datagram)
        self.sender.close()


BONES = ("Neck", "Head", "LeftEye", "RightEye")
_FIRST_BONE = 9
_BLENDS = _FIRST_BONE + 7 * len(BONES)
# Places of the quaternions of head and eyes among a frame's numbers.
_TURNS = np.concatenate([np.arange(4) + _FIRST_BONE + 7 * bone + 3 for bone in (1, 2, 3)])


def _turns(frame: RigFrame) -> NDArray[np.float64]:
    return unity_rotation(np.concatenate([frame.head[None], frame.eyes]))


def _rest(rig: Rig) -> FloatArray:
    """(28,) position and no rotation of each bone, relative to its parent."""
    places = [NECK_REST, HEAD_REST, _eye(rig, "left_eye"), _eye(rig, "right_eye")]
    rest = [np.concatenate([unity_position(place), _UNTURNED]) for place in places]
    return np.concatenate(rest).astype(np.float32)


def _eye(rig: Rig, role: str) -> NDArray[np.floating]:
    joints = {} if rig.mesh is None else {j.role: j.pivot for j in rig.mesh.joints}
    if role not in joints or "head" not in joints:
        return EYE_REST[role]
    return np.asarray(joints[role] - joints["head"])
