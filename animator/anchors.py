"""Finds the semantic face points of any rig on its neutral mesh, whatever its controls are called.

The neutral is drawn, a landmark detector reads the drawing, and each landmark is carried back to
the surface. Eyes, lashes and whatever else is not skin are looked through, and the margins of lids
and lips, where a pixel's error would change the side, are taken from the mesh itself (`slits`).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.camera import Camera, face_camera
from freeavatar.rigs.rendering import Renderer, surface_view
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Anchors, FloatArray, IntArray, Rig, RigFrame
from freeavatar.rigs.surface import SurfaceView

from .anchor_table import ANCHOR_NAMES, ANCHORS, IRISES
from .motion import mesh_of
from .openings import place_eyes
from .plausible import opens_like_a_mouth
from .skin import Layers, face_layers
from .slits import place_margins
from .symmetry import mirror_plane

Picture = NDArray[np.uint8]
LandmarksOf = Callable[[Picture], FloatArray | None]
"""A picture (H, W, 3) to landmarks (478, 2) in its pixels, or None where no face is."""

SIZES = (512, 320, 768)
BACKGROUNDS = ((0.155, 0.165, 0.185), (0.55, 0.6, 0.65), (0.9, 0.9, 0.9))
TURNS = ((0.0, 0.0), (0.0, 0.15), (0.25, 0.0), (0.0, -0.15))
"""Yaw and pitch of the camera around the face, radians: tried in turn until a face is seen."""
DISTANCES = (1.0, 1.5)
"""Multiples of the portrait distance; detectors want some room around a face."""
INWARD = (0.0, 0.02, 0.05, 0.1)
"""Shares of the way to the middle of the face by which a missed point is moved, in turn."""
_OUTLINE = np.array([0.04 if a.name.startswith(("jaw_", "chin")) else 0.0 for a in ANCHORS])
"""(A,) the least such share: the jaw line is the outline of the face."""


def find_anchors(rig: Rig, landmarks_of: LandmarksOf) -> Anchors | None:
    """Locate the points of `anchor_table.ANCHORS` on a rig.

    Args:
        rig: with a mesh.
        landmarks_of: a landmark detector with MediaPipe's topology.

    Returns:
        The points, or None where the detector sees no face in the neutral (robots, animals).

    Raises:
        RenderError: the rig has no mesh, or no OpenGL is to be had.
    """
    seen = _first_view(rig, landmarks_of)
    if seen is None:
        return None
    camera, landmarks = seen
    pixels = landmarks[[a.landmark for a in ANCHORS]].astype(np.float64)
    irises = landmarks[list(IRISES)].astype(np.float64)
    anchors = place_anchors(rig, camera, pixels, irises)
    return anchors if opens_like_a_mouth(replace(rig, anchors=anchors)) else None


def place_anchors(
    rig: Rig,
    camera: Camera,
    pixels: NDArray[np.float64],
    irises: NDArray[np.float64],
    *,
    outline: bool = True,
) -> Anchors:
    """Carry points of a picture to the surface they show.

    Args:
        rig: with a mesh.
        camera: of the picture, in which the neutral is seen.
        pixels: (A, 2) the points of `anchor_table.ANCHORS`.
        irises: (2, 2) the middles of the right and of the left iris.
        outline: True moves the jaw line inward a little, since detectors have it on the outline of
            the face, where a point may miss the surface.

    Raises:
        ValueError: the rig has no mesh.
    """
    mesh = mesh_of(rig)
    view = surface_view(mesh, mesh.vertices, camera)
    layers = face_layers(mesh, view, pixels, irises)
    placed = _Placement(view, layers, _OUTLINE if outline else np.zeros(len(ANCHORS)))
    placed.locate(pixels)
    place_eyes(placed.corners, placed.weights, placed.found, view, layers, irises)
    plane = mirror_plane(mesh, layers.skin_vertices, placed.points, placed.found)
    if plane is not None:
        placed.locate(camera.project(placed.mirrored(plane))[0])
    place_margins(placed.corners, placed.weights, placed.found, mesh, view, layers)
    return Anchors(
        names=ANCHOR_NAMES,
        vertices=placed.corners,
        barycentric=placed.weights,
        found=placed.found,
    )


class _Placement:
    """Anchors while they are being located."""

    def __init__(
        self, view: SurfaceView, layers: Layers, least_inward: NDArray[np.float64]
    ) -> None:
        self._view = view
        self._least_inward = least_inward[:, None]
        self._layers = layers
        count = len(ANCHORS)
        face = view.vertices[layers.skin_vertices]
        self._on_eye = np.zeros(len(view.vertices), bool)
        self._on_eye[view.triangles[layers.eyes]] = True
        self._deepest = 0.4 * float(np.ptp(face, axis=0).max())
        self.corners: IntArray = np.zeros((count, 3), np.int32)
        self.weights: FloatArray = np.zeros((count, 3), np.float32)
        self.found: NDArray[np.bool_] = np.zeros(count, bool)

    @property
    def points(self) -> NDArray[np.float64]:
        """(A, 3) places so far."""
        at = self._view.vertices[self.corners].astype(np.float64)
        return np.asarray(np.einsum("ac,acx->ax", self.weights, at), np.float64)

    def locate(self, pixels: NDArray[np.float64]) -> None:
        """Take the surface under each anchor's pixel (A, 2).

        Points on the outline of the face may miss it by a pixel: they are moved inward until they
        hit.
        """
        middle = pixels.mean(axis=0)
        self.found[:] = False
        for inward in INWARD:
            wanted = pixels + np.maximum(inward, self._least_inward) * (middle - pixels)
            for among, rows in self._layers.groups():
                missing = rows[~self.found[rows]]
                corners, weights, hit = self._view.locate(
                    wanted[missing], among=among | self._layers.eyes
                )
                hit &= ~self._far_behind(corners) & ~np.all(self._on_eye[corners], axis=1)
                self.corners[missing], self.weights[missing] = corners, weights
                self.found[missing] = hit

    def _far_behind(self, corners: IntArray) -> NDArray[np.bool_]:
        """(N,) hits on the back of the head, seen past the outline or through a gap."""
        depth = self._view.camera.project(self._view.vertices[corners[:, 0]])[1]
        front = self._view.camera.project(self.points[self.found])[1] if self.found.any() else depth
        return np.asarray(depth > np.median(front) + self._deepest, bool)

    def mirrored(self, plane: float) -> NDArray[np.float64]:
        """(A, 3) each point averaged with its partner's mirror image."""
        partner = np.array([a.partner for a in ANCHORS])
        points, both = self.points, self.found & self.found[partner]
        image = points[partner] * np.array([-1.0, 1.0, 1.0]) + np.array([2 * plane, 0.0, 0.0])
        image = np.where(self.found[partner][:, None], image, points)
        return np.where(
            both[:, None], (points + image) / 2, np.where(self.found[:, None], points, image)
        )


