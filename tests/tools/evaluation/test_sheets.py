"""Contact sheets: every second once, the actor's face in the middle."""

import numpy as np
import pytest

from freeavatar.foundation.expression import BLENDSHAPES, Expression, Frame
from freeavatar.rigs import registry
from freeavatar.tools.evaluation.sheets import ACROSS, CELL, actor_cell, arrange, sheet_of

BOX = np.array([20, 10, 60, 50], np.float32)


class Talker:
    """Opens the jaw after the first second."""

    def read(self, frame: Frame) -> Expression:
        curves = np.zeros(52, np.float32)
        curves[BLENDSHAPES.index("jawOpen")] = frame.time > 1.0
        return Expression(
            index=frame.index, time=frame.time, found=True, blendshapes=curves, box=BOX
        )

    def close(self) -> None:
        pass


def test_a_sheet_shows_each_second_of_the_performance() -> None:
    picture = np.full((60, 80, 3), 90, np.uint8)
    frames = [Frame(picture=picture, index=i, time=0.25 * i) for i in range(9)]
    ticks: list[int] = []
    sheet = sheet_of(
        frames, Talker(), [registry.load("mannequin")], title="t", tick=lambda: ticks.append(1)
    )
    assert len(ticks) == 9
    pixels = np.asarray(sheet).astype(int)
    wide = 2 * CELL + 8
    first, second, third = (
        pixels[34 : 34 + CELL, 8 + i * wide + CELL : 8 + i * wide + 2 * CELL] for i in range(3)
    )
    assert np.abs(first - second).mean() < 0.5
    assert np.abs(first - third).mean() > 0.5


def test_the_actors_face_fills_the_cell() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[20:40, 150:170] = 255
    box = np.array([150, 20, 170, 40], np.float32)
    cell = actor_cell(picture, Expression(index=0, time=0.0, found=True, box=box))
    assert cell.shape == (CELL, CELL, 3)
    assert 0.25 < (cell > 127).mean() < 0.45
    without = actor_cell(picture, Expression(index=0, time=0.0, found=False))
    assert (without == (232, 93, 64)).all(axis=2).any()


def test_moments_fill_rows() -> None:
    cell = np.zeros((CELL, CELL, 3), np.uint8)
    sheet = arrange([(f"{i} s", [cell]) for i in range(ACROSS + 1)], title="t", labels=["actor"])
    assert sheet.size == (ACROSS * (CELL + 8) + 8, 34 + 2 * (CELL + 20))


def test_no_frame_is_an_error() -> None:
    with pytest.raises(ValueError, match="no frame"):
        sheet_of([], Talker(), [registry.load("mannequin")], title="t")
