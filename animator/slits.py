"""The margins of lids and lips, taken from the mesh where a picture's pixels would be too coarse.

On closed lips a landmark that is one pixel off lies on the other lip, and beneath a lid it lies in
the eye socket. So the surface is walked from a sure point above the slit to one below it; the slit
is where the surface ends, falls away in depth, or where the controls move two neighbouring points
apart.
"""

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.spec import FloatArray, IntArray, Mesh
from freeavatar.rigs.surface import SurfaceView

from .anchor_table import ANCHOR_INDEX, SLITS
from .skin import Layers, triangles_near

STEPS = 72
"""Samples of one walk."""
FALL = 2.5
"""Depth over height of a step: steeper, and the surface has turned away into the slit."""
TEAR = 0.2
"""Share of a control's motion along the walk by which two neighbours may differ."""


def place_margins(
    corners: IntArray,
    weights: FloatArray,
    found: NDArray[np.bool_],
    mesh: Mesh,
    view: SurfaceView,
    layers: Layers,
) -> None:
    """Move the margin anchors to the slits, in place.

    Args:
        corners: (A, 3) vertices of each anchor's triangle; changed.
        weights: (A, 3) its barycentric weights; changed.
        found: (A,) changed where a margin was found or lost.
        mesh: neutral.
        view: of the neutral.
        layers: the surface that counts.
    """
    for names in SLITS:
        above, upper, lower, below = (ANCHOR_INDEX[n] for n in names)
        if not (found[above] and found[below]):
            continue
        ends = [_place(mesh, corners[i], weights[i]) for i in (above, below)]
        walk = _Walk(mesh, view, layers, upper, np.array(ends))
        split = walk.split()
        if split is None:
            continue
        for anchor, sample in zip((upper, lower), split, strict=True):
            corners[anchor], weights[anchor] = walk.corners[sample], walk.weights[sample]
            found[anchor] = True


def _place(mesh: Mesh, corners: IntArray, weights: FloatArray) -> NDArray[np.float64]:
    return np.asarray(weights @ mesh.vertices[corners], np.float64)


class _Walk:
    """Samples of the surface on the straight line, in the picture, between two of its points."""

    def __init__(
        self,
        mesh: Mesh,
        view: SurfaceView,
        layers: Layers,
        anchor: int,
        ends: NDArray[np.float64],
    ) -> None:
        ends_at, _ = view.camera.project(ends)
        share = np.linspace(0.0, 1.0, STEPS)[:, None]
        pixels = ends_at[0] + share * (ends_at[1] - ends_at[0])
        self._near = triangles_near(view, ends_at)
        among = self._near & layers.of(anchor)
        self.corners, self.weights, self.hit = view.locate(pixels, among=among)
        self._points = np.einsum("nc,ncx->nx", self.weights, mesh.vertices[self.corners])
        self._motion = np.einsum("nc,kncx->nkx", self.weights, mesh.deltas[:, self.corners])
        self._eye = self._shows_eye(mesh, view, layers, pixels)

    def split(self) -> tuple[int, int] | None:
        """The last sample above the slit and the first below it, or None if there is none."""
        if self._eye.any():
            first, last = _ends(self._eye)
            return (first - 1, last + 1) if first > 0 and last + 1 < STEPS else None
        torn = self._breaks()
        if not torn.any():
            return None
        first, last = _ends(torn)
        return first, last + 1

    def _shows_eye(
        self, mesh: Mesh, view: SurfaceView, layers: Layers, pixels: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """(STEPS,) samples at which the eyeball is in front of the skin."""
        if not layers.eyes.any():
            return np.zeros(STEPS, bool)
        corners, weights, hit = view.locate(pixels, among=self._near & layers.eyes)
        eye = np.einsum("nc,ncx->nx", weights, mesh.vertices[corners])
        nearer = view.camera.project(eye)[1] < view.camera.project(self._points)[1]
        return np.asarray(hit & (nearer | ~self.hit), bool)

    def _breaks(self) -> NDArray[np.bool_]:
        """(STEPS - 1,) steps at which the surface ends, falls away or is torn by a control."""
        step = np.diff(self._points, axis=0)
        across = np.linalg.norm(step[:, :2], axis=1)
        missing = ~(self.hit[1:] & self.hit[:-1])
        falls = np.abs(step[:, 2]) > FALL * np.maximum(across, 1e-9)
        return np.asarray(missing | falls | (self._tears() > TEAR), bool)

    def _tears(self) -> NDArray[np.float64]:
        """(STEPS - 1,) the largest share of a control's motion that changes in one step."""
        reach = np.linalg.norm(self._motion, axis=2) * self.hit[:, None]
        largest = reach.max(axis=0, initial=0.0)
        strong = largest > 0.2 * largest.max(initial=0.0)
        if not strong.any():
            return np.zeros(STEPS - 1)
        change = np.linalg.norm(np.diff(self._motion[:, strong], axis=0), axis=2)
        return np.asarray((change / largest[strong]).max(axis=1), np.float64)


def _ends(marked: NDArray[np.bool_]) -> tuple[int, int]:
    """First and last True."""
    where = np.flatnonzero(marked)
    return int(where[0]), int(where[-1])
