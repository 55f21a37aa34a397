"""Tables and JSON of the figures on rendered actors."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from freeavatar.foundation.expression import BLENDSHAPES, GROUPS

from . import clip_tables
from .accuracy import Channels
from .charts import dots
from .foundation_tables import error_cell, number_cell, pair_heads, plain
from .known_curves import BOTH, STILL, TURNING, ActorFigures, mean_raw, mean_table
from .report import Section
from .worst_frames import worst_sheet

WAYS = (STILL, TURNING, BOTH)
NOTE = (
    "Rigs with ARKit's names, and people kept for tests, perform recorded takes, so that every "
    "curve is known. The resting face that `freeavatar drive` estimates on the way is taken out of "
    "all readers and of what is performed alike (the recorded actor's own rest is in his curves); "
    "channels that an actor cannot show are left out, and so are frames without a found face."
)


@dataclass(frozen=True, kw_only=True)
class RenderedReport:
    """Everything that was measured on rendered actors."""

    actors: Sequence[ActorFigures]
    readers: Sequence[str]
    """In the order of the columns."""
    frames: int
    """Of each performance; every actor gives two, head still and head turning."""

    def sections(self) -> list[Section]:
        """The parts of the report."""
        return [
            Section(
                title="Rendered actors",
                note=NOTE,
                lines=[f"{self.frames} frames, head still, then turning", *actor_lines(self)],
            ),
            Section(
                title="Rendered actors by group",
                note="Means over the actors.",
                lines=group_lines(self),
                plots=[_plot(self)],
            ),
            Section(title="Dead channels", lines=dead_lines(self)),
            Section(
                title="Turning heads",
                lines=clip_tables.turn_lines(
                    {a.name: {n: f.turn for n, f in a.readers.items()} for a in self.actors}
                ),
            ),
        ]

    def sheet_section(self, rig: Any) -> Section:
        """The worst frames of the first reader, performed by a rig.

        Raises:
            RenderError: no OpenGL is to be had.
        """
        frames = [frame for actor in self.actors for frame in actor.worst]
        sheet = worst_sheet(frames, rig, self.readers[0])
        return Section(
            title="Worst frames",
            note="Under each moment: the channels that are farthest off, read/true.",
            pictures=[] if sheet is None else [sheet],
        )

    def summary(self) -> dict[str, Any]:
        """The same for scripts; what is unknown is null."""
        return {
            "frames": self.frames,
            "actors": {a.name: _actor(a) for a in self.actors},
            "mean": {name: self._mean(name) for name in self.readers},
        }

    def _mean(self, reader: str) -> dict[str, Any]:
        turns = [a.readers[reader].turn for a in self.actors]
        moved = [t.mean for t in turns if t is not None]
        dead = {a.name: list(a.readers[reader].dead) for a in self.actors if a.readers[reader].dead}
        return {
            **{way: _rows(mean_table(self.actors, reader, way)) for way in WAYS},
            "raw": _rows(mean_raw(self.actors, reader)),
            "found": sum(a.readers[reader].found for a in self.actors) / len(self.actors),
            "dead": dead,
            "turn": sum(moved) / len(moved) if moved else None,
            "worst_turn": max((t.largest for t in turns if t is not None), default=None),
        }


def actor_lines(report: RenderedReport) -> list[str]:
    """A row for each actor and reader, then their means."""
    wide = max([len(a.name) for a in report.actors] + [24])
    heads = "".join(f" | {way:>15} {'r':>6}" for way in (*WAYS, "rest left in"))
    lines = [
        f"{'actor':{wide}} {'channels':>8} {'reader':12} {'found':>6} {'never':>7}{heads} dead"
    ]
    for actor in report.actors:
        for name in report.readers:
            figures = actor.readers[name]
            rows = [figures.channels[way].table()["all"] for way in WAYS]
            cells = "".join(error_cell(row) for row in (*rows, figures.raw.table()["all"]))
            lines.append(
                f"{actor.name:{wide}} {actor.shown:8} {name[:12]:12} {figures.found:6.1%} "
                f"{number_cell(rows[-1].never_moving, 7)}{cells} {len(figures.dead):4}"
            )
    for name in report.readers:
        rows = [mean_table(report.actors, name, way)["all"] for way in WAYS]
        cells = "".join(error_cell(row) for row in (*rows, mean_raw(report.actors, name)["all"]))
        never = number_cell(rows[-1].never_moving, 7)
        lines.append(f"{'mean':{wide}} {'':8} {name[:12]:12} {'':6} {never}{cells}")
    return [
        *lines,
        "Mean absolute error and correlation over the channels that move; never: error of a take",
        "in which nothing moves; dead: channels that move and are not followed at all.",
    ]


def group_lines(report: RenderedReport) -> list[str]:
    """Error and correlation by group of channels, head still, turning, and both."""
    lines: list[str] = []
    for way in WAYS:
        tables = {n: mean_table(report.actors, n, way) for n in report.readers}
        lines.append(f"{f'head {way}':16} {'never':>7}{pair_heads(report.readers)}")
        for group, row in tables[report.readers[0]].items():
            cells = "".join(error_cell(tables[n][group]) for n in report.readers)
            lines.append(f"{group:16} {number_cell(row.never_moving, 7)}{cells}")
        lines.append("")
    return lines[:-1]


def dead_lines(report: RenderedReport) -> list[str]:
    """The dead channels of every actor and reader."""
    wide = max([len(a.name) for a in report.actors] + [24])
    return [
        f"{actor.name:{wide}} {name[:12]:12} {', '.join(actor.readers[name].dead) or '-'}"
        for actor in report.actors
        for name in report.readers
    ]


def _plot(report: RenderedReport) -> str:
    tables = [mean_table(report.actors, name, BOTH) for name in report.readers]
    rows = {group: [t[group].correlation for t in tables] for group in ("all", *GROUPS)}
    return dots(rows, report.readers, title="correlation by group, rendered actors")


def _actor(actor: ActorFigures) -> dict[str, Any]:
    return {
        "channels": actor.shown,
        "readers": {
            name: {
                "found": figures.found,
                **{way: _rows(figures.channels[way].table()) for way in WAYS},
                "raw": _rows(figures.raw.table()),
                "correlation": _by_channel(figures.channels[BOTH], "correlation"),
                "error": _by_channel(figures.channels[BOTH], "error"),
                "dead": list(figures.dead),
                "turn": figures.turn and asdict(figures.turn),
            }
            for name, figures in actor.readers.items()
        },
    }


def _rows(table: Any) -> dict[str, Any]:
    return {group: plain(asdict(row)) for group, row in table.items()}


def _by_channel(channels: Channels, what: str) -> dict[str, float | None]:
    values, live = getattr(channels, what), channels.live
    return {name: plain(float(values[i])) for i, name in enumerate(BLENDSHAPES) if live[i]}
