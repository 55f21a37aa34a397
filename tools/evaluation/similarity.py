"""Is the embedding's distance the difference of expressions, and nothing of who is seen?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .shards import Truth

Values = NDArray[np.float64]
Indices = NDArray[np.int64]

Kind = Literal["same expression", "nearer expression", "same person"]
KINDS: tuple[Kind, ...] = ("same expression", "nearer expression", "same person")
"""What makes the order of a triplet known. *Same expression*: anchor and positive show one
expression on two people, the negative another one on a third person. *Nearer expression*: three
people, the curves of anchor and positive are `CLEARLY` nearer to each other. *Same person*: as the
first, but the negative is the anchor's own person with another expression, which is hardest."""
CLEARLY = 1 / 0.6
"""Least distance of the negative's curves, from anchor and positive alike, in distances between
those two."""
OTHER = 0.5
"""Euclidean distance of the 52 curves from which an expression counts as another one."""
KNOWN = 0.5
"""Part of the channels that a face must have; some heads lack a tongue, cartoons more."""
DRAWS = 40000
MOST_TRIPLETS = 4000
FEWEST_TRIPLETS = 100

PROBE_PICTURES = 4
"""Pictures of a person that a probe needs: half to learn from, half to be asked about."""
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


@dataclass(frozen=True, kw_only=True)
class Triplets:
    """Rows of pictures whose order is known."""

    anchor: Indices
    positive: Indices
    negative: Indices

    def right(self, features: Values) -> float:
        """Share in which the negative is the odd one out: farther from anchor and positive than
        they are from each other. NaN where there are too few.

        Triplets with a picture in which nothing was found (NaN) are left out.

        Source:
            Vemulapalli and Agarwala, A Compact Embedding for Facial Expression Similarity, CVPR
            2019.
        """
        near, far = _distances(features, self.anchor, self.positive, self.negative)
        known = np.isfinite(near) & np.isfinite(far)
        if known.sum() < FEWEST_TRIPLETS:
            return float("nan")
        return float((near[known] < far[known]).mean())


def triplets(truth: Truth, kind: Kind, first: str, second: str, *, seed: int = 0) -> Triplets:
    """Draw triplets whose anchor is of one domain and whose others are of another.

    Args:
        truth: of the pictures.
        kind: see `KINDS`; of *same person* the negative is of the anchor's domain.
        first: domain of the anchor.
        second: domain of the positive, and of the negative but for *same person*.
        seed: of the draws.

    Returns:
        At most `MOST_TRIPLETS`, maybe none.
    """
    make = np.random.default_rng(seed)
    known = np.isfinite(truth.blendshapes).mean(axis=1) > KNOWN
    here, there = (np.flatnonzero(known & (truth.domain == d)) for d in (first, second))
    # What a face cannot show is at rest there.
    curves = np.nan_to_num(truth.blendshapes)
    if not len(here) or not len(there):
        return _chosen(np.zeros((3, 0), np.int64), np.zeros(0, bool))
    a, p = make.choice(here, DRAWS), make.choice(there, DRAWS)
    n = make.choice(there, DRAWS)
    if kind != "nearer expression":
        p = _partner(truth.expression, a, there, make)
    if kind == "same person":
        n = _partner(truth.identity, a, here, make)
    if kind == "nearer expression":
        # Of two drawn at random the nearer one is the positive.
        swap = np.linalg.norm(curves[a] - curves[p], axis=1) > np.linalg.norm(
            curves[a] - curves[n], axis=1
        )
        p, n = np.where(swap, n, p), np.where(swap, p, n)
    rows = np.stack([a, p, n])
    near, far = _distances(curves, a, p, n)
    who = truth.identity
    valid = (p >= 0) & (n >= 0) & (who[a] != who[p]) & (p != n)
    if kind == "nearer expression":
        valid &= (far > CLEARLY * near) & (far > OTHER)
    else:
        valid &= (truth.expression[a] >= 0) & (far > OTHER)
    if kind == "same person":
        valid &= a != n
    else:
        valid &= (who[a] != who[n]) & (who[p] != who[n])
    return _chosen(rows, valid)


def _distances(rows: Values, a: Indices, p: Indices, n: Indices) -> tuple[Values, Values]:
    """From anchors to positives, and from negatives to the nearer of the two."""
    near = np.linalg.norm(rows[a] - rows[p], axis=1)
    far = np.linalg.norm(rows[a] - rows[n], axis=1), np.linalg.norm(rows[p] - rows[n], axis=1)
    return np.asarray(near), np.minimum(*far)


