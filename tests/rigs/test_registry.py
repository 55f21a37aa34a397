"""Registered rigs come back whole, or not at all."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeavatar.rigs import registry
from freeavatar.rigs.conventions import ARKIT
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.writer import write_glb
from freeavatar.rigs.rig_arrays import read_anchors, read_arrays, write_anchors, write_arrays
from freeavatar.rigs.rig_text import read_text, write_text
from freeavatar.rigs.spec import Anchors, Control, Joint, Mesh, Part, Rig

pytestmark = pytest.mark.usefixtures("user_folders")


def full_rig() -> Rig:
    """A small rig with something in every field."""
    make = np.random.default_rng(0)
    vertices = make.random((9, 3)).astype(np.float32)
    deltas = make.random((3, 9, 3)).astype(np.float32)
    deltas[0, 4:] = 0
    deltas[1] = 0
    picture = make.integers(0, 255, (4, 6, 4), np.uint8)
    weights = np.linspace(0, 1, 9, dtype=np.float32)
    parts = (
        Part(name="skin", first_triangle=0, triangle_count=2, texture=picture, roughness=0.3),
        Part(
            name="睫毛", first_triangle=2, triangle_count=1, colour=(0.1, 0.2, 0.3, 0.4),
            texture=picture.copy(), metallic=0.7, double_sided=True, blend=True, unlit=True,
        ),
        Part(name="bare", first_triangle=3, triangle_count=0),
    )  # fmt: skip
    mesh = Mesh(
        vertices=vertices,
        triangles=np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]], np.int32),
        deltas=deltas,
        parts=parts,
        uvs=make.random((9, 2)).astype(np.float32),
        normals=make.random((9, 3)).astype(np.float32),
        joints=(
            Joint(role="head", pivot=vertices[0], weights=weights, node="Head"),
            Joint(role="jaw", pivot=vertices[1], weights=weights[::-1].copy()),
        ),
    )
    anchors = Anchors(
        names=("mouth corner left", "nose"),
        vertices=np.array([[0, 1, 2], [3, 4, 5]], np.int32),
        barycentric=np.array([[0.2, 0.3, 0.5], [1, 0, 0]], np.float32),
        found=np.array([True, False]),
    )
    return Rig(
        name="everything",
        controls=(
            Control(
                name="jaw \"open\"", minimum=-0.5, maximum=2.5, neutral=0.25, region="jaw",
                side="left", hub={"jawOpen": 0.7, "mouthFunnel": 1 / 3}, convention="arkit",
            ),
            Control(name="あ"),
            Control(name="c", region="emotion", side="right"),
        ),
        mesh=mesh,
        anchors=anchors,
        source="head.glb",
        source_sha256="ab" * 32,
        licence="CC0",
        notes=("One.", "Two \"quoted\"\nlines."),
        up_axis="z",
        units_per_metre=100.0,
        expressions={"happy": {"preset": "happy", "binary": True, "binds": {"c": 0.5}}},
    )  # fmt: skip


def assert_same(a: Any, b: Any, where: str = "rig") -> None:
    """Every field equal, arrays bit for bit and of one dtype."""
    if is_dataclass(a):
        assert type(a) is type(b), where
        for field in fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name), f"{where}.{field.name}")
    elif isinstance(a, np.ndarray):
        assert isinstance(b, np.ndarray) and a.dtype == b.dtype, where
        np.testing.assert_array_equal(a, b, where)
    elif isinstance(a, tuple):
        assert isinstance(b, tuple) and len(a) == len(b), where
        for i, (left, right) in enumerate(zip(a, b, strict=True)):
            assert_same(left, right, f"{where}[{i}]")
    elif isinstance(a, Mapping):
        assert dict(a) == dict(b), where
    else:
        assert a == b, where


@pytest.fixture
def head(tmp_path: Path) -> Path:
    """A GLB with two ARKit controls."""
    vertices = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.2, 0], [0, 0.1, 0.1]], np.float32)
    deltas = np.zeros((2, 4, 3), np.float32)
    deltas[0, 1, 1] = -0.02
    deltas[1, 2, 0] = 0.01
    mesh = Mesh(
        vertices=vertices,
        triangles=np.array([[0, 1, 2], [0, 1, 3], [1, 2, 3], [0, 2, 3]], np.int32),
        deltas=deltas,
        parts=(Part(name="skin", first_triangle=0, triangle_count=4),),
    )
    rig = Rig(name="h", controls=(Control(name="jawOpen"), Control(name="smile_L")), mesh=mesh)
    path = tmp_path / "head.glb"
    write_glb(rig, path)
    return path


def anchors_of(rig: Rig) -> Anchors:
    return Anchors(
        names=("a",),
        vertices=np.array([[0, 1, 2]], np.int32),
        barycentric=np.array([[1, 0, 0]], np.float32),
        found=np.array([True]),
    )


def test_all_fields_survive(tmp_path: Path) -> None:
    rig = full_rig()
    write_text(rig, tmp_path / "rig.toml")
    write_arrays(tmp_path / "mesh.npz", rig.names, rig.mesh, rig.anchors)
    names, mesh, anchors = read_arrays(tmp_path / "mesh.npz")
    assert names == rig.names
    back = Rig(**read_text(tmp_path / "rig.toml"), mesh=mesh, anchors=anchors)
    assert_same(rig, back)
    assert back.mesh is not None and back.mesh.parts[0].texture is back.mesh.parts[1].texture


def test_rigs_without_mesh_or_extras_survive(tmp_path: Path) -> None:
    whole = full_rig()
    assert whole.mesh is not None
    bare = replace(whole.mesh, uvs=None, normals=None, joints=(), parts=())
    for rig in (
        replace(whole, mesh=None, anchors=None, expressions={}, notes=()),
        replace(whole, mesh=bare),
        replace(whole, controls=(), mesh=replace(bare, deltas=bare.deltas[:0])),
    ):
        write_text(rig, tmp_path / "rig.toml")
        write_arrays(tmp_path / "mesh.npz", rig.names, rig.mesh, rig.anchors)
        _, mesh, anchors = read_arrays(tmp_path / "mesh.npz")
        assert_same(rig, Rig(**read_text(tmp_path / "rig.toml"), mesh=mesh, anchors=anchors))


def test_anchor_files(tmp_path: Path) -> None:
    anchors = full_rig().anchors
    assert anchors is not None
    write_anchors(tmp_path / "a.npz", anchors, "cafe")
    back, of = read_anchors(tmp_path / "a.npz")
    assert_same(anchors, back)
    assert of == "cafe"


def test_register_load_remove(head: Path) -> None:
    steps: list[str] = []
    rig = registry.register(head, "Zoë 2", find_anchors=anchors_of, progress=steps.append)
    assert steps == ["reading head.glb", "finding face points", "writing"]
    assert_same(rig, registry.load("Zoë 2"))
    assert rig.name == "Zoë 2" and rig.source == "head.glb" and rig.anchors is not None
    assert registry.names()[:4] == ("arkit", "mannequin", "toon", "fox")
    assert registry.registered() == ("Zoë 2",)
    kept = registry.source_path("Zoë 2")
    assert kept is not None and kept.read_bytes() == head.read_bytes()
    registry.remove("Zoë 2")
    assert registry.registered() == ()
    assert list(registry.folder().iterdir()) == []


def test_the_name_comes_from_the_file(head: Path) -> None:
    moved = head.rename(head.with_name("..my head@v2!.glb"))
    assert registry.register(moved).name == "my head-v2-"
    assert registry.source_path("my head-v2-") is not None


def test_a_taken_name_needs_force(head: Path) -> None:
    registry.register(head, "anna", find_anchors=anchors_of)
    with pytest.raises(RigError, match="anna is registered already: --force replaces it"):
        registry.register(head, "anna")
    assert registry.load("anna").anchors is not None
    assert registry.register(head, "anna", force=True).anchors is None
    assert registry.load("anna").anchors is None
    assert [p.name for p in registry.folder().iterdir()] == ["anna"]


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "a\\b", "/etc/x", "..", ".", "", ".hidden", "-x", "a\0b", "x" * 65, "CON",
     "nul.glb", "a:b", "x.", "x ", "a\nb"],
)  # fmt: skip
def test_names_that_are_no_folder_names(head: Path, name: str) -> None:
    with pytest.raises(RigError, match="cannot be a rig's name"):
        registry.register(head, name)
    with pytest.raises(RigError):
        registry.remove(name)
    assert not registry.folder().exists() or not list(registry.folder().iterdir())


def test_built_in_names_are_taken(head: Path) -> None:
    with pytest.raises(RigError, match="toon is a built-in rig"):
        registry.register(head, "toon", force=True)
    with pytest.raises(RigError, match="cannot be removed"):
        registry.remove("arkit")


def test_unknown_names_say_what_is_known(head: Path) -> None:
    registry.register(head, "anna")
    expected = "no rig named manequin, did you mean mannequin? Known: arkit, mannequin, toon, "
    with pytest.raises(RigError, match=expected.replace("?", r"\?") + "fox, anna"):
        registry.load("manequin")
    with pytest.raises(RigError, match=r"no rig named ana, did you mean anna\? Known: anna$"):
        registry.remove("ana")


def test_arkit_has_the_52_and_no_mesh() -> None:
    rig = registry.load("arkit")
    assert rig.names == ARKIT and rig.mesh is None and rig.source == "built-in"
    assert all(c.hub == {c.name: 1.0} for c in rig.controls)
    assert registry.source_path("arkit") is None


@pytest.mark.parametrize("name", ["mannequin", "toon", "fox"])
def test_built_in_rigs_load_with_their_face_points(name: str) -> None:
    rig = registry.load(name)
    assert rig.name == name and rig.mesh is not None and rig.source == "built-in"
    assert rig.anchors is not None, "run python -m freeavatar.tools.builtin_anchors"
    assert rig.anchors.found.all()
    assert rig.anchors.vertices.max() < len(rig.mesh.vertices)
    source = registry.source_path(name)
    assert source is not None and source.is_file()


def test_a_file_loads_without_registering(head: Path) -> None:
    rig = registry.load(str(head), find_anchors=anchors_of)
    assert rig.name == "head" and rig.names == ("jawOpen", "smile_L")
    assert rig.anchors is not None
    assert registry.load(head).anchors is None
    assert registry.source_path(str(head)) == head
    assert registry.registered() == ()


def test_a_folder_of_shapes_keeps_a_glb(tmp_path: Path) -> None:
    shapes = tmp_path / "shapes"
    shapes.mkdir()
    corners = ["0 0 0", "0.1 0 0", "0 0.2 0", "0 0.1 0.1"]
    faces = "f 1 2 3\nf 1 4 2\nf 2 4 3\nf 1 3 4\n"
    for name, last in (("neutral", "0 0.1 0.1"), ("jawOpen", "0 0.05 0.1")):
        points = "".join(f"v {p}\n" for p in [*corners[:3], last])
        (shapes / f"{name}.obj").write_text(points + faces)
    rig = registry.register(shapes, "folder")
    assert rig.names == ("jawOpen",)
    kept = registry.source_path("folder")
    assert kept is not None and kept.name == "source.glb"
    assert registry.load(kept).names == ("jawOpen",)


def test_damaged_arrays_are_one_clear_error(head: Path) -> None:
    registry.register(head, "anna")
    path = registry.folder() / "anna" / "mesh.npz"
    whole = path.read_bytes()
    for broken in (b"", whole[:40], whole[: len(whole) // 2], b"x" * 200):
        path.write_bytes(broken)
        with pytest.raises(RigError, match="register the rig again"):
            registry.load("anna")
    np.savez(path, controls=np.array(["jawOpen", "smile_L"]), vertices=np.zeros((4, 3)))
    with pytest.raises(RigError, match="damaged"):
        registry.load("anna")


def test_an_object_array_is_not_unpickled(head: Path) -> None:
    registry.register(head, "anna")
    path = registry.folder() / "anna" / "mesh.npz"
    np.savez(path, controls=np.array([{"a": 1}], dtype=object))
    with pytest.raises(RigError, match="cannot be read"):
        registry.load("anna")


@pytest.mark.parametrize("stage", ["load", "anchors", "write", "source"])
def test_an_error_leaves_nothing(
    head: Path, stage: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever fails, the old rig of that name stays and no new folder appears."""
    registry.register(head, "anna", find_anchors=anchors_of)

    def fail(*_: Any, **__: Any) -> Any:
        raise RigError("stop here")

    broken = tmp_path / "broken.glb"
    broken.write_bytes(head.read_bytes()[:100])
    where = {"write": "write_arrays", "source": "_keep_source"}.get(stage)
    if where:
        monkeypatch.setattr(registry, where, fail)
    with pytest.raises(RigError):
        registry.register(
            broken if stage == "load" else head,
            "anna",
            force=True,
            find_anchors=fail if stage == "anchors" else None,
        )
    assert [p.name for p in registry.folder().iterdir()] == ["anna"]
    assert registry.load("anna").anchors is not None


