"""RigMapper definitions: valid as Unreal's loader has it, and meaning what the solver does."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeavatar.animator.solver import ExpressionSolver
from freeavatar.bridge.rigmapper import CURVES, definition, write_definition
from freeavatar.bridge.sink import BridgeError
from freeavatar.rigs import registry
from freeavatar.rigs.conventions import ARKIT
from freeavatar.rigs.spec import Control, Rig
from freeavatar.tools.rig_export import answers

AT_LEVEL, BETWEEN = 0.011, 0.05
"""Largest error of a solved rig's control for one curve alone, as a share of its range: at the
levels that were asked of the solver (0.01 and rounding), and between them, where the solver's
answer may have a kink."""


def evaluate(content: dict[str, Any], curves: dict[str, float]) -> dict[str, float]:
    """Works a definition out: sums are held within their range, sdk is linear between its keys."""

    def value(name: str) -> float:
        if name in content["inputs"]:
            return curves.get(name, 0.0)
        feature = content["features"][name]
        given, params = [value(n) for n in feature["input_features"]], feature["params"]
        if feature["type"] == "sdk":
            return float(np.interp(given[0], params["in_val"], params["out_val"]))
        assert feature["type"] == "weighted_sum"
        total = sum(w * g for w, g in zip(params["weights"], given, strict=True))
        return min(max(total, params.get("min", -np.inf)), params.get("max", np.inf))

    return {name: value(source) for name, source in content["outputs"].items()}


def check_as_unreal_does(content: dict[str, Any]) -> None:
    """What its loader refuses: unknown sources, names taken twice (case aside), broken features."""
    assert list(content) == ["inputs", "features", "parameters", "outputs", "null_outputs"]
    known = [*content["inputs"], *content["features"]]
    assert len({n.lower() for n in known}) == len(known)
    assert content["inputs"] and content["outputs"]
    for name, feature in content["features"].items():
        assert list(feature) == ["type", "input_features", "input_params", "params"]
        sources, params = feature["input_features"], feature["params"]
        assert sources and set(sources) <= set(known) - {name} and feature["input_params"] == []
        if feature["type"] == "weighted_sum":
            assert len(params["weights"]) == len(sources) == len(set(sources))
            assert params["min"] <= params["max"]
        else:
            assert feature["type"] == "sdk" and len(sources) == 1
            assert len(params["in_val"]) == len(params["out_val"]) >= 2
            assert (np.diff(params["in_val"]) > 0).all()
    driven, idle = [n.lower() for n in content["outputs"]], content["null_outputs"]
    assert set(content["outputs"].values()) <= set(known)
    assert len({*driven, *(n.lower() for n in idle)}) == len(driven) + len(idle)


def worst(rig: Rig, levels: list[float], content: dict[str, Any]) -> float:
    """Largest difference from the solver over single curves at these levels."""
    solver = ExpressionSolver(rig)
    largest = 0.0
    for level in levels:
        for column, curve in enumerate(CURVES):
            shapes = np.zeros(52)
            shapes[column] = level
            said = evaluate(content, {curve: level})
            mapped = [said.get(c.name, c.neutral) for c in rig.controls]
            error = np.abs(mapped - solver.solve(shapes))
            largest = max(largest, float(error.max()))
    return largest


def test_an_arkit_rig_takes_every_curve_as_it_is() -> None:
    rig = registry.load("mannequin")
    content = definition(rig, answers(rig))
    check_as_unreal_does(content)
    assert content["features"] == {}
    assert content["inputs"] == list(CURVES)
    assert content["outputs"] == {n: n[0].upper() + n[1:] for n in ARKIT}
    assert content["null_outputs"] == []
    assert worst(rig, [0.0, 0.3, 1.0], content) == 0


@pytest.mark.parametrize("name", ["toon", "fox"])
def test_a_solved_rig_answers_single_curves_as_the_solver_does(name: str) -> None:
    rig = registry.load(name)
    content = json.loads(json.dumps(definition(rig, answers(rig))))
    check_as_unreal_does(content)
    assert {*content["outputs"], *content["null_outputs"]} == set(rig.names)
    assert len(content["outputs"]) > len(rig.names) / 2
    assert worst(rig, [0.0, 0.25, 0.5, 0.71875, 1.0], content) < AT_LEVEL
    assert worst(rig, [0.1, 0.3, 0.7, 0.95], content) < BETWEEN


def test_several_curves_add_up_within_the_range() -> None:
    """Weights written down by hand, in ranges of a character's own."""
    controls = (
        Control(name="same"),
        Control(name="jaw", minimum=-10, neutral=10, maximum=50),
        Control(name="ears", neutral=0.5),
        Control(name="weak"),
        Control(name="full"),
    )
    weights = np.zeros((2, 52, 5))
    smile, jaw, frown = (ARKIT.index(n) for n in ("mouthSmileLeft", "jawOpen", "mouthFrownLeft"))
    weights[1, smile, 0] = 1
    weights[1, jaw, 1], weights[1, frown, 1] = 0.75, -0.5
    weights[1, smile, 1] = 0.5
    weights[1, smile, 3], weights[1, frown, 3] = 0.25, 0.0009
    weights[1, smile, 4], weights[1, frown, 4] = 0.75, 0.5
    content = definition(Rig(name="own", controls=controls), weights)
    check_as_unreal_does(content)
    assert content["inputs"] == ["JawOpen", "MouthSmileLeft", "MouthFrownLeft"]
    assert content["null_outputs"] == ["ears"]
    assert content["outputs"]["same"] == "MouthSmileLeft"
    for curves, same, jaw_value, weak, full in (
        ({}, 0, 10, 0, 0),
        ({"JawOpen": 1.0}, 0, 40, 0, 0),
        ({"JawOpen": 0.4, "MouthSmileLeft": 0.2}, 0.2, 26, 0.05, 0.15),
        ({"JawOpen": 1.0, "MouthSmileLeft": 1.0}, 1, 50, 0.25, 0.75),
        ({"MouthFrownLeft": 1.0}, 0, -10, 0, 0.5),
        ({"MouthFrownLeft": 0.5, "JawOpen": 0.1}, 0, 3, 0, 0.25),
        ({"MouthFrownLeft": 1.0, "MouthSmileLeft": 1.0}, 1, 10, 0.25, 1),
    ):
        said = evaluate(content, curves)
        assert said == pytest.approx({"same": same, "jaw": jaw_value, "weak": weak, "full": full})


