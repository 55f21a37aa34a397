"""Shards become batches: right samples together, mirrored alike, whole passes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import webdataset

from freeavatar.foundation.crops import STORED_SIZE
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression import SWAPPED
from freeavatar.foundation.samples import Sample, pack
from freeavatar.foundation.training.batch_plan import BatchPlan
from freeavatar.foundation.training.shard_feed import FeedOptions, ShardFeed, parse_folder
from freeavatar.foundation.training.shard_index import ShardIndex
from freeavatar.foundation.training.views import MIRRORED_NUMBER

Write = Callable[..., Path]


def shown(number: int, *, labelled: bool = True) -> Sample:
    """Left half darker than the right, so that mirroring shows; expression ``number // 2``."""
    picture = np.full((STORED_SIZE, STORED_SIZE, 3), 200, np.uint8)
    picture[:, : STORED_SIZE // 2] = 60
    make = np.random.default_rng(number // 2)
    known = {
        "blendshapes": make.random(52, np.float32),
        "landmarks": np.full((156, 2), 80, np.float32),
        "place": np.array([80, 60, 0.3], np.float32),
        "head": np.eye(3, dtype=np.float32),
        "eyes": np.zeros((2, 2), np.float32),
    }
    return Sample(
        picture=picture,
        identity=f"person {number % 5}",
        domain="avatar",
        expression=number // 2 if labelled else -1,
        **(known if labelled else {}),
    )


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(folder, split, numbers, shard=0)`` makes a shard."""

    def shard(folder: str, split: str, numbers: range, *, shard: int = 0, **kind: bool) -> Path:
        (tmp_path / folder).mkdir(exist_ok=True)
        path = tmp_path / folder / f"{split}-{shard:06d}.tar"
        with webdataset.TarWriter(str(path)) as writer:
            for n in numbers:
                writer.write(pack(shown(n, **kind), f"{n:08d}"))
        return tmp_path / folder

    return shard


def test_the_index_reads_what_was_written(write: Write) -> None:
    folder = write("a", "train", range(30))
    index = ShardIndex([folder], "train")
    assert len(index) == 30
    assert index.expressions.tolist() == [n // 2 for n in range(30)]
    assert len(set(index.people.tolist())) == 5
    for row in (0, 17, 29):
        sample, wanted = index.sample(row), shown(row)
        assert (sample.identity, sample.expression) == (wanted.identity, wanted.expression)
        np.testing.assert_array_equal(sample.blendshapes, wanted.blendshapes)
        np.testing.assert_array_equal(index.blendshapes(row), wanted.blendshapes)
        assert np.abs(sample.picture.astype(int) - wanted.picture).mean() < 3


def test_new_shards_are_taken_up_and_old_rows_stay(write: Write) -> None:
    folder = write("a", "train", range(10))
    index = ShardIndex([folder], "train")
    before = index.sample(4).expression
    assert index.refresh() == 0
    write("a", "train", range(10, 16), shard=1)
    assert index.refresh() == 6 and len(index) == 16
    assert index.sample(4).expression == before and index.sample(15).expression == 7


def test_damaged_and_missing_shards_are_named(write: Write, tmp_path: Path) -> None:
    folder = write("a", "train", range(4))
    path = folder / "train-000000.tar"
    with pytest.raises(TrainingError, match=r"holds no shards validation-\*\.tar"):
        ShardIndex([folder], "validation")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(TrainingError, match=r"train-000000\.tar is no shard of samples"):
        ShardIndex([folder], "train")
    with pytest.raises(TrainingError, match="no such folder"):
        parse_folder(str(tmp_path / "missing:2"))
    with pytest.raises(TrainingError, match="weight above 0"):
        parse_folder(f"{folder}:0")
    assert parse_folder(f"{folder}:2.5") == (folder, 2.5)


def test_a_pass_shows_each_sample_once(write: Write) -> None:
    index = ShardIndex([write("a", "train", range(40))], "train")
    plan = BatchPlan(index, [1.0], np.random.default_rng(0), partners=0.0)
    rows = np.concatenate([plan.draw(10) for _ in range(8)])
    assert sorted(rows[:40]) == sorted(rows[40:]) == list(range(40))
    assert list(rows[:40]) != list(rows[40:])


def test_weights_decide_how_often_a_folder_is_drawn(write: Write) -> None:
    index = ShardIndex([write("a", "train", range(40)), write("b", "train", range(10))], "train")
    plan = BatchPlan(index, [1.0, 3.0], np.random.default_rng(0), partners=0.0)
    drawn = index.folders[np.concatenate([plan.draw(100) for _ in range(10)])]
    assert 0.68 < drawn.mean() < 0.82


def test_partners_share_the_expression_or_the_person(write: Write) -> None:
    index = ShardIndex([write("a", "train", range(400))], "train")
    plan = BatchPlan(index, [1.0], np.random.default_rng(0), partners=0.25)
    for _ in range(5):
        rows = plan.draw(40)
        assert len(rows) == 40
        for i in range(10):
            column = index.people if i % 2 else index.expressions
            assert column[rows[i]] == column[rows[30 + i]] and rows[i] != rows[30 + i]


def test_second_views_show_the_same_face_in_another_pose_where_there_is_one(write: Write) -> None:
    write("a", "train", range(40))
    write("a", "train", range(40), shard=1)
    index = ShardIndex([write("a", "train", range(40, 60), shard=2)], "train")
    plan = BatchPlan(index, [1.0], np.random.default_rng(0), partners=0.0)
    rows = np.arange(100)
    again = plan.again(rows)
    np.testing.assert_array_equal(index.people[again], index.people)
    np.testing.assert_array_equal(index.expressions[again], index.expressions)
    assert 0.6 < (again[:80] != rows[:80]).mean() < 0.9
    np.testing.assert_array_equal(again[80:], rows[80:])
    unknown = ShardIndex([write("b", "train", range(40), labelled=False)], "train")
    plan = BatchPlan(unknown, [1.0], np.random.default_rng(0), partners=0.0)
    np.testing.assert_array_equal(plan.again(rows[:40]), rows[:40])


def test_batches_hold_what_their_pixels_show(write: Write) -> None:
    write("a", "train", range(64))
    folder = write("a", "validation", range(64, 80))
    feed = ShardFeed(FeedOptions(folders=[str(folder)], batch=64, second_views=0.25, partners=0.5))
    batch = next(feed.training(0))
    targets = batch.targets
    assert batch.crops.shape == (64, 128, 128, 3) and batch.crops.dtype == torch.uint8
    assert len(batch.opposite) == 16
    faces = targets.face > 0.5
    assert faces.float().mean() > 0.8
    mirrored = targets.expressions >= MIRRORED_NUMBER
    assert 0.2 < mirrored[faces].float().mean() < 0.8
    for i in faces.nonzero()[:, 0].tolist():
        number = int(targets.expressions[i]) % MIRRORED_NUMBER
        wanted = np.random.default_rng(number).random(52, np.float32)
        wanted = wanted[SWAPPED] if mirrored[i] else wanted
        np.testing.assert_array_equal(targets.blendshapes[i].numpy(), wanted)
    # Equal numbers mean equal curves, so they must have been mirrored alike.
    numbers = targets.expressions.tolist()
    repeated = {n for n in numbers if n >= 0 and numbers.count(n) > 1}
    assert len(repeated) >= 8
    numbers = targets.expressions % MIRRORED_NUMBER
    assert torch.equal(numbers[:16], numbers[-16:])
    assert torch.equal(mirrored[:16] != mirrored[-16:], batch.opposite)
    assert 2 <= batch.opposite.sum() <= 14
    assert not torch.equal(batch.crops[:16], batch.crops[-16:])
    assert torch.isnan(targets.blendshapes[~faces]).all()


def test_half_of_the_second_views_of_unlabelled_pictures_are_mirror_images(write: Write) -> None:
    folder = write("a", "train", range(64), labelled=False)
    feed = ShardFeed(FeedOptions(folders=[str(folder)], batch=64, second_views=0.5))
    batch = next(feed.training(0))
    assert torch.isnan(batch.targets.blendshapes).all()
    grey = batch.crops.float().mean(dim=(1, 3))
    brighter_right = grey[:, 64:].mean(dim=1) > grey[:, :64].mean(dim=1)
    told = (brighter_right[:32] != brighter_right[32:]) == batch.opposite
    # Occluders and light from one side fool this measurement now and then.
    assert told.float().mean() > 0.75
    assert 0.2 < batch.opposite.float().mean() < 0.8
    assert 0.2 < brighter_right.float().mean() < 0.8


def test_resumed_and_parallel_feeds_draw_otherwise(write: Write) -> None:
    folder = str(write("a", "train", range(64)))

    def first(**changed: int) -> torch.Tensor:
        start = changed.pop("start", 0)
        feed = ShardFeed(FeedOptions(folders=[folder], batch=16, **changed))
        return next(feed.training(start)).targets.expressions

    assert torch.equal(first(), first())
    for changed in ({"rank": 1}, {"seed": 1}, {"start": 100}):
        assert not torch.equal(first(), first(**changed))


def test_validation_is_the_plain_middle_and_always_the_same(write: Write) -> None:
    write("a", "train", range(4))
    folder = write("a", "validation", range(100, 120))
    unlabelled = write("frames", "train", range(4), labelled=False)
    feed = ShardFeed(FeedOptions(folders=[str(folder), str(unlabelled)], validated=12))
    first, second = feed.validation(), feed.validation()
    assert sum(len(b) for b in first) == 12
    assert torch.equal(first[0].crops, second[0].crops)
    targets = first[0].targets
    torch.testing.assert_close(targets.landmarks, torch.full((12, 156, 2), 0.5))
    torch.testing.assert_close(targets.place[0], torch.tensor([0.5, 44 / 128, 0.3 * 128 / 160]))
    assert len(set(targets.expressions.tolist())) > 6


def test_the_run_is_told_what_the_data_is(write: Write) -> None:
    folder = write("a", "train", range(4))
    (folder / "manifest.json").write_text(json.dumps({"licence": ["MIT"]}))
    facts = ShardFeed(FeedOptions(folders=[f"{folder}:2"], facts={"command": "x"})).facts()
    assert facts["data"] == {"a": {"weight": 2.0, "samples": 4, "manifest": {"licence": ["MIT"]}}}
    assert facts["command"] == "x"
