"""Expressions are found again on other people in the other domain."""

import numpy as np
import pytest

from freeavatar.tools.evaluation.retrieval import (
    all_retrievals,
    galleries,
    retrieval,
    retrieval_lines,
    retrieval_summary,
)
from freeavatar.tools.evaluation.shards import Truth

EXPRESSIONS = 30


def truth() -> Truth:
    """Thirty expressions on two photos and two avatars each; person 0 is in both domains."""
    make = np.random.default_rng(0)
    curves = np.zeros((EXPRESSIONS, 52))
    curves[np.arange(EXPRESSIONS), np.arange(EXPRESSIONS)] = 1.0
    number = np.tile(np.arange(EXPRESSIONS), 4)
    count = len(number)
    people = np.repeat(["0", "1", "0", "2"], EXPRESSIONS)
    return Truth(
        pictures=np.zeros((count, 2, 2, 3), np.uint8),
        identity=people,
        domain=np.repeat(["photo", "photo", "avatar", "avatar"], EXPRESSIONS),
        expression=number,
        blendshapes=curves[number],
        eyes=make.random((count, 2, 2)),
        head=np.tile(np.eye(3), (count, 1, 1)),
        landmarks=make.random((count, 156, 2)),
        faceless=np.zeros((0, 2, 2, 3), np.uint8),
    )


def test_galleries_hold_the_expression_once_on_somebody_else() -> None:
    known = truth()
    drawn = galleries(known, "photo", "avatar", size=10)
    assert drawn.among.shape == (60, 10)
    asked = known.expression[drawn.query][:, None]
    same = known.expression[drawn.among] == asked
    assert same[:, 0].all() and not same[:, 1:].any()
    assert (known.identity[drawn.among[:, 0]] != known.identity[drawn.query]).all()
    assert (known.domain[drawn.among] == "avatar").all()
    assert all(len(set(row)) == 10 for row in known.expression[drawn.among].tolist())


def test_what_tells_expressions_finds_and_what_does_not_guesses() -> None:
    known = truth()
    noise = np.random.default_rng(1).normal(size=(len(known.expression), 8))
    features = {"curves": known.blendshapes, "noise": noise, "constant": np.zeros_like(noise)}
    table = all_retrievals(known, features)
    assert set(table) == {"photo → avatar", "avatar → photo"}
    found = table["photo → avatar"]
    assert found["curves"].first == found["curves"].five == 1.0
    assert found["curves"].queries == 60 and found["curves"].gallery == EXPRESSIONS
    assert found["noise"].chance == (1 / EXPRESSIONS, 5 / EXPRESSIONS)
    assert found["noise"].first < 0.2 and found["noise"].five < 0.4
    assert found["constant"].five == 0.0
    assert retrieval_summary(table)["photo → avatar"]["curves"]["first"] == 1.0
    assert len(retrieval_lines(table)) == 2 + 6


def test_pictures_in_which_nothing_was_found_are_not_asked_about() -> None:
    known = truth()
    features = known.blendshapes.copy()
    features[known.domain == "photo"] = np.nan
    drawn = galleries(known, "photo", "avatar")
    nothing = retrieval(drawn, features)
    assert nothing.queries == 0 and np.isnan(nothing.first)
    features = known.blendshapes.copy()
    features[drawn.query[:30]] = np.nan
    assert retrieval(drawn, features).queries == 30


def test_one_domain_has_nothing_to_find() -> None:
    known = truth()
    assert galleries(known, "photo", "cartoon").query.shape == (0,)
    (line,) = retrieval_lines({})
    assert "no pictures of two domains" in line


@pytest.mark.parametrize("size", [1, 2])
def test_small_galleries(size: int) -> None:
    drawn = galleries(truth(), "photo", "avatar", size=size)
    assert len(drawn.query) == (60 if size > 1 else 0)
