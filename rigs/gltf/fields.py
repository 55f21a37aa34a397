"""JSON objects of a file whose every field is checked when it is read."""

import math
from collections.abc import Sequence
from typing import Any, cast

from freeavatar.rigs.errors import RigError


def plain(text: str, limit: int = 160) -> str:
    """A name from a file as one printable line of valid Unicode."""
    cleaned = "".join(c if c.isprintable() and not 0xD800 <= ord(c) < 0xE000 else " " for c in text)
    return cleaned.strip()[:limit]


class Fields:
    """A JSON object of a file; every access checks the type and names the place it failed."""

    __slots__ = ("file", "values", "where")

    def __init__(self, values: Any, where: str, file: str) -> None:
        self.file = file
        self.where = where
        if not isinstance(values, dict):
            raise RigError(f"{file}: {where} should be a JSON object, found {kind_name(values)}")
        self.values = cast(dict[str, Any], values)

    def has(self, key: str) -> bool:
        """Whether the key is present."""
        return key in self.values

    def fail(self, key: str, expected: str) -> RigError:
        """The error to raise for a field that is not as expected."""
        found = plain(repr(self.values.get(key)), 40)
        return RigError(f"{self.file}: {self.where}.{key} should be {expected}, found {found}")

    def object(self, key: str) -> "Fields":
        """A nested object; empty where the key is absent."""
        return Fields(self.values.get(key, {}), f"{self.where}.{key}", self.file)

    def array(self, key: str) -> list[Any]:
        """A nested list; empty where the key is absent."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            raise self.fail(key, "a list")
        return value

    def objects(self, key: str) -> "list[Fields]":
        """A nested list of objects; empty where the key is absent."""
        return [
            Fields(v, f"{self.where}.{key}[{i}]", self.file) for i, v in enumerate(self.array(key))
        ]

    def integer(
        self, key: str, default: int | None = None, *, low: int = 0, high: int = 2**31 - 1
    ) -> int:
        """An integer within low..high; the default where absent, an error where there is none."""
        value = self.values.get(key, default)
        # Some exporters write 3.0 where the specification says integer.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.fail(key, f"a whole number in {low}..{high}")
        return value

    def optional(self, key: str, *, high: int = 2**31 - 1) -> int | None:
        """An integer index, or None where the key is absent."""
        return self.integer(key, high=high) if key in self.values else None

    def number(self, key: str, default: float) -> float:
        """A finite number."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fail(key, "a number")
        return self._finite(key, value)

    def numbers(self, key: str, default: Sequence[float]) -> list[float]:
        """As many finite numbers as the default has."""
        values = self.values.get(key, default)
        if not isinstance(values, list | tuple) or len(values) != len(default):
            raise self.fail(key, f"{len(default)} numbers")
        if any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
            raise self.fail(key, f"{len(default)} numbers")
        return [self._finite(key, v) for v in values]

    def text(self, key: str, default: str = "") -> str:
        """A string as one printable line."""
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise self.fail(key, "text")
        return plain(value)

    def flag(self, key: str) -> bool:
        """A boolean; False where absent."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return value

    def _finite(self, key: str, value: float) -> float:
        # A JSON 1e999 becomes infinity; nothing that large means anything in a rig.
        if not math.isfinite(value) or abs(value) > 1e12:
            raise self.fail(key, "finite")
        return float(value)


def kind_name(value: Any) -> str:
    """What a JSON value is, for messages."""
    names = {list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")
