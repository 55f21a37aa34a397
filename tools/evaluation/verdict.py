"""What the networks must hold, and whether they do, from the figures of ``eval foundation``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from freeavatar.foundation.expression import GROUPS

from .accuracy import SINGLED_OUT
from .apertures import GROUPS as APERTURE_GROUPS
from .foundation_tables import BOTH

THEIRS = "mediapipe"
AVERAGED = "averaged"
"""Ours, each picture read as it is and mirrored, as recordings are read."""
AMPLITUDE_HEAD = "ict_face_53"
"""Reference head whose amplitudes count where it was measured: its shapes define the curves that
the networks learn."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One thing that must hold."""

    what: str
    measured: str
    holds: bool | None
    """None where it could not be measured."""

    @property
    def line(self) -> str:
        """For the table."""
        mark = {True: "holds", False: "FAILS", None: "unknown"}[self.holds]
        return f"{mark:8} {self.what:58} {self.measured}"


def verdicts(
    figures: Mapping[str, Any], *, ours: str = "ours", reader: str = "embedded"
) -> list[Verdict]:
    """Judge figures.

    Args:
        figures: as ``freeavatar eval foundation --json`` prints them.
        ours: name of the network among those on test pictures.
        reader: name of the reader among those on clips.
    """
    out: list[Verdict] = []
    if ours in figures["accuracy"][BOTH]:
        out += _on_pictures(figures, ours)
        out += _on_embedding(figures, ours)
    clips = [c for c in figures.get("clips", {}).get("clips", []) if reader in c["readers"]]
    if clips:
        out += _on_clips(figures["clips"], clips, reader)
    if "finder" in figures:
        out += _on_finder(figures["finder"])
    if "speed" in figures:
        out += _on_speed(figures["speed"])
    return out


def _on_pictures(figures: Mapping[str, Any], ours: str) -> Iterator[Verdict]:
    both = figures["accuracy"][BOTH]
    mine, theirs = both[ours]["table"], both[THEIRS]["table"]
    yield from _correlations(mine)
    if AVERAGED in both:
        for verdict in _correlations(both[AVERAGED]["table"]):
            yield replace(verdict, what=f"{verdict.what}, {AVERAGED}")
    for group in GROUPS:
        a, b = mine[group], theirs[group]
        known = None not in (a["correlation"], b["correlation"], a["error"], b["error"])
        ahead = known and a["correlation"] > b["correlation"] and a["error"] < b["error"]
        text = "-"
        if known:
            text = (
                f"r {a['correlation']:.3f} against {b['correlation']:.3f}, "
                f"error {a['error']:.4f} against {b['error']:.4f}"
            )
        yield Verdict(
            what=f"{group}: ahead of MediaPipe", measured=text, holds=ahead if known else None
        )


def _correlations(table: Mapping[str, Any]) -> Iterator[Verdict]:
    yield at_least("mean correlation over live channels", table["all"]["correlation"], 0.75)
    for name in SINGLED_OUT:
        yield at_least(f"correlation of {name}", table[name]["correlation"], 0.9)


def _on_embedding(figures: Mapping[str, Any], ours: str) -> Iterator[Verdict]:
    order = figures["similarity"][ours]
    yield at_least("triplets across people, within a domain", order["across_people"], 0.90)
    yield at_least("triplets photo ↔ avatar", order["across_domains"], 0.85)
    own = figures["identity"][f"{ours}, embedding"]["accuracy"]
    for name, probe in figures["identity"].items():
        before = probe["accuracy"]
        if name.endswith("before tuning") and own is not None and before:
            yield at_most(f"person recognised, share of {name}", own / before, 1 / 3)
    pairs = figures["real_pairs"].get(ours)
    if pairs:
        yield Verdict(
            what="real smiles nearer to others' smiles than to the own neutral",
            measured=f"{_text(pairs['right'])} of {pairs['people']} people (reported)",
            holds=None,
        )


