"""The ICT face as our data uses it: ARKit's 52 shapes, turning eyes and a tongue that comes out.

ICT-FaceKit (MIT) has no tongueOut, splits browInnerUp and cheekPuff, and its eyeLook shapes move
the lids only. Here the halves are summed, the eyeballs turn, and the tongue is ours.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES, FloatArray

IntArray = NDArray[np.int32]

GAZE_YAW, GAZE_PITCH = float(np.radians(30.0)), float(np.radians(25.0))
"""Radians an eye turns at eyeLook 1, sideways and up or down."""
IRIS_RADIUS = 1.25
"""Centimetres from the middle of an eyeball to its iris."""
SKIN, HEAD, SOCKET, HOLLOW, GUM, TEETH, EYE, LASH = range(8)
"""Parts: face, rest of the head with neck and shoulders, mouth's inside, orbits, gums with tongue,
teeth, eyeballs, lashes."""
_RANGES = (
    (SKIN, 0, 9409),
    (HEAD, 9409, 11248),
    (SOCKET, 11248, 13294),
    (HOLLOW, 13294, 14062),
    (GUM, 14062, 17039),
    (TEETH, 17039, 21451),
    (EYE, 21451, 24591),
    (LASH, 25351, 26719),
)
"""Part, first vertex and the one after the last in ICT's own numbers; tear film is left out."""
_LEFT_EYE, _RIGHT_EYE = slice(21451, 23021), slice(23021, 24591)
_LEFT_BALL, _RIGHT_BALL = slice(21451, 22221), slice(23021, 23791)
"""Eyeballs without the bulge of the cornea."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What one blendshape moves."""

    vertices: IntArray
    """(M,)"""
    offsets: FloatArray
    """(M, 3) at full weight, centimetres."""


@dataclass(frozen=True, kw_only=True)
class IctFace:
    """The head without what is never seen; centimetres, x to the head's left, y up, z forward."""

    neutral: FloatArray
    """(V, 3)"""
    triangles: IntArray
    """(T, 3), counter-clockwise from outside."""
    part: NDArray[np.uint8]
    """(V,) which part each vertex belongs to."""
    shapes: tuple[Shape, ...]
    """One for each of `BLENDSHAPES`."""
    identity: FloatArray
    """(100, V, 3) offsets of one standard deviation of each way in which people differ."""
    tongue: FloatArray
    """(V,) 0..1 how far along the tongue a vertex lies, 0 off it."""

    @cached_property
    def eyes(self) -> tuple[slice, slice]:
        """Vertices of the left and of the right eyeball."""
        return _LEFT_EYE, _RIGHT_EYE

    @cached_property
    def triangle_part(self) -> NDArray[np.uint8]:
        """(T,) part of each triangle; where two parts meet, the inner one."""
        return np.asarray(self.part[self.triangles].max(axis=1))

    def person(self, modes: FloatArray) -> FloatArray:
        """(V, 3) neutral of a person.

        Args:
            modes: (M,) standard deviations of the first M ways in which people differ.
        """
        count = len(modes)
        flat = self.identity[:count].reshape(count, -1)
        return self.neutral + (modes.astype(np.float32) @ flat).reshape(-1, 3)


def eye_middles(vertices: FloatArray) -> FloatArray:
    """(2, 3) middles of the left and right eyeball of a neutral (V, 3)."""
    balls = vertices[_LEFT_BALL], vertices[_RIGHT_BALL]
    return np.stack([(b.min(axis=0) + b.max(axis=0)) / 2 for b in balls]).astype(np.float32)


def gaze(blendshapes: FloatArray) -> FloatArray:
    """How eyeLook shapes turn the eyes.

    Args:
        blendshapes: (52,)

    Returns:
        (2, 2) yaw, pitch of the left and right eye, radians, as in `Expression`: yaw + toward the
        actor's right, pitch + down.
    """

    def value(name: str) -> float:
        return float(blendshapes[BLENDSHAPES.index(name)])

    out = np.zeros((2, 2), np.float32)
    for row, (side, outward) in enumerate((("Left", -1.0), ("Right", 1.0))):
        out[row, 0] = outward * (value(f"eyeLookOut{side}") - value(f"eyeLookIn{side}")) * GAZE_YAW
        out[row, 1] = (value(f"eyeLookDown{side}") - value(f"eyeLookUp{side}")) * GAZE_PITCH
    return out


def eye_rotation(yaw: float, pitch: float) -> FloatArray:
    """(3, 3) turn of an eyeball in the head's axes; angles as `gaze` gives them."""
    cos_y, sin_y, cos_p, sin_p = np.cos(yaw), -np.sin(yaw), np.cos(pitch), np.sin(pitch)
    turn = np.array([[cos_y, 0, sin_y], [0, 1, 0], [-sin_y, 0, cos_y]])
    nod = np.array([[1, 0, 0], [0, cos_p, -sin_p], [0, sin_p, cos_p]])
    return np.asarray(turn @ nod, np.float32)


