"""Pieces of a generated character and how they become one mesh."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.spec import Part

from .sculpt_fields import Array

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A patch of surface with its materials and what the controls must know about its vertices."""

    vertices: Array
    """(n, 3) metres."""
    triangles: Mapping[str, Ints]
    """Material name to (m, 3) triangles, counter-clockwise from outside."""
    uvs: Array | None = None
    """(n, 2) glTF texture coordinates."""
    attributes: Mapping[str, Array] = field(default_factory=dict)
    """Per-vertex numbers by name; missing ones are 0 in the assembled mesh."""
    mirror: Ints | None = None
    """(n,) index of each vertex's mirror image; None: itself."""


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """All pieces of a character in one vertex array."""

    vertices: Array
    triangles: NDArray[np.int32]
    uvs: Array
    attributes: Mapping[str, Array]
    mirror: Ints
    runs: tuple[tuple[str, int, int], ...]
    """Material, first triangle, count."""

    def get(self, name: str) -> Array:
        """(V,) or (V, d) attribute, 0 where a piece has none."""
        return self.attributes[name]

    def mirrored(self, deltas: Array) -> Array:
        """(V, 3) displacement of the other side."""
        return np.asarray(deltas[self.mirror] * np.array([-1.0, 1.0, 1.0]))


def mirrored(half: Piece, weld: float = 1e-7) -> Piece:
    """A symmetric piece from its half at x >= 0; vertices with x < weld become the seam."""
    n = len(half.vertices)
    seam = half.vertices[:, 0] < weld
    vertices = half.vertices.copy()
    vertices[seam, 0] = 0.0
    other = np.arange(n)
    other[~seam] = n + np.arange(np.count_nonzero(~seam))
    mirror = np.concatenate([other, np.flatnonzero(~seam)])

    def both(values: Array, sign: Array | float = 1.0) -> Array:
        return np.concatenate([values, (values * sign)[~seam]])

    flip = np.array([-1.0, 1.0, 1.0])
    triangles = {name: np.concatenate([t, other[t][:, ::-1]]) for name, t in half.triangles.items()}
    return Piece(
        vertices=both(vertices, flip),
        triangles=triangles,
        uvs=None if half.uvs is None else both(half.uvs),
        attributes={
            name: both(values, flip if values.shape[1:] == (3,) else 1.0)
            for name, values in half.attributes.items()
        },
        mirror=mirror,
    )


def marked(piece: Piece, **values: Any) -> Piece:
    """The piece with further attributes; a number holds for all its vertices."""
    n = len(piece.vertices)
    more = {k: np.full(n, float(v)) if np.ndim(v) == 0 else v for k, v in values.items()}
    return replace(piece, attributes={**piece.attributes, **more})


def assemble(pieces: Sequence[Piece], materials: Sequence[str]) -> Assembly:
    """Join pieces; triangles are sorted by material in the given order of drawing."""
    starts = np.cumsum([0, *(len(p.vertices) for p in pieces)])
    names = sorted({name for p in pieces for name in p.attributes})
    attributes = {name: _column(pieces, name) for name in names}
    mirror = np.concatenate(
        [
            start + (np.arange(len(p.vertices)) if p.mirror is None else p.mirror)
            for p, start in zip(pieces, starts, strict=False)
        ]
    )
    triangles: list[Ints] = []
    runs: list[tuple[str, int, int]] = []
    done = 0
    for material in materials:
        found = [
            p.triangles[material] + start
            for p, start in zip(pieces, starts, strict=False)
            if material in p.triangles
        ]
        count = sum(len(t) for t in found)
        if count:
            triangles += found
            runs.append((material, done, count))
            done += count
    uvs = [np.zeros((len(p.vertices), 2)) if p.uvs is None else p.uvs for p in pieces]
    return Assembly(
        vertices=np.concatenate([p.vertices for p in pieces]),
        triangles=np.concatenate(triangles).astype(np.int32),
        uvs=np.concatenate(uvs),
        attributes=attributes,
        mirror=mirror,
        runs=tuple(runs),
    )


def _column(pieces: Sequence[Piece], name: str) -> Array:
    shape = next(p.attributes[name].shape[1:] for p in pieces if name in p.attributes)
    return np.concatenate(
        [p.attributes.get(name, np.zeros((len(p.vertices), *shape))) for p in pieces]
    )


def parts(assembly: Assembly, looks: Mapping[str, Mapping[str, Any]]) -> tuple[Part, ...]:
    """The runs of an assembly as parts; `looks` gives the other fields of `Part` by material."""
    return tuple(
        Part(name=name, first_triangle=first, triangle_count=count, **looks[name])
        for name, first, count in assembly.runs
    )


def linear(red: int, green: int, blue: int) -> tuple[float, float, float, float]:
    """An sRGB colour 0..255 as linear RGBA (IEC 61966-2-1)."""
    c = np.array([red, green, blue]) / 255.0
    value = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return (float(value[0]), float(value[1]), float(value[2]), 1.0)
