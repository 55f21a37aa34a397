"""What a rig is: controls, mesh, joints; and what it does over time: frames and takes.

Rig space everywhere in this package: metres, y up, right-handed, the neutral face looks along +z,
so +x is the character's left. Readers bring files into it; nothing else knows file formats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import RigError

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]

Side = Literal["left", "right", "centre"]
Region = Literal[
    "brows", "eyes", "gaze", "nose", "cheeks", "mouth", "jaw", "tongue", "emotion", "other"
]
JointRole = Literal["head", "left_eye", "right_eye", "jaw"]


@dataclass(frozen=True, kw_only=True)
class Control:
    """One rig parameter that a frame sets."""

    name: str
    """The rig's own name, unique within the rig."""
    minimum: float = 0.0
    maximum: float = 1.0
    neutral: float = 0.0
    region: Region = "other"
    side: Side = "centre"
    hub: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """ARKit-52 names this control stands for, each with the value it has when the control is at
    its maximum (jawOpen: 1.0; a viseme: several). Empty when the name says nothing."""
    convention: str = ""
    """Convention the name was recognised in ("arkit", "vrm0", "oculus", ...), or ""."""


@dataclass(frozen=True, kw_only=True)
class Joint:
    """A rigid part that turns with the head, an eye or the jaw, besides the controls."""

    role: JointRole
    pivot: FloatArray
    """(3,) centre of rotation in rig space, neutral pose."""
    weights: FloatArray
    """(V,) how far each vertex follows, 0..1."""
    node: str = ""
    """Name of the node or bone in the source file, if it had one."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A run of triangles drawn with one material."""

    name: str
    first_triangle: int
    triangle_count: int
    colour: tuple[float, float, float, float] = (0.8, 0.8, 0.8, 1.0)
    """Base colour factor, linear RGBA 0..1; multiplies the texture."""
    texture: NDArray[np.uint8] | None = None
    """(H, W, 4) sRGB + alpha, or None."""
    roughness: float = 0.8
    metallic: float = 0.0
    double_sided: bool = False
    blend: bool = False
    """Alpha blending (lashes, tears); opaque otherwise."""
    unlit: bool = False


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """All drawable geometry of a rig in one vertex array, skinned to its rest pose."""

    vertices: FloatArray
    """(V, 3) neutral positions, rig space."""
    triangles: IntArray
    """(T, 3) vertex indices, counter-clockwise from outside."""
    deltas: FloatArray
    """(K, V, 3) displacement of each control from neutral to its maximum, in the order of
    `Rig.controls`."""
    parts: tuple[Part, ...]
    uvs: FloatArray | None = None
    """(V, 2) glTF texture coordinates (v down), or None."""
    normals: FloatArray | None = None
    """(V, 3) unit normals of the neutral, or None: computed from the triangles."""
    joints: tuple[Joint, ...] = ()

    def __post_init__(self) -> None:
        v = len(self.vertices)
        if self.vertices.shape != (v, 3) or self.deltas.shape[1:] != (v, 3):
            raise RigError(
                f"mesh arrays disagree: vertices {self.vertices.shape}, deltas {self.deltas.shape}"
            )
        if len(self.triangles) and (self.triangles.min() < 0 or self.triangles.max() >= v):
            raise RigError(f"a triangle names a vertex outside 0..{v - 1}")

    @cached_property
    def motion(self) -> FloatArray:
        """(K,) largest displacement of any vertex under each control, metres."""
        if not self.deltas.size:
            return np.zeros(len(self.deltas), np.float32)
        return np.asarray(np.linalg.norm(self.deltas, axis=2).max(axis=1))

    def joint(self, role: JointRole) -> Joint | None:
        """The joint with this role, or None."""
        return next((j for j in self.joints if j.role == role), None)


@dataclass(frozen=True, kw_only=True)
class Anchors:
    """Semantic face points found on a rig's neutral mesh, and how each control moves them.

    The same A points, in the same order, on every rig, so that motion can be carried between rigs.
    """

    names: tuple[str, ...]
    """A names of points, see `freeavatar.animator.anchors`."""
    vertices: IntArray
    """(A, 3) corner vertices of the triangle each point lies on."""
    barycentric: FloatArray
    """(A, 3) weights of the corners, summing to 1."""
    found: NDArray[np.bool_]
    """(A,) False where the rig has no such point."""


@dataclass(frozen=True, kw_only=True)
class Rig:
    """An avatar: what can be set on it, what that does; built by readers and generators."""

    name: str
    controls: tuple[Control, ...]
    mesh: Mesh | None = None
    anchors: Anchors | None = None
    source: str = ""
    """File name it was read from, or "built-in"."""
    source_sha256: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()
    """What a technical artist should know about how the file was read, plain sentences."""
    up_axis: str = "y"
    units_per_metre: float = 1.0
    """Units of the source file, before it was brought to metres."""
    expressions: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """VRM expression clips by name: morph weights, binary and override flags (loaders/vrm.py)."""

    def __post_init__(self) -> None:
        names = [c.name for c in self.controls]
        if len(set(names)) != len(names):
            twice = sorted({n for n in names if names.count(n) > 1})
            raise RigError(f"rig {self.name}: control names appear twice: {', '.join(twice[:5])}")
        if self.mesh is not None and len(self.mesh.deltas) != len(self.controls):
            raise RigError(
                f"rig {self.name}: {len(self.controls)} controls but "
                f"{len(self.mesh.deltas)} displacement fields"
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Control names in the rig's own order."""
        return tuple(c.name for c in self.controls)

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Position of each control by name."""
        return MappingProxyType({name: i for i, name in enumerate(self.names)})

    @cached_property
    def neutral(self) -> FloatArray:
        """(K,) neutral value of each control."""
        return np.array([c.neutral for c in self.controls], np.float32)


@dataclass(frozen=True, kw_only=True)
class RigFrame:
    """The values of all of a rig's controls at one time."""

    index: int
    """Number of the source frame, from 0."""
    time: float
    """Seconds since the take began."""
    values: FloatArray
    """(K,) in the order of `Rig.controls`, each within its control's range."""
    found: bool = True
    """Whether a face was seen in this frame; False frames hold or ease to neutral."""
    head: FloatArray = field(default_factory=lambda: np.zeros(3, np.float32))
    """(3,) yaw, pitch, roll in radians; signs in `freeavatar.rigs.rotation`."""
    eyes: FloatArray = field(default_factory=lambda: np.zeros((2, 3), np.float32))
    """(2, 3) yaw, pitch, roll of the left, then the right eye, radians, relative to the head."""


@dataclass(frozen=True, kw_only=True)
class Take:
    """Frames of one rig in order of time, as read back from a take file."""

    names: tuple[str, ...]
    """Control names, the columns of each frame's values."""
    frames: Sequence[RigFrame]
    rate: float
    """Nominal frames per second; frames carry their own times."""
    subject: str = ""
    rig: str = ""
    """Name of the rig the take was made for, if the file says so."""
    timecode: str = ""
    """Timecode of the first frame, HH:MM:SS:FF, if the file has one."""
