"""Which surface of a mesh carries each face region: the skin, not eyes, lashes, teeth or hair."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from freeavatar.rigs.spec import IntArray, JointRole, Mesh
from freeavatar.rigs.surface import SurfaceView

from .anchor_table import ANCHORS

EYE_JOINTS: tuple[JointRole, ...] = ("left_eye", "right_eye")
EYE_LAYERS = 5
"""Most pieces an eye is looked through for."""
BARE = ("nose", "cheeks", "jaw", "forehead")
"""Regions where nothing but skin is to be seen; the component they hit most is the skin."""
STILL = 0.05
"""A region whose skin moves less than this share of the face's height, under any control, may be
carried by separate pieces (a cartoon's brows); then the pieces in front count."""


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The triangles that count as the face's surface, for each anchor."""

    skin: NDArray[np.bool_]
    """(T,) triangles of the skin."""
    pieces: NDArray[np.bool_]
    """(T,) skin and everything else that may carry a region: opaque and not an eye."""
    on_pieces: NDArray[np.bool_]
    """(A,) anchors that are looked for among ``pieces``."""
    eyes: NDArray[np.bool_]
    """(T,) triangles of the eyeballs, none where eyes are painted on the skin."""
    skin_vertices: NDArray[np.bool_]
    """(V,) vertices of the skin."""

    def groups(self) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
        """Triangles to look among, and the rows of the anchors that do."""
        yield self.skin, np.flatnonzero(~self.on_pieces)
        yield self.pieces, np.flatnonzero(self.on_pieces)

    def of(self, anchor: int) -> NDArray[np.bool_]:
        """(T,) the triangles one anchor is looked for among."""
        return self.pieces if self.on_pieces[anchor] else self.skin


def face_layers(
    mesh: Mesh, view: SurfaceView, pixels: NDArray[np.float64], irises: NDArray[np.float64]
) -> Layers:
    """Tell skin from the rest by what the bare regions' landmarks hit.

    Args:
        mesh: neutral.
        view: of the neutral, in which the landmarks were seen.
        pixels: (A, 2) the anchors' landmarks.
        irises: (2, 2) the landmarks of the irises.
    """
    pieces = _may_carry(mesh)
    component = _components(mesh)
    bare = np.array([a.region in BARE for a in ANCHORS])
    corners, _, hit = view.locate(pixels[bare], among=pieces)
    struck = component[_triangles_of(mesh, corners[hit])]
    hits = np.bincount(struck, minlength=int(component.max()) + 1)
    # A cartoon's nose or chin may be a piece of its own.
    chosen = (hits == hits.max()) | (hits >= max(2, 0.1 * hits.sum()))
    skin = chosen[component] & pieces
    regions = {a.region for a in ANCHORS}
    loose = {r for r in regions if r not in BARE and _stands_still(mesh, view, pixels, skin, r)}
    on_pieces = np.array([a.region in loose for a in ANCHORS])
    eyes = _eyes(mesh, view, component, skin, irises) & ~skin
    skin_vertices = np.zeros(len(mesh.vertices), bool)
    skin_vertices[mesh.triangles[skin]] = True
    return Layers(
        skin=skin,
        pieces=pieces & ~eyes,
        on_pieces=on_pieces,
        eyes=eyes,
        skin_vertices=skin_vertices,
    )


def triangles_near(view: SurfaceView, pixels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(T,) triangles whose box in the picture meets that of some pixels (N, 2).

    Looking among these alone makes `SurfaceView.locate` many times faster.
    """
    at = view.camera.project(view.vertices)[0][view.triangles]
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    return np.asarray(
        np.all(at.max(axis=1) >= low, axis=1) & np.all(at.min(axis=1) <= high, axis=1), bool
    )


def _may_carry(mesh: Mesh) -> NDArray[np.bool_]:
    """(T,) triangles that are neither see-through nor part of an eye."""
    keep = ~_turning(mesh)
    for part in mesh.parts:
        if part.blend:
            keep[part.first_triangle : part.first_triangle + part.triangle_count] = False
    return keep


def _turning(mesh: Mesh) -> NDArray[np.bool_]:
    """(T,) triangles that turn with an eye joint."""
    turning = np.zeros(len(mesh.triangles), bool)
    for role in EYE_JOINTS:
        joint = mesh.joint(role)
        if joint is not None:
            turning |= np.all(joint.weights[mesh.triangles] > 0.5, axis=1)
    return turning


def _eyes(
    mesh: Mesh,
    view: SurfaceView,
    component: NDArray[np.int32],
    skin: NDArray[np.bool_],
    irises: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """(T,) triangles of pieces crossed by a ray into either iris, and of what turns with them."""
    eyes = _turning(mesh)
    for iris in irises[:, None]:
        # Film, cornea, iris and ball lie one behind the other; then comes the head, or nothing.
        among = np.ones(len(mesh.triangles), bool)
        for _ in range(EYE_LAYERS):
            corners, _, hit = view.locate(iris, among=among)
            if not hit[0]:
                break
            piece = component == component[_triangles_of(mesh, corners)[0]]
            if np.any(piece & skin):
                break
            eyes |= piece
            among &= ~piece
    return eyes


def _components(mesh: Mesh) -> NDArray[np.int32]:
    """(T,) number of the connected piece of surface each triangle belongs to.

    Vertices at one place count as one (texture seams), but pieces are only joined across edges
    that exactly two triangles share: lashes and tear films that are attached along a lid make
    three.
    """
    extent = float(np.ptp(mesh.vertices, axis=0).max())
    keys = np.round(mesh.vertices / (max(extent, 1e-9) * 1e-6)).astype(np.int64)
    _, place = np.unique(keys, axis=0, return_inverse=True)
    corners = place.ravel()[mesh.triangles]
    edges = np.sort(np.concatenate([corners[:, [i, (i + 1) % 3]] for i in range(3)]), axis=1)
    owner = np.tile(np.arange(len(corners)), 3)
    _, edge, shared = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(edge.ravel(), kind="stable")
    first = np.flatnonzero(np.diff(edge.ravel()[order], prepend=-1))[shared == 2]
    a, b = owner[order[first]], owner[order[first + 1]]
    graph = coo_matrix((np.ones(len(a)), (a, b)), shape=(len(corners), len(corners)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int32)


def _triangles_of(mesh: Mesh, corners: IntArray) -> NDArray[np.intp]:
    """(N,) the triangle with each of the corners (N, 3), as `SurfaceView.locate` gives them."""
    return np.array([np.flatnonzero(np.all(mesh.triangles == c, axis=1))[0] for c in corners], int)


def _stands_still(
    mesh: Mesh,
    view: SurfaceView,
    pixels: NDArray[np.float64],
    skin: NDArray[np.bool_],
    region: str,
) -> bool:
    """Whether no control moves the skin of a region although a piece in front of it moves."""
    rows = np.array([a.region == region for a in ANCHORS])
    below = _largest_motion(mesh, view, pixels[rows], skin)
    above = _largest_motion(mesh, view, pixels[rows], _may_carry(mesh))
    height = float(np.ptp(mesh.vertices[mesh.triangles[skin].ravel()], axis=0)[1])
    return below < STILL * height and above > 2.0 * below


def _largest_motion(
    mesh: Mesh, view: SurfaceView, pixels: NDArray[np.float64], among: NDArray[np.bool_]
) -> float:
    corners, _, hit = view.locate(pixels, among=among)
    if not hit.any() or not mesh.deltas.size:
        return 0.0
    reach = np.linalg.norm(mesh.deltas[:, corners[hit, 0]], axis=2)
    return float(np.median(reach.max(axis=0)))