def test_a_kill_while_writing_leaves_the_old_rig(head: Path, tmp_path: Path) -> None:
    registry.register(head, "anna", find_anchors=anchors_of)
    ready = tmp_path / "ready"
    script = (
        "import sys, time, pathlib\n"
        "from freeavatar.rigs import registry\n"
        "def hang(*_):\n"
        f"    pathlib.Path({str(ready)!r}).touch(); time.sleep(60)\n"
        "registry._keep_source = hang\n"
        f"registry.register(pathlib.Path({str(head)!r}), 'anna', force=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    for _ in range(300):
        if ready.exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert ready.exists()
    assert registry.registered() == ("anna",)
    assert registry.load("anna").anchors is not None
    left = [p for p in registry.folder().iterdir() if p.name != "anna"]
    assert len(left) == 1 and left[0].name.startswith(".")
    os.utime(left[0], (0, 0))
    registry.register(head, "berta")
    assert sorted(p.name for p in registry.folder().iterdir()) == ["anna", "berta"]


def test_a_kill_between_the_two_renames_is_repaired(head: Path) -> None:
    registry.register(head, "anna")
    place = registry.folder() / "anna"
    place.rename(place.with_name(".old-anna"))
    assert registry.load("anna").names == ("jawOpen", "smile_L")
    assert place.is_dir()


def test_a_rig_between_the_two_renames_is_listed_and_can_be_removed(head: Path) -> None:
    for finish in (registry.registered, lambda: registry.remove("anna")):
        registry.register(head, "anna", force=True)
        place = registry.folder() / "anna"
        place.rename(place.with_name(".old-anna"))
        result = finish()
        assert result in (("anna",), None)
    assert list(registry.folder().iterdir()) == []


def test_a_removed_rig_does_not_come_back(head: Path) -> None:
    """A kill after the second rename leaves the replaced folder behind."""
    registry.register(head, "anna")
    shutil.copytree(registry.folder() / "anna", registry.folder() / ".old-anna")
    registry.remove("anna")
    with pytest.raises(RigError, match="no rig named anna"):
        registry.load("anna")
    assert registry.registered() == ()


def test_text_saved_by_a_windows_editor_is_read(head: Path) -> None:
    registry.register(head, "anna")
    path = registry.folder() / "anna" / "rig.toml"
    text = path.read_text("utf-8").replace("maximum = 1.0", "maximum = 2.0", 1)
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert registry.load("anna").controls[0].maximum == 2.0


@pytest.mark.parametrize(
    ("value", "message"), [("1e300", "must lie within"), ("1e-9", "must be above neutral")]
)
def test_ranges_that_single_precision_cannot_hold(head: Path, value: str, message: str) -> None:
    registry.register(head, "anna")
    path = registry.folder() / "anna" / "rig.toml"
    path.write_text(path.read_text("utf-8").replace("maximum = 1.0", f"maximum = {value}", 1))
    with pytest.raises(RigError, match=f"control 'jawOpen': maximum {message}"):
        registry.load("anna")


def test_expressions_that_are_no_tables_are_refused(head: Path) -> None:
    registry.register(head, "anna")
    path = registry.folder() / "anna" / "rig.toml"
    path.write_text(path.read_text("utf-8").replace("[expressions]", "[expressions]\nhappy = 3"))
    with pytest.raises(RigError, match=r"rig\.toml: expressions must hold one table"):
        registry.load("anna")


def test_any_flipped_byte_of_the_arrays_is_at_most_one_clear_error(head: Path) -> None:
    registry.register(head, "anna")
    path = registry.folder() / "anna" / "mesh.npz"
    whole = path.read_bytes()
    refused = 0
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            registry.load("anna")
        except RigError:
            refused += 1
    assert refused > len(whole) / 7 / 3


def test_a_source_that_changes_while_read_is_refused(
    head: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.copyfile

    def later(source: Path, target: Path) -> None:
        head.write_bytes(head.read_bytes() + b"\0\0\0\0")
        real(source, target)

    monkeypatch.setattr(registry.shutil, "copyfile", later)
    with pytest.raises(RigError, match="changed while it was being read"):
        registry.register(head, "anna")
    assert registry.registered() == ()


def test_a_large_rig_loads_quickly_and_stays_small(shared: Path) -> None:
    registry.register(shared / "rigs" / "ict_face_53.glb", "ict")
    started = time.monotonic()
    rig = registry.load("ict")
    assert time.monotonic() - started < 1.5
    assert rig.mesh is not None and rig.mesh.deltas.shape == (53, 28911, 3)
    assert (registry.folder() / "ict" / "mesh.npz").stat().st_size < 6e6
    assert_same(rig, replace(registry.load(shared / "rigs" / "ict_face_53.glb"), name="ict"))
