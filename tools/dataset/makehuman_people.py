"""Plausible people of MakeHuman's identity targets."""

import numpy as np

from freeavatar.foundation.expression import FloatArray

RACES = ("african", "asian", "caucasian")
DETAILS = {"cheek": 0.35, "chin": 0.4, "ears": 0.3, "eyebrows": 0.3, "eyes": 0.3, "forehead": 0.4,
           "head": 0.3, "mouth": 0.35, "neck": 0.25, "nose": 0.4}  # fmt: skip
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
    done: set[str] = set()
    for name in index:
        region = name.partition("/")[0]
        stem = _stem(name)
        if region not in DETAILS or stem in done:
            continue
        done.add(stem)
        value = float(np.clip(make.normal(0, DETAILS[region]), -0.9, 0.9))
        if make.random() < SPARSE or "trans-" in name or "head-age" in name:
            value *= 0.15
        ends = [n for n in index if _stem(n) == stem]
        first = [n for n in ends if _pole(n) == _pole(ends[0])]
        second = [n for n in ends if n not in first]
        for n in first if value > 0 or not second else second:
            weights[index[n]] += abs(value) * float(np.exp(make.normal(0, 0.1)))


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
