"""Heads made in code for drawing tests."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.rigs.blendshapes import blend
from freeavatar.rigs.camera import face_camera
from freeavatar.rigs.rendering import surface_view
from freeavatar.rigs.spec import Control, FloatArray, IntArray, Joint, Mesh, Part, Rig


def ball(
    radius: float, centre: tuple[float, float, float], rings: int = 24
) -> tuple[FloatArray, IntArray]:
    """A closed sphere: vertices (V, 3), triangles (T, 3) counter-clockwise from outside."""
    polar, around = np.meshgrid(
        np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, 2 * rings), indexing="ij"
    )
    vertices = np.stack(
        [np.sin(polar) * np.sin(around), np.cos(polar), np.sin(polar) * np.cos(around)], axis=-1
    )
    grid = np.arange(rings * 2 * rings).reshape(rings, 2 * rings)
    a, b, c, d = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
    triangles = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], axis=2).reshape(-1, 3)
    placed = vertices.reshape(-1, 3) * radius + np.array(centre)
    return placed.astype(np.float32), triangles.astype(np.int32)


def make_head(
    scale: float = 1.0,
    *,
    parts: tuple[Part, ...] | None = None,
    body: bool = False,
) -> Rig:
    """A ball of radius 0.1 m × scale with an opening jaw, a dead control and, on wish, a body."""
    centre = (0.0, 1.6 * scale, 0.0)
    vertices, triangles = ball(0.1 * scale, centre)
    count = len(vertices)
    if body:
        trunk, more = ball(0.25 * scale, (0.0, 1.26 * scale, -0.15 * scale))
        triangles = np.vstack([triangles, more + count])
        vertices = np.vstack([vertices, trunk])
    deltas = np.zeros((2, len(vertices), 3), np.float32)
    local = (vertices - np.array(centre)) / scale
    jaw = (local[:, 1] < 0.0) & (local[:, 2] > 0.0) & (np.arange(len(vertices)) < count)
    deltas[0, jaw, 1] = -0.02 * scale
    follows = (np.arange(len(vertices)) < count).astype(np.float32)
    head = Joint(role="head", pivot=np.array(centre, np.float32), weights=follows)
    whole = Part(name="skin", first_triangle=0, triangle_count=len(triangles))
    return Rig(
        name="toy",
        controls=(Control(name="jawOpen"), Control(name="dead")),
        mesh=Mesh(
            vertices=vertices,
            triangles=triangles,
            deltas=deltas,
            parts=parts or (whole,),
            joints=(head,),
        ),
    )


@pytest.fixture
def toy_head() -> Callable[..., Rig]:
    """Makes a head: see `make_head`."""
    return make_head


def parts_seen(rig: Rig, vertices: FloatArray, points: FloatArray) -> list[str]:
    """Materials seen from straight ahead at points (N, 3) of a posed rig; "" for none."""
    mesh = rig.mesh
    assert mesh is not None
    camera = face_camera(rig, (512, 512))
    view = surface_view(mesh, vertices, camera)
    corners, _, hit = view.locate(camera.project(points)[0])
    number = {tuple(t): i for i, t in enumerate(mesh.triangles.tolist())}
    ends = np.cumsum([p.triangle_count for p in mesh.parts])
    found = [number[tuple(c)] for c in corners[hit].tolist()]
    names = iter(
        [mesh.parts[i].name.rpartition(":")[2] for i in np.searchsorted(ends, found, side="right")]
    )
    return [next(names) if h else "" for h in hit]


@pytest.fixture
def seen() -> Callable[[Rig, FloatArray, FloatArray], list[str]]:
    """`parts_seen`, for test files, which cannot import one another."""
    return parts_seen


def posed_mesh(rig: Rig, **values: float) -> FloatArray:
    """Vertices of a rig with some of its controls set."""
    assert rig.mesh is not None
    weights = np.zeros(len(rig.controls), np.float32)
    for name, value in values.items():
        weights[rig.index[name]] = value
    return blend(rig.mesh.vertices, rig.mesh.deltas, weights)


def material_vertices(rig: Rig, *materials: str) -> NDArray[np.int32]:
    """Numbers of the vertices that triangles of some materials use."""
    mesh = rig.mesh
    assert mesh is not None
    runs = [
        mesh.triangles[p.first_triangle : p.first_triangle + p.triangle_count]
        for p in mesh.parts
        if p.name.rpartition(":")[2] in materials
    ]
    return np.unique(np.concatenate(runs))


@pytest.fixture
def posed() -> Callable[..., FloatArray]:
    """`posed_mesh`."""
    return posed_mesh


@pytest.fixture
def vertices_of() -> Callable[..., NDArray[np.int32]]:
    """`material_vertices`."""
    return material_vertices
