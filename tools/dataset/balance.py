"""Who is shown how often: what names and pictures tell, counted while data is written."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import numpy as np

from freeavatar.foundation.landmarks import places
from freeavatar.foundation.samples import Sample

SEXES = {"f": "female", "m": "male"}
_VALID = re.compile(r"valid/(?:X_)?(\w+?)_([FM])_\d")
_WEBMORPH = re.compile(r"canada__\d+([fm])|composite__([fm])_(\w+)")
_CHEEKS = (places(50, 205, 101, 118), places(280, 425, 330, 347))
_REACH = 3
"""Half the side of the patches on which skin is measured, pixels of the crop."""
TONES = ((55.0, "very light"), (41.0, "light"), (28.0, "intermediate"), (10.0, "tan"),
         (-30.0, "brown"))  # fmt: skip
"""Individual typology angle above which skin counts as so, degrees; below the last: dark.

Source: Chardon, Cretois, Hourseau, Skin colour typology, Int. J. Cosmetic Science 1991."""


class Counts(ABC):
    """Counts of what samples show; sums of them are again such counts."""

    def __init__(self) -> None:
        self.samples = 0
        self.counts: dict[str, Counter[str]] = {}

    @abstractmethod
    def add(self, sample: Any) -> None:
        """Count one sample."""

    def add_counts(self, data: Mapping[str, Any]) -> None:
        """Add what `as_json` gave."""
        self.samples += int(data["samples"])
        for name, counts in data["counts"].items():
            self.counts.setdefault(name, Counter()).update(counts)

    def as_json(self) -> dict[str, Any]:
        """Everything that was counted."""
        return {"samples": self.samples, "counts": {k: dict(v) for k, v in self.counts.items()}}

    def summary(self) -> dict[str, Any]:
        """For the manifest."""
        return {k: dict(v.most_common()) for k, v in self.counts.items()}

    @abstractmethod
    def lines(self) -> list[str]:
        """For a person."""

    def _count(self, name: str, what: str) -> None:
        self.counts.setdefault(name, Counter())[what] += 1

    def _shares(self, names: Iterable[str]) -> list[str]:
        """One line a property, in per cent of the samples that it is said of."""
        out = []
        for name in names:
            counts = self.counts.get(name, Counter())
            total = sum(counts.values()) or 1
            shares = (f"{what} {100 * n / total:.0f} %" for what, n in counts.most_common())
            out.append(f"  {name:7s}{', '.join(shares)}")
        return out


class Balance(Counts):
    """Counts of the faces shown."""

    def add(self, sample: Sample) -> None:
        """Count one sample."""
        self.samples += 1
        self._count("domain", sample.domain)
        if not sample.face:
            return
        self._count("identity", sample.identity)
        sex, group = facts_of_name(sample.identity)
        self._count("sex", sex)
        self._count("group", group)
        self._count("skin", skin_tone(sample))
        # From names nobody's age can be told.
        self._count("age", "unknown")

    def summary(self) -> dict[str, Any]:
        """For the manifest: people are a number, not a list."""
        counts = {k: v for k, v in super().summary().items() if k != "identity"}
        return {"people": len(self.counts.get("identity", ())), **counts}

    def lines(self) -> list[str]:
        """For a person: one line a property, in per cent of the samples that it is said of."""
        people = len(self.counts.get("identity", ()))
        shares = self._shares(("domain", "sex", "group", "skin", "age"))
        return [f"{self.samples} samples of {people} people", *shares]


def facts_of_name(identity: str) -> tuple[str, str]:
    """Sex and group (as the sources call them) that a person's name tells, else ``unknown``.

    A person mixed from several has what they agree in, else ``mixed``.
    """
    found = [_facts_of_one(part) for part in identity.split("+")]
    sex, group = ({f[i] for f in found} for i in (0, 1))
    return _agreed(sex), _agreed(group)


def skin_tone(sample: Sample) -> str:
    """Tone of the cheeks as the picture shows them, light included; ``unknown`` without a face.

    The individual typology angle atan((L* - 50) / b*) of the median colour of both cheeks' patches.
    """
    if not np.isfinite(sample.landmarks).all():
        return "unknown"
    size = sample.picture.shape[0]
    patches = []
    for points in _CHEEKS:
        x, y = sample.landmarks[points].mean(axis=0).astype(int)
        if min(x, y) >= _REACH and max(x, y) < size - _REACH:
            rows, columns = slice(y - _REACH, y + _REACH), slice(x - _REACH, x + _REACH)
            patches.append(sample.picture[rows, columns].reshape(-1, 3))
    if not patches:
        return "unknown"
    colour = np.median(np.concatenate(patches), axis=0).astype(np.float32) / 255
    lightness, _, yellow = cv2.cvtColor(colour.reshape(1, 1, 3), cv2.COLOR_RGB2LAB).ravel()
    angle = np.degrees(np.arctan2(lightness - 50, max(float(yellow), 1e-3)))
    return next((name for least, name in TONES if angle > least), "dark")


def _facts_of_one(name: str) -> tuple[str, str]:
    valid = _VALID.match(name)
    if valid:
        return SEXES[valid[2].lower()], valid[1]
    webmorph = _WEBMORPH.search(name)
    if webmorph:
        return SEXES[webmorph[1] or webmorph[2]], webmorph[3] or "unknown"
    return "unknown", "unknown"


def _agreed(values: set[str]) -> str:
    return values.pop() if len(values) == 1 else "mixed"
