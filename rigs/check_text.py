"""How the check writes names and counts."""

from collections.abc import Sequence
from typing import Any

ALL = 64
"""As many names of controls to look into are written out: more than a face has."""

SOME = 24
"""As many where a rig was never meant to have them all."""


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names with commas; the rest beyond some as a count."""
    if len(names) <= most:
        return ", ".join(names)
    return ", ".join(names[:most]) + f" and {len(names) - most} more"


def both_sides(names: Sequence[str]) -> list[str]:
    """Names in their order, the left and the right of a pair as one: eyeWideLeft/Right."""
    out = []
    for name in names:
        stem = name.removesuffix("Left").removesuffix("Right")
        pair = {f"{stem}Left", f"{stem}Right"} <= set(names)
        out.append(f"{stem}Left/Right" if pair else name)
    return list(dict.fromkeys(out))


def counted(names: Sequence[Any], one: str, many: str) -> str:
    """ "1 control moves" or "3 controls move"."""
    return f"{len(names)} {one if len(names) == 1 else many}"