def _first_view(rig: Rig, landmarks_of: LandmarksOf) -> tuple[Camera, FloatArray] | None:
    frame = RigFrame(index=0, time=0.0, values=rig.neutral)
    for camera, background in _views(rig):
        with Renderer(rig, size=camera.size, background=background, camera=camera) as renderer:
            landmarks = landmarks_of(renderer.picture(frame))
        if landmarks is not None and _plausible(landmarks):
            return camera, landmarks
    return None


def _views(rig: Rig) -> Iterator[tuple[Camera, tuple[float, float, float]]]:
    for turn in TURNS:
        for size, background in zip(SIZES, BACKGROUNDS, strict=True):
            for distance in DISTANCES:
                front = face_camera(rig, (size, size))
                yield _orbit(front, rig, turn, distance), background


def _orbit(front: Camera, rig: Rig, turn: tuple[float, float], distance: float) -> Camera:
    """The front camera moved around the middle of the face and back."""
    rotation = matrix_from_angles(np.array([turn[0], turn[1], 0.0]))
    middle = front.position.copy()
    middle[2] = float(np.percentile(mesh_of(rig).vertices[:, 2], 90))
    offset = (front.position - middle) * distance
    return replace(
        front,
        position=middle + rotation @ offset,
        rotation=rotation @ front.rotation,
        far=front.far * distance,
    )


def _plausible(landmarks: FloatArray) -> bool:
    """Whether the eyes are apart and above the mouth, as on a face seen from the front."""
    right, left, mouth = landmarks[159], landmarks[386], landmarks[13]
    apart = float(left[0] - right[0])
    below = float(mouth[1] - (left[1] + right[1]) / 2)
    return apart > 0 and 0.3 * apart < below < 3.0 * apart
