"""The fox: names that conventions know, ears that mean something, a mouth and lids that work."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from freeavatar.rigs.blendshapes import blend
from freeavatar.rigs.builtin import generate
from freeavatar.rigs.conventions import ARKIT
from freeavatar.rigs.registry import load, source_path
from freeavatar.rigs.spec import FloatArray, Mesh, Rig

Seen = Callable[[Rig, FloatArray, FloatArray], list[str]]
NAMES = [
    "jawOpen", "smile_L", "smile_R", "frown", "snarl", "whistle", "blink_L", "blink_R", "eyeWide",
    "squint", "browUp", "browDown", "tongueOut", "cheekPuff", "earsPerk", "earsBack",
]  # fmt: skip


@pytest.fixture(scope="module")
def fox() -> Rig:
    return load("fox")


def mesh_of(rig: Rig) -> Mesh:
    assert rig.mesh is not None
    return rig.mesh


def posed(rig: Rig, **values: float) -> FloatArray:
    weights = np.zeros(len(rig.controls), np.float32)
    for name, value in values.items():
        weights[rig.index[name]] = value
    mesh = mesh_of(rig)
    return blend(mesh.vertices, mesh.deltas, weights)


def vertices_of(rig: Rig, *materials: str) -> NDArray[np.int32]:
    mesh = mesh_of(rig)
    runs = [
        mesh.triangles[p.first_triangle : p.first_triangle + p.triangle_count]
        for p in mesh.parts
        if p.name.rpartition(":")[2] in materials
    ]
    return np.unique(np.concatenate(runs))


def mouth_grid(rig: Rig, vertices: FloatArray) -> FloatArray:
    """Points over the front half of the lips and what is between them, (N, 3)."""
    lips = vertices[vertices_of(rig, "lips")]
    low, high = lips.min(axis=0), lips.max(axis=0)
    x, y = np.meshgrid(np.linspace(low[0], high[0], 21), np.linspace(low[1], high[1], 21))
    return np.column_stack([x.ravel(), y.ravel(), np.full(x.size, 0.11)]).astype(np.float32)


def test_every_control_is_there_moves_and_means_something(fox: Rig) -> None:
    assert list(fox.names) == NAMES
    assert mesh_of(fox).motion.min() > 0.005
    for control in fox.controls:
        assert control.hub, control.name
        assert set(control.hub) <= set(ARKIT)


def test_the_file_beside_the_rig_repeats_the_meanings_in_the_code(fox: Rig) -> None:
    """Names give some meanings, fox.hub.toml the rest: nothing is lost on the way to the file."""
    made = generate.build("fox")
    for control in fox.controls:
        wanted = made.controls[made.index[control.name]]
        assert dict(control.hub) == dict(wanted.hub), control.name
        assert control.side == wanted.side


def test_ears_follow_what_an_actor_can_do(fox: Rig) -> None:
    tips = mesh_of(fox).vertices[:, 1] > 0.12
    perk, back = (mesh_of(fox).deltas[fox.index[n]][tips] for n in ("earsPerk", "earsBack"))
    assert perk[:, 1].mean() > 0.003
    assert back[:, 1].mean() < -0.01 and back[:, 2].mean() < -0.02
    face = vertices_of(fox, "skin", "lips", "eye", "nose")
    for name in ("earsPerk", "earsBack"):
        assert np.abs(mesh_of(fox).deltas[fox.index[name]][face]).max() < 1e-6


@pytest.mark.parametrize(("left", "right"), [("smile_L", "smile_R"), ("blink_L", "blink_R")])
def test_pairs_are_mirror_images(fox: Rig, left: str, right: str) -> None:
    mesh = mesh_of(fox)
    flip = np.array([-1, 1, 1, -1, 1, 1], np.float32)
    rows = [
        np.hstack([mesh.vertices, mesh.deltas[fox.index[name]]])[
            np.linalg.norm(mesh.deltas[fox.index[name]], axis=1) > 2e-4
        ]
        for name in (left, right)
    ]
    assert len(rows[0]) == len(rows[1]) > 50
    for a, b in ((rows[0] * flip, rows[1]), (rows[1] * flip, rows[0])):
        assert cKDTree(a).query(b)[0].max() < 1e-5
    weight = np.linalg.norm(mesh.deltas[fox.index[left]], axis=1)
    assert np.average(mesh.vertices[:, 0], weights=weight) > 0.01


@pytest.mark.parametrize(("name", "role"), [("blink_L", "left_eye"), ("blink_R", "right_eye")])
def test_blink_covers_the_eye(fox: Rig, seen: Seen, name: str, role: str) -> None:
    mesh = mesh_of(fox)
    ball = next(j for j in mesh.joints if j.role == role)
    front = (ball.weights > 0.5) & (mesh.vertices[:, 2] > ball.pivot[2] + 0.010)
    points = mesh.vertices[front]
    opened = seen(fox, mesh.vertices, points).count("eye")
    assert opened > 0.3 * len(points)
    assert seen(fox, posed(fox, **{name: 1.0}), points).count("eye") == 0


@pytest.mark.parametrize("name", ["blink_L", "eyeWide", "squint"])
@pytest.mark.parametrize("value", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_lids_never_cut_into_the_eyeball(fox: Rig, name: str, value: float) -> None:
    mesh = mesh_of(fox)
    eye = next(j for j in mesh.joints if j.role == "left_eye")
    ball = np.linalg.norm(mesh.vertices[eye.weights > 0.5] - eye.pivot, axis=1).max()
    lids = vertices_of(fox, "skin", "lash", "lid")
    # The lids' last loop is tucked against the eyeball, behind their edges.
    lids = lids[np.linalg.norm(mesh.vertices[lids] - eye.pivot, axis=1) > ball * 1.02]
    at = posed(fox, **{name: value})[lids]
    assert np.linalg.norm(at - eye.pivot, axis=1).min() > ball * 1.005


def test_jaw_opens_the_closed_mouth(fox: Rig, seen: Seen) -> None:
    inside = {"mouth", "teeth", "tongue"}
    closed = mesh_of(fox).vertices
    assert not inside & set(seen(fox, closed, mouth_grid(fox, closed)))
    opened = posed(fox, jawOpen=1.0)
    found = [p for p in seen(fox, opened, mouth_grid(fox, opened)) if p in inside]
    assert len(found) > 80
    assert set(found) == inside


@pytest.mark.parametrize("name", ["frown", "smile_L", "cheekPuff", "browDown"])
def test_a_closed_mouth_hides_its_teeth(fox: Rig, seen: Seen, name: str) -> None:
    pose = posed(fox, **{name: 1.0})
    assert not {"teeth", "tongue"} & set(seen(fox, pose, mouth_grid(fox, pose)))


def test_the_file_is_what_the_code_makes(fox: Rig) -> None:
    """Vertex by vertex, with all their motion; the file may order them otherwise."""
    made = generate.build("fox")
    assert made.names == fox.names
    rows = [
        np.hstack([m.vertices, m.deltas.transpose(1, 0, 2).reshape(len(m.vertices), -1)])
        for m in (mesh_of(fox), mesh_of(made))
    ]
    assert rows[0].shape == rows[1].shape
    assert len(mesh_of(fox).triangles) == len(mesh_of(made).triangles)
    for a, b in (rows, rows[::-1]):
        assert cKDTree(a).query(b, distance_upper_bound=1e-3)[0].max() < 1e-5


def test_ships_small(fox: Rig) -> None:
    path = source_path("fox")
    assert path is not None and path.stat().st_size <= 1_500_000
    assert 4_000 <= len(mesh_of(fox).vertices) <= 10_000
