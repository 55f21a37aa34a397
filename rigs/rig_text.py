"""rig.toml: the part of a registered rig that a person reads and may edit."""

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast, get_args

import numpy as np
import tomli_w

from .conventions import ARKIT
from .errors import RigError
from .spec import Control, Region, Rig, Side

SCHEMA = 1
"""Version of the layout of rig.toml and mesh.npz; readers refuse later ones."""

_HEADING = """\
# What freeavatar knows about this rig. You may edit it: ranges, region, side and the mapping to
# ARKit (hub) are read each time the rig is loaded. Names of controls belong to the mesh; the
# rig's name is that of its folder.

"""
_LARGEST, _NARROWEST = 1e9, 1e-6
"""Numbers beyond these would be infinite, or divide by nothing, in single precision."""
_RIG_KEYS = {
    "schema": int, "name": str, "source": str, "source_sha256": str, "licence": str,
    "notes": list, "up_axis": str, "units_per_metre": float, "control": list, "expressions": dict,
}  # fmt: skip
_CONTROL_KEYS = {
    "name": str, "minimum": float, "maximum": float, "neutral": float, "region": str,
    "side": str, "convention": str, "hub": dict,
}  # fmt: skip
_KINDS = {
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    list: "a list",
    dict: "a table",
}


def write_text(rig: Rig, path: Path) -> None:
    """Write everything of a rig but its arrays."""
    fields = {
        "schema": SCHEMA,
        "name": rig.name,
        "source": rig.source,
        "source_sha256": rig.source_sha256,
        "licence": rig.licence,
        "notes": list(rig.notes),
        "up_axis": rig.up_axis,
        "units_per_metre": float(rig.units_per_metre),
        "control": [_control_fields(c) for c in rig.controls],
        "expressions": plain(rig.expressions),
    }
    path.write_text(_HEADING + tomli_w.dumps(fields), "utf-8")


def _control_fields(control: Control) -> dict[str, Any]:
    return {
        "name": control.name,
        "minimum": float(control.minimum),
        "maximum": float(control.maximum),
        "neutral": float(control.neutral),
        "region": control.region,
        "side": control.side,
        "convention": control.convention,
        "hub": {name: float(value) for name, value in control.hub.items()},
    }


def plain(value: Any) -> Any:
    """Mappings, sequences and numpy numbers as TOML knows them; keys without a value left out."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True)
class _Reader:
    """Checked access to one table; errors name the file and the key."""

    file: Path
    fields: Mapping[str, Any]
    kinds: Mapping[str, type]
    where: str = ""

    def check_keys(self) -> None:
        for key in self.fields:
            if key not in self.kinds:
                close = difflib.get_close_matches(key, list(self.kinds), 1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise self.error(key, f"is not a key of this file{hint}")

    def error(self, key: str, problem: str) -> RigError:
        return RigError(f"{self.file}: {self.where}{key} {problem}")

    def get(self, key: str, default: Any = None) -> Any:
        if key not in self.fields:
            if default is None:
                raise self.error(key, "is missing")
            return default
        value: Any = self.fields[key]
        kind = self.kinds[key]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, kind):
            raise self.error(key, f"must be {_KINDS[kind]}, not {value!r}")
        if kind is float and not math.isfinite(cast(float, value)):
            raise self.error(key, f"must be a finite number, not {value}")
        if kind is float and abs(cast(float, value)) > _LARGEST:
            raise self.error(key, f"must lie within ±{_LARGEST:g}, not {value:g}")
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> Any:
        value = self.get(key, default)
        if value not in choices:
            raise self.error(key, f"must be one of {', '.join(choices)}, not {value!r}")
        return value


def read_text(path: Path) -> dict[str, Any]:
    """Read and check rig.toml.

    Args:
        path: the file.

    Returns:
        Fields of `Rig` but for mesh and anchors.

    Raises:
        RigError: the file is no TOML, a key is missing, unknown or has an impossible value; the
            message names the file and the key.
    """
    try:
        fields = tomllib.loads(path.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RigError(f"{path}: is not valid TOML: {error}") from None
    except OSError as error:
        raise RigError(f"{path}: cannot be read: {error.strerror}") from None
    top = _Reader(path, fields, _RIG_KEYS)
    if top.get("schema") > SCHEMA:
        raise top.error("schema", f"is {fields['schema']}, from a later freeavatar: update first")
    top.check_keys()
    notes = top.get("notes", [])
    if not all(isinstance(note, str) for note in notes):
        raise top.error("notes", "must be a list of texts")
    if top.get("units_per_metre", 1.0) <= 0:
        raise top.error("units_per_metre", "must be above 0")
    expressions = top.get("expressions", {})
    if not all(isinstance(clip, dict) for clip in expressions.values()):
        raise top.error("expressions", "must hold one table for each expression")
    return {
        "name": top.get("name"),
        "source": top.get("source", ""),
        "source_sha256": top.get("source_sha256", ""),
        "licence": top.get("licence", ""),
        "notes": tuple(notes),
        "up_axis": top.get("up_axis", "y"),
        "units_per_metre": top.get("units_per_metre", 1.0),
        "controls": _controls(top),
        "expressions": MappingProxyType(expressions),
    }


def _controls(top: _Reader) -> tuple[Control, ...]:
    controls = []
    seen: set[str] = set()
    for i, fields in enumerate(top.get("control")):
        if not isinstance(fields, dict):
            raise top.error("control", f"entry {i + 1} must be a table")
        where = f"control {fields.get('name', i + 1)!r}: "
        reader = _Reader(top.file, fields, _CONTROL_KEYS, where)
        reader.check_keys()
        control = _control(reader)
        if control.name in seen:
            raise reader.error("name", "appears twice")
        seen.add(control.name)
        controls.append(control)
    return tuple(controls)


def _control(reader: _Reader) -> Control:
    low, high = reader.get("minimum", 0.0), reader.get("maximum", 1.0)
    neutral = reader.get("neutral", 0.0)
    if high - neutral < _NARROWEST:
        raise reader.error("maximum", f"must be above neutral ({neutral}), not {high}")
    if low > neutral:
        raise reader.error("minimum", f"must not be above neutral ({neutral}), not {low}")
    return Control(
        name=reader.get("name"),
        minimum=low,
        maximum=high,
        neutral=neutral,
        region=reader.choice("region", get_args(Region), "other"),
        side=reader.choice("side", get_args(Side), "centre"),
        hub=_hub(reader),
        convention=reader.get("convention", ""),
    )


def _hub(reader: _Reader) -> Mapping[str, float]:
    hub: dict[str, float] = {}
    values = reader.get("hub", {})
    inner = _Reader(reader.file, values, dict.fromkeys(values, float), f"{reader.where}hub.")
    for name in values:
        if name not in ARKIT:
            close = difflib.get_close_matches(name, ARKIT, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise inner.error(name, f"is not an ARKit name{hint}")
        hub[name] = inner.get(name)
        if not 0.0 < hub[name] <= 1.0:
            raise inner.error(name, f"must be above 0 and at most 1, not {hub[name]}")
    return MappingProxyType(hub)
