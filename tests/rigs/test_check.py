"""What the check says of rigs whose faults are known."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freeavatar.rigs import registry
from freeavatar.rigs.check import Report, check
from freeavatar.rigs.conventions import describe_controls
from freeavatar.rigs.spec import Anchors, FloatArray, Joint, Mesh, Rig

SIDES = {"left": 1.0, "right": -1.0, "centre": 0.0}


def head(*names: str, height: float = 0.24, eyes: bool = False) -> Rig:
    """A cloud of 300 points whose controls each move a patch on their own side by 10 mm."""
    make = np.random.default_rng(0)
    vertices = (make.random((300, 3)) - 0.5).astype(np.float32) * height
    vertices[0, 1], vertices[1, 1] = -height / 2, height / 2
    controls = describe_controls(names)
    deltas = np.zeros((len(names), 300, 3), np.float32)
    for k, control in enumerate(controls):
        side = SIDES[control.side]
        patch = vertices[:, 0] * side > 0.02 if side else np.abs(vertices[:, 0]) < 0.03
        deltas[k, patch] = make.normal(size=(int(patch.sum()), 3)).astype(np.float32) * 1e-3
        deltas[k] *= 0.01 / np.linalg.norm(deltas[k], axis=1).max()
    whole = np.ones(300, np.float32)
    joints = [Joint(role="head", pivot=np.zeros(3, np.float32), weights=whole)]
    if eyes:
        joints += [
            Joint(role="left_eye", pivot=np.zeros(3, np.float32), weights=whole * 0),
            Joint(role="right_eye", pivot=np.zeros(3, np.float32), weights=whole * 0),
        ]
    mesh = Mesh(
        vertices=vertices,
        triangles=np.array([[0, 1, 2]], np.int32),
        deltas=deltas,
        parts=(),
        joints=tuple(joints),
    )
    return Rig(name="toy", controls=controls, mesh=mesh, licence="CC0")


def with_deltas(rig: Rig, name: str, deltas: FloatArray) -> Rig:
    assert rig.mesh is not None
    changed = rig.mesh.deltas.copy()
    changed[rig.index[name]] = deltas
    return replace(rig, mesh=replace(rig.mesh, deltas=changed))


def names_of(report: Report, topic: str) -> list[tuple[str, ...]]:
    return [f.names for f in report.about(topic)]


def test_a_sound_rig_has_no_warnings() -> None:
    rig = head("jawOpen", "smile_L", "smile_R", "lookUp")
    report = check(rig)
    assert report.warnings == ()
    assert report.lines()[-1] == "toy: no warnings"
    assert "1 left/right pair." in report.about("symmetry")[0].text
    assert "24.0 cm" in report.about("scale")[0].text


def test_dead_controls_are_named() -> None:
    rig = head("jawOpen", "tongueOut", "neutral", "viseme_sil", "viseme_aa")
    for name in ("tongueOut", "neutral", "viseme_sil"):
        rig = with_deltas(rig, name, np.full((300, 3), 2e-5, np.float32))
    report = check(rig)
    assert [(f.severity, f.names) for f in report.about("dead")] == [("warning", ("tongueOut",))]
    assert "1 control moves nothing: tongueOut." in report.about("dead")[0].text


def test_small_is_measured_against_the_head() -> None:
    """The same 0.2 mm is motion on a small head and nothing on a giant."""
    for height, dead in ((0.24, 0), (2.4, 1)):
        rig = with_deltas(
            head("jawOpen", "x", height=height), "x", np.full((300, 3), 2e-4, np.float32)
        )
        report = check(rig)
        assert sum(f.severity == "warning" for f in report.about("dead")) == dead
        assert report.about("scale")[0].severity == ("ok" if height < 1 else "note")


def test_missing_arkit_controls_are_named() -> None:
    from freeavatar.rigs.conventions import ARKIT

    most = [n for n in ARKIT if n not in ("jawForward", "tongueOut")]
    missing = check(head(*most)).about("missing")[0]
    assert missing.severity == "warning" and missing.names == ("jawForward", "tongueOut")
    no_tongue = check(head(*ARKIT[:-1])).about("missing")[0]
    assert no_tongue.severity == "note" and no_tongue.names == ("tongueOut",)
    looks = [n for n in ARKIT if not n.startswith("eyeLook")]
    assert check(head(*looks)).about("missing")[0].severity == "warning"
    assert check(head(*looks, eyes=True)).about("missing")[0].severity == "note"
    few = check(head("jawOpen", "smile")).about("missing")[0]
    assert few.severity == "note" and "3 of the 52" in few.text
    assert len(few.names) == 49 and few.text.endswith(" more.")
    some = check(head(*[n for n in ARKIT[:14] if n != "eyeWideLeft"], "frown", eyes=True))
    assert (
        ", not eyeWideLeft, jawForward, jawLeft/Right, jawOpen, " in some.about("missing")[0].text
    )
    gaze = check(head("jawOpen", "smile", eyes=True)).about("missing")[0]
    assert "eyeLook" not in gaze.text and "eyeLookUpLeft" in gaze.names
    none = check(head("c01")).about("missing")[0]
    assert none.text == "By name, 0 of the 52 ARKit shapes are covered."


def test_everything_to_look_into_is_written_out() -> None:
    names = [f"c{n:02d}" for n in range(20)]
    rig = head(*names)
    for name in names:
        rig = with_deltas(rig, name, np.zeros((300, 3), np.float32))
    dead = check(rig).about("dead")[0].text
    assert dead.startswith("20 controls move nothing: ") and all(n in dead for n in names)


def test_one_control_is_counted_as_one() -> None:
    rig = head("smile_L", "smile_R", "lookUp", eyes=True)
    assert rig.mesh is not None
    rig = with_deltas(rig, "smile_L", rig.mesh.deltas[rig.index["smile_R"]])
    rig = with_deltas(rig, "lookUp", np.zeros((300, 3), np.float32))
    report = check(rig)
    assert report.about("sides")[0].text.startswith("1 control named for one side moves the other")
    assert report.about("gaze")[0].text.startswith("1 gaze control moves nothing")


def test_one_sided_uneven_and_crossed_controls() -> None:
    rig = head(
        "browDown_L", "smile_L", "smile_R", "eyeBlink_L", "eyeBlink_R", "jawLeft", "jawRight"
    )
    assert rig.mesh is not None
    rig = with_deltas(rig, "smile_L", rig.mesh.deltas[rig.index["smile_L"]] * 3)
    assert rig.mesh is not None
    left, right = (rig.mesh.deltas[rig.index[n]] for n in ("eyeBlink_L", "eyeBlink_R"))
    rig = with_deltas(with_deltas(rig, "eyeBlink_L", right), "eyeBlink_R", left)
    report = check(rig)
    assert ("browDown_L",) in names_of(report, "symmetry")
    uneven = next(f for f in report.about("symmetry") if f.names == ("smile_L", "smile_R"))
    assert uneven.severity == "note" and "factor 3.0" in uneven.text
    assert names_of(report, "sides") == [("eyeBlink_L", "eyeBlink_R")]
    assert report.about("sides")[0].severity == "warning"


def test_doubles_are_grouped() -> None:
    rig = head("jawOpen", "mouthOpen", "smile", "a1")
    assert rig.mesh is not None
    rig = with_deltas(rig, "mouthOpen", rig.mesh.deltas[0] * 1.001)
    assert names_of(check(rig), "double") == [("jawOpen", "mouthOpen")]


def test_gaze_and_joints() -> None:
    assert check(head("jawOpen")).about("gaze")[0].text.startswith("Neither eye joints")
    assert "1 control" in check(head("jawOpen", "lookUp")).about("gaze")[0].text
    assert check(head("jawOpen", "lookUp", eyes=True)).about("gaze") == ()
    still = with_deltas(head("jawOpen", "lookUp", eyes=True), "lookUp", np.zeros((300, 3)))
    report = check(still)
    assert names_of(report, "gaze") == [("lookUp",)] and not report.warnings
    assert "head, left eye, right eye" in report.about("joints")[0].text


def test_face_points_decide_what_nameless_controls_do() -> None:
    rig = head("c01", "c02", "jawOpen")
    without = check(rig).about("anchors")[0]
    assert without.severity == "warning" and without.names == ("c01", "c02")
    assert "2 of 3" in without.text
    anchors = Anchors(
        names=("a", "b"),
        vertices=np.zeros((2, 3), np.int32),
        barycentric=np.ones((2, 3), np.float32) / 3,
        found=np.array([True, False]),
    )
    found = check(replace(rig, anchors=anchors)).about("anchors")[0]
    assert found.severity == "ok" and found.text.startswith("1 of 2 face points")


def test_rigs_without_mesh_or_controls() -> None:
    arkit = check(registry.load("arkit"))
    assert not arkit.warnings and arkit.about("convention")[0].text == "52 of 52 ARKit controls."
    assert "No mesh" in arkit.about("mesh")[0].text
    assert check(Rig(name="empty", controls=())).warnings[0].topic == "controls"


def test_the_report_for_scripts() -> None:
    report = check(replace(head("c01"), notes=("Turned round.",), licence=""))
    data = json.loads(json.dumps(report.to_dict()))
    assert data["rig"] == "toy" and data["warnings"] == len(report.warnings)
    assert {"severity", "topic", "text", "names"} == set(data["findings"][0])
    assert [f["text"] for f in data["findings"] if f["topic"] == "reader"] == ["Turned round."]
    assert [f["severity"] for f in data["findings"] if f["topic"] == "licence"] == ["note"]
    assert all(line.startswith(("ok ", "note ", "warning ")) for line in report.lines()[:-1])


SHARED = {
    "facecap_generic.glb": (52, ["52 of 52 ARKit controls."], ("tongueOut",)),
    "threejs_facecap_meshopt.glb": (52, ["52 of 52 ARKit controls."], ("tongueOut",)),
    "ict_face_53.glb": (
        53, ["51 of 52 ARKit controls, browInnerUp, cheekPuff in two halves."], (),
    ),
    "makehuman_arkit_viseme.glb": (
        67, ["52 of 52 ARKit controls.", "15 of 15 Ready Player Me visemes names"], (),
    ),
    "valid_black_m_1.glb": (96, ["65 of 65 h_expressions (VALID) names; 27 of them"], ()),
    "robot_expressive.glb": (3, ["Plain words understood: Angry, Surprised, Sad."], ()),
    "godette.vrm": (18, ["16 of 17 VRM 0.x names; 16 of them"], ()),
    "VRMC_vrm_expressions_isBinary_Overridden.vrm": (2, ["2 of 18 VRM 1.0 names"], ()),
    "VRMC_vrm_expressions_isBinary_Overrides.vrm": (2, ["2 of 18 VRM 1.0 names"], ()),
}  # fmt: skip


@pytest.mark.parametrize("file", sorted(SHARED))
def test_shared_rigs(shared: Path, user_folders: Path, file: str) -> None:
    """Each registers, and the check states what a person counted in the file."""
    count, texts, dead = SHARED[file]
    registry.register(shared / "rigs" / file, "it")
    rig = registry.load("it")
    report = check(rig)
    assert len(rig.controls) == count
    said = " ".join(f.text for f in report.about("convention"))
    assert all(text in said for text in texts), said
    named = [n for f in report.about("dead") if f.severity == "warning" for n in f.names]
    assert tuple(named) == dead
    assert not report.about("sides"), report.about("sides")
    assert 0.12 < (0.2 if count == 2 else report_height(report)) < 0.6


def report_height(report: Report) -> float:
    return float(report.about("scale")[0].text.split(" cm")[0].split()[-1]) / 100
