"""The two things everything else speaks of: a frame that was captured and what it expresses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

BLENDSHAPES: tuple[str, ...] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft",
    "eyeSquintLeft", "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight",
    "eyeLookOutRight", "eyeLookUpRight", "eyeSquintRight", "eyeWideRight", "jawForward",
    "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft",
    "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft",
    "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft",
    "mouthUpperUpRight", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
    "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft",
    "noseSneerRight", "tongueOut",
)  # fmt: skip
"""ARKit's 52 blendshapes in the order of the Live Link Face packet."""

GROUPS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        name: tuple(i for i, channel in enumerate(BLENDSHAPES) if channel.startswith(starts))
        for name, starts in {
            "mouth and jaw": ("jaw", "mouth"),
            "lids": ("eyeBlink", "eyeSquint", "eyeWide"),
            "brows": ("brow",),
            "gaze": ("eyeLook",),
            "cheeks and nose": ("cheek", "nose"),
            "tongue": ("tongue",),
        }.items()
    }
)
"""Indices of `BLENDSHAPES` by region of the face."""


def _other_side(name: str) -> str:
    if name.endswith("Left"):
        return name[:-4] + "Right"
    return name[:-5] + "Left" if name.endswith("Right") else name


SWAPPED = np.array([BLENDSHAPES.index(_other_side(name)) for name in BLENDSHAPES])
"""(52,) where each blendshape comes from when the face is mirrored."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One captured picture."""

    picture: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    index: int
    """Counts every source frame from 0."""
    time: float
    """Seconds since the take began."""


@dataclass(frozen=True, kw_only=True)
class Expression:
    """What one face says in one frame."""

    index: int
    time: float
    found: bool
    """False: no face in this frame; the other fields then hold neutral values."""
    blendshapes: FloatArray = field(default_factory=lambda: np.zeros(52, np.float32))
    """(52,) ARKit coefficients 0..1 in the order of `BLENDSHAPES`."""
    head: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    """(3, 3) rotation of the head: camera space is y up, z toward the camera, so that a face
    looking into the camera is the identity; columns are the head's left, up and forward."""
    translation: FloatArray = field(default_factory=lambda: np.zeros(3, np.float32))
    """(3,) head position in that camera space, metres."""
    eyes: FloatArray = field(default_factory=lambda: np.zeros((2, 3), np.float32))
    """(2, 3) yaw, pitch, roll of left and right eye relative to the head, radians; yaw + toward
    the actor's right, pitch + down."""
    landmarks: FloatArray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    """(L, 2) pixels of the frame, x right, y down; L = 0 where the reader has none."""
    box: FloatArray = field(default_factory=lambda: np.zeros(4, np.float32))
    """(4,) left, top, right, bottom of the face in pixels."""
    confidence: float = 0.0
    """0..1."""
    embedding: FloatArray | None = None
    """(D,) unit length, from readers that have one."""
    tokens: FloatArray | None = None
    """(K, D') finer features, from readers that have them."""


class Reader(Protocol):
    """Turns frames into expressions; stateful (tracking), one per source."""

    def read(self, frame: Frame) -> Expression:
        """The chosen face of this frame, or an Expression with ``found=False``."""
        ...

    def close(self) -> None:
        """Release models and threads."""
        ...
