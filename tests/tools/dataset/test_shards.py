"""Shards: whole or absent, continued where a run stopped, readable by WebDataset."""

import functools
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from freeavatar.foundation.landmarks import LANDMARKS
from freeavatar.foundation.samples import Sample, unpack
from freeavatar.tools.dataset.balance import Balance, facts_of_name, skin_tone
from freeavatar.tools.dataset.errors import DataError
from freeavatar.tools.dataset.shard_files import check_recipe, write_manifest, writing
from freeavatar.tools.dataset.shards import write_shards
from freeavatar.tools.dataset.splits import of_split

PEOPLE = of_split([f"valid/Asian_{s}_{n}" for n in range(20) for s in "FM"], "train")


class Faces:
    """Flat pictures whose grey is the sample's number; counts what it was asked for."""

    def __init__(self, fails_at: int = -1, people: list[str] | None = None) -> None:
        self.asked: list[int] = []
        self.fails_at = fails_at
        self.people = people or PEOPLE

    def sample(self, number: int) -> Sample:
        self.asked.append(number)
        if number == self.fails_at:
            raise ZeroDivisionError("no light")
        return Sample(
            picture=np.full((32, 32, 3), number, np.uint8),
            identity=self.people[number % len(self.people)],
            domain="avatar",
            expression=number,
            landmarks=np.full((len(LANDMARKS), 2), 16, np.float32),
        )


def expressions(path: Path) -> list[int]:
    with tarfile.open(path) as tar:
        names = [n for n in tar.getnames() if n.endswith(".json")]
        return [json.load(tar.extractfile(n))["expression"] for n in names]  # type: ignore[arg-type]


def test_samples_arrive_in_order_and_webdataset_reads_them(tmp_path: Path) -> None:
    write_shards(Faces, tmp_path, "train", count=25, shard_size=10)
    names = sorted(path.name for path in tmp_path.glob("*.tar"))
    assert names == ["train-000000.tar", "train-000001.tar", "train-000002.tar"]
    assert [expressions(tmp_path / n) for n in names] == [
        list(range(10)),
        list(range(10, 20)),
        list(range(20, 25)),
    ]
    import webdataset

    records = list(webdataset.WebDataset(str(tmp_path / names[2]), shardshuffle=False))
    samples = [unpack(record) for record in records]
    assert [s.expression for s in samples] == [20, 21, 22, 23, 24]
    assert abs(int(samples[3].picture.mean()) - 23) <= 1


def test_a_second_run_makes_only_what_is_missing(tmp_path: Path) -> None:
    first, second = Faces(), Faces()
    write_shards(lambda: first, tmp_path, "train", count=30, shard_size=10)
    kept = (tmp_path / "train-000002.tar").read_bytes()
    (tmp_path / "train-000001.tar").unlink()
    (tmp_path / "train-000001.1.part").write_bytes(b"half a shard")
    balance = write_shards(lambda: second, tmp_path, "train", count=40, shard_size=10)
    assert second.asked == [*range(10, 20), *range(30, 40)]
    assert (tmp_path / "train-000002.tar").read_bytes() == kept
    assert balance.samples == 40
    assert not list(tmp_path.glob("*.part"))


def test_a_shorter_last_shard_is_made_anew_when_more_is_wanted(tmp_path: Path) -> None:
    write_shards(Faces, tmp_path, "train", count=15, shard_size=10)
    assert write_shards(Faces, tmp_path, "train", count=20, shard_size=10).samples == 20
    assert expressions(tmp_path / "train-000001.tar") == list(range(10, 20))


def test_the_same_samples_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_shards(Faces, tmp_path / name, "train", count=5)
    shards = [(tmp_path / name / "train-000000.tar").read_bytes() for name in ("a", "b")]
    assert shards[0] == shards[1]


