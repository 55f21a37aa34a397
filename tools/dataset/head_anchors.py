"""The face points of the heads we draw, found once for each mesh and kept in a folder."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from freeavatar.animator.anchor_table import ANCHORS
from freeavatar.animator.anchors import LandmarksOf, find_anchors
from freeavatar.animator.motion import mesh_of
from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.rigs.camera import face_camera
from freeavatar.rigs.rendering import Renderer, surface_view
from freeavatar.rigs.rig_arrays import read_anchors, write_anchors
from freeavatar.rigs.spec import Anchors, Control, FloatArray, Mesh, Part, Rig, RigFrame

from .drawing import EYE, SKIN
from .heads import Person

SKIN_COLOUR = (0.55, 0.36, 0.27, 1.0)
WHITE, DARK = (0.8, 0.78, 0.75, 1.0), (0.05, 0.03, 0.02, 1.0)
CHEEKS = tuple(i for i, a in enumerate(ANCHORS) if a.name.startswith("cheek_squint"))
STEADY = tuple(
    i
    for i, a in enumerate(ANCHORS)
    if a.region in ("eyes", "nose", "brows", "forehead") and i not in CHEEKS
)
"""Anchors that tell how a face lies: no jaw and no lips."""
IRIS = 0.86
"""Cosine of the angle from the middle of the gaze within which an eye is dark."""


def anchors_for(
    person: Person, key: str, folder: Path, landmarks_of: LandmarksOf | None
) -> Anchors:
    """The face points of a person's mesh, from the folder or found on the person's neutral.

    Args:
        person: whose neutral is drawn.
        key: name of the file; it is found anew where the mesh, not the name, has changed.
        folder: where found points are kept.
        landmarks_of: a landmark detector, needed where the folder does not have them.

    Raises:
        ValueError: they are not in the folder and cannot be found.
    """
    path = folder / f"{key}.anchors.npz"
    mesh = hashlib.sha256(person.vertices.tobytes() + person.head.triangles.tobytes()).hexdigest()
    if path.is_file():
        anchors, of = read_anchors(path)
        if of == mesh:
            return anchors
    if landmarks_of is None:
        raise ValueError(
            f"the face points of {key} are not in {folder}: name MediaPipe's bundle "
            "(FREEAVATAR_MEDIAPIPE_BUNDLE), which finds them once"
        )
    rig = as_rig(person)
    found = find_anchors(rig, landmarks_of)
    if found is None:
        raise ValueError(f"no face was found on the neutral of {key}")
    found = _with_cheeks(rig, found, landmarks_of, (head_kinds(person) & 15) == SKIN)
    folder.mkdir(parents=True, exist_ok=True)
    # Several processes may look for the same points at once.
    own = folder / f"{key}.{os.getpid()}.anchors.npz"
    write_anchors(own, found, mesh)
    own.replace(path)
    return found


def as_rig(person: Person) -> Rig:
    """The person as a rig to draw, with a control for each motion."""
    head = person.head
    deltas = person.motion.dense(len(person.vertices))
    names = BLENDSHAPES if len(deltas) == len(BLENDSHAPES) else range(len(deltas))
    order, parts = _parts(person)
    mesh = Mesh(
        vertices=person.vertices,
        triangles=head.triangles[order],
        deltas=deltas,
        parts=parts,
        uvs=np.ascontiguousarray(head.coordinates[:, :2]),
    )
    return Rig(name=person.name, controls=tuple(Control(name=str(n)) for n in names), mesh=mesh)


def _parts(person: Person) -> tuple[NDArray[np.intp], tuple[Part, ...]]:
    """Order of the triangles and the runs of them that share a material."""
    head = person.head
    kinds = head.kinds & 15
    dark = np.asarray((head.coordinates[head.triangles][:, :, 2] > IRIS).all(axis=1), bool)
    textured = np.asarray((head.coordinates[head.triangles][:, :, 2] > 0).all(axis=1), bool)
    tone = person.colours[head.triangles].mean(axis=1)
    colour = np.where((kinds == SKIN)[:, None] & ~textured[:, None], SKIN_COLOUR[:3], tone)
    colour = np.where((kinds == EYE)[:, None], np.where(dark[:, None], DARK[:3], WHITE[:3]), colour)
    use = textured & (kinds != EYE)
    rows = np.round(np.c_[colour, use, kinds], 3)
    looks, group = np.unique(rows, axis=0, return_inverse=True)
    group = group.ravel()
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group))
    texture = np.dstack([person.texture, np.full(person.texture.shape[:2], 255, np.uint8)])
    parts = tuple(
        Part(
            name=f"part {g}",
            first_triangle=int(end - count),
            triangle_count=int(count),
            colour=(float(look[0]), float(look[1]), float(look[2]), 1.0),
            texture=texture if look[3] else None,
            roughness=0.3 if look[4] == EYE else 0.7,
        )
        for g, (look, end, count) in enumerate(zip(looks, ends, np.bincount(group), strict=True))
    )
    return order, parts


def places(anchors: Anchors, vertices: FloatArray) -> FloatArray:
    """(A, 3) of a mesh's face points."""
    return np.asarray(
        np.einsum("ac,acx->ax", anchors.barycentric, vertices[anchors.vertices]), np.float32
    )


def head_kinds(person: Person) -> NDArray[np.uint8]:
    """(T,) kinds in the order of the rig's triangles."""
    return person.head.kinds[_parts(person)[0]]


def _with_cheeks(
    rig: Rig, anchors: Anchors, landmarks_of: LandmarksOf, skin: NDArray[np.bool_]
) -> Anchors:
    """Anchors whose points under the eyes lie where the detector sees them.

    For carrying motion they are set beside the eye's opening; a network learns to see them.
    """
    camera = face_camera(rig, (512, 512))
    frame = RigFrame(index=0, time=0.0, values=rig.neutral)
    with Renderer(rig, size=camera.size, background=(0.5, 0.5, 0.5), camera=camera) as renderer:
        landmarks = landmarks_of(renderer.picture(frame))
    if landmarks is None:
        return anchors
    view = surface_view(mesh_of(rig), mesh_of(rig).vertices, camera)
    pixels = landmarks[[ANCHORS[a].landmark for a in CHEEKS]]
    corners, weights, hit = view.locate(pixels, among=skin)
    hit = np.asarray(hit, bool)
    rows = np.array(CHEEKS)[hit]
    vertices, barycentric = anchors.vertices.copy(), anchors.barycentric.copy()
    vertices[rows], barycentric[rows] = corners[hit], weights[hit]
    return replace(anchors, vertices=vertices, barycentric=barycentric)


def pitch_between(points: FloatArray, level: FloatArray) -> float:
    """Radians by which a face must be pitched, + is down, to lie as another does.

    Args:
        points: (A, 3) anchors of a face.
        level: (A, 3) of a face that looks straight ahead.
    """
    shapes = [p[list(STEADY)] - p[list(STEADY)].mean(axis=0) for p in (level, points)]
    level_to, from_points = (s / np.linalg.norm(s) for s in shapes)
    turn, _ = Rotation.align_vectors(level_to, from_points)
    return float(turn.as_rotvec()[0])


def filled(anchors: Anchors, other: Anchors) -> Anchors:
    """Anchors whose missing points are taken from another person with the same mesh."""
    missing = ~anchors.found
    vertices, barycentric = anchors.vertices.copy(), anchors.barycentric.copy()
    vertices[missing], barycentric[missing] = other.vertices[missing], other.barycentric[missing]
    return replace(
        anchors, vertices=vertices, barycentric=barycentric, found=anchors.found | other.found
    )
