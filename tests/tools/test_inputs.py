"""Repeating an input keeps one clock."""

import numpy as np
import pytest

from freeavatar.foundation.expression import Expression
from freeavatar.tools.inputs import repeated


def test_a_repeated_input_runs_on_without_a_gap() -> None:
    clip = [Expression(index=i, time=i / 25, found=True) for i in range(10)]
    played = list(repeated(clip, 25.0, 1.0))
    assert [e.index for e in played] == list(range(25))
    np.testing.assert_allclose([e.time for e in played], np.arange(25) / 25, atol=1e-9)


@pytest.mark.parametrize("count", [0, 3])
def test_an_input_is_read_once_unless_asked(count: int) -> None:
    clip = [Expression(index=i, time=float(i), found=True) for i in range(count)]
    assert list(repeated(clip, 1.0, None)) == clip
