"""A pinhole camera, and where to put it so that a rig's face fills the picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .rotation import matrix_from_angles
from .spec import FloatArray, Mesh, Rig

FIELD_OF_VIEW = np.radians(22.0)
"""Portrait lens: about 85 mm on full frame, so that noses do not bulge."""
HEADROOM = 1.08
"""Picture height over the height that is framed."""
YAW, PITCH = 0.35, 0.2
"""Turns of the head that stay in the picture, radians."""
CUT_BELOW = np.array([0.7, 0.8, 1.0])
CUT_ABOVE = np.array([0.7, 1.3, 1.0])
"""Farthest that the picture reaches from the middle of the moving part, in heights of it."""


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
    focus: float
    """Distance of what the picture is about, metres."""

    @property
    def shown_height(self) -> float:
        """Metres that the picture's height covers at the focus."""
        return float(2 * self.focus * np.tan(self.field_of_view / 2))

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


def face_camera(
    rig: Rig,
    size: tuple[int, int],
    *,
    turning: bool = True,
    field_of_view: float = float(FIELD_OF_VIEW),
) -> Camera:
    """A camera straight before the face, at the distance where head and gestures fill the picture.

    Args:
        rig: with a mesh.
        size: width and height of the picture in pixels.
        turning: False leaves no room for turns of the head.
        field_of_view: vertical, radians; the face stays as large whatever the lens.

    Raises:
        ValueError: the rig has no mesh.
    """
    if rig.mesh is None:
        raise ValueError(f"rig {rig.name} has no mesh to look at")
    low, high = face_bounds(rig.mesh, turning=turning)
    centre, extent = (low + high) / 2, high - low
    width, height = size
    needed = max(extent[1], extent[0] * height / width, 1e-6) * HEADROOM / 2
    # The framed plane is the middle of the face's depth, where its silhouette is.
    distance = needed / np.tan(field_of_view / 2)
    reach = float(np.ptp(rig.mesh.vertices, axis=0).max()) + float(extent.max())
    return Camera(
        position=np.array([centre[0], centre[1], centre[2] + distance]),
        rotation=np.eye(3),
        field_of_view=field_of_view,
        size=size,
        near=float(distance) / 50,
        far=float(distance) + 2 * reach,
        focus=float(distance),
    )


def face_bounds(
    mesh: Mesh, *, turning: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest corner, (3,) each, of what a picture of the face should show.

    The head, and what the controls move wherever they and turns of the head bring it. Long hair,
    horns and the body are cut to a portrait. A mesh that no control moves is shown whole.
    """
    vertices = mesh.vertices.astype(np.float64)
    if not len(vertices):
        return np.full(3, -0.1), np.full(3, 0.1)
    face = _moving(mesh)
    if face is None:
        return vertices.min(axis=0), vertices.max(axis=0)
    moved = vertices[face]
    low, high = np.percentile(moved, 1, axis=0), np.percentile(moved, 99, axis=0)
    centre, portrait = (low + high) / 2, float(max(high[0] - low[0], high[1] - low[1]))
    joint = mesh.joint("head")
    head = vertices if joint is None else vertices[joint.weights > 0.5]
    pivot = centre - [0, 0, portrait / 2] if joint is None else joint.pivot.astype(np.float64)
    shown = np.vstack([head, moved, *(_turned(moved, pivot) if turning else [])])
    least = np.maximum(low + mesh.deltas[:, face].min(axis=(0, 1)), centre - portrait)
    most = np.minimum(high + mesh.deltas[:, face].max(axis=(0, 1)), centre + portrait)
    low = np.minimum(least, np.maximum(shown.min(axis=0), centre - portrait * CUT_BELOW))
    high = np.maximum(most, np.minimum(shown.max(axis=0), centre + portrait * CUT_ABOVE))
    # The neutral face stays in the middle, whichever side of the head has more hair.
    half = max(centre[0] - low[0], high[0] - centre[0])
    low[0], high[0] = centre[0] - half, centre[0] + half
    return low, high


def _turned(points: NDArray[np.float64], pivot: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Points (N, 3) as the head turns to all sides about its pivot."""
    turns = ([YAW, 0, 0], [-YAW, 0, 0], [0, PITCH, 0], [0, -PITCH, 0])
    return [(points - pivot) @ matrix_from_angles(np.array(turn)).T + pivot for turn in turns]


def _moving(mesh: Mesh) -> NDArray[np.bool_] | None:
    """(V,) vertices that the controls clearly move, or None where nothing moves."""
    if not mesh.deltas.size:
        return None
    reach: FloatArray = np.zeros(len(mesh.vertices), np.float32)
    for delta in mesh.deltas:
        np.maximum(reach, np.einsum("vc,vc->v", delta, delta), out=reach)
    strongest = float(reach.max())
    return reach > strongest * 0.05**2 if strongest > 0 else None
