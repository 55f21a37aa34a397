"""The built-in fox: no human face, a dozen controls found by their names."""

import numpy as np

from ..spec import Joint, Mesh, Rig
from .sculpt_fields import vector
from .sculpt_motion import Motion
from .sculpt_pieces import Assembly, assemble, normals, parts
from .fox_controls import controls_and_deltas
from .fox_fur import body, ears, tufts
from .fox_paint import looks
from .fox_shape import EYE, HINGE, eyes, face, nose, surface, teeth, tongue

NECK = vector(0, -60, -22)
"""Where the head turns."""


def build() -> Rig:
    """The fox; the same arrays every time."""
    skin = face()
    pieces = [skin, eyes(), nose(), *teeth(), tongue(), ears(), *tufts(), *body()]
    look = looks(skin)
    whole = assemble(pieces, tuple(look))
    motion = Motion(assembly=whole, field=surface, eye=EYE, hinge=HINGE)
    controls, deltas = controls_and_deltas(motion)
    deltas[np.abs(deltas) < 2e-6] = 0.0
    mesh = Mesh(
        vertices=whole.vertices.astype(np.float32),
        triangles=whole.triangles,
        deltas=deltas.astype(np.float32),
        parts=parts(whole, look),
        uvs=whole.uvs.astype(np.float32),
        normals=normals(whole.vertices, whole.triangles).astype(np.float32),
        joints=_joints(whole),
    )
    return Rig(name="fox", controls=controls, mesh=mesh, source="built-in", licence="MIT")


def _joints(whole: Assembly) -> tuple[Joint, ...]:
    head = np.where(whole.get("body") > 0, whole.get("neck"), 1.0)
    ball = whole.get("eye")
    side = whole.vertices[:, 0]
    flip = np.array([-1.0, 1.0, 1.0])
    rows = (
        ("head", NECK, head),
        ("left_eye", EYE.centre, ball * (side > 0)),
        ("right_eye", EYE.centre * flip, ball * (side < 0)),
    )
    return tuple(
        Joint(role=role, pivot=pivot.astype(np.float32), weights=weights.astype(np.float32))
        for role, pivot, weights in rows  # type: ignore[misc]
    )
