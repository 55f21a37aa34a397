"""Reference pictures of rigs: known controls, splits apart, runs that go on."""

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freeavatar.renderer_net.samples import unpack
from freeavatar.rigs import registry
from freeavatar.rigs.light import STUDIO
from freeavatar.tools.cli import main
from freeavatar.tools.dataset import rig_poses, rig_renders
from freeavatar.tools.dataset.errors import DataError
from freeavatar.tools.dataset.rig_poses import HELD_OUT, RigPoses, recorded, split_of_set
from freeavatar.tools.dataset.rig_renders import LENSES, RigRenders, state_of
from freeavatar.tools.dataset.splits import SPLITS
from freeavatar.tools.inputs import DEMO_TAKE


@pytest.fixture(scope="module")
def fox() -> RigRenders:
    return RigRenders("fox", "train", size=48)


def test_samples_vary_in_all_that_is_known_of_them(fox: RigRenders) -> None:
    samples = [fox.sample(number) for number in range(40)]
    count = len(registry.load("fox").controls)
    assert all(s.weights.shape == (count,) and s.picture.shape == (48, 48, 3) for s in samples)
    set_at_once = [int((np.abs(s.weights) > 1e-3).sum()) for s in samples]
    assert 1 in set_at_once and max(set_at_once) > 5
    assert len({s.field_of_view for s in samples}) == len(LENSES)
    straight = sum(not s.head.any() for s in samples)
    assert 3 < straight < 25
    assert np.degrees(np.abs([s.head[0] for s in samples]).max()) > 20
    studio = sum(np.array_equal(s.light, STUDIO.vector) for s in samples)
    assert 5 < studio < 28
    assert all(0.1 < (s.mask > 0).mean() < 0.9 for s in samples)


def test_a_number_gives_one_sample(fox: RigRenders) -> None:
    again = RigRenders("fox", "train", size=48).sample(7)
    first = fox.sample(7)
    np.testing.assert_array_equal(first.picture, again.picture)
    np.testing.assert_array_equal(first.weights, again.weights)


def test_splits_share_no_combination(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = registry.load("mannequin")
    # Expressions are told apart by their numbers.
    monkeypatch.setattr(rig_poses, "KINDS", {"two": 0.5, "some": 0.5})
    sets: dict[str, set[tuple[int, ...]]] = {}
    for split in SPLITS:
        poses, make = RigPoses(rig, split), np.random.default_rng(0)
        drawn = [np.flatnonzero(poses.draw(make)[0]) for _ in range(150)]
        sets[split] = {tuple(which) for which in drawn}
        assert len(sets[split]) > 100
        assert all(split_of_set(np.array(which)) == split for which in sets[split])
    assert not sets["train"] & sets["validation"]
    assert len({HELD_OUT[split] for split in SPLITS}) == 3


def test_recorded_curves_are_shown_and_their_end_is_held_back(tmp_path: Path) -> None:
    rig = registry.load("mannequin")
    train = RigPoses(rig, "train", [DEMO_TAKE])
    held = RigPoses(rig, "validation", [DEMO_TAKE])
    frames = recorded(Path(DEMO_TAKE))
    assert len(train._recorded) == round(0.8 * len(frames))
    assert np.array_equal(held._recorded[0], frames[round(0.8 * len(frames))])
    with pytest.raises(DataError, match=r"none\.csv"):
        RigPoses(rig, "train", [tmp_path / "none.csv"])


def test_a_run_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rig_renders, "PER_SHARD", 3)
    common = ["data", "rig-renders", "fox", "--out", str(tmp_path), "--size", "32"]
    assert main([*common, "--workers", "1", "--count", "6"]) == 0
    assert "6 pictures of fox" in capsys.readouterr().out
    first = tmp_path / "train-000000.tar"
    before = first.stat().st_mtime_ns
    (tmp_path / "train-000001.tar").unlink()
    assert main([*common, "--workers", "2", "--count", "12"]) == 0
    assert first.stat().st_mtime_ns == before
    assert len(list(tmp_path.glob("train-*.tar"))) == 4
    with tarfile.open(first) as tar:
        names = tar.getnames()
        assert len(names) == 12
        record = {
            name.partition(".")[2]: tar.extractfile(name).read()  # type: ignore[union-attr]
            for name in names
            if name.startswith(names[0].partition(".")[0])
        }
    sample = unpack(record)
    assert sample.rig == "fox" and sample.controls == registry.load("fox").names
    told = json.loads((tmp_path / "manifest.json").read_text())
    assert told["recipe"]["rig"] == "fox"
    assert told["splits"]["train"]["samples"] == 12
    capsys.readouterr()
    other = [part if part != "fox" else "toon" for part in common]
    assert main([*other, "--count", "3"]) == 1
    assert "use another --out" in capsys.readouterr().err
    assert main(["data", "rig-renders", "nobody", "--out", str(tmp_path / "x")]) == 1
    assert "no rig named nobody" in capsys.readouterr().err


def test_a_rig_that_changed_is_noticed() -> None:
    rig = registry.load("fox")
    first = rig.controls[0]
    moved = replace(rig, controls=(replace(first, maximum=first.maximum * 2), *rig.controls[1:]))
    assert state_of(rig) == state_of(registry.load("fox")) != state_of(moved)
