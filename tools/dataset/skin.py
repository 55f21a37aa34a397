"""Skins: which texture lies where on a head, and how one person's differs from another's."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from freeavatar.foundation.expression import FloatArray
from freeavatar.rigs.spec import Anchors

from .drawing import SKIN, vertex_normals
from .head_anchors import places
from .heads import Head

FLAT = 32
"""Added to the kind of triangles across a seam of the texture: they take one corner's colour."""
SEAM = 0.06
"""Texture widths that a triangle may span elsewhere."""
STEPS = 6
"""Samples along a triangle's side, where the nearest point of a surface is looked for."""


def with_skin_of(
    head: Head, vertices: FloatArray, other: Head, other_vertices: FloatArray, anchors: Anchors
) -> Head:
    """A head that wears another's texture: each vertex takes the place of the nearest point.

    Args:
        head: with anchors; its skin gets coordinates.
        vertices: (V, 3) of it, the mouth a little open.
        other: whose texture it is.
        other_vertices: (U, 3) of it, the mouth open as far.
        anchors: of the other head.
    """
    if head.anchors is None:
        raise ValueError(f"{head.name} has no face points")
    both = head.anchors.found & anchors.found
    warp = RBFInterpolator(
        places(head.anchors, vertices)[both].astype(np.float64),
        places(anchors, other_vertices)[both].astype(np.float64),
        kernel="linear",
        smoothing=1e-4,
    )
    warped = warp(vertices.astype(np.float64)).astype(np.float32)
    points, uvs, normals = _samples(other, other_vertices)
    facing = vertex_normals(warped, head.triangles)
    rows = np.flatnonzero(head.skin)
    away, near = cKDTree(points).query(warped[rows], k=24)
    agree = np.einsum("vkx,vx->vk", normals[near], facing[rows])
    best = np.argmin(away + np.where(agree > 0.3, 0.0, 0.02), axis=1)
    coordinates = head.coordinates.copy()
    coordinates[rows, :2] = uvs[near[np.arange(len(rows)), best]]
    coordinates[rows, 2] = 1.0
    spans = np.ptp(coordinates[head.triangles][:, :, :2], axis=1).max(axis=1)
    flat = (spans > SEAM) & ((head.kinds & 15) == SKIN)
    kinds = head.kinds | np.where(flat, FLAT, 0).astype(np.uint8)
    return replace(head, coordinates=coordinates, kinds=kinds)


def _samples(head: Head, vertices: FloatArray) -> tuple[FloatArray, ...]:
    """Points on a head's skin, their texture coordinates and normals."""
    triangles = head.triangles[head.skin[head.triangles].all(axis=1)]
    grid = np.array([(i, j) for i in range(STEPS + 1) for j in range(STEPS + 1 - i)]) / STEPS
    weights = np.c_[grid, 1 - grid.sum(axis=1)].astype(np.float32)
    normals = vertex_normals(vertices, head.triangles)
    return tuple(
        np.einsum("sc,tcx->tsx", weights, data[triangles]).reshape(-1, data.shape[1])
        for data in (vertices, head.coordinates[:, :2], normals)
    )


def mixed(textures: list[NDArray[np.uint8]], make: np.random.Generator) -> NDArray[np.uint8]:
    """One texture of the list, or two of them mixed."""
    first = textures[make.integers(len(textures))]
    if len(textures) == 1 or make.random() < 0.55:
        return first
    second = textures[make.integers(len(textures))]
    import cv2

    share = float(make.uniform(0.25, 0.75))
    return np.asarray(cv2.addWeighted(first, share, second, 1 - share, 0.0))


def tint(make: np.random.Generator) -> FloatArray:
    """(3,) factors by which a skin is lighter or darker, redder or yellower than its texture."""
    light = make.normal(0.0, 0.12)
    return np.exp(light + make.normal(0.0, [0.03, 0.04, 0.07])).astype(np.float32)
