"""Plausible people of MakeHuman's identity targets."""

from functools import cache

import numpy as np

from freeavatar.foundation.expression import FloatArray

RACES = ("african", "asian", "caucasian")
DETAILS = {"cheek": 0.25, "chin": 0.28, "ears": 0.25, "eyebrows": 0.2, "eyes": 0.2,
           "forehead": 0.28, "head": 0.2, "mouth": 0.25, "neck": 0.2, "nose": 0.25}  # fmt: skip
"""Spread of the details by region, in targets."""
SPARSE = 0.5
"""Share of the details that a face does not have."""


def random_targets(names: tuple[str, ...], make: np.random.Generator | None) -> FloatArray:
    """Weights (I,) of a random person; None gives the average grown-up."""
    index = {name: i for i, name in enumerate(names)}
    weights = np.zeros(len(names), np.float32)
    race = np.full(3, 1 / 3) if make is None else make.dirichlet([0.5] * 3)
    male = 0.5 if make is None else float(make.beta(0.4, 0.4))
    age = {"young": 1.0} if make is None else _age(make)
    muscle = {"averagemuscle": 1.0} if make is None else _between("muscle", make)
    weight = {"averageweight": 1.0} if make is None else _between("weight", make)
    for gender, share in (("male", male), ("female", 1 - male)):
        for years, much in age.items():
            for r, part in zip(RACES, race, strict=True):
                weights[index[f"macrodetails/{r}-{gender}-{years}"]] += share * much * part
            for m, a in muscle.items():
                for w, b in weight.items():
                    name = f"macrodetails/universal-{gender}-{years}-{m}-{w}"
                    weights[index[name]] += share * much * a * b
    if make is not None:
        _add_details(index, weights, make)
    return weights


def _age(make: np.random.Generator) -> dict[str, float]:
    kind = make.random()
    if kind < 0.62:
        old = float(make.beta(1.0, 2.5))
        return {"young": 1 - old, "old": old}
    if kind < 0.85:
        old = float(make.uniform(0.5, 1.0))
        return {"young": 1 - old, "old": old}
    child = float(make.uniform(0.2, 0.9))
    return {"young": 1 - child, "child": child}


def _between(what: str, make: np.random.Generator) -> dict[str, float]:
    much = float(np.clip(make.normal(0, 0.4), -1, 1))
    end = "max" if much > 0 else "min"
    return {f"average{what}": 1 - abs(much), f"{end}{what}": abs(much)}


def _add_details(index: dict[str, int], weights: FloatArray, make: np.random.Generator) -> None:
    """Both sides of a face alike up to a little; of opposite targets one."""
    for stem, first, second in _details(tuple(index)):
        value = float(np.clip(make.normal(0, DETAILS[stem.partition("/")[0]]), -0.9, 0.9))
        if make.random() < SPARSE or "trans" in stem or "head-age" in stem:
            value *= 0.15
        for n in first if value > 0 or not second else second:
            weights[index[n]] += abs(value) * float(np.exp(make.normal(0, 0.1)))


@cache
def _details(names: tuple[str, ...]) -> list[tuple[str, list[str], list[str]]]:
    """Each detail with its targets in one direction and in the other."""
    stems: dict[str, list[str]] = {}
    for name in names:
        if name.partition("/")[0] in DETAILS:
            stems.setdefault(_stem(name), []).append(name)
    found = []
    for stem, ends in stems.items():
        first = [n for n in ends if _pole(n) == _pole(ends[0])]
        found.append((stem, first, [n for n in ends if n not in first]))
    return found


_POLES = ("decr", "incr", "down", "up", "in", "out", "concave", "convex", "backward", "forward",
          "compress", "uncompress")  # fmt: skip


def _pole(name: str) -> str:
    last = name.rpartition("-")[2]
    return last if last in _POLES else ""


def _stem(name: str) -> str:
    """The detail without its side and its direction."""
    region, _, rest = name.partition("/")
    rest = rest[2:] if rest[:2] in ("l-", "r-") else rest
    pole = _pole(rest)
    return f"{region}/{rest.removesuffix('-' + pole) if pole else rest}"
