"""Where a rig's anchors are, and how its controls move them."""

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Anchors, Mesh, Rig

from .anchor_table import ANCHOR_NAMES


def mesh_of(rig: Rig) -> Mesh:
    """The rig's mesh.

    Raises:
        ValueError: it has none.
    """
    if rig.mesh is None:
        raise ValueError(f"rig {rig.name} has no mesh")
    return rig.mesh


def anchors_of(rig: Rig) -> Anchors:
    """The rig's anchors.

    Raises:
        ValueError: it has none.
        RigError: they are another version's points.
    """
    if rig.anchors is None:
        raise ValueError(f"rig {rig.name} has no anchors")
    if rig.anchors.names != ANCHOR_NAMES:
        raise RigError(f"rig {rig.name} has face points of another version: register it again")
    return rig.anchors


def anchor_positions(rig: Rig) -> NDArray[np.float64]:
    """(A, 3) places of a rig's anchors on its neutral, metres; 0 where a point was not found.

    Raises:
        ValueError: the rig has no mesh or no anchors.
    """
    anchors, mesh = anchors_of(rig), mesh_of(rig)
    at = np.einsum("ac,acx->ax", anchors.barycentric, mesh.vertices[anchors.vertices])
    return np.asarray(at * anchors.found[:, None], np.float64)


def anchor_motion(rig: Rig) -> NDArray[np.float64]:
    """(K, A, 3) displacement of each anchor under each control at its maximum, metres.

    Raises:
        ValueError: the rig has no mesh or no anchors.
    """
    anchors, mesh = anchors_of(rig), mesh_of(rig)
    moved = np.einsum("ac,kacx->kax", anchors.barycentric, mesh.deltas[:, anchors.vertices])
    return np.asarray(moved * anchors.found[:, None], np.float64)
