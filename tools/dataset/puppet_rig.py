"""Moves the ICT face: expression, eyes, head on its neck, and the points that networks place."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.foundation.landmarks import LANDMARKS

from . import ict_points
from .ict import (
    EYE,
    GUM,
    IRIS_RADIUS,
    LASH,
    SKIN,
    SOCKET,
    TEETH,
    IctFace,
    IntArray,
    eye_middles,
    eye_rotation,
    gaze,
)
from .rasteriser import add_shape
from .wrinkles import Wrinkles

NECK = np.array([0.0, -7.0, -1.0], np.float32)
"""Where the head turns on the neck, centimetres."""
NECK_TOP, NECK_BOTTOM = -8.0, -14.5
"""y between which the turn of the head fades into the rest of the body, centimetres."""
OUTER = 11248
"""Vertices of face and head."""
CLOSURE = 1.07
"""What ICT's eyeBlink lacks to close the eye: at 1 a tenth of it stays open."""
BLINKS = (BLENDSHAPES.index("eyeBlinkLeft"), BLENDSHAPES.index("eyeBlinkRight"))
INSIDE = np.array([0.0, 2.0, 0.0], np.float32)
"""A point inside the head, from which its outline is measured."""


@dataclass(frozen=True, kw_only=True)
class Posed:
    """A head in camera space: centimetres, x right, y up, z toward the camera."""

    vertices: FloatArray
    """(V, 3)"""
    landmarks: FloatArray
    """(156, 3) in the order of `freeavatar.foundation.landmarks`."""
    inside: FloatArray
    """(3,) `INSIDE`."""
    head: FloatArray
    """(3, 3) rotation."""
    blendshapes: FloatArray
    """(52,)"""
    eye_rotations: FloatArray
    """(2, 3, 3) of the left and right eyeball in the head."""
    gaze: FloatArray
    """(2, 2) as `freeavatar.tools.dataset.ict.gaze`."""

    def turned(self, points: FloatArray) -> FloatArray:
        """(..., 3) points of the head at rest to camera space."""
        return _turned(points, self.head)


class PuppetRig:
    """What all puppets share.

    Args:
        ict: the face.
        offsets: (470, 3) of landmarks from their vertices, centimetres.
    """

    def __init__(self, ict: IctFace, offsets: FloatArray) -> None:
        self.ict = ict
        self.offsets = offsets
        part = ict.triangle_part
        solid = part != LASH
        self.triangles: IntArray = np.ascontiguousarray(ict.triangles[solid])
        """(T, 3) all but lashes."""
        self.part: NDArray[np.uint8] = np.ascontiguousarray(part[solid])
        """(T,)"""
        self.lit: IntArray = np.ascontiguousarray(self.triangles[self.part != EYE])
        """Triangles whose vertices need normals."""
        self.lashes: IntArray = np.ascontiguousarray(ict.triangles[part == LASH])
        self.lash_opacity = _lash_opacity(ict)
        self._openings = _openings(ict.neutral)
        self.wrinkles = Wrinkles(ict)
        self.lids: FloatArray = _upper_lids(ict)
        """(V,) 1 at the margin of the upper lids, fading upward."""
        fade = (ict.neutral[:, 1] - NECK_BOTTOM) / (NECK_TOP - NECK_BOTTOM)
        fade = np.clip(fade, 0, 1)
        mouth = np.flatnonzero((ict.part == SOCKET) | (ict.part == GUM) | (ict.part == TEETH))
        self.mouth = int(mouth[0]), int(mouth[-1]) + 1
        """First vertex of the mouth's inside and the one after the last; orbits lie between."""
        self.turns: FloatArray = (fade * fade * (3 - 2 * fade)).astype(np.float32)[:, None]
        """(V, 1) how much a vertex goes with the head, 0 on the shoulders."""
        self._on_face = [n for n in LANDMARKS if n < 468]
        self._vertices = np.array([ict_points.VERTICES[n] for n in self._on_face])
        self._spread = _spread(ict)
        shift = offsets[[469, 468]].copy()
        # What the irises lie off sideways the eyeballs do too; upright half of it is gaze.
        shift *= (1.0, 0.5, 0.0)
        self.eye_shift: FloatArray = shift.astype(np.float32)
        """(2, 3) of the left and right eyeball."""

    def smoothed(self, values: FloatArray) -> FloatArray:
        """Numbers (V, K) of the outer head evened out among neighbours."""
        out = values[:OUTER].astype(np.float32)
        for _ in range(6):
            out = self._spread @ out
        return np.concatenate([out, np.zeros_like(values[OUTER:], np.float32)])

    def pose(
        self, neutral: FloatArray, blendshapes: FloatArray, head: FloatArray, body: FloatArray
    ) -> Posed:
        """Give a person an expression and turn the head.

        Args:
            neutral: (V, 3) of the person.
            blendshapes: (52,)
            head: (3, 3) rotation of the head.
            body: (3, 3) rotation of the shoulders.
        """
        vertices = neutral.copy()
        amounts = blendshapes.astype(np.float64)
        amounts[list(BLINKS)] *= CLOSURE * _openings(neutral) / self._openings
        for shape, amount in zip(self.ict.shapes, amounts, strict=True):
            if amount > 1e-4:
                add_shape(vertices, shape.vertices, shape.offsets, float(amount))
        middles = eye_middles(neutral)
        looks = gaze(blendshapes)
        turns = np.stack([eye_rotation(*look) for look in looks])
        for eye, middle, turn, shift in zip(
            self.ict.eyes, middles, turns, self.eye_shift, strict=True
        ):
            vertices[eye] = (neutral[eye] - middle) @ turn.T + middle + shift
        left, right = middles + self.eye_shift + turns[:, :, 2] * IRIS_RADIUS
        face = vertices[self._vertices] + self.offsets[self._on_face]
        points = np.concatenate([face, [right, left]])

        away = vertices - NECK
        placed = away @ body.T + NECK
        if body is not head:
            placed += self.turns * (away @ (head - body).T)
        return Posed(
            vertices=np.asarray(placed, np.float32),
            landmarks=_turned(points, head),
            inside=_turned(INSIDE, head),
            head=head,
            blendshapes=blendshapes,
            eye_rotations=turns,
            gaze=looks,
        )


