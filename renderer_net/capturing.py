"""Makes a rig's `Appearance` from reference pictures."""

import logging
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.blendshapes import pose
from freeavatar.rigs.camera import Camera, face_camera
from freeavatar.rigs.errors import RenderError
from freeavatar.rigs.rendering import Renderer
from freeavatar.rigs.spec import FloatArray, Mesh, Rig, RigFrame
from freeavatar.rigs.surface import Normals

from .appearance import JOINTS, Appearance
from .numpy_splatting import STUDIO, diffuse
from .painting import paint, to_srgb

log = logging.getLogger(__name__)

POINTS = 20_000
"""Points that are kept at most: about two for each pixel of a face in a picture of 128."""
TRIED = 90_000
"""Points of the mesh that are looked for in the pictures."""
SIZE = 384
"""Pixels a side of a reference picture."""
PATCH = 1.1
"""Standard deviation, in pixels of a reference picture, of what one point stands for."""
GRID = 192
"""Pixels a side of the depths by which points are found hidden."""
GRAZING = 0.12
"""Cosine between normal and view below which a picture shows rim light more than colour."""
TURNS = ((0.0, 0.0), (0.55, 0.0), (-0.55, 0.0), (0.0, 0.35), (0.0, -0.3))
"""Yaw and pitch of the head in the pictures of the neutral, radians."""
SLACK = 0.003
"""In heights of the picture: how far behind the nearest a point may lie and still be seen."""
UNCOVERING = 6
"""Most controls that get a picture of their own."""
LEAST_UNCOVERED = 0.0015
"""Part of the seen points that a control must uncover for that."""
MOVING = 3.0
"""Times by which a point is likelier to be kept where the face moves most."""


@dataclass(frozen=True, kw_only=True)
class _Candidates:
    """Points on a mesh."""

    triangles: NDArray[np.int64]
    """(M,) that they lie on."""
    corners: NDArray[np.int32]
    """(M, 3)"""
    shares: FloatArray
    """(M, 3) barycentric."""
    double_sided: NDArray[np.bool_]
    """(M,)"""

    def only(self, kept: NDArray[np.int64]) -> "_Candidates":
        """Some of them."""
        return _Candidates(**{f.name: getattr(self, f.name)[kept] for f in fields(self)})

    def on(self, values: FloatArray) -> FloatArray:
        """Values (V, ...) of vertices at the points, (M, ...)."""
        return np.asarray(np.einsum("mc,mc...->m...", self.shares, values[self.corners]))


def appearance_of(rig: Rig, *, seed: int = 0, draw: bool = True) -> Appearance:
    """Draw a rig's reference pictures and keep the points that they show.

    Where there is no OpenGL, colours come from the rig's materials instead, lit as in the studio.

    Args:
        rig: with a mesh.
        seed: of the choice of points; the same rig and seed give the same appearance.
        draw: False takes the materials' colours at once.

    Raises:
        RenderError: the rig has no mesh.
    """
    if rig.mesh is None or not len(rig.mesh.triangles):
        raise RenderError(f"rig {rig.name} has no mesh to draw; choose one that has")
    mesh, camera = rig.mesh, face_camera(rig, (SIZE, SIZE))
    make = np.random.default_rng(seed)
    tried, normals = _scattered(mesh, camera, make), Normals(mesh)
    frames = [_frame(rig, head=(yaw, pitch, 0.0)) for yaw, pitch in TURNS]
    views = [_View.of(rig, frame, tried, normals, camera) for frame in frames]
    for frame, view in _uncovering(rig, tried, normals, camera, views):
        frames.append(frame)
        views.append(view)
    seen = np.any([view.seen & (view.facing > GRAZING) for view in views], axis=0)
    kept = _kept(seen, tried.on(_motion(mesh)), make)
    points = tried.only(kept)
    facing = points.on(normals.of(mesh.vertices))
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-9)
    pictures = _pictures(rig, frames) if draw else None
    if pictures is None:
        colours = _painted(mesh, points, facing)
    else:
        colours = _colours(pictures, views)[kept]
    return _appearance(mesh, points, colours, facing, camera)


