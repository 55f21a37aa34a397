"""What control names say in every convention, and the values that go with them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.rigs.conventions import (
    ARKIT,
    CONVENTIONS,
    HEAD_AND_EYES,
    LIVE_LINK_CSV,
    LIVE_LINK_UDP,
    arkit_from_controls,
    controls_from_arkit,
    describe_controls,
    from_arkit,
    hub_matrix,
)
from freeavatar.rigs.conventions.arkit import SPLIT
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Control

PAIRED = [name for name in ARKIT if name.endswith(("Left", "Right")) and name[:3] != "jaw"]


def arkit(**values: float) -> NDArray[np.float64]:
    row = np.zeros(52)
    for name, value in values.items():
        row[ARKIT.index(name)] = value
    return row


def hubs(*names: str) -> list[dict[str, float]]:
    return [dict(c.hub) for c in describe_controls(names)]


def test_the_hub_is_the_order_of_expressions() -> None:
    assert ARKIT == BLENDSHAPES


def test_live_link_orders() -> None:
    assert len(LIVE_LINK_UDP) == 61 and len(LIVE_LINK_CSV) == 63
    assert LIVE_LINK_UDP[14:18] == ("JawForward", "JawLeft", "JawRight", "JawOpen")
    assert LIVE_LINK_UDP[52:] == (
        "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll",
        "RightEyeYaw", "RightEyePitch", "RightEyeRoll",
    )  # fmt: skip
    assert HEAD_AND_EYES[0] == "headYaw"
    assert LIVE_LINK_CSV[:3] == ("Timecode", "BlendShapeCount", "EyeBlinkLeft")
    assert LIVE_LINK_CSV[16:20] == ("JawForward", "JawRight", "JawLeft", "JawOpen")
    assert LIVE_LINK_CSV[22:25] == ("MouthPucker", "MouthRight", "MouthLeft")
    assert set(LIVE_LINK_CSV[2:]) == set(LIVE_LINK_UDP)


def test_csv_header_is_the_recorded_one(shared: Path) -> None:
    for take in (shared / "curves").glob("alex_rom_*.csv"):
        header = take.open().readline().rstrip("\r\n").split(",")
        assert tuple(header) == LIVE_LINK_CSV


@pytest.mark.parametrize("convention", sorted(CONVENTIONS))
def test_tables_name_only_arkit_and_shares_add_up(convention: str) -> None:
    """Parts of a split shape sum to exactly one; nothing is out of range."""
    table = CONVENTIONS[convention]
    for name, hub in table.controls.items():
        assert set(hub) <= set(ARKIT), name
        assert all(0 < value <= 1 for value in hub.values()), name
    assert set(table.sent) <= set(table.controls)
    assert all(set(weights) <= set(ARKIT) for weights in table.sent.values())
    assert set(table.regions) <= set(table.controls)
    if convention in ("arkit", "unified", "metahuman", "cc4", "cc4-explus", "meta"):
        total = np.zeros(52)
        for hub in table.controls.values():
            for name, value in hub.items():
                total[ARKIT.index(name)] += value
        missing = {"arkit": 0, "cc4-explus": 0}.get(convention, total == 0)
        expected = np.where(missing, 0.0, 1.0)
        if convention == "unified":  # gaze has a sign there, one control for two shapes
            expected[[ARKIT.index(n) for n in ARKIT if n.startswith("eyeLook")]] = total[
                [ARKIT.index(n) for n in ARKIT if n.startswith("eyeLook")]
            ]
        np.testing.assert_allclose(total, expected, atol=1e-6)


def test_counts_of_the_published_sets() -> None:
    counts = {name: len(table.controls) for name, table in CONVENTIONS.items()}
    assert counts["arkit"] == counts["cc4-explus"] == 52
    assert counts["vrm1"] == 18 and counts["vrm0"] == 17
    assert counts["oculus"] == counts["rpm"] == 15
    assert counts["meta"] == 70
    assert counts["h_expressions"] == 65


SPELLINGS = {
    "as Apple writes it": lambda n: n,
    "Pascal": lambda n: n[0].upper() + n[1:],
    "_L/_R": lambda n: n.replace("Left", "_L").replace("Right", "_R"),
    ".L/.R": lambda n: n.replace("Left", ".L").replace("Right", ".R"),
    "_l/_r": lambda n: n.replace("Left", "_l").replace("Right", "_r"),
    "L/R": lambda n: n.replace("Left", "L").replace("Right", "R"),
    "snake": lambda n: "".join(f"_{c.lower()}" if c.isupper() else c for c in n),
    "spaces": lambda n: "".join(f" {c}" if c.isupper() else c for c in n),
    "upper snake": lambda n: "".join(f"_{c}" if c.isupper() else c.upper() for c in n),
    "lower": str.lower,
    "Maya": lambda n: f"blendShape1.{n}",
    "namespace": lambda n: f"Hero:face_{n}",
    "prefix and suffix": lambda n: f"h_face.{n}_h",
    "copies": lambda n: f"{n}.001",
    "side first": lambda n: (
        "Left_" + n.replace("Left", "") if n.endswith("Left")
        else "Right_" + n.replace("Right", "") if n.endswith("Right") else n
    ),
}  # fmt: skip


@pytest.mark.parametrize("spelling", sorted(SPELLINGS))
def test_every_spelling_of_arkit_is_arkit(spelling: str) -> None:
    names = [SPELLINGS[spelling](name) for name in ARKIT]
    controls = describe_controls(names)
    assert [c.name for c in controls] == names
    wrong = {c.name: dict(c.hub) for c, n in zip(controls, ARKIT, strict=True) if c.hub != {n: 1.0}}
    assert not wrong
    assert {c.convention for c in controls} == {"arkit"}


@pytest.mark.parametrize("convention", sorted(set(CONVENTIONS) - {"words"}))
def test_each_convention_recognises_itself(convention: str) -> None:
    table = CONVENTIONS[convention]
    controls = describe_controls(list(table.controls))
    for control in controls:
        assert control.hub == table.controls[control.name], control.name
    assert {c.convention for c in controls} == {convention}


def test_regions_and_sides() -> None:
    by_name = {c.name: c for c in describe_controls(ARKIT)}
    assert by_name["eyeLookInLeft"].region == "gaze" and by_name["eyeLookInLeft"].side == "left"
    assert by_name["eyeBlinkRight"].region == "eyes" and by_name["eyeBlinkRight"].side == "right"
    assert by_name["browInnerUp"].region == "brows" and by_name["browInnerUp"].side == "centre"
    # Movements to a side belong to the middle.
    assert by_name["jawLeft"].side == by_name["mouthRight"].side == "centre"
    assert {c.region for c in by_name.values()} == {
        "eyes", "gaze", "jaw", "mouth", "brows", "cheeks", "nose", "tongue",
    }  # fmt: skip


def test_halves_of_single_shapes() -> None:
    left, right = describe_controls(["browInnerUp_L", "browInnerUp_R"])
    assert left.hub == right.hub == {"browInnerUp": 0.5}
    assert (left.side, right.side) == ("left", "right")
    assert left.convention == "arkit"
    assert all(value == 0.5 for hub in SPLIT.values() for value in hub.values())


def test_the_rig_decides_between_conventions() -> None:
    assert describe_controls(["aa", "ih", "ou", "ee", "oh", "blink"])[0].convention == "vrm1"
    assert describe_controls(["A", "I", "U", "E", "O", "Blink"])[3].convention == "vrm0"
    visemes = list(CONVENTIONS["oculus"].controls)
    assert {c.convention for c in describe_controls(visemes)} == {"oculus"}
    # Single letters among names of something else are no vowels.
    assert hubs("A", "E", "jawOpen", "eyeBlink_L")[:2] == [{}, {}]


def test_an_emotion_of_a_robot() -> None:
    angry, surprised, sad = describe_controls(["Angry", "Surprised", "Sad"])
    assert {c.region for c in (angry, surprised, sad)} == {"emotion"}
    assert {c.side for c in (angry, surprised, sad)} == {"centre"}
    assert angry.hub["browDownLeft"] == angry.hub["browDownRight"] == 1.0
    assert "jawOpen" in surprised.hub and "mouthFrownLeft" in sad.hub


def test_plain_words() -> None:
    names = ["blink_left", "eyesClosed", "smile", "mouth_open", "lookRight", "browUp.R"]
    assert hubs(*names) == [
        {"eyeBlinkLeft": 1.0},
        {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
        {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0},
        {"jawOpen": 1.0},
        {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
        {"browInnerUp": 0.5, "browOuterUpRight": 1.0},
    ]


def test_action_units_in_every_spelling() -> None:
    given = {
        "AU01": {"browInnerUp": 1.0}, "AU_04": {"browDownLeft": 1.0, "browDownRight": 1.0},
        "AU02_L": {"browOuterUpLeft": 1.0}, "AU12R": {"mouthSmileRight": 1.0},
        "AD19": {"tongueOut": 1.0}, "AD29": {"jawForward": 1.0}, "AD30L": {"jawLeft": 1.0},
        "AD30_R": {"jawRight": 1.0}, "AD34": {"cheekPuff": 1.0},
    }  # fmt: skip
    for control in describe_controls(tuple(given)):
        assert (control.convention, dict(control.hub)) == ("facs", given[control.name])
    assert not {n for n in from_arkit("facs", np.ones(52)) if n.startswith("AD")}


def test_names_that_say_nothing_get_nothing() -> None:
    names = ["c01", "c02", "chomp", "HideHairBalls", "peepers_shut_1", "lips", "Lips", "R"]
    controls = describe_controls(names)
    assert all(not c.hub and c.convention == "" for c in controls)
    assert [c.region for c in controls[-3:]] == ["mouth", "mouth", "other"]
    assert {c.side for c in controls[:-1]} == {"centre"}


def test_a_leading_capital_is_a_side_only_with_its_mirror_image() -> None:
    left, right, lips = describe_controls(["h.LeyeFoo_h", "h.ReyeFoo_h", "h.Lips_h"])
    assert (left.side, right.side, lips.side) == ("left", "right", "centre")


def test_doubtful_names_of_valid_stay_empty() -> None:
    got = hubs(
        "h_expressions.AE_AA_h", "h_expressions.RsmileOpen_h", "h_expressions.Lpityful_h",
        "h_expressions.RRbrowUp_h", "h_expressions.Rjaw_h", "h_expressions.Lblow_h",
    )  # fmt: skip
    assert got[:3] == [{}, {}, {}]
    assert got[3:] == [{"browOuterUpRight": 1.0}, {"jawRight": 1.0}, {"cheekPuff": 0.5}]


def test_japanese() -> None:
    controls = describe_controls(
        ["あ", "い", "う", "え", "お", "まばたき", "ウィンク右", "眉テスト"]
    )
    assert controls[0].hub == {"jawOpen": 0.7}
    assert controls[5].hub == {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}
    assert controls[6].hub == {"eyeBlinkRight": 1.0} and controls[6].side == "right"
    assert controls[7].region == "brows" and not controls[7].hub


def test_hostile_names_cost_little() -> None:
    import time

    started = time.monotonic()
    describe_controls(["a.b_c-" * 500 + str(i) for i in range(200)])
    describe_controls([f"mesh.part_{i % 7}.L_shape_{i}_R_x" for i in range(2000)])
    describe_controls(["", "_", "..", "\x00", "L", "_L"])
    assert time.monotonic() - started < 5.0


@pytest.mark.parametrize("convention", ["arkit", "cc4-explus", "cc4", "meta"])
def test_there_and_back(convention: str) -> None:
    """One-to-one and split conventions carry all 52 without loss, or name what they lack."""
    rows = np.random.default_rng(1).random((5, 52))
    rows[:, ARKIT.index("mouthClose")] *= rows[:, ARKIT.index("jawOpen")]
    controls = describe_controls(list(CONVENTIONS[convention].controls))
    sent = from_arkit(convention, rows)
    values = np.stack([sent[c.name] for c in controls], axis=1)
    covered = hub_matrix(controls).any(axis=0)
    assert covered.sum() == 52
    np.testing.assert_allclose(arkit_from_controls(controls, values), rows, atol=1e-6)
    np.testing.assert_allclose(controls_from_arkit(controls, rows), values, atol=1e-6)


def test_unified_sends_signed_gaze_and_quarters() -> None:
    sent = from_arkit("unified", arkit(eyeLookOutLeft=0.4, eyeLookDownRight=0.3, mouthFunnel=0.6))
    assert sent["EyeLeftX"] == pytest.approx(-0.4)
    assert sent["EyeRightY"] == pytest.approx(-0.3)
    quarters = [f"LipFunnel{a}{b}" for a in ("Upper", "Lower") for b in ("Left", "Right")]
    assert [sent[q] for q in quarters] == pytest.approx([0.6] * 4)
    # The actor's right is + for both eyes.
    right = from_arkit("unified", arkit(eyeLookInLeft=0.5, eyeLookOutRight=0.5))
    assert right["EyeLeftX"] == right["EyeRightX"] == pytest.approx(0.5)


def test_mouth_close_is_relative_to_the_open_jaw() -> None:
    closed = arkit(jawOpen=0.5, mouthClose=0.5)
    assert from_arkit("unified", arkit(jawOpen=0.2, mouthClose=0.9))["MouthClosed"] == 0.2
    assert from_arkit("metahuman", closed)["mouthLipsTogetherUL"] == pytest.approx(1.0)
    half = from_arkit("metahuman", arkit(jawOpen=0.5, mouthClose=0.25))
    assert half["mouthLipsTogetherDR"] == pytest.approx(0.5)
    # A mouth without such a control must not open while the lips are shut.
    assert from_arkit("vrm1", closed)["aa"] == pytest.approx(0.0, abs=1e-9)
    assert controls_from_arkit(describe_controls(["mouth_open"]), closed)[0] == 0.0
    assert controls_from_arkit(describe_controls(["jawOpen", "mouthClose"]), closed)[0] == 0.5


def test_metahuman_weights_of_the_pose_asset() -> None:
    sent = from_arkit("metahuman", arkit(mouthPucker=0.5, browOuterUpLeft=0.4, mouthRollLower=1.0))
    assert sent["mouthLipsPurseUL"] == pytest.approx(0.5)
    assert sent["mouthFunnelDR"] == pytest.approx(0.376)
    assert sent["mouthLipsTowardsUR"] == pytest.approx(0.206)
    assert sent["browRaiseInL"] == sent["browRaiseOuterL"] == pytest.approx(0.4)
    assert sent["browRaiseInR"] == 0.0
    assert sent["mouthUpperLipRollInL"] == pytest.approx(0.499)


def test_vrm_blinks_add_up() -> None:
    sent = from_arkit("vrm1", arkit(eyeBlinkLeft=1.0, eyeBlinkRight=0.3))
    assert sent["blink"] + sent["blinkLeft"] == pytest.approx(1.0)
    assert sent["blink"] + sent["blinkRight"] == pytest.approx(0.3)
    assert sent["blinkRight"] == 0.0


@pytest.mark.parametrize("preset", ["aa", "ih", "ou", "ee", "oh", "happy", "angry", "sad"])
def test_a_vrm_preset_is_read_back_as_itself(preset: str) -> None:
    sent = from_arkit("vrm1", arkit(**CONVENTIONS["vrm1"].controls[preset]))
    assert sent[preset] > 0.9
    assert all(v < 0.1 for name, v in sent.items() if name != preset)


@pytest.mark.parametrize("viseme", ["PP", "FF", "TH", "aa", "ih", "ou"])
def test_a_viseme_is_read_back_as_itself(viseme: str) -> None:
    sent = from_arkit("oculus", arkit(**CONVENTIONS["oculus"].controls[viseme]))
    assert max(sent, key=lambda name: sent[name]) == viseme
    assert sent["sil"] < 0.15
    assert from_arkit("oculus", np.zeros(52))["sil"] == 1.0


@pytest.mark.parametrize("convention", sorted(CONVENTIONS))
def test_sent_values_stay_in_range_and_rest_is_rest(convention: str) -> None:
    rows = np.random.default_rng(2).random((20, 52))
    table = CONVENTIONS[convention]
    sent = from_arkit(convention, rows)
    assert list(sent) == list(table.controls)
    for name, values in sent.items():
        assert values.shape == (20,)
        assert values.min() >= table.minimum.get(name, 0.0) - 1e-6 and values.max() <= 1 + 1e-6
    one = from_arkit(convention, rows[3])
    assert one == pytest.approx({name: float(v[3]) for name, v in sent.items()}, abs=1e-6)
    rest = from_arkit(convention, np.zeros(52))
    assert all(v == 0 for name, v in rest.items() if not name.endswith("sil"))


def test_fine_controls_before_coarse_ones() -> None:
    """Visemes and a whole blink stay out of it where ARKit controls say everything."""
    controls = describe_controls([*ARKIT, *CONVENTIONS["rpm"].controls])
    rows = np.random.default_rng(3).random((4, 52))
    values = controls_from_arkit(controls, rows)
    np.testing.assert_allclose(values[:, :52], rows, atol=1e-6)
    assert not values[:, 52:].any()
    blinks = describe_controls(["blink", "blink_left", "blink_right"])
    got = controls_from_arkit(blinks, arkit(eyeBlinkLeft=0.8, eyeBlinkRight=0.2))
    assert got == pytest.approx([0.0, 0.8, 0.2])


def test_values_fill_the_controls_range() -> None:
    control = Control(name="x", minimum=-1, maximum=3, neutral=1, hub={"jawOpen": 1.0})
    assert controls_from_arkit([control], arkit(jawOpen=0.5))[0] == pytest.approx(2.0)
    assert arkit_from_controls([control], np.array([2.0]))[ARKIT.index("jawOpen")] == 0.5


def test_refusals() -> None:
    with pytest.raises(RigError, match="unknown convention klingon; known: arkit"):
        from_arkit("klingon", np.zeros(52))
    with pytest.raises(ValueError, match="52"):
        from_arkit("arkit", np.zeros(51))
    with pytest.raises(RigError, match="control x is mapped to jawopen"):
        hub_matrix([Control(name="x", hub={"jawopen": 1.0})])
