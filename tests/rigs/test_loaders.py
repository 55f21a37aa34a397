"""What every sample rig is known to hold, found by the readers."""

from pathlib import Path

import numpy as np
import pytest

from freeavatar.rigs.blendshapes import pose
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.loaders.joints import words
from freeavatar.rigs.loaders.load import load_rig
from freeavatar.rigs.spec import Mesh, Rig, RigFrame

# File: controls, vertices, triangles, units per metre.
SAMPLES = {
    "facecap_generic.glb": (52, 4588, 8042, 1.0),
    "ict_face_53.glb": (53, 28911, 52220, 1.0),
    "valid_black_m_1.glb": (96, 17334, 31230, 1.0),
    "makehuman_arkit_viseme.glb": (67, 5441, 10120, 1.0),
    "godette.vrm": (18, 3109, 3439, 1.0),
    "robot_expressive.glb": (3, 7214, 3237, 10.0),
    "threejs_facecap_meshopt.glb": (52, 4368, 8042, 10.0),
    "VRMC_vrm_expressions_isBinary_Overridden.vrm": (2, 16, 8, 1.0),
    "VRMC_vrm_expressions_isBinary_Overrides.vrm": (2, 16, 8, 1.0),
}


def opened(shared: Path, file: str) -> tuple[Rig, Mesh]:
    rig = load_rig(shared / "rigs" / file)
    assert rig.mesh is not None
    return rig, rig.mesh


@pytest.mark.parametrize("file", SAMPLES)
def test_every_sample_opens(shared: Path, file: str) -> None:
    rig, mesh = opened(shared, file)
    controls, vertices, triangles, units = SAMPLES[file]
    assert len(rig.controls) == controls
    assert (len(mesh.vertices), len(mesh.triangles)) == (vertices, triangles)
    assert rig.units_per_metre == pytest.approx(units)
    assert sum(part.triangle_count for part in mesh.parts) == triangles
    assert rig.source == file and len(rig.source_sha256) == 64
    assert load_rig(shared / "rigs" / file).names == rig.names


@pytest.mark.parametrize(
    ("file", "opening", "left"),
    [
        ("facecap_generic.glb", "jawOpen", "eyeBlink_L"),
        ("threejs_facecap_meshopt.glb", "jawOpen", "eyeBlink_L"),
        ("ict_face_53.glb", "jawOpen", "eyeBlink_L"),
        ("makehuman_arkit_viseme.glb", "jawOpen", "eyeBlinkLeft"),
        ("valid_black_m_1.glb", "h_expressions.AE_AA_h", "h_expressions.LeyeClose_h"),
        ("godette.vrm", "a", "blink_l"),
    ],
)
def test_faces_stand_upright_look_along_z_and_keep_their_left(
    shared: Path, file: str, opening: str, left: str
) -> None:
    rig, mesh = opened(shared, file)

    def motion(name: str) -> tuple[np.ndarray, np.ndarray]:
        delta = mesh.deltas[rig.index[name]]
        size = np.linalg.norm(delta, axis=1, keepdims=True)
        return (mesh.vertices * size).sum(0) / size.sum(), (delta * size).sum(0) / size.sum()

    head = mesh.joint("head")
    assert head is not None
    middle = mesh.vertices[head.weights > 0.5].mean(axis=0)
    place, direction = motion(opening)
    assert place[2] > middle[2] + 0.01, "the mouth is in front"
    if file != "godette.vrm":  # a drawn mouth, which changes its form rather than falls
        assert direction[1] < -0.003, "the jaw falls"
    place, _ = motion(left)
    assert place[0] > 0.01, "the left eye is at +x"
    height = np.ptp(mesh.vertices[head.weights > 0.5, 1])
    assert 0.2 < height < 0.55


def test_valid_keeps_its_size(shared: Path) -> None:
    """Its head is 0.25 m from chin to crown within a 0.34 m bust, at standing height."""
    _, mesh = opened(shared, "valid_black_m_1.glb")
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    assert high[1] - low[1] == pytest.approx(0.34, abs=0.005)
    assert low[1] > 1.4


def test_robot_is_read_whole_and_scaled_by_its_head(shared: Path) -> None:
    rig, mesh = opened(shared, "robot_expressive.glb")
    assert rig.names == ("Angry", "Surprised", "Sad")
    head = mesh.joint("head")
    assert head is not None and head.node == "Head"
    assert set(np.unique(head.weights)) == {0.0, 1.0}
    assert head.weights.sum() == 302 + 876 + 564
    assert not mesh.deltas[:, head.weights == 0].any()
    assert np.ptp(mesh.vertices[head.weights > 0, 1]) == pytest.approx(0.174, abs=0.002)
    assert np.ptp(mesh.vertices[:, 1]) == pytest.approx(0.446, abs=0.002)
    # Skinned hands hang at the arms, left and right of the body.
    hands = [p for p in mesh.parts if p.name.startswith("Hand.")]
    sides = set()
    for part in hands:
        run = mesh.triangles[part.first_triangle : part.first_triangle + part.triangle_count]
        centre = mesh.vertices[run].mean(axis=(0, 1))
        sides.add(np.sign(centre[0]))
        assert 0.08 < abs(centre[0]) < 0.2 and 0.05 < centre[1] < 0.3
    assert sides == {1.0, -1.0}


