"""Half precision is taken where it is measured to be quicker."""

from collections.abc import Iterator

import pytest
import torch

from freeavatar.foundation.training import precision
from freeavatar.foundation.training.precision import bfloat16_pays, half_precision

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def unmeasured() -> Iterator[None]:
    bfloat16_pays.cache_clear()
    yield
    bfloat16_pays.cache_clear()


@pytest.mark.parametrize(("half", "wanted"), [(0.45, True), (0.95, False), (10.0, False)])
def test_the_quicker_precision_is_taken(
    monkeypatch: pytest.MonkeyPatch, half: float, wanted: bool
) -> None:
    monkeypatch.setattr(precision, "_seconds", lambda net, maps, asked: half if asked else 1.0)
    one = torch.ones(4, 4)
    with half_precision(CPU):
        assert (one @ one).dtype == (torch.bfloat16 if wanted else torch.float32)
    with half_precision(CPU, wanted=False):
        assert (one @ one).dtype == torch.float32


def test_measuring_leaves_random_numbers_as_they_are() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with torch.no_grad():
        first = bfloat16_pays()
    assert torch.equal(torch.get_rng_state(), before)
    assert bfloat16_pays() is first
