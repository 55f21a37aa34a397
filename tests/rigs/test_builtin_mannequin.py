"""The mannequin: its controls move what they should, lids and lips meet, MediaPipe sees a face."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from freeavatar.rigs.blendshapes import blend, pose
from freeavatar.rigs.builtin import generate
from freeavatar.rigs.builtin.mannequin_skin import Skin, make_skin
from freeavatar.rigs.builtin.mannequin_surface import EYE, EYE_RADIUS
from freeavatar.rigs.conventions import ARKIT
from freeavatar.rigs.loaders.load import load_rig
from freeavatar.rigs.rendering import Renderer
from freeavatar.rigs.spec import FloatArray, Mesh, Rig, RigFrame

Seen = Callable[[Rig, FloatArray, FloatArray], list[str]]
FILE = Path(generate.__file__).with_name("mannequin.glb")
PAIRS = [(n, f"{n[:-4]}Right") for n in ARKIT if n.endswith("Left")]


@pytest.fixture(scope="module")
def made() -> Rig:
    return generate.build("mannequin")


@pytest.fixture(scope="module")
def skin() -> Skin:
    """The sheet whose vertices come first in the rig."""
    return make_skin()


def mesh_of(rig: Rig) -> Mesh:
    assert rig.mesh is not None
    return rig.mesh


def posed(rig: Rig, **values: float) -> NDArray[np.float64]:
    """Vertices in millimetres."""
    weights = np.zeros(len(rig.controls), np.float32)
    for name, value in values.items():
        weights[rig.index[name]] = value
    mesh = mesh_of(rig)
    return np.asarray(1000.0 * blend(mesh.vertices, mesh.deltas, weights), np.float64)


def lip_gap(skin: Skin, points: NDArray[np.float64]) -> float:
    """Largest distance from the upper lip's seam to the lower one's."""
    seam = (skin.where == 3) & (skin.ring == 1.0)
    upper = points[: len(skin.points)][seam & (skin.upper > 0)]
    lower = points[: len(skin.points)][seam & (skin.upper < 0)]
    return float(cKDTree(lower).query(upper)[0].max())


def test_it_has_the_52_arkit_controls_and_each_moves_something(made: Rig) -> None:
    assert set(made.names) == set(ARKIT)
    assert len(made.names) == 52
    still = [n for n, m in zip(made.names, mesh_of(made).motion, strict=True) if m < 0.8e-3]
    assert still == []


def test_neutral_is_whole_head_sized_and_closed(made: Rig, skin: Skin) -> None:
    mesh = mesh_of(made)
    assert np.isfinite(mesh.vertices).all() and np.isfinite(mesh.deltas).all()
    front = mesh.vertices[np.abs(mesh.vertices[:, 0]) < 0.01]
    chin = front[(front[:, 2] > 0.07)][:, 1].min()
    assert 0.22 < mesh.vertices[:, 1].max() - chin < 0.25
    assert lip_gap(skin, posed(made)) < 0.3


def test_normals_agree_with_the_triangles(made: Rig) -> None:
    mesh = mesh_of(made)
    assert mesh.normals is not None
    a, b, c = (mesh.vertices[mesh.triangles[:, k]].astype(np.float64) for k in range(3))
    face = np.cross(b - a, c - a)
    area = np.linalg.norm(face, axis=1)
    facing = np.einsum("ij,ij->i", face, mesh.normals[mesh.triangles].sum(1))
    assert (area * (facing < 0)).sum() / area.sum() < 0.01
    eye = next(p for p in mesh.parts if p.name == "left eye")
    run = mesh.triangles[eye.first_triangle : eye.first_triangle + eye.triangle_count]
    outward = mesh.vertices[run].mean(1) - EYE / 1000.0
    own = face[eye.first_triangle : eye.first_triangle + eye.triangle_count]
    assert (np.einsum("ij,ij->i", outward, own) > 0).all()


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_pairs_mirror_each_other(made: Rig, left: str, right: str) -> None:
    mesh = mesh_of(made)
    flip = np.array([-1.0, 1.0, 1.0])
    distance, mirror = cKDTree(mesh.vertices).query(mesh.vertices * flip)
    assert distance.max() < 1e-6
    one, other = mesh.deltas[made.index[left]], mesh.deltas[made.index[right]]
    np.testing.assert_allclose(one[mirror] * flip, other, rtol=0, atol=1e-5)
    assert np.abs(one).max() > 0


@pytest.mark.parametrize(("side", "sign", "kind"), [("Left", 1.0, 1), ("Right", -1.0, 2)])
def test_blink_closes_the_lids_without_cutting_the_eyeball(
    made: Rig, skin: Skin, side: str, sign: float, kind: int
) -> None:
    margin = (skin.where == kind) & (skin.ring == 1.0)
    closed = posed(made, **{f"eyeBlink{side}": 1.0})[: len(skin.points)]
    lower, upper = closed[margin & (skin.upper < 0)], closed[margin & (skin.upper > 0)]
    along = np.argsort(lower[:, 0])
    for axis in (1, 2):
        line = np.interp(upper[:, 0], lower[along, 0], lower[along, axis])
        assert np.abs(upper[:, axis] - line).max() < 1.0
    lids = (skin.where == kind) & (skin.ring <= 1.0)
    for amount in (0.0, 0.25, 0.5, 0.75, 1.0):
        points = posed(made, **{f"eyeBlink{side}": amount})[: len(skin.points)][lids]
        assert np.linalg.norm(points - EYE * [sign, 1, 1], axis=1).min() >= EYE_RADIUS


def test_the_jaw_opens_wide_and_mouth_close_seals_it(made: Rig, skin: Skin) -> None:
    assert 25.0 < lip_gap(skin, posed(made, jawOpen=1.0)) < 45.0
    for amount in (0.25, 0.5, 1.0):
        assert lip_gap(skin, posed(made, jawOpen=amount, mouthClose=amount)) < 1.5


def test_the_lower_teeth_follow_the_jaw_and_the_upper_ones_do_not(made: Rig) -> None:
    mesh = mesh_of(made)
    opened = mesh.deltas[made.index["jawOpen"]]
    for name, moves in (("upper teeth", False), ("lower teeth", True)):
        part = next(p for p in mesh.parts if p.name == name)
        run = mesh.triangles[part.first_triangle : part.first_triangle + part.triangle_count]
        travel = np.linalg.norm(opened[run.ravel()], axis=1)
        assert (travel.min() > 0.015) if moves else (travel.max() == 0.0)


def test_back_teeth_lie_in_the_shade_and_end_higher(made: Rig) -> None:
    mesh = mesh_of(made)
    assert mesh.uvs is not None
    part = next(p for p in mesh.parts if p.name == "upper teeth")
    run = mesh.triangles[part.first_triangle : part.first_triangle + part.triangle_count]
    rows = np.unique(run)
    points, across = mesh.vertices[rows], mesh.uvs[rows, 0]
    front, back = (np.abs(points[:, 0]) < 0.005), across > np.quantile(across, 0.9)
    assert part.texture is not None
    shade = part.texture[0, :, 0] / 255.0
    columns = (across * (len(shade) - 1)).round().astype(int)
    assert shade[columns][front].min() > 0.95 and shade[columns][back].max() < 0.6
    assert points[back, 1].min() > points[front, 1].min() + 0.0015


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0},
        {"mouthPucker": 1.0},
        {"mouthFrownLeft": 1.0, "mouthFrownRight": 1.0},
        {"mouthPressLeft": 1.0, "mouthPressRight": 1.0},
        {"mouthDimpleLeft": 1.0, "mouthDimpleRight": 1.0},
        {"mouthRollLower": 1.0, "mouthRollUpper": 1.0},
        {"jawOpen": 1.0, "mouthClose": 1.0},
        {"cheekPuff": 1.0},
        {"mouthLeft": 1.0},
    ],
)
def test_no_teeth_show_through_closed_lips(
    made: Rig, skin: Skin, seen: Seen, values: dict[str, float]
) -> None:
    points = posed(made, **values)
    lips = (skin.where == 3) & (skin.ring >= 0.35) & (skin.ring < 0.98) & (skin.upper != 0)
    shown = seen(
        made, np.float32(points / 1000.0), np.float32(points[: len(skin.points)][lips] / 1000)
    )
    assert set(shown) == {"skin"}


def test_eyes_and_head_turn_about_their_pivots(made: Rig) -> None:
    mesh = mesh_of(made)
    still = RigFrame(index=0, time=0.0, values=made.neutral)
    aside = RigFrame(
        index=0, time=0.0, values=made.neutral, eyes=np.array([[0.4, 0, 0], [0.4, 0, 0]], "f4")
    )
    moved = np.linalg.norm(pose(made, aside) - pose(made, still), axis=1) > 1e-6
    eyes = [p for p in mesh.parts if p.name in ("left eye", "right eye")]
    own = np.concatenate(
        [
            mesh.triangles[p.first_triangle : p.first_triangle + p.triangle_count].ravel()
            for p in eyes
        ]
    )
    assert set(np.flatnonzero(moved)) <= set(own.tolist())
    head = mesh.joint("head")
    assert head is not None
    assert head.weights[mesh.vertices[:, 1] > -0.08].min() == 1.0
    assert head.weights[mesh.vertices[:, 1].argmin()] < 0.05


def test_the_file_is_what_the_generator_makes(made: Rig) -> None:
    read, mesh = mesh_of(load_rig(FILE)), mesh_of(made)
    assert load_rig(FILE).names == made.names
    assert len(read.triangles) == len(mesh.triangles)
    parts = {p.name: p for p in mesh.parts}
    for part in read.parts:
        own = parts[part.name.rpartition(":")[2]]
        new = mesh.triangles[own.first_triangle : own.first_triangle + own.triangle_count]
        old = read.triangles[part.first_triangle : part.first_triangle + part.triangle_count]
        np.testing.assert_allclose(
            read.vertices[old], mesh.vertices[new], rtol=0, atol=1e-5, err_msg=part.name
        )
        np.testing.assert_allclose(
            read.deltas[:, old], mesh.deltas[:, new], rtol=0, atol=1e-5, err_msg=part.name
        )


def test_mediapipe_reads_the_mannequins_expressions(made: Rig, shared: Path) -> None:
    from freeavatar.foundation.expression import BLENDSHAPES, Frame
    from freeavatar.foundation.mediapipe_reader import MediaPipeReader

    reader = MediaPipeReader(shared / "mediapipe" / "face_landmarker.task", video=False)
    with Renderer(made) as renderer:

        def read(**values: float) -> dict[str, float]:
            picture = renderer.picture_of(np.float32(posed(made, **values) / 1000.0))
            seen = reader.read(Frame(picture=picture, index=0, time=0.0))
            assert seen.found
            return dict(zip(BLENDSHAPES, seen.blendshapes.tolist(), strict=True))

        rest = read()
        assert max(rest["jawOpen"], rest["eyeBlinkLeft"], rest["mouthPucker"]) < 0.2
        for names, least in (
            (("jawOpen",), 0.4),
            (("mouthPucker",), 0.5),
            (("eyeBlinkLeft", "eyeBlinkRight"), 0.3),
            (("mouthSmileLeft", "mouthSmileRight"), 0.3),
            (("browInnerUp",), 0.2),
        ):
            acted = read(**dict.fromkeys(names, 1.0))
            for name in names:
                assert acted[name] - rest[name] > least, name
    reader.close()
