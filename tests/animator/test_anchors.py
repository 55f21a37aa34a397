"""Face points on real heads: found, on the right side of every slit, shipped fresh."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freeavatar.animator.anchor_table import ANCHOR_INDEX, ANCHOR_NAMES, ANCHORS, SLITS
from freeavatar.animator.anchors import find_anchors
from freeavatar.animator.motion import anchor_motion, anchor_positions, anchors_of
from freeavatar.foundation.mediapipe_reader import landmark_finder
from freeavatar.rigs import registry
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Anchors, Rig

Anchored = Callable[[str], Rig]

HEADS = (
    "ict_face_53.glb",
    "facecap_generic.glb",
    "threejs_facecap_meshopt.glb",
    "valid_black_m_1.glb",
    "makehuman_arkit_viseme.glb",
)
BLINK_LEFT = {
    "ict_face_53.glb": "eyeBlink_L",
    "facecap_generic.glb": "eyeBlink_L",
    "threejs_facecap_meshopt.glb": "eyeBlink_L",
    "valid_black_m_1.glb": "h_expressions.LeyeClose_h",
    "makehuman_arkit_viseme.glb": "eyeBlinkLeft",
}
JAW = dict.fromkeys(HEADS, "jawOpen") | {"valid_black_m_1.glb": "h_expressions.MouthOpen_h"}


def index(name: str) -> int:
    return ANCHOR_INDEX[name]


def test_the_table_pairs_left_and_right() -> None:
    assert len(set(ANCHOR_NAMES)) == len(ANCHORS)
    for i, anchor in enumerate(ANCHORS):
        partner = ANCHORS[anchor.partner]
        assert ANCHORS[anchor.partner].partner == i
        mirrored = {"_left": "_right", "_right": "_left"}
        for side, other in mirrored.items():
            if anchor.name.endswith(side):
                assert partner.name == anchor.name.removesuffix(side) + other
    for names in SLITS:
        assert set(names) <= set(ANCHOR_NAMES)


@pytest.mark.parametrize("name", HEADS)
def test_points_are_found_where_a_face_has_them(anchored: Anchored, name: str) -> None:
    rig = anchored(name)
    assert anchors_of(rig).found.mean() > 0.97
    at = anchor_positions(rig)
    left = [i for i, a in enumerate(ANCHORS) if a.name.endswith("_left")]
    right = [ANCHORS[i].partner for i in left]
    assert np.all(at[left, 0] > at[right, 0]), "left is the character's left, +x"
    order = ["forehead", "nose_root", "nose_tip", "upper_lip_body", "lower_lip_body", "chin"]
    assert np.all(np.diff([at[index(n), 1] for n in order]) < 0)
    brow, eye = at[index("brow_mid_lower_left")], at[index("lid_upper_mid_left")]
    assert brow[1] > eye[1] > at[index("lid_lower_mid_left"), 1]
    np.testing.assert_allclose(anchors_of(rig).barycentric.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("name", HEADS)
def test_a_blink_moves_the_upper_lid_onto_the_lower(anchored: Anchored, name: str) -> None:
    """Points on the wrong side of the slit, or on the eyeball, would fail."""
    rig = anchored(name)
    at, motion = anchor_positions(rig), anchor_motion(rig)[rig.index[BLINK_LEFT[name]]]
    upper, lower = index("lid_upper_mid_left"), index("lid_lower_mid_left")
    gap = at[upper, 1] - at[lower, 1]
    closed = gap + motion[upper, 1] - motion[lower, 1]
    assert motion[upper, 1] < -0.7 * gap
    assert abs(motion[lower, 1]) < 0.2 * gap
    assert abs(closed) < 0.4 * gap
    other = index("lid_upper_mid_right")
    assert abs(motion[other, 1]) < 0.1 * gap


@pytest.mark.parametrize("name", HEADS)
def test_the_jaw_takes_the_lower_lip_and_leaves_the_upper(anchored: Anchored, name: str) -> None:
    rig = anchored(name)
    motion = anchor_motion(rig)[rig.index[JAW[name]]][:, 1]
    for _, upper, lower, _ in (s for s in SLITS if s[1].startswith("upper_lip")):
        if "far" not in upper:
            assert motion[index(lower)] < 2.5 * min(motion[index(upper)], -1e-4), upper
    middle = motion[index("lower_lip_line")]
    assert abs(motion[index("upper_lip_line")]) < 0.2 * abs(middle)
    assert motion[index("chin")] == pytest.approx(middle, rel=0.6)


def test_the_robot_has_no_human_face(anchored: Anchored) -> None:
    assert anchored("robot_expressive.glb").anchors is None


@pytest.mark.parametrize("name", ["mannequin", "toon", "fox"])
def test_shipped_points_belong_to_the_shipped_meshes(name: str, shared: Path) -> None:
    """Rebuild them after changing a mesh: python -m freeavatar.tools.builtin_anchors."""
    rig = registry.load(name)
    assert rig.anchors is not None, rig.notes
    finder = landmark_finder(shared / "mediapipe" / "face_landmarker.task")
    fresh = find_anchors(replace(rig, anchors=None), finder)
    assert fresh is not None
    moved = anchor_positions(rig) - anchor_positions(replace(rig, anchors=fresh))
    height = np.ptp(anchor_positions(rig)[:, 1])
    assert np.median(np.linalg.norm(moved, axis=1)) < 0.01 * height


def test_points_of_another_version_are_refused() -> None:
    count = 3
    old = Anchors(
        names=("a", "b", "c"),
        vertices=np.zeros((count, 3), np.int32),
        barycentric=np.zeros((count, 3), np.float32),
        found=np.ones(count, bool),
    )
    rig = replace(registry.load("toon"), anchors=old)
    with pytest.raises(RigError, match="another version: register it again"):
        anchor_positions(rig)


def test_anchors_are_symmetric_on_a_symmetric_head(anchored: Anchored) -> None:
    at = anchor_positions(anchored("facecap_generic.glb"))
    partner = np.array([a.partner for a in ANCHORS])
    off = np.abs(at[:, 0] + at[partner, 0])
    assert np.median(off) < 0.001
    assert np.abs(at[:, 1] - at[partner, 1]).max() < 0.004
