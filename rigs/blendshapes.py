"""From control values to a deformed mesh: stateless numpy arithmetic."""

import numpy as np
from numpy.typing import NDArray

from .rotation import matrix_from_angles
from .spec import FloatArray, Mesh, Rig, RigFrame
from .vrm_expressions import resolve_expressions


def blend(neutral: FloatArray, deltas: FloatArray, weights: NDArray[np.floating]) -> FloatArray:
    """Deform a neutral mesh by weighted offsets, ``neutral + sum_k weights_k * deltas_k``.

    Args:
        neutral: (V, 3) rest positions, metres.
        deltas: (K, V, 3) offset of each control at full weight, metres.
        weights: (..., K) unitless; not clamped here.

    Returns:
        (..., V, 3) positions, metres.

    Raises:
        ValueError: K or V disagree; the message names the shapes.

    Source:
        Lewis et al., Practice and Theory of Blendshape Facial Models, Eurographics STAR 2014.
    """
    w = np.asarray(weights, np.float32)
    if deltas.shape[1:] != neutral.shape or w.shape[-1] != len(deltas):
        raise ValueError(
            f"neutral {neutral.shape}, deltas {deltas.shape} and weights {w.shape} disagree"
        )
    return np.asarray(neutral + np.tensordot(w, deltas, axes=1), np.float32)


def unit_weights(rig: Rig, values: NDArray[np.floating]) -> FloatArray:
    """Control values (..., K) as multiples of their displacement: 0 at neutral, 1 at maximum."""
    span = np.array([c.maximum - c.neutral for c in rig.controls], np.float32)
    return np.asarray((np.asarray(values, np.float32) - rig.neutral) / span, np.float32)


def pose(rig: Rig, frame: RigFrame, *, turn_head: bool = True) -> FloatArray:
    """Vertices of a rig performing one frame: controls, then eyes about their centres, then head.

    A VRM's expressions show as an engine would show them, binary and override flags applied.

    Args:
        rig: with a mesh.
        frame: of this rig.
        turn_head: False leaves the head still (comparisons in head space).

    Returns:
        (V, 3) positions, rig space, metres.

    Raises:
        ValueError: the rig has no mesh.
    """
    if rig.mesh is None:
        raise ValueError(f"rig {rig.name} has no mesh to pose")
    mesh = rig.mesh
    values = resolve_expressions(rig, frame.values)
    posed = blend(mesh.vertices, mesh.deltas, unit_weights(rig, values))
    posed = _turn(mesh, posed, "left_eye", frame.eyes[0])
    posed = _turn(mesh, posed, "right_eye", frame.eyes[1])
    return _turn(mesh, posed, "head", frame.head) if turn_head else posed


def _turn(mesh: Mesh, vertices: FloatArray, role: str, angles: FloatArray) -> FloatArray:
    joint = next((j for j in mesh.joints if j.role == role), None)
    if joint is None or not np.any(angles):
        return vertices
    moves = joint.weights > 0
    local = vertices[moves] - joint.pivot
    turned = local @ matrix_from_angles(angles).T.astype(np.float32) - local
    out = vertices.copy()
    out[moves] += joint.weights[moves, None] * turned
    return out
