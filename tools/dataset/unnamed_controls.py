"""Drives a head whose controls have names of their own, and tells what of a face it can show."""

import numpy as np
from numpy.typing import NDArray

from freeavatar.animator.features import features
from freeavatar.animator.motion import anchor_motion, anchor_positions, anchors_of
from freeavatar.animator.proportions import feature_sizes
from freeavatar.animator.reference import built_in_reference
from freeavatar.animator.solver import ExpressionSolver
from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.rigs.spec import Anchors, Control, Mesh, Rig

from .heads import ControlsOf, Motion

SHOWN = 0.6
"""Share of a shape's motion that a rig must reach for it to be taught."""
GAZE = np.array(["eyeLook" in name for name in BLENDSHAPES])
"""Shown by the eyeballs, whatever the lids do."""


def rig_of_points(name: str, vertices: FloatArray, motion: Motion, anchors: Anchors) -> Rig:
    """A rig of nothing but the corners of a head's face points, with nameless controls."""
    corners, where = np.unique(anchors.vertices, return_inverse=True)
    deltas = motion.dense(len(vertices))[:, corners]
    mesh = Mesh(
        vertices=vertices[corners],
        triangles=np.zeros((0, 3), np.int32),
        deltas=deltas,
        parts=(),
    )
    placed = Anchors(
        names=anchors.names,
        vertices=where.reshape(anchors.vertices.shape).astype(np.int32),
        barycentric=anchors.barycentric,
        found=anchors.found,
    )
    controls = tuple(Control(name=f"c{k}") for k in range(len(deltas)))
    return Rig(name=name, controls=controls, mesh=mesh, anchors=placed)


def shown_share(rig: Rig, solver: ExpressionSolver) -> NDArray[np.float64]:
    """(52,) share of each ARKit shape's motion that the rig makes when asked for it, up to 1."""
    reference = built_in_reference()
    found = anchors_of(rig).found & reference.found
    sizes = feature_sizes(anchor_positions(rig))
    wanted = features(reference.motion, found)
    values = np.stack([solver.solve(row) for row in np.eye(len(BLENDSHAPES))])
    moved = np.einsum("sk,kax->sax", values - rig.neutral, anchor_motion(rig)) / sizes
    made = features(moved, found)
    # Rigs go less or more far: the best common scale counts.
    along = np.einsum("sf,sf->s", made, wanted)
    energy = np.einsum("sf,sf->s", wanted, wanted) * np.einsum("sf,sf->s", made, made)
    return np.asarray(np.maximum(along, 0.0) ** 2 / np.maximum(energy, 1e-20))


def known_shapes(rig: Rig, solver: ExpressionSolver) -> NDArray[np.bool_]:
    """(52,) shapes that the rig can show; the gaze is among them."""
    return np.asarray((shown_share(rig, solver) > SHOWN) | GAZE)


def solved(solver: ExpressionSolver, known: NDArray[np.bool_]) -> ControlsOf:
    """Controls by the solver, asked for nothing that the head cannot show."""

    def controls_of(blendshapes: FloatArray) -> FloatArray:
        return solver.solve(np.where(known, blendshapes, 0.0)).astype(np.float32)

    return controls_of
