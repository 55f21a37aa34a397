"""Everything measured on test pictures, as tables, plots and JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from freeavatar.foundation.expression import BLENDSHAPES, GROUPS

from .accuracy import Accuracy, Row
from .charts import dots
from .predictions import Predictions
from .report import Section
from .shards import Truth
from .similarity import KINDS, Probe, RealPairs, Similarity

BOTH, EVERY = "found by both", "all pictures"
"""Sets of pictures: those on which MediaPipe found a face as well, and all."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All figures of all readers on one choice of test pictures."""

    truth: Truth
    given: Mapping[str, Predictions]
    accuracy: Mapping[str, Mapping[str, Accuracy]]
    """Set of pictures to reader to figures: `BOTH`, `EVERY`, then each domain of `BOTH`."""
    similarity: Mapping[str, Similarity]
    probes: Mapping[str, Probe]
    """Kind of feature to how often it gives the person away."""
    pairs: Mapping[str, RealPairs]

    @property
    def readers(self) -> list[str]:
        """Names, in the order of the columns."""
        return list(self.given)

    def sections(self) -> list[Section]:
        """The parts of the report."""
        both = self.accuracy[BOTH]
        return [
            Section(title="Pictures", lines=picture_lines(self)),
            Section(
                title="Curves by group",
                lines=group_lines(both, self.readers),
                plots=[_group_plot(both, self.readers)],
            ),
            Section(title="Curves by kind of picture", lines=set_lines(self)),
            Section(
                title="Every curve",
                lines=channel_lines(both, self.readers),
                plots=[_channel_plot(both, self.readers)],
            ),
            Section(title="Head, eyes, landmarks", lines=geometry_lines(self)),
            Section(title="Order of triplets", lines=triplet_lines(self)),
            Section(title="Who is seen", lines=probe_lines(self.probes)),
            *([Section(title="Real pairs", lines=pair_lines(self.pairs))] if self.pairs else []),
        ]

    def summary(self) -> dict[str, Any]:
        """The same for scripts; what is unknown is null."""
        return {
            "pictures": {str(d): int(n) for d, n in _counts(self.truth.domain).items()},
            "people": len(np.unique(self.truth.identity)),
            "found": {n: int(p.found.sum()) for n, p in self.given.items()},
            "false_faces": {n: plain(p.false_faces) for n, p in self.given.items()},
            "accuracy": {
                where: {
                    name: {
                        "pictures": a.pictures,
                        "table": {g: plain(asdict(row)) for g, row in a.channels.table().items()},
                        "error": _by_channel(a.channels.error),
                        "correlation": _by_channel(a.channels.correlation),
                        "live": [
                            b for b, on in zip(BLENDSHAPES, a.channels.live, strict=True) if on
                        ],
                        "geometry": plain(asdict(a.geometry)),
                    }
                    for name, a in readers.items()
                }
                for where, readers in self.accuracy.items()
            },
            "similarity": {n: plain(asdict(s)) for n, s in self.similarity.items()},
            "identity": {n: plain(asdict(p)) for n, p in self.probes.items()},
            "real_pairs": {n: plain(asdict(p)) for n, p in self.pairs.items()},
        }


def picture_lines(figures: Figures) -> list[str]:
    """What there is, and in how much of it a face was found."""
    truth = figures.truth
    names = figures.readers
    lines = [f"{'pictures of':16} {'number':>7} {'people':>7}{_heads(names, 'found')}"]
    for domain in _counts(truth.domain):
        rows = truth.domain == domain
        found = "".join(f" {figures.given[n].found[rows].mean():16.1%}" for n in names)
        people = len(np.unique(truth.identity[rows]))
        lines.append(f"{domain:16} {rows.sum():7} {people:7}{found}")
    if len(truth.faceless):
        false = "".join(f" {figures.given[n].false_faces:16.1%}" for n in names)
        lines.append(f"{'nobody':16} {len(truth.faceless):7} {'':7}{false}")
    return [*lines, "Our networks always answer; of pictures of nobody: with confidence above 0.5."]


def group_lines(accuracy: Mapping[str, Accuracy], readers: Sequence[str]) -> list[str]:
    """Error and correlation by group of channels."""
    tables = {n: accuracy[n].channels.table() for n in readers}
    first = tables[readers[0]]
    lines = [
        f"{accuracy[readers[0]].pictures} pictures on which MediaPipe found the face as well; "
        "channels that move in them",
        f"{'group':16} {'channels':>8} {'never':>7}{pair_heads(readers)}",
    ]
    for group, row in first.items():
        cells = "".join(error_cell(tables[n][group]) for n in readers)
        lines.append(f"{group:16} {row.channels:8} {number_cell(row.never_moving, 7)}{cells}")
    return [
        *lines,
        "error: mean absolute; r: correlation over all people; never: error of 0 always",
    ]


def set_lines(figures: Figures) -> list[str]:
    """Mean over all live channels of each set of pictures."""
    readers = figures.readers
    lines = [f"{'pictures':24} {'number':>7} {'never':>7}{pair_heads(readers)}"]
    for where, accuracy in figures.accuracy.items():
        rows = {n: accuracy[n].channels.table()["all"] for n in readers}
        cells = "".join(error_cell(rows[n]) for n in readers)
        first = readers[0]
        never = number_cell(rows[first].never_moving, 7)
        lines.append(f"{where:24} {accuracy[first].pictures:7} {never}{cells}")
    return lines


