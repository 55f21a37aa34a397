"""Reading a crop both ways: what is mirrored, and that no side is preferred."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from freeavatar.foundation.expression import SWAPPED
from freeavatar.foundation.expression_model import ExpressionModel, ModelOutput
from freeavatar.foundation.flip_averaging import FlipAveragedModel, mirrored_output
from freeavatar.foundation.readers import open_reader
from freeavatar.foundation.sources import open_source
from freeavatar.foundation.training.geometry import Jitter, moved
from freeavatar.tools.inputs import ACTOR_CLIP


def some_output(count: int = 3) -> ModelOutput:
    make = np.random.default_rng(4)
    head = np.linalg.qr(make.normal(size=(count, 3, 3)))[0]
    head *= np.linalg.det(head)[:, None, None]
    shapes = {
        "blendshapes": (52,), "eyes": (2, 2), "place": (3,), "landmarks": (156, 2),
        "confidence": (), "embedding": (64,), "tokens": (64, 192),
    }  # fmt: skip
    values = {k: make.uniform(0, 1, (count, *s)).astype(np.float32) for k, s in shapes.items()}
    return ModelOutput(head=head.astype(np.float32), **values)


def test_what_is_mirrored_is_what_training_mirrors() -> None:
    output = some_output()
    mirrored = mirrored_output(output)
    for i in range(3):
        # Training counts in pixels of the stored crop; here both crops are the network's own.
        numbers = {
            "blendshapes": output.blendshapes[i], "eyes": output.eyes[i], "head": output.head[i],
            "place": output.place[i] * (128, 128, 1), "landmarks": output.landmarks[i] * 128,
        }  # fmt: skip
        wanted = moved(numbers, Jitter(mirrored=True), size=128)
        for name, value in wanted.items():
            np.testing.assert_allclose(getattr(mirrored, name)[i], value, atol=1e-5, err_msg=name)


def test_mirroring_twice_changes_nothing() -> None:
    output = some_output()
    again = mirrored_output(mirrored_output(output))
    for item in dataclasses.fields(output):
        np.testing.assert_allclose(
            getattr(again, item.name), getattr(output, item.name), atol=1e-6, err_msg=item.name
        )


def test_a_mirrored_crop_gives_mirrored_curves_which_one_pass_does_not() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    flipped = np.ascontiguousarray(crops[:, :, ::-1])
    both = FlipAveragedModel()
    one, other = both.read(crops), both.read(flipped)
    np.testing.assert_allclose(one.blendshapes, other.blendshapes[:, SWAPPED], atol=1e-5)
    back = mirrored_output(other)
    np.testing.assert_allclose(one.landmarks, back.landmarks, atol=1e-5)
    np.testing.assert_allclose(one.head, back.head, atol=1e-4)
    np.testing.assert_allclose(
        one.head @ one.head.swapaxes(1, 2), np.stack([np.eye(3)] * 2), atol=1e-5
    )
    assert np.linalg.det(one.head) == pytest.approx(1.0, abs=1e-5)
    plain = ExpressionModel()
    single = plain.read(crops)
    apart = np.abs(single.blendshapes - plain.read(flipped).blendshapes[:, SWAPPED])
    assert apart.mean() > 1e-3, "or averaging would be for nothing"
    np.testing.assert_array_equal(one.embedding, single.embedding)
    np.testing.assert_array_equal(one.tokens, single.tokens)


def test_broken_numbers_stay_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = dataclasses.replace(some_output(1), head=np.full((1, 3, 3), np.nan, np.float32))
    monkeypatch.setattr(ExpressionModel, "read", lambda self, crops: broken)
    assert np.isnan(FlipAveragedModel().read(np.zeros((1, 128, 128, 3), np.uint8)).head).all()


def test_recordings_are_read_both_ways_and_live_ones_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FREEAVATAR_MEDIAPIPE_BUNDLE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with open_source(str(ACTOR_CLIP)) as source:
        frames = list(itertools.islice(source, 40))

    def apart(kind: str, *, live: bool = False) -> float:
        found = []
        for step in (1, -1):
            reader = open_reader(kind, live=live)
            found.append([
                reader.read(dataclasses.replace(
                    f, picture=np.ascontiguousarray(f.picture[:, ::step])
                )).blendshapes
                for f in frames
            ])  # fmt: skip
            reader.close()
        return float(np.abs(np.stack(found[0]) - np.stack(found[1])[:, SWAPPED]).mean())

    recorded, live = apart("auto"), apart("auto", live=True)
    assert recorded < 0.5 * live < 0.01
    assert apart("averaged") == recorded
    assert apart("embedded") == live
