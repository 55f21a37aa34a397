"""The fox: names that conventions know, ears that mean something, a mouth and lids that work."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.rigs.builtin import generate
from freeavatar.rigs.conventions import ARKIT
from freeavatar.rigs.registry import load
from freeavatar.rigs.spec import FloatArray, Mesh, Rig

Seen = Callable[[Rig, FloatArray, FloatArray], list[str]]
Posed = Callable[..., FloatArray]
VerticesOf = Callable[..., NDArray[np.int32]]
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


def mouth_grid(lips: FloatArray) -> FloatArray:
    """Points over the front half of the lips and what is between them, (N, 3)."""
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


def test_ears_follow_what_an_actor_can_do(fox: Rig, vertices_of: VerticesOf) -> None:
    tips = mesh_of(fox).vertices[:, 1] > 0.12
    perk, back = (mesh_of(fox).deltas[fox.index[n]][tips] for n in ("earsPerk", "earsBack"))
    assert perk[:, 1].mean() > 0.003
    assert back[:, 1].mean() < -0.01 and back[:, 2].mean() < -0.02
    face = vertices_of(fox, "skin", "lips", "eye", "nose")
    for name in ("earsPerk", "earsBack"):
        assert np.abs(mesh_of(fox).deltas[fox.index[name]][face]).max() < 1e-6


@pytest.mark.parametrize(("name", "role"), [("blink_L", "left_eye"), ("blink_R", "right_eye")])
def test_blink_covers_the_eye(fox: Rig, seen: Seen, name: str, role: str, posed: Posed) -> None:
    mesh = mesh_of(fox)
    ball = next(j for j in mesh.joints if j.role == role)
    front = (ball.weights > 0.5) & (mesh.vertices[:, 2] > ball.pivot[2] + 0.010)
    points = mesh.vertices[front]
    opened = seen(fox, mesh.vertices, points).count("eye")
    assert opened > 0.3 * len(points)
    assert seen(fox, posed(fox, **{name: 1.0}), points).count("eye") == 0


def test_jaw_opens_the_closed_mouth(
    fox: Rig, seen: Seen, posed: Posed, vertices_of: VerticesOf
) -> None:
    inside = {"mouth", "teeth", "tongue"}
    closed = mesh_of(fox).vertices
    assert not inside & set(seen(fox, closed, mouth_grid(closed[vertices_of(fox, "lips")])))
    opened = posed(fox, jawOpen=1.0)
    found = [
        p for p in seen(fox, opened, mouth_grid(opened[vertices_of(fox, "lips")])) if p in inside
    ]
    assert len(found) > 80
    assert set(found) == inside


@pytest.mark.parametrize("name", ["frown", "smile_L", "cheekPuff", "browDown"])
def test_a_closed_mouth_hides_its_teeth(
    fox: Rig, seen: Seen, name: str, posed: Posed, vertices_of: VerticesOf
) -> None:
    pose = posed(fox, **{name: 1.0})
    assert not {"teeth", "tongue"} & set(
        seen(fox, pose, mouth_grid(pose[vertices_of(fox, "lips")]))
    )
