"""Faces at rest that turn, and the parts of the report that need networks."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.foundation.errors import ReaderError
from freeavatar.tools.evaluation import runtime_sections as module
from freeavatar.tools.evaluation.steadiness import TURN
from freeavatar.tools.evaluation.turning_faces import turning_faces


def test_without_data_the_mannequin_turns_alone(tmp_path: Path) -> None:
    ((name, frames),) = turning_faces(None, None, tmp_path)
    assert name == "mannequin" and len(frames) == 2 * TURN + 1
    straight, left, right = (_outline(frames[i].picture) for i in (TURN, 0, 2 * TURN))
    assert (left != straight).mean() > 0.01
    assert (left != right[:, ::-1]).mean() < 0.2 * (left != right).mean()


def _outline(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((picture != picture[0, 0]).any(axis=2))


def test_what_cannot_be_measured_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ReaderError("the network is missing")

    monkeypatch.setattr(module, "finder_figures", missing)
    monkeypatch.setattr(module.speed, "measure", missing)
    sections, figures = module.runtime_sections(tmp_path, None, tmp_path)
    assert [s.title for s in sections] == ["Finding faces", "Speed"]
    assert all("the network is missing" in s.lines[0] for s in sections)
    assert figures == {}
