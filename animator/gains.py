"""A studio's own corrections to a rig's controls, read from a small file.

TOML or JSON, one table per control; every key is optional::

    [jawOpen]
    gain = 1.2          # multiplies the distance from neutral
    offset = -0.02      # added afterwards
    minimum = 0.0       # narrower limits than the rig's own
    maximum = 0.8
"""

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Rig

KEYS = ("gain", "offset", "minimum", "maximum")


@dataclass(frozen=True, kw_only=True)
class Gains:
    """Per-control corrections, in the order of one rig's controls."""

    gain: NDArray[np.float64]
    offset: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]

    def apply(self, values: NDArray[np.float64], neutral: NDArray[np.float64]) -> NDArray[Any]:
        """Corrected values (K,): ``neutral + gain · (x − neutral) + offset`` within the limits."""
        moved = neutral + self.gain * (values - neutral) + self.offset
        return np.asarray(np.clip(moved, self.minimum, self.maximum))


def read_gains(path: Path) -> Mapping[str, Mapping[str, float]]:
    """The tables of a gain file, checked but not yet tied to a rig.

    Raises:
        RigError: the file cannot be read, or a table or key in it is wrong; names both.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tables = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise RigError(f"gain file {path} cannot be read: {error}") from error
    if not isinstance(tables, dict):
        raise RigError(f"gain file {path}: expected one table per control")
    return {name: _table(path, name, table) for name, table in tables.items()}


def check_gains(rigs: Sequence[Rig], tables: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Refuse tables that name no control of any rig: a misspelt name would do nothing.

    Args:
        rigs: all that the file is for; one file may serve several.
        tables: from `read_gains`.
        path: of the file, for the message.

    Raises:
        RigError: names the first such table and the nearest control.
    """
    known = {name for rig in rigs for name in rig.names}
    for name in tables:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            driven = ", ".join(rig.name for rig in rigs)
            raise RigError(f"gain file {path}: [{name}] is no control of {driven}{hint}")


def gains_for(rig: Rig, tables: Mapping[str, Mapping[str, float]], path: Path) -> Gains:
    """Tie the tables of a gain file to a rig's controls; tables of other rigs are left out.

    Raises:
        RigError: the limits of a control are crossed.
    """
    fitting = {name: table for name, table in tables.items() if name in rig.index}
    columns = {key: np.zeros(len(rig.controls)) for key in KEYS}
    for k, control in enumerate(rig.controls):
        table = fitting.get(control.name, {})
        columns["gain"][k] = table.get("gain", 1.0)
        columns["offset"][k] = table.get("offset", 0.0)
        columns["minimum"][k] = max(table.get("minimum", control.minimum), control.minimum)
        columns["maximum"][k] = min(table.get("maximum", control.maximum), control.maximum)
        if columns["minimum"][k] > columns["maximum"][k]:
            raise RigError(
                f"gain file {path}: [{control.name}] leaves no value between minimum and maximum"
            )
    return Gains(**columns)


def _table(path: Path, name: str, table: Any) -> Mapping[str, float]:
    if not isinstance(table, dict):
        raise RigError(f"gain file {path}: [{name}] must be a table with {', '.join(KEYS)}")
    for key, value in table.items():
        if key not in KEYS:
            raise RigError(
                f"gain file {path}: [{name}] has unknown key {key}; use {', '.join(KEYS)}"
            )
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not abs(value) < 1e38:
            raise RigError(f"gain file {path}: [{name}] {key} must be a finite number")
    return {key: float(value) for key, value in table.items()}
