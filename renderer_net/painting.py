"""The paint of a mesh at points of its surface, before any light falls on it."""

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.spec import FloatArray, IntArray, Mesh, Part


def paint(mesh: Mesh, triangles: NDArray[np.integer], shares: FloatArray) -> FloatArray:
    """Base colour of points, as `freeavatar.rigs.shaders` reads it.

    Args:
        mesh: with materials.
        triangles: (M,) the triangle that each point lies on.
        shares: (M, 3) barycentric weights of its corners.

    Returns:
        (M, 4) linear RGB and alpha, 0..1; alpha is 1 where the material is opaque.
    """
    out = np.ones((len(triangles), 4), np.float32)
    for part in mesh.parts:
        after = part.first_triangle + part.triangle_count
        inside = np.flatnonzero((triangles >= part.first_triangle) & (triangles < after))
        if len(inside):
            corners = mesh.triangles[triangles[inside]]
            out[inside] = _part_paint(mesh, part, corners, shares[inside])
    return out


def to_linear(colours: FloatArray) -> FloatArray:
    """sRGB 0..1 to linear."""
    curved = ((np.maximum(colours, 0.04045) + 0.055) / 1.055) ** 2.4
    return np.where(colours <= 0.04045, colours / 12.92, curved).astype(np.float32)


def to_srgb(colours: FloatArray) -> FloatArray:
    """Linear to sRGB, both 0..1."""
    c = np.clip(colours, 0.0, 1.0)
    curved = 1.055 * np.maximum(c, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(c <= 0.0031308, c * 12.92, curved).astype(np.float32)


def _part_paint(mesh: Mesh, part: Part, corners: IntArray, shares: FloatArray) -> FloatArray:
    colour = np.broadcast_to(np.array(part.colour, np.float32), (len(corners), 4)).copy()
    if part.texture is not None and mesh.uvs is not None:
        at = np.einsum("mc,mcd->md", shares, mesh.uvs[corners])
        height, width = part.texture.shape[:2]
        # Textures repeat beyond 0..1, as glTF has it.
        column = (np.floor(at[:, 0] * width).astype(np.int64)) % width
        row = (np.floor(at[:, 1] * height).astype(np.int64)) % height
        texel = part.texture[row, column].astype(np.float32) / 255.0
        colour[:, :3] *= to_linear(texel[:, :3])
        colour[:, 3] *= texel[:, 3]
    if not part.blend:
        colour[:, 3] = 1.0
    return colour
