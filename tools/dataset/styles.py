"""How a made-up head does the ARKit shapes: its own reach and its own habits."""

import numpy as np
from numpy.random import Generator

from freeavatar.foundation.expression import BLENDSHAPES, FloatArray

from .control_mixes import PAIRS

REACHES = {
    ("brow",): 0.35,
    ("jaw", "mouth"): 0.3,
    ("cheek", "nose"): 0.35,
    ("eyeWide", "eyeSquint"): 0.2,
}
"""Beginnings of shapes that go more or less far together, and the spread of the logarithm of how
far. Lids that shut are left alone: shut is shut."""
HABIT = 0.3
"""Share of shapes that bring a little of a neighbour with them: a smile that squints."""
MOST_HABIT = 0.25


def random_style(make: Generator) -> FloatArray:
    """(52, 52) how this head does each shape, in the shapes of the head it is made from."""
    style = np.eye(len(BLENDSHAPES))
    for starts, spread in REACHES.items():
        reach = np.exp(make.normal(0, spread))
        for i, name in enumerate(BLENDSHAPES):
            if name.startswith(starts):
                style[i, i] = reach
    for i, j in _habits(make):
        amount = make.uniform(0.05, MOST_HABIT)
        style[i, j] += amount
        style[_other_side(i), _other_side(j)] += amount * (_other_side(i) != i)
    return style.astype(np.float32)


def _habits(make: Generator) -> list[tuple[int, int]]:
    """Shapes, and the neighbour that each brings; neither looks, blinks or shows the tongue."""
    free = [
        i for i, n in enumerate(BLENDSHAPES)
        if not n.startswith(("eyeLook", "eyeBlink", "tongue", "mouthClose"))
        and not n.endswith("Right")
    ]  # fmt: skip
    chosen = [i for i in free if make.random() < HABIT]
    pairs = [(i, int(make.choice(free))) for i in chosen]
    return [(i, j) for i, j in pairs if i != j]


def _other_side(shape: int) -> int:
    for first, second in PAIRS:
        if shape in (first, second):
            return second if shape == first else first
    return shape
