"""The built-in mannequin: an adult head with the 52 ARKit controls, made wholly by code."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.conventions import ARKIT, describe_controls
from freeavatar.rigs.spec import Joint, Mesh, Part, Rig

from . import mannequin_inside as inside
from .mannequin_ears import ear
from .mannequin_expressions import controls
from .mannequin_motion import Tissue
from .mannequin_openings import smoothstep
from .mannequin_paint import depth_texture, eye_texture, skin_texture, texture_coordinates
from .mannequin_skin import Skin, make_skin
from .mannequin_surface import EYE, Array

IntArray = NDArray[np.int64]

INSIDE_RING = 1.3
"""Mouth quads beyond this ring are lining, not lips."""
SMALLEST = 0.15
"""Displacements, in millimetres, that fade to nothing here to keep the file small."""
UNSEEN = 0.09
"""Millimetres below which what is left after fading is not stored at all."""
NECK_PIVOT = np.array([0.0, -28.0, -12.0])


@dataclass
class Piece:
    """Part of the head before it is joined to the others."""

    name: str
    points: Array
    quads: IntArray
    where: IntArray
    ring: Array
    upper: Array
    uv: Array


def build() -> Rig:
    """The mannequin as a rig: 52 ARKit controls, head and eye joints, textured parts."""
    skin = make_skin()
    pieces = [_skin_piece(skin), *_eyes(), *_mouth_pieces(), _lashes(skin)]
    points = np.concatenate([p.points for p in pieces])
    tissue = Tissue(
        points,
        np.concatenate([p.ring for p in pieces]),
        np.concatenate([p.where for p in pieces]),
        np.concatenate([p.upper for p in pieces]),
    )
    triangles, parts = _join(pieces)
    fields = controls(tissue)
    described = describe_controls(ARKIT)
    deltas = np.stack([fields[c.name] for c in described])
    travel = np.linalg.norm(deltas, axis=2, keepdims=True)
    deltas *= smoothstep(travel, SMALLEST, 5.0 * SMALLEST)
    deltas *= np.linalg.norm(deltas, axis=2, keepdims=True) > UNSEEN
    mesh = Mesh(
        vertices=np.asarray(points / 1000.0, np.float32),
        triangles=triangles.astype(np.int32),
        deltas=np.asarray(deltas / 1000.0, np.float32),
        parts=parts,
        uvs=np.concatenate([p.uv for p in pieces]).astype(np.float32),
        normals=_normals(points, triangles),
        joints=_joints(pieces, points),
    )
    return Rig(
        name="mannequin", controls=described, mesh=mesh, source="built-in", licence="MIT",
        notes=("An adult head made by code, in ARKit's 52 blendshapes.",),
    )  # fmt: skip


def _plain(name: str, piece: tuple[Array, IntArray], where: int) -> Piece:
    points, quads = piece
    n = len(points)
    return Piece(
        name, points, quads, np.full(n, where, np.int64), np.full(n, -1.0), np.zeros(n),
        np.zeros((n, 2)),
    )  # fmt: skip


def _skin_piece(skin: Skin) -> Piece:
    """The sheet, split at the back of the head so that its texture can go round once."""
    back = np.flatnonzero(np.abs(skin.angles[:, 0] + np.pi) < 1e-9)
    copy = np.full(len(skin.points), -1)
    copy[back] = len(skin.points) + np.arange(len(back))
    quads = skin.quads.copy()
    right = (skin.angles[quads, 0] > 1.0).any(1)
    turned = quads[right]
    quads[right] = np.where(copy[turned] >= 0, copy[turned], turned)
    angles = np.concatenate([skin.angles, skin.angles[back] * [-1.0, 1.0]])
    points = np.concatenate([skin.points, skin.points[back]])
    ring = np.concatenate([skin.ring, skin.ring[back]])
    where = np.concatenate([skin.where, skin.where[back]])
    upper = np.concatenate([skin.upper, skin.upper[back]])
    sheet = Piece("skin", points, quads, where, ring, upper, texture_coordinates(angles))
    return _with_ears(sheet)


def _with_ears(sheet: Piece) -> Piece:
    """Ears belong to the skin's material, with a corner of its texture."""
    points, uv, hollow, quads = ear()
    for side in (1.0, -1.0):
        n = len(sheet.points)
        sheet.points = np.concatenate([sheet.points, points * [side, 1, 1]])
        sheet.quads = np.concatenate([sheet.quads, (quads if side > 0 else quads[:, ::-1]) + n])
        sheet.where = np.concatenate([sheet.where, np.full(len(points), 7, np.int64)])
        sheet.ring = np.concatenate([sheet.ring, hollow])
        sheet.upper = np.concatenate([sheet.upper, np.zeros(len(points))])
        sheet.uv = np.concatenate([sheet.uv, uv])
    return sheet


def _lashes(skin: Skin) -> Piece:
    """Curled blades that grow from the upper lids' margins; they turn with the lids."""
    points: list[Array] = []
    quads: list[IntArray] = []
    where: list[IntArray] = []
    for kind, side in ((1, 1.0), (2, -1.0)):
        root = skin.points[(skin.where == kind) & (skin.ring == 1.0) & (skin.upper > 0)]
        root = root[np.argsort(side * root[:, 0])]
        p, q = inside.lashes(root * [side, 1, 1])
        quads.append((q if side > 0 else q[:, ::-1]) + sum(len(x) for x in points))
        points.append(p * [side, 1, 1])
        where.append(np.full(len(p), kind, np.int64))
    n = sum(len(p) for p in points)
    return Piece(
        "lashes", np.concatenate(points), np.concatenate(quads), np.concatenate(where),
        np.full(n, 1.05), np.ones(n), np.zeros((n, 2)),
    )  # fmt: skip


