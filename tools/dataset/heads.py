"""A head that can be posed: what all people of one mesh share, and one person."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numba
import numpy as np
from numpy.typing import NDArray

from freeavatar.animator.anchor_table import ANCHORS
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.landmarks import LANDMARKS
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Anchors

from .drawing import IntArray
from .pieces import Piece

JAW = [i for i, a in enumerate(ANCHORS) if a.name.startswith(("jaw_", "chin"))]
OUTSIDE = 0.04
"""Share of the way from the middle of the face by which their face points are farther out."""
ControlsOf = Callable[[FloatArray], FloatArray]
"""ARKit coefficients (52,) to weights (K,) of a motion."""


@dataclass(frozen=True, kw_only=True)
class Motion:
    """Displacements of K controls, only where they move something."""

    starts: IntArray
    """(K + 1,) control k owns the rows from ``starts[k]`` to ``starts[k + 1]``."""
    rows: IntArray
    """(R,) vertices."""
    offsets: FloatArray
    """(R, 3) metres at full weight."""

    @staticmethod
    def of(deltas: Sequence[FloatArray], *, least: float = 1e-5) -> "Motion":
        """From K dense displacements (V, 3); what moves less than ``least`` metres is left out."""
        rows = [np.flatnonzero(np.abs(d).max(axis=1) > least).astype(np.int32) for d in deltas]
        return Motion(
            starts=np.cumsum([0, *(len(r) for r in rows)]).astype(np.int32),
            rows=np.concatenate(rows),
            offsets=np.concatenate(
                [d[r].astype(np.float32) for d, r in zip(deltas, rows, strict=True)]
            ),
        )

    def apply(self, vertices: FloatArray, weights: FloatArray) -> FloatArray:
        """Moved copy of vertices (V, 3)."""
        moved = vertices.copy()
        _add(moved, self.starts, self.rows, self.offsets, weights.astype(np.float32))
        return moved

    def dense(self, count: int) -> FloatArray:
        """(K, V, 3)"""
        out = np.zeros((len(self.starts) - 1, count, 3), np.float32)
        for k in range(len(out)):
            part = slice(self.starts[k], self.starts[k + 1])
            out[k, self.rows[part]] = self.offsets[part]
        return out


@dataclass(frozen=True, kw_only=True)
class Head:
    """The mesh that all people of one kind share."""

    name: str
    triangles: IntArray
    """(T, 3)"""
    kinds: NDArray[np.uint8]
    """(T,) see `drawing`."""
    coordinates: FloatArray
    """(V, 3) see `drawing.Surface`."""
    eyes: tuple[IntArray, IntArray]
    """Vertices of the left, then the right eye."""
    inside: NDArray[np.bool_]
    """(V,) gums, teeth, tongue and the mouth's walls: dark behind closed lips."""
    skin: NDArray[np.bool_]
    """(V,) vertices of the face's and scalp's skin."""
    anchors: Anchors | None = None


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody: a head with a shape, a motion and a look."""

    name: str
    head: Head
    vertices: FloatArray
    """(V, 3) neutral, metres, y up, looking along +z."""
    motion: Motion
    controls_of: ControlsOf
    pivots: FloatArray
    """(2, 3) middles of the left and the right eyeball."""
    colours: FloatArray
    """(V, 3) linear; multiplies the texture."""
    texture: NDArray[np.uint8]
    """(H, W, 3) sRGB."""
    known: NDArray[np.bool_]
    """(52,) coefficients that this head shows."""
    marked: NDArray[np.bool_] = field(default_factory=lambda: np.ones(len(LANDMARKS), bool))
    """(156,) face points that are where a detector of real faces would see them."""
    cartoon: bool = False
    pitch: float = 0.0
    """Radians by which the mesh must be pitched, + is down, for its face to look straight ahead."""
    pieces: tuple[Piece, ...] = ()
    """Hair: drawn with the head."""

    @cached_property
    def radius(self) -> float:
        """Of an eyeball, metres."""
        left = self.vertices[self.head.eyes[0]] - self.pivots[0]
        return float(np.quantile(np.linalg.norm(left, axis=1), 0.9))

    def posed(self, blendshapes: FloatArray, eyes: FloatArray) -> FloatArray:
        """(V, 3) vertices with an expression.

        Args:
            blendshapes: (52,).
            eyes: (2, 2) yaw and pitch of left and right eye, radians, signs as in `Expression`.
        """
        moved = self.motion.apply(self.vertices, self.controls_of(blendshapes))
        for rows, pivot, turn in zip(self.head.eyes, self.pivots, turns(eyes), strict=True):
            moved[rows] = (self.vertices[rows] - pivot) @ turn.T.astype(np.float32) + pivot
        return moved

    def points(self, posed: FloatArray, eyes: FloatArray) -> FloatArray:
        """(156, 3) the face points of a posed head."""
        anchors = self.head.anchors
        if anchors is None:
            raise ValueError(f"{self.name} has no face points")
        skin = np.einsum("ac,acx->ax", anchors.barycentric, posed[anchors.vertices])
        # Their anchors lie a little inside the outline, to be on the mesh at all.
        middle = skin.mean(axis=0)
        skin[JAW, :2] += OUTSIDE * (skin[JAW, :2] - middle[:2])
        forward = turns(eyes)[:, :, 2] * self.radius
        irises = (self.pivots + forward)[::-1]
        return np.concatenate([skin, irises]).astype(np.float32)


def turns(eyes: FloatArray) -> NDArray[np.float64]:
    """(2, 3, 3) rotations of eyes (2, 2)."""
    return matrix_from_angles(np.concatenate([eyes, np.zeros((2, 1))], axis=1))


def with_anchors(person: Person, anchors: Anchors) -> Person:
    """The person with its mesh's face points."""
    return replace(person, head=replace(person.head, anchors=anchors))


def ball(rings: int = 12, around: int = 20) -> tuple[FloatArray, IntArray]:
    """The front three quarters of a unit ball that looks along +z: vertices and triangles."""
    polar = np.linspace(0.0, 0.75 * np.pi, rings + 1)[1:]
    turn = np.arange(around) / around * 2 * np.pi
    ring = np.stack(
        [
            np.sin(polar)[:, None] * np.cos(turn),
            np.sin(polar)[:, None] * np.sin(turn),
            np.cos(polar)[:, None] * np.ones(around),
        ],
        axis=-1,
    ).reshape(-1, 3)
    vertices = np.concatenate([[[0.0, 0.0, 1.0]], ring]).astype(np.float32)
    n = np.arange(around)
    after = (n + 1) % around
    cap = np.stack([np.zeros(around, int), 1 + n, 1 + after], axis=1)
    bands = []
    for r in range(rings - 1):
        a, b = 1 + r * around + n, 1 + r * around + after
        bands += [
            np.stack([a, a + around, b], axis=1),
            np.stack([b, a + around, b + around], axis=1),
        ]
    return vertices, np.concatenate([cap, *bands]).astype(np.int32)


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _add(vertices, starts, rows, offsets, weights):  # type: ignore[no-untyped-def]
    for k in range(weights.shape[0]):
        w = weights[k]
        if w == 0:
            continue
        for i in range(starts[k], starts[k + 1]):
            r = rows[i]
            vertices[r, 0] += w * offsets[i, 0]
            vertices[r, 1] += w * offsets[i, 1]
            vertices[r, 2] += w * offsets[i, 2]
