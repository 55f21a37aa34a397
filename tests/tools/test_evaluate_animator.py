"""The animator's evaluation: known faces, methods side by side, what it says of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import webdataset

from freeavatar.animator.reference import built_in_reference
from freeavatar.animator.solver import ExpressionSolver
from freeavatar.foundation.crops import STORED_SIZE
from freeavatar.foundation.samples import Sample, pack
from freeavatar.rigs import registry
from freeavatar.tools.cli import main
from freeavatar.tools.dataset.expressions import expression
from freeavatar.tools.evaluation.animator_figures import Readings, followed, hard_table, table


class Solved:
    """The solver as a method."""

    def __init__(self, rig: str, use_names: bool) -> None:
        self._solver = ExpressionSolver(registry.load(rig), use_names=use_names)

    def solve(self, blendshapes: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        return self._solver.solve(blendshapes)


@pytest.fixture(scope="module")
def readings() -> Readings:
    """Forty expressions, read with some noise."""
    known = np.stack([expression(number)[0] for number in range(40)])
    noise = np.random.default_rng(0).normal(0, 0.15, known.shape).astype(np.float32)
    tokens = np.zeros((40, 64, 192), np.float32)
    return Readings(known=known, read=np.clip(known + noise, 0, 1), tokens=tokens)


def test_perfect_reading_gives_perfect_controls_and_motion(readings: Readings) -> None:
    perfect = Readings(known=readings.known, read=readings.known, tokens=readings.tokens)
    rig, source = registry.load("mannequin"), built_in_reference()
    one = followed(rig, Solved("mannequin", True), perfect, source)
    assert one.error < 1e-6
    assert one.mean > 0.97
    assert one.own > 0.99 and np.isnan(one.distance)
    assert one.hard and min(one.hard.values()) > 0.999
    noisy = followed(rig, Solved("mannequin", True), readings, source)
    assert noisy.error > 0.02
    assert noisy.mean < one.mean
    assert min(noisy.hard.values()) < 0.99


def test_a_rig_without_names_is_judged_by_its_motion(readings: Readings) -> None:
    source = built_in_reference()
    one = followed(registry.load("fox"), Solved("fox", False), readings, source)
    assert 0.3 < one.mean <= 1.0 and np.isnan(one.own)
    lines = table({"fox": {"nameless": one}}, ["nameless", "animator"])
    assert len(lines) == 2 and "fox" in lines[1]
    assert "nameless" in hard_table({"fox": {"nameless": one}}, ["nameless"])[0]


def test_the_command_reads_shards_and_prints_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with webdataset.TarWriter(str(tmp_path / "test-000000.tar")) as tar:
        for number in range(24):
            shapes = expression(number)[0]
            # Nobody's face: what is read of it follows nothing, and the figures say so.
            picture = np.full((STORED_SIZE, STORED_SIZE, 3), 5 * number, np.uint8)
            sample = Sample(picture=picture, identity="x", domain="avatar", blendshapes=shapes)
            tar.write(pack(sample, f"{number:06d}"))
    command = ["eval", "animator", "--data", str(tmp_path), "--rig", "mannequin"]
    assert main([*command, "--json", "--drawn", "3", "--resting"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["faces"] == 24
    rows = told["rigs"]["mannequin"]
    assert {"named", "nameless"} <= rows.keys()
    assert rows["named"]["error"] > 0.02
    assert 0.05 < rows["named"]["drawn"] < 2.0
    assert abs(rows["named"]["mean"]) < 0.5
    resting = told["resting"]["mannequin"]["mannequin"]
    assert resting.keys() == {"solver", "animator"}
    for one in resting.values():
        assert 0.0 < one["mean"] <= one["turn"] < 0.6 and one["control"]
        assert 0.0 <= one["noise"] < 0.1
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["eval", "animator", "--data", str(empty), "--rig", "mannequin"]) == 1
    assert "holds no test-*.tar" in capsys.readouterr().err


def test_resting_faces_are_not_said_to_be_another_networks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", "animator", "--data", str(tmp_path), "--rig", "mannequin", "--resting"]
    assert main([*command, "--animator", str(tmp_path)]) != 0
    assert "leave out --animator" in capsys.readouterr().err