def _eyes() -> list[Piece]:
    out = []
    for name, side in (("left eye", 1.0), ("right eye", -1.0)):
        points, uv, quads = inside.eyeball(side)
        piece = _plain(name, (points, quads), 4)
        piece.uv = uv
        tissue, faces = inside.eye_corners()
        faces = faces if side > 0 else faces[:, ::-1]
        out += [piece, _plain(f"{name} corners", (tissue * [side, 1, 1], faces), 4)]
    return out


def _mouth_pieces() -> list[Piece]:
    rows = [
        _plain("upper teeth", inside.teeth(True), 4),
        _plain("lower teeth", inside.teeth(False), 5),
        _plain("upper gums", inside.gums(True), 4),
        _plain("lower gums", inside.gums(False), 5),
    ]
    for row in rows:
        row.uv = inside.depth_coordinates(row.points)
    return [*rows, _plain("tongue", inside.tongue(), 6)]


def _triangles(quads: IntArray, points: Array) -> IntArray:
    """Quads (Q, 4) as triangles (T, 3), those without area left out."""
    t = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    a, b, c = (points[t[:, k]] for k in range(3))
    return np.asarray(t[np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-9])


_COLOURS = {
    "mouth": (0.20, 0.045, 0.04, 1.0),
    "upper teeth": (0.80, 0.76, 0.66, 1.0),
    "lower teeth": (0.78, 0.73, 0.62, 1.0),
    "upper gums": (0.52, 0.17, 0.16, 1.0),
    "lower gums": (0.50, 0.16, 0.15, 1.0),
    "left eye corners": (0.62, 0.34, 0.29, 1.0),
    "right eye corners": (0.62, 0.34, 0.29, 1.0),
    "lashes": (0.012, 0.008, 0.006, 1.0),
    "tongue": (0.56, 0.19, 0.18, 1.0),
}
_ROUGHNESS = {"skin": 0.62, "left eye": 0.12, "right eye": 0.12, "upper teeth": 0.25,
              "lower teeth": 0.25, "tongue": 0.4, "mouth": 0.7}  # fmt: skip


def _join(pieces: list[Piece]) -> tuple[IntArray, tuple[Part, ...]]:
    """All triangles in one array, a part for each material."""
    triangles: list[IntArray] = []
    parts: list[Part] = []
    offset = first = 0
    for piece in pieces:
        for name, quads in _materials(piece):
            t = _triangles(quads, piece.points) + offset
            parts.append(
                Part(
                    name=name, first_triangle=first, triangle_count=len(t),
                    colour=_COLOURS.get(name, (1.0, 1.0, 1.0, 1.0)),
                    texture=_texture(name, piece), roughness=_ROUGHNESS.get(name, 0.6),
                    double_sided=name == "lashes",
                )
            )  # fmt: skip
            triangles.append(t)
            first += len(t)
        offset += len(piece.points)
    return np.concatenate(triangles), tuple(parts)


def _materials(piece: Piece) -> list[tuple[str, IntArray]]:
    if piece.name != "skin":
        return [(piece.name, piece.quads)]
    lining = ((piece.where == 3) & (piece.ring > INSIDE_RING))[piece.quads].any(1)
    return [("skin", piece.quads[~lining]), ("mouth", piece.quads[lining])]


def _texture(name: str, piece: Piece) -> NDArray[np.uint8] | None:
    if name == "skin":
        outside = (piece.ring <= 1.0) | (piece.where != 3)
        shown = _triangles(piece.quads[outside[piece.quads].all(1)], piece.points)
        lips = np.where(piece.where == 3, piece.ring, 0.0)
        lids = np.where(np.isin(piece.where, (1, 2)), piece.ring * np.sign(piece.upper), 0.0)
        ears = np.where(piece.where == 7, 1.0 + piece.ring, 0.0)
        known = np.stack([lips, lids, ears], 1)
        return skin_texture(piece.uv, shown, piece.points, known)
    if name.endswith(("teeth", "gums")):
        return depth_texture()
    return eye_texture() if name.endswith("eye") else None


def _normals(points: Array, triangles: IntArray) -> NDArray[np.float32]:
    """Smooth normals, shared by vertices at the same place."""
    _, same = np.unique(np.round(points, 5), axis=0, return_inverse=True)
    same = same.reshape(-1)
    a, b, c = (points[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    total = np.zeros((same.max() + 1, 3))
    for k in range(3):
        np.add.at(total, same[triangles[:, k]], face)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray((total / np.maximum(length, 1e-12))[same], np.float32)


def _joints(pieces: list[Piece], points: Array) -> tuple[Joint, ...]:
    names = np.concatenate([np.full(len(p.points), p.name) for p in pieces])
    line = -118.0 + 0.25 * np.maximum(20.0 - points[:, 2], 0.0)
    head = 1.0 - smoothstep(line - points[:, 1], -5.0, 58.0)
    joints = [Joint(role="head", pivot=_metres(NECK_PIVOT), weights=head.astype(np.float32))]
    for role, side in (("left_eye", 1.0), ("right_eye", -1.0)):
        own = (names == role.replace("_", " ")).astype(np.float32)
        joints.append(Joint(role=role, pivot=_metres(EYE * [side, 1, 1]), weights=own))  # type: ignore[arg-type]
    return tuple(joints)


def _metres(point: Array) -> NDArray[np.float32]:
    return np.asarray(point / 1000.0, np.float32)
