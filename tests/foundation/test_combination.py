"""The network that weighs MediaPipe's reading together with ours."""

from pathlib import Path

import numpy as np
import pytest

from freeavatar.foundation.combination import FEATURES, CombinationModel, combined_features
from freeavatar.foundation.errors import ReaderError

torch = pytest.importorskip("torch")


def _face(turn: float = 0.0, grow: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    points = np.random.default_rng(3).uniform(-50, 50, (478, 2))
    points[[33, 133]] = (-40, 0), (-20, 0)
    points[[362, 263]] = (20, 0), (40, 0)
    cos, sin = np.cos(turn), np.sin(turn)
    seen = points @ np.array([[cos, sin], [-sin, cos]]) * grow + 200
    # The picture's y points down, the head's up: clockwise there is a negative turn here.
    head = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    return seen.astype(np.float32), head


def test_features_do_not_depend_on_where_and_how_large_and_how_tilted_the_face_is() -> None:
    curves = np.linspace(0, 1, 52, dtype=np.float32)
    level, upright = _face()
    tilted, head = _face(turn=0.4, grow=3.0)

    one = combined_features(level, upright, curves, curves[::-1])
    other = combined_features(tilted, head, curves, curves[::-1])

    assert one.shape == (FEATURES,)
    np.testing.assert_allclose(other, one, atol=2e-4)


def test_training_learns_which_reader_to_trust(tmp_path: Path) -> None:
    from freeavatar.foundation.training.combination_training import (
        CombinationData,
        export,
        judge,
        train,
    )

    make = np.random.default_rng(0)
    features = make.normal(size=(1024, FEATURES)).astype(np.float32)
    truth = make.uniform(0, 1, (1024, 52)).astype(np.float32)
    features[:, -52:-26] = truth[:, :26]  # ours is right about the first half,
    features[:, -104 + 26 : -52] = truth[:, 26:]  # theirs about the second
    truth[::7, 3] = np.nan
    torch.set_num_threads(1)
    people = [f"person {i % 12}" for i in range(1024)]
    data = CombinationData(features=features, blendshapes=truth, people=people, shown=1100)
    net = train(data, epochs=30, batch=128)
    export(net, tmp_path / "combination.onnx")

    found = CombinationModel(tmp_path / "combination.onnx").read(features)

    with torch.no_grad():
        expected = net(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    error = np.nanmean(np.abs(found - truth))
    assert error < 0.6 * np.nanmean(np.abs(truth - np.nanmean(truth, axis=0)))
    figures = judge(data, epochs=20)
    assert 100 < figures.faces < 300
    assert figures.combined[0] < min(figures.ours[0], figures.theirs[0])
    assert figures.combined[1] > max(figures.ours[1], figures.theirs[1])


def test_too_few_faces_are_refused() -> None:
    from freeavatar.foundation.training.combination_training import CombinationData, train

    empty = CombinationData(
        features=np.zeros((5, FEATURES), np.float32),
        blendshapes=np.zeros((5, 52), np.float32),
        people=["anna"] * 5,
        shown=5,
    )
    with pytest.raises(ValueError, match="5 faces are too few"):
        train(empty)


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"none\.onnx is missing"):
        CombinationModel(tmp_path / "none.onnx")