@pytest.mark.parametrize(
    ("file", "nodes", "pivot"),
    [
        # FaceCap's eye nodes are named as a viewer sees them.
        ("facecap_generic.glb", ("grp_eyeRight", "grp_eyeLeft"), (0.0329, 0.0261, 0.0238)),
        # VALID's eyes have no bone: the pivot is the centre of the ball.
        ("valid_black_m_1.glb", ("h_L_eye", "h_R_eye"), (0.0311, 1.6685, 0.1231)),
    ],
)
def test_eyes_turn_about_their_centres(
    shared: Path, file: str, nodes: tuple[str, str], pivot: tuple[float, float, float]
) -> None:
    rig, mesh = opened(shared, file)
    left, right = mesh.joint("left_eye"), mesh.joint("right_eye")
    assert left is not None and right is not None
    assert (left.node, right.node) == nodes
    np.testing.assert_allclose(left.pivot, pivot, atol=2e-4)
    np.testing.assert_allclose(right.pivot * [-1, 1, 1], left.pivot, atol=5e-4)
    looks = np.array([[0.0, 0.3, 0.0], [0.0, 0.0, 0.0]], np.float32)  # the left eye looks down
    down = pose(rig, RigFrame(index=0, time=0.0, values=rig.neutral, eyes=looks))
    change = down - mesh.vertices
    front = (left.weights > 0) & (mesh.vertices[:, 2] > left.pivot[2] + 0.008)
    assert (change[front, 1] < -0.001).all()
    assert not change[left.weights == 0].any()


def test_eyeballs_of_valid_lie_on_the_sphere_that_was_found(shared: Path) -> None:
    _, mesh = opened(shared, "valid_black_m_1.glb")
    eye = mesh.joint("left_eye")
    assert eye is not None
    radius = np.linalg.norm(mesh.vertices[eye.weights > 0] - eye.pivot, axis=1)
    assert 0.011 < np.median(radius) < 0.016
    assert np.percentile(np.abs(radius - np.median(radius)), 80) < 0.0012


def test_textures_and_colours(shared: Path) -> None:
    _, mesh = opened(shared, "godette.vrm")
    face, body, logo, pack = mesh.parts
    assert face.texture is not None and face.texture.shape == (1024, 1024, 4)
    assert face.unlit and body.unlit and logo.blend and logo.double_sided and not pack.unlit
    assert body.texture is face.texture
    _, mesh = opened(shared, "robot_expressive.glb")
    grey = next(p for p in mesh.parts if p.name == "Head:Grey")
    assert grey.colour == pytest.approx((0.3738, 0.3713, 0.335, 1), abs=1e-4)
    rig, mesh = opened(shared, "threejs_facecap_meshopt.glb")
    assert all(p.texture is None for p in mesh.parts)
    assert any("KTX2" in note for note in rig.notes)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("LeftEye", ["left", "eye"]),
        ("eye.L", ["eye", "l"]),
        ("h_L_eye", ["h", "l", "eye"]),
        ("grp_eyeLeft", ["grp", "eye", "left"]),
        ("CC_Base_L_Eye", ["cc", "base", "l", "eye"]),
        ("lefteye", ["left", "eye"]),
        ("mixamorig:RightEye", ["mixamorig", "right", "eye"]),
        ("J_Adj_L_FaceEye", ["j", "adj", "l", "face", "eye"]),
        ("Eyelid_L", ["eyelid", "l"]),
    ],
)
def test_node_names_fall_into_words(name: str, found: list[str]) -> None:
    assert words(name) == found


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RigError, match=r"no such file"):
        load_rig(tmp_path / "nobody.glb")
    (tmp_path / "rig.fbx").write_bytes(b"Kaydara FBX")
    with pytest.raises(RigError, match=r"rig\.fbx: a rig is a file ending in \.glb, \.gltf, \.vrm"):
        load_rig(tmp_path / "rig.fbx")
    (tmp_path / "rig.glb").write_bytes(b"Kaydara FBX")
    with pytest.raises(RigError, match=r"rig\.glb is not glTF"):
        load_rig(tmp_path / "rig.glb")
