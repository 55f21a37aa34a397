"""Smooth vertex normals."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .spec import FloatArray, IntArray


def vertex_normals(vertices: FloatArray, triangles: IntArray) -> FloatArray:
    """Area-weighted unit normals.

    Args:
        vertices: (V, 3).
        triangles: (T, 3) counter-clockwise from outside.

    Returns:
        (V, 3) unit length; +y for a vertex of no triangle.
    """
    a, b, c = (vertices[triangles[:, i]].astype(np.float64) for i in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros((len(vertices), 3))
    for axis in range(3):
        for corner in range(3):
            total[:, axis] += np.bincount(
                triangles[:, corner], weights=across[:, axis], minlength=len(vertices)
            )
    return unit(total)


def unit(vectors: NDArray[Any]) -> FloatArray:
    """(V, 3) vectors of length 1; +y where one has no length."""
    wide = np.asarray(vectors, np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.where(length > 1e-20, wide / np.maximum(length, 1e-20), [0, 1, 0]).astype(np.float32)
