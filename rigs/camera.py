"""A pinhole camera, and where to put it so that a rig's face fills the picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .spec import FloatArray, Mesh, Rig

FIELD_OF_VIEW = np.radians(22.0)
"""Portrait lens: about 85 mm on full frame, so that noses do not bulge."""
HEADROOM = 1.16
"""Picture height over the height that is framed."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """Perspective camera in rig space. Pixels are x right, y down; the centre of the first pixel
    is (0.5, 0.5)."""

    position: NDArray[np.float64]
    """(3,) metres."""
    rotation: NDArray[np.float64]
    """(3, 3), columns: the camera's right, up and backward axes (it looks along -z, as OpenGL)."""
    field_of_view: float
    """Vertical, radians."""
    size: tuple[int, int]
    """Width and height of the picture in pixels."""
    near: float
    """Distance of the near clipping plane, metres."""
    far: float
    """Distance of the far clipping plane, metres."""

    @property
    def focal_length(self) -> float:
        """Pixels; the same in both directions."""
        return float(self.size[1] / 2 / np.tan(self.field_of_view / 2))

    @property
    def pose(self) -> NDArray[np.float64]:
        """(4, 4) matrix from camera to rig space."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.rotation, self.position
        return matrix

    def project(
        self, points: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where points appear.

        Args:
            points: (..., 3) rig space.

        Returns:
            (..., 2) pixels and (...) depths along the view in metres, negative behind the camera,
            where the pixels then mean nothing.
        """
        local = (np.asarray(points, np.float64) - self.position) @ self.rotation
        depth = -local[..., 2]
        safe = np.where(np.abs(depth) > 1e-12, depth, 1e-12)
        scaled = local[..., :2] * (self.focal_length / safe)[..., None]
        centre = np.array(self.size, np.float64) / 2
        return centre + scaled * np.array([1.0, -1.0]), depth


def face_camera(rig: Rig, size: tuple[int, int]) -> Camera:
    """A camera straight before the face, at the distance where the head fills the picture.

    Raises:
        ValueError: the rig has no mesh.
    """
    if rig.mesh is None:
        raise ValueError(f"rig {rig.name} has no mesh to look at")
    low, high = face_bounds(rig.mesh)
    centre, extent = (low + high) / 2, high - low
    width, height = size
    half = np.tan(FIELD_OF_VIEW / 2)
    needed = max(extent[1], extent[0] * height / width) * HEADROOM / 2
    # The framed plane is the middle of the face's depth, where its silhouette is.
    distance = needed / half
    position = np.array([centre[0], centre[1], centre[2] + distance])
    reach = float(np.ptp(rig.mesh.vertices, axis=0).max()) + float(extent.max())
    return Camera(
        position=position,
        rotation=np.eye(3),
        field_of_view=float(FIELD_OF_VIEW),
        size=size,
        near=distance / 50,
        far=distance + 2 * reach,
    )


def face_bounds(mesh: Mesh) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest corner, (3,) each, of what a picture of the face should show.

    The head where a joint says what that is, else the surroundings of what the controls move,
    else everything. Long hair, horns and a whole body are cut to a portrait.
    """
    vertices = mesh.vertices.astype(np.float64)
    if not len(vertices):
        return np.full(3, -0.1), np.full(3, 0.1)
    whole = vertices.min(axis=0), vertices.max(axis=0)
    face = _moving(mesh)
    if face is None:
        return whole
    low, high = np.percentile(vertices[face], 1, axis=0), np.percentile(vertices[face], 99, axis=0)
    centre, extent = (low + high) / 2, high - low
    portrait = max(extent[0], extent[1])
    head = mesh.joint("head")
    shown = vertices[head.weights > 0.5] if head is not None else vertices
    if not len(shown):
        shown = vertices
    # A head is about 1.4 faces wide and reaches about one face above and below the moving part.
    limit = portrait * np.array([0.75, 0.85, 1.0])
    return (
        np.maximum(shown.min(axis=0), centre - limit),
        np.minimum(shown.max(axis=0), centre + limit),
    )


def _moving(mesh: Mesh) -> NDArray[np.bool_] | None:
    """(V,) vertices that the controls clearly move, or None where nothing moves."""
    if not mesh.deltas.size:
        return None
    reach: FloatArray = np.zeros(len(mesh.vertices), np.float32)
    for delta in mesh.deltas:
        np.maximum(reach, np.einsum("vc,vc->v", delta, delta), out=reach)
    strongest = float(reach.max())
    return reach > strongest * 0.05**2 if strongest > 0 else None