@lru_cache(maxsize=2)
def load_ict(path: Path) -> IctFace:
    """Read ``ict_face.npz``.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is not the ICT face.
    """
    with np.load(path, allow_pickle=False) as file:
        if "expr_delta" not in file.files:
            raise ValueError(f"{path} is not the ICT face (no expr_delta in it)")
        full = {name: file[name] for name in ("neutral", "expr_delta", "id_delta", "tri")}
        names = [str(name) for name in file["expr_names"]]
    kept = np.concatenate([np.arange(first, last) for _, first, last in _RANGES])
    renumbered = np.full(len(full["neutral"]), -1, np.int32)
    renumbered[kept] = np.arange(len(kept), dtype=np.int32)
    triangles = renumbered[full["tri"].astype(np.int64)]
    triangles = np.ascontiguousarray(triangles[(triangles >= 0).all(axis=1)])
    neutral = full["neutral"][kept].astype(np.float32)
    part = np.concatenate([np.full(b - a, p, np.uint8) for p, a, b in _RANGES])
    deltas = dict(zip(names, full["expr_delta"][:, kept].astype(np.float32), strict=True))
    tongue = _along_tongue(neutral, triangles, part, deltas["jawOpen"])
    deltas["tongueOut"] = _tongue_out(neutral, tongue)
    return IctFace(
        neutral=neutral,
        triangles=triangles,
        part=part,
        shapes=tuple(_sparse(_summed(name, deltas)) for name in BLENDSHAPES),
        identity=np.ascontiguousarray(full["id_delta"][:, kept], np.float32),
        tongue=tongue,
    )


def _summed(name: str, deltas: dict[str, FloatArray]) -> FloatArray:
    """The offsets (V, 3) of an ARKit shape."""
    if name in deltas:
        return deltas[name]
    if name.endswith(("Left", "Right")):
        stem, side = (name[:-4], "_L") if name.endswith("Left") else (name[:-5], "_R")
        return deltas[stem + side]
    return deltas[name + "_L"] + deltas[name + "_R"]


def _sparse(delta: FloatArray) -> Shape:
    moved = np.flatnonzero(np.abs(delta).max(axis=1) > 1e-4).astype(np.int32)
    return Shape(vertices=moved, offsets=np.ascontiguousarray(delta[moved]))


_ROOT, _TIP = 4.5, 9.75
"""z of the part of the tongue that moves, centimetres."""


def _along_tongue(
    neutral: FloatArray, triangles: IntArray, part: NDArray[np.uint8], jaw: FloatArray
) -> FloatArray:
    """(V,) 0 at the tongue's root to 1 at its tip; 0 for gums and the floor of the mouth.

    Gums, floor and tongue are one surface. The tongue is what can be reached from its back without
    crossing the floor, which lies low and faces up, or the gums.
    """
    a, b, c = (neutral[triangles[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(neutral)
    for k in range(3):
        np.add.at(normals, triangles[:, k], faces)
    up = normals[:, 1] / np.maximum(np.linalg.norm(normals, axis=1), 1e-9)
    x, y, z = neutral.T
    floor = (y < -4.5) & (up > 0.0)
    gums = (z > 9.75) | ((z > 8.6) & (y < -4.4 + 0.35 * np.maximum(z - 9.2, 0.0)))
    free = (part == GUM) & (jaw[:, 1] < -0.6) & ~floor & ~gums & (np.abs(x) < 2.05)
    reached = free & (np.abs(x) < 0.8) & (y > -3.8) & (up > 0.3)
    inner = triangles[free[triangles].all(axis=1)]
    for _ in range(200):
        touched = inner[reached[inner].any(axis=1)]
        if reached[touched].all():
            break
        reached[touched] = True
    along = np.clip((z - _ROOT) / (_TIP - _ROOT), 0.0, 1.0)
    return np.where(reached, along, 0.0).astype(np.float32)


def _tongue_out(neutral: FloatArray, along: FloatArray) -> FloatArray:
    """(V, 3) offsets that lead the tongue over the lower teeth and lip, flat and a little down."""
    rest_z = _ROOT + along * (_TIP - _ROOT)
    rest_y = np.interp(along, (0.0, 0.3, 0.6, 0.85, 1.0), (-3.9, -3.75, -3.75, -3.8, -4.0))
    out_z = np.interp(along, (0.0, 0.35, 0.6, 0.8, 1.0), (_ROOT, 8.6, 11.0, 12.4, 13.5))
    out_y = np.interp(along, (0.0, 0.35, 0.6, 0.8, 1.0), (-3.9, -3.1, -2.95, -3.35, -4.15))
    thick = np.interp(along, (0.0, 0.35, 0.6, 1.0), (1.0, 0.7, 0.5, 0.45))
    wide = np.interp(along, (0.0, 0.35, 0.6, 0.9, 1.0), (1.0, 0.95, 0.95, 1.1, 1.2))
    x, y, z = neutral.T
    target = np.stack([x * wide, out_y + (y - rest_y) * thick, out_z + (z - rest_z)], axis=1)
    moved = np.where(along[:, None] > 0, target - neutral, 0.0)
    return np.asarray(moved, np.float32)
