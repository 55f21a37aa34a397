"""From a deformed mesh back to the control values that made it."""

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.spec import FloatArray, Mesh, Rig

from .bounded import solve_bounded
from .motion import anchors_of, mesh_of

Values = NDArray[np.float64]

PER_CONTROL = 16
"""Points of the mesh taken for each control: those it moves most."""
PRICE = 1e-4
"""Absolute value, relative to a control's own motion energy: keeps the answer sparse."""
RIDGE = 1e-7
"""Squared value, relative to the same: keeps it unique."""
STILL = 1e-3
"""A control is dead when it moves no point by this share of the mean control's motion."""


class ControlInverse:
    """Recovers control values from vertices by the solver's bounded, sparse least squares.

    Args:
        rig: with a mesh.
        anchors_only: True sees nothing but the rig's anchors, else also points of the mesh that
            the controls move, wherever they are (tongue, teeth).

    Raises:
        ValueError: the rig has no mesh, or no anchors where they are asked for.
    """

    def __init__(self, rig: Rig, *, anchors_only: bool = False) -> None:
        self.rig = rig
        self._mesh = mesh_of(rig)
        corners, weights = _points(rig, self._mesh, anchors_only)
        self._corners, self._weights = corners, weights
        moved = np.einsum("pc,kpcx->kpx", weights, self._mesh.deltas[:, corners])
        columns = moved.reshape(len(moved), -1).astype(np.float64)
        size = np.linalg.norm(columns, axis=1)
        moving = size > STILL * size.mean() if len(size) else np.zeros(0, bool)
        self.dead = tuple(n for n, m in zip(rig.names, moving, strict=True) if not m)
        """Names of the controls that move none of the points."""
        self._moving = np.flatnonzero(moving)
        self._size = size[moving]
        # Unit columns: small controls are recovered as exactly as large ones.
        self._columns = columns[moving] / self._size[:, None]
        count = len(self._moving)
        self._gram = self._columns @ self._columns.T + RIDGE * np.eye(count)
        lowest = np.array([(c.minimum - c.neutral) / (c.maximum - c.neutral) for c in rig.controls])
        self._lower = lowest[moving] * self._size
        self._span = np.array([c.maximum - c.neutral for c in rig.controls])

    def values(self, vertices: FloatArray) -> Values:
        """Control values (K,) for vertices (V, 3); dead controls stay neutral."""
        moved = np.einsum(
            "pc,pcx->px", self._weights, (vertices - self._mesh.vertices)[self._corners]
        )
        linear = self._columns @ moved.ravel() - PRICE * self._size
        found = solve_bounded(self._gram, linear, self._lower, self._size)
        weights = np.zeros(len(self._span))
        weights[self._moving] = found / self._size
        return np.asarray(self.rig.neutral + self._span * weights, np.float64)


def _points(
    rig: Rig, mesh: Mesh, anchors_only: bool
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Corners (P, 3) and weights (P, 3) of the points that are compared."""
    corners, weights = np.zeros((0, 3), np.int32), np.zeros((0, 3), np.float32)
    if anchors_only or rig.anchors is not None:
        anchors = anchors_of(rig)
        corners = anchors.vertices[anchors.found]
        weights = anchors.barycentric[anchors.found]
    if anchors_only:
        return corners, weights
    reach = np.linalg.norm(mesh.deltas, axis=2)
    strongest = np.argsort(-reach, axis=1)[:, :PER_CONTROL]
    single = np.unique(strongest).astype(np.int32)
    alone = np.tile(np.array([1.0, 0.0, 0.0], np.float32), (len(single), 1))
    return (
        np.concatenate([corners, np.repeat(single[:, None], 3, axis=1)]),
        np.concatenate([weights, alone]),
    )
