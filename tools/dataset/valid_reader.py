"""The textured people of VALID, whose 65 expressions have names of their own."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from freeavatar.foundation.expression import FloatArray

from .drawing import EYE, MATT, SKIN, IntArray
from .heads import Head, Motion, ball

TEXTURE_SIZE = 768
STRIP = 128
"""Rows below each texture that show strands of hair, in greys."""
STRANDS = TEXTURE_SIZE / (TEXTURE_SIZE + STRIP)
"""Where they begin, as a texture coordinate."""
EYE_RADIUS = 0.0122
"""Metres. The file has no eyeballs: balls of the usual size are set behind the lids."""
WIDEST = 0.25
"""Metres from the middle beyond which the body is left out."""


@dataclass(frozen=True, kw_only=True)
class ValidPeople:
    """All people of the file in one mesh; balls for eyes are its last vertices."""

    head: Head
    names: tuple[str, ...]
    neutrals: FloatArray
    """(P, V, 3)"""
    deltas: NDArray[np.float16]
    """(P, 65, R, 3)"""
    moved: IntArray
    """(R,) vertices that expressions move."""
    pivots: FloatArray
    """(P, 2, 3)"""
    textures: tuple[NDArray[np.uint8], ...]
    """(TEXTURE_SIZE + STRIP, TEXTURE_SIZE, 3) each."""

    def motion(self, person: int) -> Motion:
        """The 65 expressions of somebody."""
        rows = len(self.moved)
        count = self.deltas.shape[1]
        return Motion(
            starts=(np.arange(count + 1) * rows).astype(np.int32),
            rows=np.tile(self.moved, count),
            offsets=self.deltas[person].reshape(-1, 3).astype(np.float32),
        )


def read_valid(path: Path, textures: Path) -> ValidPeople:
    """Read ``valid_heads.npz`` and the JPGs of its people.

    Raises:
        ValueError: a texture is missing, or an eye's opening is not found.
    """
    with np.load(path) as data:
        names = tuple(data["names"].tolist())
        neutrals = data["neutral"]
        triangles = data["tri"].astype(np.int32)
        uvs = data["uv"]
        affected = data["affected_vertex_index"]
        deltas = data["delta"]
    kept = np.abs(neutrals[:, :, 0]).max(axis=0) < WIDEST
    number = np.cumsum(kept) - 1
    triangles = number[triangles[kept[triangles].all(axis=1)]].astype(np.int32)
    neutrals = neutrals[:, kept]
    among = kept[affected]
    welded = _welded(neutrals)
    rims = _eye_rims(welded, triangles, neutrals)
    pivots = np.stack([[_middle(n[rim]) for rim in rims] for n in neutrals]).astype(np.float32)
    balls, faces = ball()
    count = neutrals.shape[1]
    eyes = tuple((count + i * len(balls) + np.arange(len(balls))).astype(np.int32) for i in (0, 1))
    placed = pivots[:, :, None] + balls * EYE_RADIUS
    neutrals = np.concatenate([neutrals, placed.reshape(len(names), -1, 3)], axis=1)
    coordinates = np.concatenate([np.c_[uvs[kept] * (1, STRANDS), np.ones(count)], balls, balls])
    walls = _walls(triangles, uvs[kept])
    kinds = np.where(walls[triangles].all(axis=1), MATT, SKIN).astype(np.uint8)
    head = Head(
        name="valid",
        triangles=np.concatenate([triangles, faces + eyes[0][0], faces + eyes[1][0]]),
        kinds=np.concatenate([kinds, np.full(2 * len(faces), EYE, np.uint8)]),
        coordinates=coordinates.astype(np.float32),
        eyes=(eyes[0], eyes[1]),
        inside=np.concatenate([walls, np.zeros(2 * len(balls), bool)]),
        skin=np.concatenate([~walls, np.zeros(2 * len(balls), bool)]),
    )
    return ValidPeople(
        head=head,
        names=names,
        neutrals=neutrals.astype(np.float32),
        deltas=np.ascontiguousarray(deltas[:, :, among]),
        moved=number[affected[among]].astype(np.int32),
        pivots=pivots,
        textures=tuple(_texture(textures / f"{name}.jpg") for name in names),
    )


def _texture(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    if picture is None:
        raise ValueError(f"no texture {path}: the folder valid_textures is not complete")
    small = cv2.resize(picture, (TEXTURE_SIZE, TEXTURE_SIZE), interpolation=cv2.INTER_AREA)
    return np.concatenate([small[..., ::-1], _strands()])


@cache
def _strands() -> NDArray[np.uint8]:
    """(STRIP, TEXTURE_SIZE, 3) streaks down the strip."""
    make = np.random.default_rng(0)
    fine = make.normal(0, 1, (6, TEXTURE_SIZE)).astype(np.float32)
    broad = make.normal(0, 1, (4, TEXTURE_SIZE // 8)).astype(np.float32)
    size = (TEXTURE_SIZE, STRIP)
    grey = 190 + 26 * cv2.resize(fine, size) + 20 * cv2.resize(broad, size)
    return np.repeat(np.clip(grey, 60, 255).astype(np.uint8)[..., None], 3, axis=2)


def _welded(neutrals: FloatArray) -> IntArray:
    """(V,) number of the place that vertices share in all people."""
    places = np.round(neutrals.transpose(1, 0, 2).reshape(neutrals.shape[1], -1) * 1e5)
    _, place = np.unique(places.astype(np.int64), axis=0, return_inverse=True)
    return np.asarray(place.ravel(), np.int32)


def _pieces(edges: IntArray, count: int) -> IntArray:
    ones = np.ones(len(edges))
    graph = coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int32)


def _eye_rims(welded: IntArray, triangles: IntArray, neutrals: FloatArray) -> list[IntArray]:
    """Vertices around the hole of the left and of the right eye."""
    corners = welded[triangles]
    edges = np.sort(corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    unique, used = np.unique(edges, axis=0, return_counts=True)
    open_edges = unique[used == 1]
    loop = _pieces(open_edges, int(welded.max()) + 1)
    mean = neutrals.mean(axis=0)
    chin = float(mean[:, 1].max()) - 0.2
    rims: dict[bool, IntArray] = {}
    for number in np.unique(loop[open_edges[:, 0]]):
        rows = np.flatnonzero(loop[welded] == number).astype(np.int32)
        place, reach = mean[rows].mean(axis=0), np.ptp(mean[rows], axis=0)
        beside = 0.02 < abs(place[0]) < 0.045
        if len(rows) > 8 and beside and place[1] > chin and 0.015 < reach[0] < 0.05:
            rims[bool(place[0] > 0)] = rows
    if len(rims) != 2:
        raise ValueError("valid_heads.npz: the openings of the eyes were not found")
    return [rims[True], rims[False]]


def _middle(rim: FloatArray) -> FloatArray:
    """Middle of the ball on which an eye's rim lies."""
    inner = EYE_RADIUS + 0.0003
    middle = rim.mean(axis=0) - (0.0, 0.0, 0.8 * inner)
    for _ in range(20):
        away = rim - middle
        length = np.linalg.norm(away, axis=1, keepdims=True)
        middle = middle + (away * (1 - inner / length)).mean(axis=0)
    return np.asarray(middle, np.float32)


def _walls(triangles: IntArray, uvs: FloatArray) -> NDArray[np.bool_]:
    """(V,) the two pieces that line the mouth, known by their place in the texture."""
    piece = _pieces(triangles[:, [0, 1, 1, 2]].reshape(-1, 2), len(uvs))
    walls = np.zeros(len(uvs), bool)
    for number in np.unique(piece):
        rows = piece == number
        u, v = uvs[rows].mean(axis=0)
        walls |= rows & ((u < 0.1 and v < 0.1) or (u > 0.88 and 0.38 < v < 0.46))
    return walls
