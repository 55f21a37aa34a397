"""A person's edits of rig.toml are honoured, or refused by file and key."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freeavatar.rigs import registry
from freeavatar.rigs.conventions import describe_controls
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.rig_arrays import write_arrays
from freeavatar.rigs.rig_text import write_text
from freeavatar.rigs.spec import Mesh, Rig


@pytest.fixture
def anna(user_folders: Path) -> Rig:
    """A registered rig with two controls."""
    deltas = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    mesh = Mesh(
        vertices=np.eye(3, dtype=np.float32),
        triangles=np.array([[0, 1, 2]], np.int32),
        deltas=deltas,
        parts=(),
    )
    rig = Rig(name="anna", controls=describe_controls(["jawOpen", "smile_L"]), mesh=mesh)
    place = registry.folder() / "anna"
    place.mkdir(parents=True)
    write_text(replace(rig, expressions={"x": {}}), place / "rig.toml")
    write_arrays(place / "mesh.npz", rig.names, mesh, None)
    return rig


def edit(name: str, old: str, new: str) -> Path:
    path = registry.folder() / name / "rig.toml"
    text = path.read_text("utf-8")
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


def test_edits_are_honoured(anna: Rig) -> None:
    edit("anna", "maximum = 1.0", "maximum = 2")
    edit("anna", "jawOpen = 1.0", "mouthFunnel = 0.5")
    edit("anna", 'side = "left"', 'side = "centre"')
    jaw, smile = registry.load("anna").controls
    assert jaw.maximum == 2.0 and jaw.hub == {"mouthFunnel": 0.5}
    assert smile.side == "centre"


def test_reordered_or_dropped_controls_keep_their_motion(anna: Rig) -> None:
    path = registry.folder() / "anna" / "rig.toml"
    start, first, second = path.read_text("utf-8").split("[[control]]")
    second, _, rest = second.partition("[expressions]")
    assert "smile_L" in second
    path.write_text(f"{start}[[control]]{second}\n[[control]]{first}\n[expressions]{rest}")
    turned = registry.load("anna")
    assert turned.names == ("smile_L", "jawOpen")
    assert turned.mesh is not None and anna.mesh is not None
    np.testing.assert_array_equal(turned.mesh.deltas, anna.mesh.deltas[::-1])
    path.write_text(f"{start}[[control]]{second}\n[expressions]{rest}")
    assert registry.load("anna").names == ("smile_L",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('region = "jaw"', 'region = "chin"', "control 'jawOpen': region must be one of brows"),
        ("maximum = 1.0", "maximum = 0.0", "control 'jawOpen': maximum must be above neutral"),
        ("minimum = 0.0", "minimum = 0.5", "control 'jawOpen': minimum must not be above"),
        ("maximum = 1.0", 'maximum = "big"', "maximum must be a number, not 'big'"),
        ("maximum = 1.0", "maximum = nan", "maximum must be a finite number"),
        ("maximum = 1.0", "maximum = true", "maximum must be a number, not True"),
        ("maximum = 1.0", "maximun = 1.0", r"maximun is not a key .* did you mean maximum\?"),
        ("jawOpen = 1.0", "jawOpe = 1.0", r"hub.jawOpe is not an ARKit name; did .* jawOpen\?"),
        ("jawOpen = 1.0", "jawOpen = 1.5", "hub.jawOpen must be above 0 and at most 1, not 1.5"),
        ('name = "jawOpen"', 'name = "jawOpem"', r"'jawOpem': name is not in the mesh; .*jawOpen"),
        ('name = "smile_L"', 'name = "jawOpen"', "control 'jawOpen': name appears twice"),
        ("schema = 1", "schema = 99", "schema is 99, from a later freeavatar"),
        ("schema = 1", "", "schema is missing"),
        ("schema = 1", "schema = 1\nx = ", "is not valid TOML"),
        ("units_per_metre = 1.0", "units_per_metre = -1", "units_per_metre must be above 0"),
    ],
)
def test_impossible_edits_name_file_and_key(anna: Rig, old: str, new: str, message: str) -> None:
    path = edit("anna", old, new)
    with pytest.raises(RigError, match=message) as caught:
        registry.load("anna")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
