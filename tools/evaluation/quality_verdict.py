"""What the curves must hold, and whether they do, from the figures of ``eval quality``."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from freeavatar.foundation.expression import GROUPS

from .known_curves import BOTH
from .verdict import Verdict, amplitudes, at_least, at_most, follows

CLOSE_UP = "emotions_pexels"
"""Clip in which one woman's face fills the picture: apertures are measured best there."""
COMBINED = "combined"
NAMED = 4
"""Dead channels that a line names."""


def quality_verdicts(figures: Mapping[str, Any], reader: str) -> list[Verdict]:
    """Judge figures; parts that were not measured are left out.

    Args:
        figures: as ``freeavatar eval quality --json`` prints them.
        reader: name of the one that is judged. On clips the combined reader is, too: it reads
            recordings where MediaPipe's bundle is at hand.
    """
    out = list(_on_actors(figures["rendered"]["mean"][reader]))
    if "clips" in figures:
        out += _on_clips(figures["clips"], reader)
        if all(COMBINED in clip["readers"] for clip in figures["clips"]["clips"]):
            more = _on_clips(figures["clips"], COMBINED)
            out += [replace(v, what=f"{COMBINED}: {v.what}") for v in more]
    out.append(at_most("weights that ship, MB", figures["weights_mb"], 30))
    return out


def _on_actors(mean: Mapping[str, Any]) -> Iterator[Verdict]:
    table = mean[BOTH]
    yield at_least("actors: mean correlation", table["all"]["correlation"], 0.65)
    yield at_most("actors: mean error", table["all"]["error"], 0.045)
    for group in GROUPS:
        error, still = table[group]["error"], table[group]["never_moving"]
        known = error is not None and still is not None
        yield Verdict(
            what=f"actors: {group}, error below a motionless take's",
            measured=f"{error:.4f} against {still:.4f}" if known else "-",
            holds=error < still if known else None,
        )
    dead = [f"{name} of {actor}" for actor, names in mean["dead"].items() for name in names]
    more = " …" if len(dead) > NAMED else ""
    yield Verdict(
        what="actors: no dead channel",
        measured=f"{len(dead)}: {', '.join(dead[:NAMED])}{more}" if dead else "none",
        holds=not dead if table["all"]["error"] is not None else None,
    )
    yield at_most("actors: resting face turned ±25°, mean of the channels", mean["turn"], 0.02)


def _on_clips(figures: Mapping[str, Any], reader: str) -> Iterator[Verdict]:
    clips = figures["clips"]
    yield from follows(clips, reader)
    for clip in clips:
        if clip["name"] == CLOSE_UP:
            mean = clip["readers"][reader]["mean"]
            value = mean and mean["correlation"]
            yield at_least(f"{CLOSE_UP}: mean correlation of the apertures", value, 0.90)
    yield from amplitudes(figures, reader)
    noise = [c["readers"][reader]["noise"] for c in clips]
    worst = max((n["mean"] for n in noise if n), default=None)
    yield at_most("still face, mean deviation of the channels, worst clip", worst, 0.002)
    mirror = [c["readers"][reader]["mirror"] for c in clips]
    known = [m for m in mirror if m is not None]
    average = sum(known) / len(known) if known else None
    yield at_most("mirrored clips, mean difference", average, 0.02)
