"""Reference pictures of rigs: known controls, splits apart, runs that go on."""

import functools
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from freeavatar.renderer_net.samples import unpack
from freeavatar.rigs import registry
from freeavatar.rigs.light import STUDIO
from freeavatar.tools.build_data import open_rig_renders
from freeavatar.tools.cli import main
from freeavatar.tools.dataset import rig_renders
from freeavatar.tools.dataset.errors import DataError
from freeavatar.tools.dataset.rig_renders import LENSES, RigRenders, write_rig_renders


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


def test_splits_share_no_combination(fox: RigRenders) -> None:
    held = RigRenders("fox", "validation", size=48)
    train = {tuple(fox.sample(n).weights.round(4)) for n in range(25)}
    assert all(tuple(held.sample(n).weights.round(4)) not in train for n in range(25))


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig_renders, "PER_SHARD", 3)
    opened = functools.partial(open_rig_renders, "fox", "train", 32, 0)
    recipe: dict[str, object] = {"kind": "rig-renders", "rig": "fox"}
    assert write_rig_renders(opened, tmp_path, "train", recipe=recipe, count=6) == 6
    first = tmp_path / "train-000000.tar"
    before = first.stat().st_mtime_ns
    (tmp_path / "train-000001.tar").unlink()
    assert write_rig_renders(opened, tmp_path, "train", recipe=recipe, count=9) == 6
    assert first.stat().st_mtime_ns == before
    assert len(list(tmp_path.glob("train-*.tar"))) == 3
    with tarfile.open(first) as tar:
        names = tar.getnames()
        assert len(names) == 12
        record = {
            name.partition(".")[2]: tar.extractfile(name).read()  # type: ignore[union-attr]
            for name in names
            if name.startswith(names[0].partition(".")[0])
        }
    assert unpack(record).rig == "fox"
    with pytest.raises(DataError, match="another --out"):
        write_rig_renders(opened, tmp_path, "train", recipe={**recipe, "rig": "toon"}, count=3)


def test_the_command_draws_and_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rig_renders, "PER_SHARD", 2)
    common = ["--size", "32", "--workers", "1", "--count", "2"]
    assert main(["data", "rig-renders", "toon", "--out", str(tmp_path / "toon"), *common]) == 0
    assert "2 pictures of toon" in capsys.readouterr().out
    told = json.loads((tmp_path / "toon" / "manifest.json").read_text())
    assert told["recipe"]["rig"] == "toon"
    assert main(["data", "rig-renders", "nobody", "--out", str(tmp_path / "x"), *common]) == 1
    assert "no rig named nobody" in capsys.readouterr().err
