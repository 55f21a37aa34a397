"""Does the embedding find an expression again on somebody else, in another kind of picture?"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .foundation_tables import number_cell, plain
from .shards import Truth
from .similarity import KNOWN, OTHER, domain_pairs

Values = NDArray[np.float64]
Indices = NDArray[np.int64]

GALLERY = 50
"""Pictures among which the right one is sought."""
FEWEST_QUERIES = 20


@dataclass(frozen=True, kw_only=True)
class Galleries:
    """Pictures of one domain, each with a gallery of another domain that shows its expression once.

    The same galleries are searched with every reader.
    """

    query: Indices
    """(Q,) rows of the pictures."""
    among: Indices
    """(Q, N) rows of the galleries; the first one shows the same expression on somebody else."""


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """How often the right picture is found; NaN where too few pictures could be asked about."""

    first: float
    """Share of the pictures whose right one is the nearest."""
    five: float
    """Share of those whose right one is among the five nearest."""
    queries: int
    gallery: int

    @property
    def chance(self) -> tuple[float, float]:
        """The same two shares by guessing."""
        return 1 / self.gallery, min(5 / self.gallery, 1.0)


def galleries(
    truth: Truth, first: str, second: str, *, size: int = GALLERY, seed: int = 0
) -> Galleries:
    """Draw a gallery for every picture of a numbered expression that both domains show.

    Args:
        truth: of the pictures.
        first: domain of the pictures that are asked about.
        second: domain of the galleries.
        size: of each; smaller where there are not so many expressions.
        seed: of the draws.
    """
    make = np.random.default_rng(seed)
    usable = (truth.expression >= 0) & (np.isfinite(truth.blendshapes).mean(axis=1) > KNOWN)
    here, there = (np.flatnonzero(usable & (truth.domain == d)) for d in (first, second))
    # What a face cannot show is at rest there.
    curves = np.nan_to_num(truth.blendshapes)
    size = min(size, len(np.unique(truth.expression[there])))
    queries, among = [], []
    for row in here if size > 1 else ():
        same = truth.expression[there] == truth.expression[row]
        right = there[same & (truth.identity[there] != truth.identity[row])]
        far = np.linalg.norm(curves[there] - curves[row], axis=1) > OTHER
        others = _one_of_each(there[far & ~same], truth.expression, make)
        if len(right) and len(others) >= size - 1:
            queries.append(row)
            among.append([make.choice(right), *make.choice(others, size - 1, replace=False)])
    return Galleries(
        query=np.array(queries, np.int64),
        among=np.array(among, np.int64).reshape(len(among), size),
    )


def _one_of_each(rows: Indices, expression: Indices, make: np.random.Generator) -> Indices:
    shuffled = make.permutation(rows)
    return shuffled[np.unique(expression[shuffled], return_index=True)[1]]


def retrieval(drawn: Galleries, features: Values) -> Retrieval:
    """Search the galleries by the distance of features (N, D).

    Pictures in which nothing was found (NaN), or whose right one was not, are left out; others are
    never taken for the right one.
    """
    apart = np.linalg.norm(features[drawn.among] - features[drawn.query][:, None], axis=2)
    asked = apart[np.isfinite(apart[:, 0])] if len(apart) else apart
    gallery = drawn.among.shape[1]
    if len(asked) < FEWEST_QUERIES:
        nothing = float("nan")
        return Retrieval(first=nothing, five=nothing, queries=len(asked), gallery=gallery)
    nearer = (np.nan_to_num(asked[:, 1:], nan=np.inf) <= asked[:, :1]).sum(axis=1)
    return Retrieval(
        first=float((nearer < 1).mean()),
        five=float((nearer < 5).mean()),
        queries=len(asked),
        gallery=gallery,
    )


def all_retrievals(
    truth: Truth, embeddings: Mapping[str, Values]
) -> dict[str, dict[str, Retrieval]]:
    """Between every two domains, written ``a → b``, to reader to how often it finds."""
    table: dict[str, dict[str, Retrieval]] = {}
    for first, second in domain_pairs(truth):
        if first != second:
            drawn = galleries(truth, first, second)
            table[f"{first} → {second}"] = {
                name: retrieval(drawn, features) for name, features in embeddings.items()
            }
    return table


def retrieval_lines(table: Mapping[str, Mapping[str, Retrieval]]) -> list[str]:
    """A row for each reader."""
    if not table:
        return ["Retrieval: there are no pictures of two domains with expressions in common."]
    lines = [
        "The same numbered expression is sought on somebody else, in the other kind of picture:",
        f"{'asked → sought':18} {'reader':16} {'pictures':>8} {'among':>6} {'first':>7} "
        f"{'of five':>8} {'chance':>7} {'of five':>8}",
    ]
    for where, readers in table.items():
        for name, found in readers.items():
            one, five = found.chance if found.gallery else (float("nan"), float("nan"))
            lines.append(
                f"{where:18} {name:16} {found.queries:8} {found.gallery:6} "
                f"{number_cell(found.first, 7)} {number_cell(found.five, 8)} "
                f"{number_cell(one, 7)} {number_cell(five, 8)}"
            )
    return lines


def retrieval_summary(table: Mapping[str, Mapping[str, Retrieval]]) -> dict[str, Any]:
    """The same for scripts."""
    return {
        where: {name: plain(asdict(found)) for name, found in readers.items()}
        for where, readers in table.items()
    }