def _openings(neutral: FloatArray) -> FloatArray:
    """(2,) how far the lids of the left and the right eye are apart, centimetres.

    A blink closes any eye, so wider eyes need more of the shape.
    """
    upper = neutral[[ict_points.VERTICES[n] for n in (385, 386, 387, 158, 159, 160)], 1]
    lower = neutral[[ict_points.VERTICES[n] for n in (380, 374, 373, 153, 145, 144)], 1]
    apart = (upper - lower).reshape(2, 3).mean(axis=1)
    return np.asarray(np.clip(apart, 0.5, 2.0), np.float32)


def _upper_lids(ict: IctFace) -> FloatArray:
    down = np.zeros(len(ict.neutral), np.float32)
    for side in ("Left", "Right"):
        shape = ict.shapes[BLENDSHAPES.index(f"eyeBlink{side}")]
        down[shape.vertices] = np.maximum(-shape.offsets[:, 1], 0.0)
    return np.where(ict.part == SKIN, down / down[ict.part == SKIN].max(), 0.0).astype(np.float32)


def _turned(points: FloatArray, head: FloatArray) -> FloatArray:
    return ((points - NECK) @ head.T + NECK).astype(np.float32)


def project(points: FloatArray, distance: float) -> FloatArray:
    """(..., 3) camera space to (..., 2) centimetres at the middle of the head, y down.

    Args:
        points: centimetres.
        distance: of the camera from the middle of the head, centimetres.
    """
    flat = points[..., :2] / (1.0 - points[..., 2:] / np.float32(distance))
    return (flat * np.array([1.0, -1.0], np.float32)).astype(np.float32)


def rotation_matrix(vector: FloatArray) -> FloatArray:
    """(3,) rotation vector to (3, 3)."""
    return np.asarray(cv2.Rodrigues(np.asarray(vector, np.float64))[0], np.float32)


def _spread(ict: IctFace) -> sparse.csr_matrix:
    """Matrix that takes the mean of each vertex of the outer head and its neighbours."""
    outer = ict.triangles[(ict.triangles < OUTER).all(axis=1)]
    pairs = np.concatenate([outer[:, [0, 1]], outer[:, [1, 2]], outer[:, [2, 0]]])
    ones = np.ones(len(pairs), np.float32)
    graph = sparse.coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(OUTER, OUTER))
    graph = ((graph + graph.T) > 0).astype(np.float32) + sparse.identity(OUTER, np.float32)
    return sparse.diags(1.0 / np.asarray(graph.sum(axis=1)).ravel()).astype(np.float32) @ graph


def _lash_opacity(ict: IctFace) -> FloatArray:
    """(V,) lashes are dense at the lid and thin out toward their tips."""
    from scipy.spatial import cKDTree

    lashes = ict.part == LASH
    away = cKDTree(ict.neutral[ict.part == SKIN]).query(ict.neutral[lashes])[0]
    out = np.zeros(len(ict.neutral), np.float32)
    out[lashes] = np.clip(1.0 - away / 0.7, 0.0, 1.0) ** 3
    return out