def test_an_answer_that_is_not_in_proportion_becomes_piecewise_linear() -> None:
    ramps = np.zeros((5, 52, 1))
    ramps[:, 17, 0] = [0, 0, 0.2, 0.8, 1]
    ramps[:, 18, 0] = [0, 0.25, 0.509, 0.75, 1]
    content = definition(Rig(name="one", controls=(Control(name="lid"),)), ramps)
    check_as_unreal_does(content)
    assert list(content["features"]) == ["sdk:JawOpen:lid", "sum:lid"]
    assert content["features"]["sum:lid"]["input_features"] == ["sdk:JawOpen:lid", "MouthClose"]
    for level, lid in ((0.25, 0), (0.375, 0.1), (0.5, 0.2), (0.75, 0.8), (1, 1)):
        assert evaluate(content, {"JawOpen": level})["lid"] == pytest.approx(lid)
    assert evaluate(content, {"MouthClose": 0.5})["lid"] == pytest.approx(0.5)


def test_what_cannot_be_a_definition_is_refused(tmp_path: Path) -> None:
    one = Rig(name="one", controls=(Control(name="lid"),))
    with pytest.raises(BridgeError, match="rig one: no ARKit curve moves any of its controls"):
        definition(one, np.zeros((2, 52, 1)))
    with pytest.raises(ValueError, match=re.escape("(L, 52, 1) answers expected")):
        definition(one, np.zeros((52, 1)))
    with pytest.raises(ValueError, match="not a number"):
        definition(one, np.full((2, 52, 1), np.nan))
    twins = Rig(name="twins", controls=(Control(name="A"), Control(name="a")))
    with pytest.raises(BridgeError, match="does not tell A from a; rename"):
        definition(twins, np.ones((2, 52, 2)))
    with pytest.raises(BridgeError, match=r"rm\.txt: a RigMapper definition is a \.json file"):
        write_definition(tmp_path / "rm.txt", {})
    with pytest.raises(BridgeError, match="cannot be written: No such file"):
        write_definition(tmp_path / "none" / "rm.json", {})


def export(*words: str | Path) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "freeavatar.tools", "rig", "export", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def test_the_verb_writes_it(user_folders: Path, tmp_path: Path) -> None:
    path = tmp_path / "RM_mannequin.json"
    code, out, err = export("mannequin", "--rigmapper", path, "--json")
    assert code == 0, err
    content = json.loads(path.read_bytes().decode("ascii"))
    check_as_unreal_does(content)
    summary = json.loads(out)
    assert summary == {
        "rig": "mannequin",
        "rigmapper": str(path),
        "inputs": len(content["inputs"]),
        "outputs": len(content["outputs"]),
        "null_outputs": content["null_outputs"],
    }
    code, out, err = export("nobody", "--rigmapper", path)
    assert code == 1 and "no rig named nobody" in err and err.count("\n") == 1
