"""The rigs that ship with the package."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from .conventions import ARKIT, describe_controls
from .rig_arrays import read_anchors
from .spec import Rig

_FOLDER = Path(__file__).parent / "builtin"
BUILT_IN: Mapping[str, Path | None] = MappingProxyType(
    {
        "arkit": None,
        "mannequin": _FOLDER / "mannequin.glb",
        "toon": _FOLDER / "toon.glb",
        "fox": _FOLDER / "fox.glb",
    }
)
"""Name and file of each; arkit is curves only and has none."""


def load_built_in(name: str) -> Rig:
    """One of `BUILT_IN`, with the face points and meanings that lie beside its file.

    Raises:
        RigError: the installation is damaged.
    """
    path = BUILT_IN[name]
    if path is None:
        return Rig(name=name, controls=describe_controls(ARKIT), source="built-in", licence="MIT")
    from .loaders.load import load_rig

    rig = with_meanings(load_rig(path, name), path)
    return replace(_with_anchors(rig, path), source="built-in")


def with_meanings(rig: Rig, path: Path) -> Rig:
    """Controls that their names do not explain get the meaning given in NAME.hub.toml.

    Args:
        rig: as read from its file.
        path: of that file; NAME.hub.toml lies beside it, or not.
    """
    beside = path.with_suffix(".hub.toml")
    if not beside.is_file():
        return rig
    meanings = tomllib.loads(beside.read_text(encoding="utf-8"))
    controls = (
        replace(c, hub=MappingProxyType(dict(meanings[c.name]))) if c.name in meanings else c
        for c in rig.controls
    )
    return replace(rig, controls=tuple(controls))


def anchors_path(path: Path) -> Path:
    """Where the face points of a built-in rig's file lie."""
    return path.with_suffix(".anchors.npz")


def _with_anchors(rig: Rig, path: Path) -> Rig:
    beside = anchors_path(path)
    if not beside.is_file():
        return rig
    anchors, of = read_anchors(beside)
    if of != rig.source_sha256:
        stale = f"{beside.name} belongs to another version of {path.name} and was left out."
        return replace(rig, notes=(*rig.notes, stale))
    return replace(rig, anchors=anchors)