def _pictures(rig: Rig, frames: list[RigFrame]) -> list[NDArray[np.uint8]] | None:
    """The reference pictures, or None where there is no OpenGL."""
    try:
        with Renderer(rig, size=(SIZE, SIZE)) as renderer:
            # A point stands for a patch of skin, not for one pixel of it.
            return [_softened(renderer.picture(frame)) for frame in frames]
    except RenderError as error:
        log.info("%s; the points of %s take the colours of its materials", error, rig.name)
        return None


def _softened(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), PATCH), np.uint8)


def _painted(mesh: Mesh, points: _Candidates, facing: FloatArray) -> FloatArray:
    """(N, 3) sRGB of the materials in the studio's light."""
    base = paint(mesh, points.triangles, points.shares)[:, :3]
    return to_srgb(base * diffuse(facing, STUDIO))


def _appearance(
    mesh: Mesh, points: _Candidates, colours: FloatArray, facing: FloatArray, camera: Camera
) -> Appearance:
    count = len(points.corners)
    joints = np.zeros((len(JOINTS), count), np.float32)
    pivots = np.zeros((len(JOINTS), 3), np.float32)
    for row, role in enumerate(JOINTS):
        joint = mesh.joint(role)  # type: ignore[arg-type]
        if joint is not None:
            joints[row], pivots[row] = points.on(joint.weights), joint.pivot
    displacements = np.zeros((len(mesh.deltas), count, 3), np.float32)
    for k, delta in enumerate(mesh.deltas):
        displacements[k] = points.on(delta)
    return Appearance(
        points=points.on(mesh.vertices),
        displacements=displacements,
        colours=colours,
        normals=facing,
        joints=joints,
        pivots=pivots,
        eye=np.asarray(camera.position, np.float32),
        field_of_view=camera.field_of_view,
        height=camera.shown_height,
    )


def _frame(
    rig: Rig, *, head: tuple[float, float, float] = (0.0, 0.0, 0.0), control: int | None = None
) -> RigFrame:
    values = rig.neutral.copy()
    if control is not None:
        values[control] = rig.controls[control].maximum
    return RigFrame(index=0, time=0.0, values=values, head=np.array(head, np.float32))


def _scattered(mesh: Mesh, camera: Camera, make: np.random.Generator) -> _Candidates:
    """Points all over the triangles that the picture may show, as many as their area asks for."""
    corners = mesh.vertices[mesh.triangles]
    at, _ = camera.project(corners.mean(axis=1))
    size = np.array(camera.size, np.float64)
    near = np.all((at > -0.15 * size) & (at < 1.15 * size), axis=1)
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    area = area * near * (1.0 + (MOVING - 1.0) * _motion(mesh)[mesh.triangles].mean(axis=1))
    double = np.zeros(len(mesh.triangles), np.bool_)
    for part in mesh.parts:
        run = slice(part.first_triangle, part.first_triangle + part.triangle_count)
        double[run] = part.double_sided
        if part.blend:
            # What is seen through cannot be told apart by one colour for each point.
            area[run] *= 0.25
    chosen = make.choice(len(area), TRIED, p=area / area.sum())
    u, v = np.sqrt(make.random(TRIED)), make.random(TRIED)
    shares = np.stack([1 - u, u * (1 - v), u * v], axis=1).astype(np.float32)
    return _Candidates(
        triangles=chosen,
        corners=mesh.triangles[chosen],
        shares=shares,
        double_sided=double[chosen],
    )


def _motion(mesh: Mesh) -> FloatArray:
    """(V,) 0..1 how far controls move each vertex, of the farthest."""
    reach = np.zeros(len(mesh.vertices), np.float32)
    for delta in mesh.deltas:
        np.maximum(reach, np.linalg.norm(delta, axis=1), out=reach)
    part: FloatArray = np.sqrt(reach / max(float(reach.max(initial=0.0)), 1e-9))
    return part


