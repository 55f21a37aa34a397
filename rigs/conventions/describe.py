"""From a rig's control names to controls with meaning."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

from freeavatar.rigs.spec import Control, Region, Side

from . import arkit, cc4, character_generator, facs, metahuman, unified, visemes, vrm, words
from .arkit import arkit_region
from .names import guess_region, guess_side, keys, readings, separate_sides, shared_ends
from .table import Convention

CONVENTIONS: Mapping[str, Convention] = MappingProxyType(
    {
        c.name: c
        for c in (
            arkit.CONVENTION,
            vrm.VRM1_CONVENTION,
            vrm.VRM0_CONVENTION,
            vrm.VROID_CONVENTION,
            visemes.READY_PLAYER_ME_CONVENTION,
            visemes.OCULUS_CONVENTION,
            unified.CONVENTION,
            metahuman.CONVENTION,
            cc4.EXTENDED_CONVENTION,
            cc4.EXPLUS_CONVENTION,
            facs.META_CONVENTION,
            facs.AU_CONVENTION,
            character_generator.CONVENTION,
            words.MMD_CONVENTION,
            words.CONVENTION,
        )
    }
)
"""All conventions by short name; earlier ones win where a rig's names fit several equally."""


LONGEST = 128
"""Characters of a name that are read; hostile files have names of any length."""


@cache
def _index(convention: str) -> Mapping[str, str]:
    """Spelling-independent key to the convention's own name."""
    table = CONVENTIONS[convention]
    found: dict[str, str] = {}
    names = dict(table.controls) | (dict(arkit.SPLIT) if convention == "arkit" else {})
    for name in names:
        bare = next((name[len(a) :] for a in table.affixes if name.startswith(a)), name)
        for text in dict.fromkeys((name, bare)):
            found.setdefault(keys(text)[0], name)
    for name in names:
        for key in keys(name)[1:]:
            found.setdefault(key, name)
    for alias, name in table.aliases.items():
        for key in keys(alias):
            found.setdefault(key, name)
    return MappingProxyType(found)


_AFFIXES = tuple(dict.fromkeys(a.lower() for c in CONVENTIONS.values() for a in c.affixes))


def _spellings(texts: Sequence[str]) -> tuple[str, ...]:
    """Keys of every reading of one name, also without what conventions put before theirs."""
    found: dict[str, None] = {}
    for text in texts:
        lower = text.lower()
        bare = (text[len(a) :] for a in _AFFIXES if lower.startswith(a))
        for variant in (text, *bare):
            found |= dict.fromkeys(keys(variant))
    return tuple(found)


def _match(convention: str, spellings: Sequence[str]) -> str | None:
    index = _index(convention)
    return next((index[key] for key in spellings if key in index), None)


def describe_controls(names: Sequence[str]) -> tuple[Control, ...]:
    """Recognise what the names of a rig's controls say.

    Spelling does not matter: case, separators, `_L`/`.L`/`Left`/`left_`, numbers that editors
    append to copies, and beginnings or endings that many of the rig's names share. The rig is the
    context: a name that fits several conventions belongs to the one most of its neighbours fit,
    and everyday words ("a", "happy") count as a convention only among enough of their like.

    Args:
        names: control names of one rig, in its order.

    Returns:
        One control per name, in order, range 0..1 and neutral 0. `hub` is empty where the name
        does not say reliably what the control does; region and side are still guessed from words.
    """
    short = [name[:LONGEST] for name in names]
    begins, ends = shared_ends(short)
    apart = separate_sides(short)
    spellings = [
        _spellings([*readings(name, begins, ends), *readings(split, begins, ends)])
        for name, split in zip(short, apart, strict=True)
    ]
    matches = {key: [_match(key, s) for s in spellings] for key in CONVENTIONS}
    # Sample names that a convention repeats under several spellings count once.
    counts = Counter({key: len({m for m in found if m}) for key, found in matches.items()})
    fits = {k for k, c in CONVENTIONS.items() if counts[k] >= c.least}
    order = sorted(fits, key=lambda k: (k == "words", -counts[k], list(CONVENTIONS).index(k)))
    return tuple(
        _control(name, split, next(((k, m) for k in order if (m := matches[k][i])), None))
        for i, (name, split) in enumerate(zip(names, apart, strict=True))
    )


def control_named(convention: str, name: str) -> Control:
    """The control of a convention under its own name, with range, region and hub values.

    Raises:
        KeyError: no such convention or control.
    """
    return _control(name, name, (convention, name))


def _control(name: str, split: str, match: tuple[str, str] | None) -> Control:
    if match is None:
        return Control(name=name, region=guess_region(split), side=guess_side(split))
    table = CONVENTIONS[match[0]]
    known = match[1]
    hub = table.controls[known] if known in table.controls else arkit.SPLIT[known]
    return Control(
        name=name,
        minimum=table.minimum.get(known, 0.0),
        region=_region(table, known, hub),
        side=_side(hub, known, split),
        hub=MappingProxyType(dict(hub)),
        convention=table.name,
    )


def _region(table: Convention, name: str, hub: Mapping[str, float]) -> Region:
    if name in table.regions:
        return table.regions[name]
    regions = {arkit_region(h) for h in hub}
    if len(regions) == 1:
        return regions.pop()
    guessed = guess_region(name)
    return guessed if guessed != "other" or not regions else "mouth"


def _side(hub: Mapping[str, float], known: str, name: str) -> Side:
    if set(hub) & {"jawLeft", "jawRight", "mouthLeft", "mouthRight"}:
        return "centre"
    ends = {"left" if h.endswith("Left") else "right" if h.endswith("Right") else "" for h in hub}
    if ends == {"left"}:
        return "left"
    if ends == {"right"}:
        return "right"
    if len(ends) > 1:
        return "centre"
    guessed = guess_side(known)
    return guess_side(name) if guessed == "centre" else guessed