def channel_lines(accuracy: Mapping[str, Accuracy], readers: Sequence[str]) -> list[str]:
    """A row for each of the 52 channels."""
    lines = [f"{'channel':22} {'never':>7}{pair_heads(readers)}"]
    for i, name in enumerate(BLENDSHAPES):
        first = accuracy[readers[0]].channels
        cells = "".join(error_cell(accuracy[n].channels.row([i])) for n in readers)
        still = "" if first.live[i] else "  never moves here"
        lines.append(f"{name:22} {number_cell(float(first.never_moving[i]), 7)}{cells}{still}")
    return lines


def geometry_lines(figures: Figures) -> list[str]:
    """Errors of landmarks, head and gaze."""
    readers = figures.readers
    lines = [f"{'pictures':24} {'error of':22}" + "".join(f" {n[:14]:>14}" for n in readers)]
    rows = {
        "landmarks, px of 128": "landmarks",
        "landmarks, % of eyes": "landmarks_share",
        "head, degrees": "head",
        "gaze, degrees": "gaze",
    }
    for where, accuracy in figures.accuracy.items():
        for label, name in rows.items():
            cells = "".join(
                f" {number_cell(getattr(accuracy[n].geometry, name), 14, 2)}" for n in readers
            )
            lines.append(f"{where:24} {label:22}{cells}")
    return lines


def triplet_lines(figures: Figures) -> list[str]:
    """Share of triplets in the right order."""
    readers = [n for n in figures.readers if n in figures.similarity]
    lines = [f"{'anchor → others':18} {'kind':18} {'triplets':>8}" + _heads(readers, "right")]
    first = figures.similarity[readers[0]]
    for where, kinds in first.right.items():
        for kind in KINDS:
            cells = "".join(
                f" {number_cell(figures.similarity[n].right[where][kind][0], 16)}" for n in readers
            )
            lines.append(f"{where:18} {kind:18} {kinds[kind][1]:8}{cells}")
    for label, name in (
        ("mean of same and nearer, within each domain", "across_people"),
        ("mean of same and nearer, photo ↔ avatar", "across_domains"),
    ):
        cells = "".join(
            f" {number_cell(getattr(figures.similarity[n], name), 16)}" for n in readers
        )
        lines.append(f"{label:46}{cells}")
    return [
        *lines,
        "Right: the odd one out is farthest from both others. same expression: on two people,",
        "against another on a third. nearer expression: three people, two sets of curves clearly",
        "nearer. same person: against the anchor's own person with another expression. MediaPipe",
        "has no embedding: the distance of its curves stands in.",
    ]


def probe_lines(probes: Mapping[str, Probe]) -> list[str]:
    """How often a linear probe recognises the person."""
    lines = [f"{'features':28} {'recognised':>10} {'chance':>8} {'people':>7}"]
    for name, probe in probes.items():
        cells = f"{number_cell(probe.accuracy, 10)} {number_cell(probe.chance, 8)}"
        lines.append(f"{name:28} {cells} {probe.people:7}")
    return lines


def pair_lines(pairs: Mapping[str, RealPairs]) -> list[str]:
    """Smiles of real test people."""
    lines = [
        "Real test people: is a smile nearer to the others' smiles than to the own neutral face?",
        f"{'reader':16} {'people':>7} {'right':>7} {'to smiles':>10} {'to neutral':>10}",
    ]
    for name, p in pairs.items():
        lines.append(
            f"{name:16} {p.people:7} {number_cell(p.right, 7)} {number_cell(p.others, 10)} "
            f"{number_cell(p.own, 10)}"
        )
    return lines


def plain(value: Any) -> Any:
    """The same for JSON: no NaN, no numpy."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return None if math.isnan(value) else float(value)
    return value


def _group_plot(accuracy: Mapping[str, Accuracy], readers: Sequence[str]) -> str:
    tables = {n: accuracy[n].channels.table() for n in readers}
    rows = {g: [tables[n][g].correlation for n in readers] for g in tables[readers[0]]}
    return dots(rows, readers, title="correlation by group")


def _channel_plot(accuracy: Mapping[str, Accuracy], readers: Sequence[str]) -> str:
    rows = {}
    for channels in GROUPS.values():
        for i in channels:
            rows[BLENDSHAPES[i]] = [accuracy[n].channels.row([i]).correlation for n in readers]
    return dots(rows, readers, title="correlation of every curve")


def _by_channel(values: Any) -> dict[str, float | None]:
    return {name: plain(float(v)) for name, v in zip(BLENDSHAPES, values, strict=True)}


def _counts(domains: Any) -> dict[str, int]:
    names, counts = np.unique(domains, return_counts=True)
    return {str(n): int(c) for n, c in zip(names, counts, strict=True)}


def _heads(readers: Sequence[str], what: str) -> str:
    return "".join(f" {n[: 15 - len(what)] + ' ' + what:>16}" for n in readers)


def pair_heads(readers: Sequence[str]) -> str:
    """Headings of the columns that `error_cell` fills."""
    return "".join(f" | {n[:9]:>9} error {'r':>6}" for n in readers)


def error_cell(row: Row) -> str:
    """Error and correlation of one reader."""
    return f" | {number_cell(row.error, 15, 4)} {number_cell(row.correlation, 6)}"


def number_cell(value: float, width: int, digits: int = 3) -> str:
    """A number to the right of its column, a dash where there is none."""
    return f"{'-':>{width}}" if math.isnan(value) else f"{value:{width}.{digits}f}"
