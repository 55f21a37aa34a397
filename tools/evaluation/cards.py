"""Figures in documents: Markdown tables between two marker comments, written by a command."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import GROUPS
from freeavatar.foundation.model_cards import QUALITY_BEGIN as BEGIN
from freeavatar.foundation.model_cards import QUALITY_END as END

from .known_curves import BOTH, STILL, TURNING

STEADINESS = (
    "The same clips: mean deviation of the channels on one frame with a camera's noise, and mean "
    "difference of the curves from those of the mirrored clip:"
)


def check_markers(paths: Iterable[Path]) -> None:
    """See that every document has a place for the tables.

    Raises:
        SourceError: a document lacks a marker, or has it twice or the wrong way round.
        OSError: it cannot be read.
    """
    for path in paths:
        _parts(path)


def write_block(path: Path, lines: Sequence[str]) -> None:
    """Replace what stands between the markers.

    Raises:
        SourceError, OSError: as `check_markers`.
    """
    before, after = _parts(path)
    block = "\n".join((BEGIN, "", *lines, "", END))
    path.write_text(f"{before}{block}{after}", encoding="utf-8")


def _parts(path: Path) -> tuple[str, str]:
    text = path.read_text(encoding="utf-8")
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    once = text.count(BEGIN) == text.count(END) == 1
    if not (begun and ended and once):
        raise SourceError(
            f"{path} has no place for the figures: put the lines {BEGIN} and {END} there, once each"
        )
    return before, after


def block_lines(figures: Mapping[str, Any], *, command: str, machine: str) -> list[str]:
    """The tables in Markdown.

    Args:
        figures: as ``freeavatar eval quality --json`` prints them.
        command: that measured them.
        machine: on which.
    """
    rendered = figures["rendered"]
    readers = list(rendered["mean"])
    lines = [
        f"Measured with `{command}` on {machine}. Rendered actors perform ARKit takes "
        f"({', '.join(rendered['actors'])}; {rendered['frames']} frames each, head still and again "
        "turning ±25°); means over the actors, the resting face taken out of what is read and of "
        "what is performed as `drive` does. "
        "Motionless: error of a take in which nothing moves.",
        "",
        *_group_table(rendered["mean"], readers),
        "",
        *_actor_table(rendered["actors"], readers),
    ]
    if "clips" in figures:
        lines += ["", "Real clips, apertures against MediaPipe's landmarks:", ""]
        lines += _clip_table(figures["clips"]["clips"], readers)
    if figures.get("similarity"):
        lines += ["", "Embedding, share in the right order or found:", ""]
        lines += _embedding_table(figures, readers)
    return lines


def _group_table(mean: Mapping[str, Any], readers: Sequence[str]) -> list[str]:
    titles = [f"{n} {what}" for what in ("correlation", "error") for n in readers]
    lines = _head(["group", "motionless", *titles])
    for group in ("all", *GROUPS):
        lines.append(_row([group, *_figures([mean[n][BOTH][group] for n in readers])]))
    for way in (STILL, TURNING):
        rows = [mean[n][way]["all"] for n in readers]
        lines.append(_row([f"all, head {way}", *_figures(rows)]))
    dead = [str(sum(map(len, mean[n]["dead"].values()))) for n in readers]
    turn = [_cell(mean[n]["turn"]) for n in readers]
    lines += [
        "",
        *_head(["", *readers]),
        _row(["dead channels, all actors", *dead]),
        _row(["resting face turned ±25°, mean move of a channel", *turn]),
    ]
    return lines


def _actor_table(actors: Mapping[str, Any], readers: Sequence[str]) -> list[str]:
    titles = [f"{n} {what}" for what in ("correlation", "error") for n in readers]
    lines = _head(["actor", "motionless", *titles])
    for name, actor in actors.items():
        rows = [actor["readers"][n][BOTH]["all"] for n in readers]
        lines.append(_row([name, *_figures(rows)]))
    return lines


def _figures(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Cells: error of a motionless take, every reader's correlation, every reader's error."""
    cells = [_cell(rows[0]["never_moving"]), *(_cell(r["correlation"], 2) for r in rows)]
    return cells + [_cell(r["error"]) for r in rows]


def _clip_table(clips: Sequence[Mapping[str, Any]], readers: Sequence[str]) -> list[str]:
    titles = [f"{n} {what}" for what in ("correlation", "amplitude") for n in readers]
    lines = _head(["clip", *titles])
    for clip in clips:
        means = [clip["readers"][n]["mean"] for n in readers]
        if any(means):
            cells = [
                _cell(m and m[what], 2) for what in ("correlation", "amplitude") for m in means
            ]
            lines.append(_row([clip["name"], *cells]))
    still = [f"{n} {what}" for what in ("noise", "mirror") for n in readers]
    lines += ["", STEADINESS, "", *_head(["clip", *still])]
    for clip in clips:
        known = [clip["readers"][n] for n in readers]
        noise = [_cell(k["noise"] and k["noise"]["mean"], 4) for k in known]
        lines.append(_row([clip["name"], *noise, *(_cell(k["mirror"]) for k in known)]))
    return lines


def _embedding_table(figures: Mapping[str, Any], readers: Sequence[str]) -> list[str]:
    similarity, found = figures["similarity"], figures.get("retrieval", {})
    known = [n for n in readers if n in similarity]
    lines = _head(["", *known])
    rows = {
        "triplets within a domain": "across_people",
        "triplets photo ↔ avatar": "across_domains",
    }
    for label, what in rows.items():
        lines.append(_row([label, *(_cell(similarity[n][what]) for n in known)]))
    for where, table in found.items():
        size = table[known[0]]["gallery"]
        for what, label, places in (("first", "first", 1), ("five", "among five", 5)):
            cells = [_cell(table[n][what]) for n in known]
            chance = f"chance {min(places / size, 1.0):.3f}" if size else "no gallery"
            lines.append(_row([f"{where}, {label} of {size} ({chance})", *cells]))
    return lines


def _head(titles: Sequence[str]) -> list[str]:
    return [_row(titles), "|" + "---|" * len(titles)]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