def _chosen(rows: Indices, valid: NDArray[np.bool_]) -> Triplets:
    most = int(rows.max(initial=0)) + 1
    a, p, n = rows[:, valid]
    one = np.unique((a * most + p) * most + n)
    kept = np.stack([one // most**2, one // most % most, one % most])
    if kept.shape[1] > MOST_TRIPLETS:
        pick = np.random.default_rng(0).choice(kept.shape[1], MOST_TRIPLETS, replace=False)
        kept = kept[:, pick]
    return Triplets(anchor=kept[0], positive=kept[1], negative=kept[2])


def _partner(
    labels: NDArray[np.generic], anchors: Indices, among: Indices, make: np.random.Generator
) -> Indices:
    """For each anchor a random row of ``among`` with its label; -1 where there is none."""
    order = among[np.argsort(labels[among], kind="stable")]
    ordered = labels[order]
    low = np.searchsorted(ordered, labels[anchors], side="left")
    count = np.searchsorted(ordered, labels[anchors], side="right") - low
    pick = low + (make.random(len(anchors)) * count).astype(np.int64)
    return np.where(count > 0, order[np.minimum(pick, len(order) - 1)], -1)


def domain_pairs(truth: Truth) -> list[tuple[str, str]]:
    """(anchor's domain, the others' domain): each domain by itself, then photo and avatar."""
    domains = [str(d) for d in np.unique(truth.domain)]
    pairs = [(d, d) for d in domains]
    if {"photo", "avatar"} <= set(domains):
        pairs += [("photo", "avatar"), ("avatar", "photo")]
    return pairs


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A linear probe that tries to recognise people."""

    accuracy: float
    """Share of pictures recognised; NaN where there are not enough people."""
    chance: float
    people: int


def identity_probe(features: Values, identity: NDArray[np.str_], *, seed: int = 0) -> Probe:
    """How often a ridge classifier tells who is seen.

    Half of each person's pictures are learned from, the other half asked about. Of several
    penalties the one that recognises most counts, for every kind of feature alike.

    Args:
        features: (N, D); rows of NaN are left out.
        identity: (N,) names.
        seed: of the halves.
    """
    known = np.isfinite(features).all(axis=1)
    names, counts = np.unique(identity[known], return_counts=True)
    names = names[counts >= PROBE_PICTURES]
    rows = np.flatnonzero(known & np.isin(identity, names))
    if len(names) < 2:
        return Probe(accuracy=float("nan"), chance=float("nan"), people=len(names))
    who = np.searchsorted(names, identity[rows])
    learned = _halves(who, np.random.default_rng(seed))
    x = features[rows]
    x = (x - x[learned].mean(axis=0)) / np.maximum(x[learned].std(axis=0), 1e-6)
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    targets = np.eye(len(names))[who[learned]]
    gram, moment = x[learned].T @ x[learned], x[learned].T @ targets
    best = 0.0
    for penalty in PENALTIES:
        ridge = gram + penalty * learned.sum() * np.eye(len(gram))
        guess = (x[~learned] @ np.linalg.solve(ridge, moment)).argmax(axis=1)
        best = max(best, float((guess == who[~learned]).mean()))
    return Probe(accuracy=best, chance=1 / len(names), people=len(names))


def _halves(who: Indices, make: np.random.Generator) -> NDArray[np.bool_]:
    """(N,) True for a random half of each person's rows."""
    learned = np.zeros(len(who), bool)
    for person in np.unique(who):
        rows = make.permutation(np.flatnonzero(who == person))
        learned[rows[: len(rows) // 2]] = True
    return learned


@dataclass(frozen=True, kw_only=True)
class RealPairs:
    """Real people's smiles: nearer to other people's smiles than to their own neutral?"""

    people: int
    right: float
    """Share of people whose smile is nearer to the others' smiles, on average, than to their own
    neutral face; NaN where there are fewer than two."""
    others: float
    """Mean distance to the others' smiles."""
    own: float
    """Mean distance to the own neutral."""


def real_pairs(neutral: Values, smiling: Values) -> RealPairs:
    """Compare features (P, D) of P people's neutral and smiling faces; rows of NaN are left out."""
    known = np.isfinite(neutral).all(axis=1) & np.isfinite(smiling).all(axis=1)
    neutral, smiling = neutral[known], smiling[known]
    count = len(smiling)
    if count < 2:
        nothing = float("nan")
        return RealPairs(people=count, right=nothing, others=nothing, own=nothing)
    apart = np.linalg.norm(smiling[:, None] - smiling[None], axis=2)
    others = apart.sum(axis=1) / (count - 1)
    own = np.linalg.norm(smiling - neutral, axis=1)
    return RealPairs(
        people=count,
        right=float((others < own).mean()),
        others=float(others.mean()),
        own=float(own.mean()),
    )


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """One reader's embedding."""

    right: dict[str, dict[str, tuple[float, int]]]
    """"anchor's domain, others' domain" to kind to share in the right order and triplets."""
    across_people: float
    """Mean over the domains of same and nearer expression within each: across identities."""
    across_domains: float
    """The same between photo and avatar, both ways."""


def all_triplets(truth: Truth) -> dict[str, dict[Kind, Triplets]]:
    """Every kind of triplets for every pair of domains; two domains are written ``a → b``."""
    return {
        first if first == second else f"{first} → {second}": {
            kind: triplets(truth, kind, first, second) for kind in KINDS
        }
        for first, second in domain_pairs(truth)
    }


def similarity(drawn: dict[str, dict[Kind, Triplets]], features: Values) -> Similarity:
    """Order of triplets (`all_triplets`) by an embedding's features (N, D)."""
    table: dict[str, dict[str, tuple[float, int]]] = {}
    within: list[float] = []
    between: list[float] = []
    for where, kinds in drawn.items():
        row = table.setdefault(where, {})
        for kind, some in kinds.items():
            share = some.right(features)
            row[kind] = (share, len(some.anchor))
            if kind != "same person" and np.isfinite(share):
                (between if "→" in where else within).append(share)
    return Similarity(right=table, across_people=_mean(within), across_domains=_mean(between))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
