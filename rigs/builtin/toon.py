"""The built-in cartoon character: a kid with artist-named controls that follow no convention."""

import numpy as np

from ..spec import Joint, Mesh, Rig
from .sculpt_fields import vector
from .sculpt_motion import Motion
from .sculpt_pieces import Assembly, assemble, normals, parts
from .toon_controls import controls_and_deltas
from .toon_hair import clothes, drawstrings, hair
from .toon_paint import looks
from .toon_shape import EYE, HINGE, brows, ears, eyes, face, surface, teeth, tongue

NECK = vector(0, -92, -10)
"""Where the head turns."""


def build() -> Rig:
    """The cartoon character; the same arrays every time."""
    skin = face()
    pieces = [skin, eyes(), brows(), ears(), teeth(True), teeth(False), tongue()]
    pieces += [*hair(), *clothes(), *drawstrings()]
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
    return Rig(name="toon", controls=controls, mesh=mesh, source="built-in", licence="MIT")


def _joints(whole: Assembly) -> tuple[Joint, ...]:
    body = np.zeros(len(whole.vertices))
    for name, first, count in whole.runs:
        if name in ("cloth", "cord", "neck"):
            body[whole.triangles[first : first + count]] = 1.0
    head = np.where(body > 0, whole.get("neck"), 1.0)
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