def _on_clips(
    figures: Mapping[str, Any], clips: list[dict[str, Any]], reader: str
) -> Iterator[Verdict]:
    yield from follows(clips, reader)
    yield from amplitudes(figures, reader)
    noise = [c["readers"][reader]["noise"] for c in clips]
    mirror = [c["readers"][reader]["mirror"] for c in clips]
    largest = [n["largest"] for n in noise if n]
    known = [m for m in mirror if m is not None]
    yield at_most("still face, worst channel of any clip", max(largest, default=None), 0.005)
    average = sum(known) / len(known) if known else None
    yield at_most("mirrored clips, mean difference", average, 0.02)
    turns = {face: r.get(reader) for face, r in figures["turns"].items()}
    for face, moved in turns.items():
        yield at_most(f"{face[:40]} turned ±25°, worst channel", moved and moved["largest"], 0.05)


def follows(clips: Sequence[Mapping[str, Any]], reader: str) -> Iterator[Verdict]:
    """Does a reader follow the apertures of every clip at least as MediaPipe does?"""
    for clip in clips:
        mine, theirs = clip["readers"][reader], clip["readers"][THEIRS]
        if theirs["mean"] is None:
            continue
        a = mine["mean"]["correlation"] if mine["mean"] else 0.0
        b = theirs["mean"]["correlation"]
        yield Verdict(
            what=f"{clip['name'][:40]}: follows at least as MediaPipe",
            measured=f"{a:.3f} against {b:.3f}",
            holds=a >= b,
        )


def amplitudes(figures: Mapping[str, Any], reader: str) -> Iterator[Verdict]:
    """Do a reader's apertures move about as far as those of the clips?"""
    head = AMPLITUDE_HEAD if AMPLITUDE_HEAD in figures["heads"] else figures["heads"][0]
    rows = figures["overall"].get(head, {})
    # A mean over apertures would let a damped mouth and overdone lids make up for each other.
    for aperture in APERTURE_GROUPS:
        amplitude = rows.get(aperture, {}).get(reader, [None, None])[1]
        yield between(f"amplitude of {aperture} on clips (head {head})", amplitude, 0.8, 1.2)


def _on_finder(figures: Mapping[str, Any]) -> Iterator[Verdict]:
    for where in ("clips", "composites"):
        readers = figures.get(where) or {}
        if "ours" in readers and THEIRS in readers:
            a, b = readers["ours"]["all"], readers[THEIRS]["all"]
            yield Verdict(
                what=f"{where}: faces found, false finds, against MediaPipe",
                measured=f"recall {_text(a['recall'])} against {_text(b['recall'])}, false "
                f"{a['false_per_picture']:.3f} against {b['false_per_picture']:.3f} a picture",
                holds=a["recall"] >= b["recall"]
                and a["false_per_picture"] <= b["false_per_picture"],
            )


def _on_speed(figures: Mapping[str, Any]) -> Iterator[Verdict]:
    ratio = figures["ratio"] or [None, None]
    yield at_most("tracked frame, share of Face Landmarker's median", ratio[0], 0.5)
    yield at_most("tracked frame, share of Face Landmarker's p95", ratio[1], 0.5)
    found = figures["detection"]["median"]
    yield at_most("fresh detection of the largest face at 720p, milliseconds", found, 6.0)
    yield at_most("peak memory, MiB", figures["peak_mib"], 250)
    yield at_most("import and first frame, seconds", figures["first_frame"], 1.5)


def at_least(what: str, value: float | None, wanted: float) -> Verdict:
    """Judge a figure that must not be lower."""
    return between(what, value, wanted, None)


def at_most(what: str, value: float | None, wanted: float) -> Verdict:
    """Judge a figure that must not be higher."""
    return between(what, value, None, wanted)


def between(what: str, value: float | None, low: float | None, high: float | None) -> Verdict:
    """Judge a figure between two limits, of which either may be missing."""
    wanted = (("at least", low), ("at most", high))
    limits = " and ".join(f"{word} {limit:.3g}" for word, limit in wanted if limit is not None)
    if value is None:
        return Verdict(what=what, measured=f"- ({limits})", holds=None)
    holds = (low is None or value >= low) and (high is None or value <= high)
    return Verdict(what=what, measured=f"{_text(value)} ({limits})", holds=holds)


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
