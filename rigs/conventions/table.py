"""What a naming convention is: control names, what each stands for in ARKit's 52."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from freeavatar.rigs.spec import Region

Weights = Mapping[str, float]
"""ARKit names with the value each has."""


@dataclass(frozen=True, kw_only=True)
class Convention:
    """One way of naming facial controls, tied to the ARKit hub in both directions."""

    name: str
    """Short name as it stands in `Control.convention`."""
    title: str
    """Name for people."""
    controls: Mapping[str, Weights]
    """Every control of the convention with the ARKit values it stands for at its maximum, empty
    where ARKit has nothing like it. Where the convention splits one ARKit shape into n parts
    (left and right, four quadrants), each part has 1/n, so that all parts together make 1."""
    sent: Mapping[str, Weights] = field(default_factory=lambda: MappingProxyType({}))
    """Controls whose value is a plain weighted sum of ARKit values, where that differs from
    what follows from `controls`."""
    least: int = 1
    """Names a rig must have before any of them is taken for this convention; more than one where
    the names are everyday words or single letters."""
    regions: Mapping[str, Region] = field(default_factory=lambda: MappingProxyType({}))
    """Regions of controls whose hub values do not tell."""
    minimum: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Least value of controls that are not 0..1."""
    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Other names that files have for some controls, with the convention's own."""
    affixes: tuple[str, ...] = ()
    """Beginnings that belong to the convention and may be dropped or present."""


def both_sides(
    table: Mapping[str, Weights], sides: tuple[str, str] = ("Left", "Right")
) -> dict[str, dict[str, float]]:
    """Write out a table in which ``{S}`` stands for the side.

    Args:
        table: names with the ARKit values they stand for; ``{S}`` in a name makes two entries,
            and ``{S}`` in its ARKit names is the same side. ``{S}`` in the ARKit names alone
            means both sides at once.
        sides: how this convention writes left and right.

    Returns:
        The table without ``{S}``, left before right.
    """
    out: dict[str, dict[str, float]] = {}
    for name, weights in table.items():
        if "{S}" in name:
            for side, arkit in zip(sides, ("Left", "Right"), strict=True):
                out[name.replace("{S}", side)] = {
                    hub.replace("{S}", arkit): value for hub, value in weights.items()
                }
        else:
            out[name] = {
                hub.replace("{S}", arkit): value
                for hub, value in weights.items()
                for arkit in (("Left", "Right") if "{S}" in hub else ("",))
            }
    return out
