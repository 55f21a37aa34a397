"""The network that weighs MediaPipe's reading together with ours."""

from pathlib import Path

import numpy as np
import pytest

from freeavatar.foundation.combination import FEATURES, CombinationModel, combined_features
from freeavatar.foundation.errors import ReaderError
from freeavatar.foundation.landmarks import LANDMARKS, MIRRORED

torch = pytest.importorskip("torch")

from freeavatar.foundation.training.combination_training import CombinationData  # noqa: E402
from freeavatar.foundation.training.geometry import SWAPPED  # noqa: E402


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


def _data(count: int, seed: int) -> CombinationData:
    """Ours is right about the first half of the channels, MediaPipe's about the others."""
    make = np.random.default_rng(seed)
    features = make.normal(size=(count, FEATURES)).astype(np.float32)
    truth = make.uniform(0, 1, (count, 52)).astype(np.float32)
    features[:, -52:] = truth + make.normal(0, [0.02] * 26 + [2.0] * 26, (count, 52))
    features[:, -104 + 26 : -52] = truth[:, 26:]
    truth[::7, 3] = np.nan
    people = [f"person {seed} {i % 12}" for i in range(count)]
    return CombinationData(features=features, blendshapes=truth, people=people, shown=count + 9)


def test_training_learns_which_reader_to_trust(tmp_path: Path) -> None:
    from freeavatar.foundation.training.combination_training import export, judge, train

    torch.set_num_threads(1)
    net = train(_data(1024, 0), epochs=30, batch=128)
    held = _data(600, 1)
    figures = judge(net, held)
    export(net, tmp_path / "combination.onnx")

    found = CombinationModel(tmp_path / "combination.onnx").read(held.features)

    with torch.no_grad():
        expected = net(torch.from_numpy(held.features)).numpy()
    np.testing.assert_allclose(found, np.clip(expected, 0, 1), atol=1e-5)
    # The halves are counted without channels whose other side lies in the other half.
    assert net.shares[1, :18].min() > 0.9 and net.shares[0, 45:].min() > 0.5
    assert net.shares[1, 45:].max() < 0.1
    assert 200 < figures.faces < 400
    assert figures.combined[0] < min(figures.ours[0], figures.theirs[0])
    assert figures.combined[1] > max(figures.ours[1], figures.theirs[1])


def test_mirroring_features_twice_gives_them_back_and_fits_the_mirrored_face() -> None:
    from freeavatar.foundation.training.combination_training import THEIRS, mirrored

    make = np.random.default_rng(5)
    curves = make.uniform(0, 1, 52).astype(np.float32)
    points, head = _face(turn=0.3)
    theirs = torch.from_numpy(combined_features(points, head, curves, curves)[None, :THEIRS])
    torch.testing.assert_close(mirrored(mirrored(theirs)), theirs)

    flipped = points * (-1, 1)
    # Every canonical point gets its partner's place, as MediaPipe would report the mirrored face.
    order = np.arange(478)
    order[list(LANDMARKS)] = np.array(LANDMARKS)[list(MIRRORED)]
    turned = np.diag([-1.0, 1.0, 1.0]) @ head @ np.diag([-1.0, 1.0, 1.0])
    wanted = combined_features(flipped[order].astype(np.float32), turned, curves[SWAPPED], curves)
    np.testing.assert_allclose(mirrored(theirs)[0].numpy(), wanted[:THEIRS], atol=2e-4)


def test_too_few_faces_are_refused() -> None:
    from freeavatar.foundation.training.combination_training import train

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