@dataclass(frozen=True, kw_only=True)
class _View:
    """Where M points appear in one reference picture."""

    pixels: NDArray[np.float64]
    """(M, 2)"""
    seen: NDArray[np.bool_]
    """(M,)"""
    facing: FloatArray
    """(M,) cosine between normal and view, 0..1."""

    @classmethod
    def of(
        cls, rig: Rig, frame: RigFrame, tried: _Candidates, normals: Normals, camera: Camera
    ) -> "_View":
        posed = pose(rig, frame)
        points = tried.on(posed)
        pixels, depth = camera.project(points)
        toward = camera.position - points
        toward /= np.linalg.norm(toward, axis=1, keepdims=True)
        facing = np.einsum("mc,mc->m", tried.on(normals.of(posed)), toward)
        facing = np.where(tried.double_sided, np.abs(facing), facing)
        size = np.array(camera.size)
        inside = np.all((pixels >= 0) & (pixels < size), axis=1) & (facing > 0.0)
        cell = np.clip((pixels * GRID / size).astype(np.int64), 0, GRID - 1)
        flat = cell[:, 1] * GRID + cell[:, 0]
        nearest = np.full(GRID * GRID, np.inf)
        np.minimum.at(nearest, flat[inside], depth[inside])
        slack = SLACK * camera.shown_height
        seen = inside & (depth <= nearest[flat] + slack)
        return cls(pixels=pixels, seen=seen, facing=np.clip(facing, 0.0, 1.0).astype(np.float32))


def _uncovering(
    rig: Rig, tried: _Candidates, normals: Normals, camera: Camera, views: list[_View]
) -> list[tuple[RigFrame, _View]]:
    """Controls at their maximum that show most of what no picture shows, one after the other."""
    seen = np.any([view.seen for view in views], axis=0)
    frames = [_frame(rig, control=k) for k in range(len(rig.controls))]
    shown = [_View.of(rig, frame, tried, normals, camera) for frame in frames]
    chosen: list[tuple[RigFrame, _View]] = []
    while shown and len(chosen) < UNCOVERING:
        gains = [int((view.seen & ~seen).sum()) for view in shown]
        best = int(np.argmax(gains))
        if gains[best] < LEAST_UNCOVERED * seen.sum():
            break
        chosen.append((frames[best], shown[best]))
        seen |= shown[best].seen
    return chosen


def _colours(pictures: list[NDArray[np.uint8]], views: list[_View]) -> FloatArray:
    """(M, 3) sRGB of each point in the picture that shows it best."""
    best = np.zeros(len(views[0].seen), np.float32)
    colours = np.zeros((len(best), 3), np.float32)
    for place, (picture, view) in enumerate(zip(pictures, views, strict=True)):
        # The neutral from the front counts most: its light is what most pictures show.
        clear = view.seen & (view.facing > GRAZING)
        good = np.where(clear, view.facing + (0.5 if place == 0 else 0.01), 0.0)
        better = good > best
        columns, rows = (np.clip(view.pixels[better, i], 0, SIZE - 1).astype(int) for i in (0, 1))
        colours[better] = picture[rows, columns] / np.float32(255.0)
        best = np.where(better, good, best).astype(np.float32)
    return colours


def _kept(
    seen: NDArray[np.bool_], motion: FloatArray, make: np.random.Generator
) -> NDArray[np.int64]:
    """Places of the points to keep: seen ones, more of them where the face moves."""
    places = np.flatnonzero(seen)
    if len(places) <= POINTS:
        return places
    chance = 1.0 + (MOVING - 1.0) * motion[places]
    chosen = make.choice(places, POINTS, replace=False, p=chance / chance.sum())
    return np.sort(chosen)