def test_a_failure_names_the_sample_and_keeps_what_was_finished(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sample 13 of train failed: no light"):
        write_shards(lambda: Faces(fails_at=13), tmp_path, "train", count=30, shard_size=10)
    assert [p.name for p in sorted(tmp_path.iterdir()) if p.is_file()] == [
        ".train.lock",
        "train-000000.tar",
    ]


def test_nobody_gets_into_another_split(tmp_path: Path) -> None:
    stranger = Faces(people=["valid/Black_M_1_Casual"])
    with pytest.raises(DataError, match=r"sample 0 of train .*Black_M_1_Casual is a face of test"):
        write_shards(lambda: stranger, tmp_path, "train", count=2)


def test_parts_made_apart_fit_together(tmp_path: Path) -> None:
    write_shards(Faces, tmp_path, "train", count=10, start=20, shard_size=10)
    assert expressions(tmp_path / "train-000002.tar") == list(range(20, 30))
    with pytest.raises(ValueError, match="multiple of the shard"):
        write_shards(Faces, tmp_path, "train", count=10, start=5, shard_size=10)


def test_two_runs_never_write_one_split(tmp_path: Path) -> None:
    with (
        writing(tmp_path, "train"),
        pytest.raises(DataError, match="another run is writing train"),
    ):
        write_shards(Faces, tmp_path, "train", count=1)


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that new processes can import."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "numbered_faces.py").write_text(
        "import os\nimport numpy as np\nfrom freeavatar.foundation.samples import Sample\n"
        "class Faces:\n"
        "    def __init__(self, fails_at, exits_at): self.fails, self.exits = fails_at, exits_at\n"
        "    def sample(self, number):\n"
        "        if number == self.fails: raise ValueError('no light')\n"
        "        if number == self.exits: os._exit(9)\n"
        "        return Sample(picture=np.full((8, 8, 3), number, np.uint8), identity='none',\n"
        "                      domain='none', expression=number)\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_processes_share_the_work(tmp_path: Path, importable: Path) -> None:
    from numbered_faces import Faces as NumberedFaces  # type: ignore[import-not-found]

    out = tmp_path / "out"
    make = functools.partial(NumberedFaces, -1, -1)
    assert write_shards(make, out, "train", count=60, workers=2, shard_size=10).samples == 60
    shown = [expressions(path) for path in sorted(out.glob("*.tar"))]
    assert shown == [list(range(n, n + 10)) for n in range(0, 60, 10)]
    with pytest.raises(DataError, match="sample 15 of validation failed: no light"):
        write_shards(
            functools.partial(NumberedFaces, 15, -1),
            out, "validation", count=40, workers=2, shard_size=10,
        )  # fmt: skip
    with pytest.raises(DataError, match=r"ended with code 9.*fewer --workers"):
        write_shards(
            functools.partial(NumberedFaces, -1, 5),
            out, "test", count=20, workers=2, shard_size=10,
        )  # fmt: skip


def test_the_manifest_says_how_it_was_made_and_who_is_shown(tmp_path: Path) -> None:
    recipe = {"kind": "avatars", "seed": 0}
    check_recipe(tmp_path, recipe)
    write_shards(Faces, tmp_path, "train", count=20, shard_size=10)
    write_manifest(tmp_path, recipe, "freeavatar data avatars", ["VALID: MIT"])
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["commands"] == ["freeavatar data avatars"]
    assert manifest["licence"] == ["VALID: MIT"]
    train = manifest["splits"]["train"]
    assert (train["shards"], train["samples"]) == (2, 20)
    assert train["balance"]["people"] == min(len(PEOPLE), 20)
    assert set(train["balance"]["sex"]) == {"female", "male"}
    assert train["balance"]["group"] == {"Asian": 20}
    with pytest.raises(DataError, match="made with seed 0 instead of 1; use another --out"):
        check_recipe(tmp_path, recipe | {"seed": 1})


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("valid/Black_M_1_Casual", ("male", "Black")),
        ("valid/X_NHPI_F_2_Casual", ("female", "NHPI")),
        ("webmorph/canada__008f", ("female", "unknown")),
        ("webmorph/composite__m_easian", ("male", "easian")),
        ("webmorph/canada__008f+webmorph/canada__095m", ("mixed", "unknown")),
        ("legislators/000267", ("unknown", "unknown")),
    ],
)
def test_names_tell_what_they_tell(name: str, facts: tuple[str, str]) -> None:
    assert facts_of_name(name) == facts


@pytest.mark.parametrize(
    ("colour", "tone"),
    [((240, 215, 200), "very light"), ((200, 150, 120), "intermediate"), ((70, 45, 30), "dark")],
)
def test_skin_is_measured_on_the_cheeks(colour: tuple[int, int, int], tone: str) -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[10:22, 10:22] = colour
    marks = np.full((len(LANDMARKS), 2), 16, np.float32)
    sample = Sample(picture=picture, identity="a", domain="photo", landmarks=marks)
    assert skin_tone(sample) == tone
    assert skin_tone(Sample(picture=picture, identity="a", domain="photo")) == "unknown"


def test_balances_add_up() -> None:
    parts = [Balance(), Balance()]
    for part in parts:
        part.add(Faces().sample(0))
    parts[0].add_counts(parts[1].as_json())
    assert parts[0].samples == 2
    assert parts[0].counts["identity"] == {PEOPLE[0]: 2}
    assert parts[0].lines()[0] == "2 samples of 1 people"
