"""What is kept of a rig comes back for that rig, and for no other."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from freeavatar.animator.descriptors import VIEW_SIZE, Descriptors, descriptors_of
from freeavatar.animator.identity import (
    CODE_SIZE,
    KIND,
    LEARNED,
    RigIdentity,
    fingerprint,
    identity_paths,
    load_identity,
    read_identity,
    write_identity,
)
from freeavatar.renderer_net.appearance import Appearance
from freeavatar.rigs import registry
from freeavatar.rigs.built_in import BUILT_IN
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Control, Rig

pytestmark = pytest.mark.usefixtures("user_folders")

MAKE = np.random.default_rng(5)


@pytest.fixture
def face(point_face: Any, arkit_points: Any) -> Rig:
    """Three nameless controls on a face of points."""
    controls = (Control(name="a"), Control(name="b", minimum=-1.0), Control(name="c"))
    rig: Rig = point_face(controls, arkit_points[:3])
    return replace(rig, source_sha256="f" * 64)


def some_appearance(controls: int) -> Appearance:
    return Appearance(
        points=MAKE.standard_normal((7, 3)).astype(np.float32),
        displacements=MAKE.standard_normal((controls, 7, 3)).astype(np.float32),
        colours=MAKE.random((7, 3)).astype(np.float32),
        normals=np.tile(np.array([0.0, 0.0, 1.0], np.float32), (7, 1)),
        joints=np.zeros((3, 7), np.float32),
        pivots=np.zeros((3, 3), np.float32),
        eye=np.array([0.0, 1.6, 1.0], np.float32),
        field_of_view=0.4,
        height=0.35,
    )


def some_identity(rig: Rig) -> RigIdentity:
    """Descriptors with pictures of noise, an appearance and all that is learned."""
    count = len(rig.controls)
    noise = MAKE.standard_normal((count, VIEW_SIZE)).astype(np.float32)
    return RigIdentity(
        descriptors=replace(descriptors_of(rig), picture=noise, drawn=True),
        appearance=some_appearance(count),
        code=MAKE.standard_normal(CODE_SIZE).astype(np.float32),
        follow=MAKE.standard_normal((2, 52, count)).astype(np.float32),
        trust=MAKE.standard_normal((2, count)).astype(np.float32),
        renderer_code=MAKE.standard_normal(CODE_SIZE).astype(np.float32),
    )


def test_an_identity_comes_back(face: Rig, tmp_path: Path) -> None:
    kept = some_identity(face)
    path = write_identity(face, kept, tmp_path / "deep" / "identity.safetensors")
    back = read_identity(path, face)
    assert back is not None and back.appearance is not None and kept.appearance is not None
    np.testing.assert_allclose(
        back.descriptors.picture, kept.descriptors.picture, rtol=1e-3, atol=1e-6
    )
    np.testing.assert_array_equal(back.descriptors.lowest, [0.0, -1.0, 0.0])
    np.testing.assert_allclose(back.appearance.points, kept.appearance.points)
    for name in LEARNED:
        np.testing.assert_array_equal(getattr(back, name), getattr(kept, name))
    assert back.appearance.field_of_view == pytest.approx(0.4)
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]


def test_order_number_and_ranges_of_controls_may_change(face: Rig, tmp_path: Path) -> None:
    """rig.toml is a person's to edit: descriptors follow the names, weights the ranges."""
    kept = some_identity(face)
    path = write_identity(face, kept, tmp_path / "identity.safetensors")
    assert face.mesh is not None and kept.appearance is not None
    fewer = replace(
        face,
        controls=(Control(name="c", minimum=-2.0, maximum=4.0), Control(name="a")),
        mesh=replace(face.mesh, deltas=face.mesh.deltas[[2, 0]]),
    )
    back = read_identity(path, fewer)
    assert back is not None and back.appearance is not None
    np.testing.assert_allclose(
        back.descriptors.picture, kept.descriptors.picture[[2, 0]], rtol=1e-3, atol=1e-6
    )
    np.testing.assert_allclose(
        back.appearance.displacements, kept.appearance.displacements[[2, 0]], rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(back.descriptors.lowest, [-0.5, 0.0])
    assert kept.follow is not None and kept.trust is not None
    np.testing.assert_array_equal(back.follow, kept.follow[..., [2, 0]])
    np.testing.assert_array_equal(back.trust, kept.trust[..., [2, 0]])
    np.testing.assert_array_equal(back.code, kept.code)


def test_meanings_do_not_count(face: Rig) -> None:
    named = replace(
        face,
        controls=tuple(
            replace(c, hub=MappingProxyType({"jawOpen": 1.0}), convention="arkit")
            for c in face.controls
        ),
    )
    assert fingerprint(named) == fingerprint(face)


def test_another_state_of_the_rig_is_noticed(face: Rig, tmp_path: Path) -> None:
    assert face.mesh is not None and face.anchors is not None
    path = write_identity(face, some_identity(face), tmp_path / "identity.safetensors")
    moved = face.anchors.barycentric[:, [1, 0, 2]]
    others = (
        replace(face, source_sha256="0" * 64),
        replace(face, mesh=replace(face.mesh, vertices=face.mesh.vertices * np.float32(1.01))),
        replace(face, anchors=None),
        replace(face, anchors=replace(face.anchors, barycentric=moved)),
        replace(face, controls=(Control(name="x"), *face.controls[1:])),
    )
    assert [read_identity(path, other) for other in others] == [None] * len(others)


def test_a_registered_rig_has_its_folders_identity(shared: Path) -> None:
    rig = registry.register(shared / "rigs" / "robot_expressive.glb", "robo")
    assert identity_paths("robo") == (registry.folder() / "robo" / "identity.safetensors",)
    assert not load_identity(rig).descriptors.drawn
    write_identity(rig, some_identity(rig))
    again = load_identity(registry.load("robo"))
    assert again.descriptors.drawn and again.appearance is not None and again.code is not None


def test_what_belongs_to_another_version_is_left_out(
    shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = registry.register(shared / "rigs" / "robot_expressive.glb", "robo")
    write_identity(rig, some_identity(rig))
    with caplog.at_level(logging.WARNING):
        found = load_identity(replace(rig, source_sha256="0" * 64))
    assert not found.descriptors.drawn and found.appearance is None
    assert "belongs to another version of rig robo" in caplog.text


def test_files_have_no_place_to_keep_one(face: Rig) -> None:
    for name in ("points", "../fox", ""):
        assert identity_paths(name) == ()
        with pytest.raises(RigError, match="not registered"):
            write_identity(replace(face, name=name), RigIdentity(descriptors=descriptors_of(face)))
    assert not load_identity(face).descriptors.drawn


def test_another_rigs_identity_is_not_kept(face: Rig, tmp_path: Path) -> None:
    fewer = replace(face, mesh=None, controls=face.controls[:2])
    with pytest.raises(RigError, match="other controls"):
        write_identity(fewer, some_identity(face), tmp_path / "x.safetensors")


@pytest.mark.parametrize("name", [n for n, path in BUILT_IN.items() if path is not None])
def test_built_in_rigs_ship_with_pictures(name: str) -> None:
    rig = registry.load(name)
    shipped = identity_paths(name)[-1]
    assert shipped.stat().st_size < 200_000
    described = load_identity(rig).descriptors
    assert described.drawn and len(described.picture) == len(rig.controls)
    motion = descriptors_of(rig).motion
    np.testing.assert_allclose(described.motion, motion, rtol=1e-3, atol=1e-4)
    silent = ~described.picture.any(axis=1)
    assert silent.mean() < 0.1, [c.name for c, s in zip(rig.controls, silent, strict=True) if s]


def test_what_is_tuned_on_a_built_in_rig_lies_with_the_user(user_folders: Path) -> None:
    rig = registry.load("toon")
    identity = replace(load_identity(rig), code=np.full(CODE_SIZE, 0.5, np.float32))
    path = write_identity(rig, identity)
    assert path.is_relative_to(user_folders) and "toon" not in registry.registered()
    np.testing.assert_array_equal(load_identity(rig).code, identity.code)


def test_a_killed_write_leaves_the_old_file(
    face: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_identity(face, some_identity(face), tmp_path / "identity.safetensors")
    before = path.read_bytes()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_identity(face, some_identity(face), path)
    assert path.read_bytes() == before and len(list(tmp_path.glob("*.part"))) == 0


def damaged(path: Path, rig: Rig, **changes: Any) -> None:
    """Write an identity again with some arrays replaced (None: left out)."""
    arrays = load_file(path)
    for name, array in changes.items():
        key = name.replace("__", ".")
        arrays.pop(key, None)
        if array is not None:
            arrays[key] = array
    about = {"kind": KIND, "of": fingerprint(rig), "controls": json.dumps(rig.names)}
    save_file(arrays, path, metadata=about)


@pytest.mark.parametrize(
    "changes",
    [
        {"descriptors__motion": None},
        {"code": np.zeros(5, np.float32)},
        {"code": np.full(CODE_SIZE, np.inf, np.float32)},
        {"follow": np.zeros((2, 52, 4), np.float32)},
        {"appearance__points": None},
        {"appearance__points": np.zeros((2, 2), np.float32)},
        {"appearance__field_of_view": np.zeros(4, np.float32)},
        {"appearance__displacements": np.zeros((2, 7, 3), np.float32)},
        {"code": np.zeros(CODE_SIZE, np.int64)},
    ],
)
def test_damaged_files_are_refused(face: Rig, tmp_path: Path, changes: dict[str, Any]) -> None:
    path = write_identity(face, some_identity(face), tmp_path / "identity.safetensors")
    damaged(path, face, **changes)
    with pytest.raises(RigError, match=r"identity\.safetensors is damaged"):
        read_identity(path, face)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"PK\x03\x04" + b"0" * 100])
def test_other_files_are_refused(face: Rig, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "identity.safetensors"
    path.write_bytes(content)
    with pytest.raises(RigError, match="is damaged"):
        read_identity(path, face)


@pytest.mark.parametrize("controls", ["", "[1, 2]", "{}", "[" * 100_000])
def test_a_file_must_say_whose_controls_it_describes(
    face: Rig, tmp_path: Path, controls: str
) -> None:
    path = tmp_path / "identity.safetensors"
    about = {"kind": KIND, "of": fingerprint(face), "controls": controls}
    save_file({"code": np.zeros(CODE_SIZE, np.float32)}, path, metadata=about)
    with pytest.raises(RigError, match="whose controls"):
        read_identity(path, face)


def test_checkpoints_are_no_identities(face: Rig, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_file({"w": np.zeros(3, np.float32)}, path, metadata={"kind": "other/1"})
    with pytest.raises(RigError, match="it is a other/1"):
        read_identity(path, face)


def test_shapes_are_checked_at_once() -> None:
    with pytest.raises(ValueError, match="picture of 2 descriptors"):
        Descriptors(
            motion=np.zeros((2, 154, 3), np.float32),
            found=np.zeros(154, np.bool_),
            picture=np.zeros((2, 5), np.float32),
            drawn=False,
            lowest=np.zeros(2, np.float32),
        )
