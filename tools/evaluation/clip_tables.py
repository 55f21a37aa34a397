"""Tables and JSON of the figures on clips."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from .apertures import GROUPS
from .clips import YARDSTICK, ClipFigures, ReaderFigures
from .steadiness import NOISE, TURN, Movement

NOTES = (
    "Apertures of the picture are measured with MediaPipe's landmarks, head turn taken out: this",
    "flatters MediaPipe's own blendshapes. r: correlation; amp: standard deviation of the aperture",
    "that the curves give the reference head over that of the picture, in eye distances (lids: in",
    "heights of the open eye). Rows in brackets: the actor's part rests; not in the mean.",
)


def clip_lines(clips: Sequence[ClipFigures], readers: Sequence[str], head: str) -> list[str]:
    """The table of apertures, a row for each clip and aperture."""
    wide = max([len(c.name) for c in clips] + [24])
    lines = [*NOTES, f"reference head: {head}", ""]
    title = "".join(f" | {name[:13]:>9} r    amp" for name in readers)
    lines.append(f"{'clip':{wide}} {'aperture':10} {'spread':>7}{title}")
    for clip in clips:
        if not clip.counted:
            lines.append(f"{clip.name:{wide}} a face in {clip.faces} of {clip.frames} frames")
            continue
        first = clip.readers[YARDSTICK].rows
        for aperture in GROUPS:
            known = first.get(aperture)
            spread = f"{known.spread:7.3f}" if known else f"{'-':>7}"
            cells = "".join(_row_cell(clip.readers[n], aperture) for n in readers)
            lines.append(f"{clip.name:{wide}} {aperture:10} {spread}{cells}")
        cells = "".join(_mean_cell(clip.readers[n]) for n in readers)
        lines.append(f"{clip.name:{wide}} {'mean':10} {'':7}{cells}")
    counted = [c for c in clips if c.counted]
    if counted:
        lines.append("")
        for aperture, row in overall(counted, readers).items():
            cells = "".join(f" | {row[n][0]:11.3f} {row[n][1]:6.2f}" for n in readers)
            lines.append(f"{'all clips':{wide}} {aperture:10} {'':7}{cells}")
    return lines


def overall(
    clips: Sequence[ClipFigures], readers: Sequence[str], head: str | None = None
) -> dict[str, dict[str, tuple[float, float]]]:
    """Aperture, and "mean" of them, to reader to mean correlation and amplitude over the clips in
    which that part moves; ``head`` names a reference head, None the first."""
    table: dict[str, dict[str, tuple[float, float]]] = {}
    for aperture in GROUPS:
        table[aperture] = {}
        for name in readers:
            rows = []
            for clip in clips:
                figures = clip.readers[name]
                found = figures.rows if head is None else figures.by_head[head]
                if aperture in found and not found[aperture].still:
                    rows.append((found[aperture].correlation, found[aperture].amplitude))
            mean = np.mean(rows, axis=0) if rows else (math.nan, math.nan)
            table[aperture][name] = (float(mean[0]), float(mean[1]))
    table["mean"] = {}
    for name in readers:
        rows = [table[a][name] for a in GROUPS if not math.isnan(table[a][name][0])]
        mean = np.mean(rows, axis=0) if rows else (math.nan, math.nan)
        table["mean"][name] = (float(mean[0]), float(mean[1]))
    return table


def head_lines(
    clips: Sequence[ClipFigures], readers: Sequence[str], heads: Sequence[str]
) -> list[str]:
    """Amplitude depends on how far a head's shapes go: the means on every reference head."""
    counted = [c for c in clips if c.counted]
    if len(heads) < 2 or not counted:
        return []
    lines = [f"{'mean of all clips, on':24} {'aperture':10}"]
    lines[0] += "".join(f" | {name[:13]:>9} r    amp" for name in readers)
    for head in heads:
        for aperture, row in overall(counted, readers, head).items():
            cells = "".join(f" | {row[n][0]:11.3f} {row[n][1]:6.2f}" for n in readers)
            lines.append(f"{head:24} {aperture:10}{cells}")
    return lines


def steadiness_lines(clips: Sequence[ClipFigures], readers: Sequence[str]) -> list[str]:
    """Found faces, still-face noise and mirror difference of each clip and reader."""
    wide = max([len(c.name) for c in clips] + [24])
    lines = [
        f"Still face: standard deviation of the curves, one frame with noise of {NOISE:g} of 255;",
        "mirror: mean absolute difference between the clip's curves and the mirrored clip's.",
        f"{'clip':{wide}} {'reader':12} {'found':>11} {'still mean':>10} {'largest':>8} "
        f"{'mirror':>7}  channel",
    ]
    for clip in clips:
        for name in readers if clip.counted else ():
            f = clip.readers[name]
            noise = f"{f.noise.mean:10.4f} {f.noise.largest:8.4f}" if f.noise else f"{'-':>10} -"
            other = f"; other face in {f.other_face}" if f.other_face else ""
            lines.append(
                f"{clip.name:{wide}} {name:12} {f.found:5}/{clip.frames:5} {noise} "
                f"{f.mirror:7.4f}  {f.noise.channel if f.noise else ''}{other}"
            )
    return lines


def turn_lines(turns: Mapping[str, Mapping[str, Movement | None]]) -> list[str]:
    """Head-turn cross-talk: still face to reader to movement, None where no face was found."""
    wide = max([len(n) for n in turns] + [24])
    lines = [
        f"Head turned ±{TURN}° with a still face: how far channels other than gaze move",
        f"{'face':{wide}} {'reader':12} {'mean':>7} {'largest':>8}  channel",
    ]
    for face, readers in turns.items():
        for name, moved in readers.items():
            text = (
                f"{moved.mean:7.4f} {moved.largest:8.4f}  {moved.channel}"
                if moved
                else "no face found"
            )
            lines.append(f"{face:{wide}} {name:12} {text}")
    return lines


def summary(
    clips: Sequence[ClipFigures],
    readers: Sequence[str],
    heads: Sequence[str],
    turns: Mapping[str, Mapping[str, Movement | None]],
) -> dict[str, Any]:
    """All figures for scripts; what could not be measured is null."""
    counted = [c for c in clips if c.counted]
    return {
        "yardstick": f"{YARDSTICK} landmarks",
        "heads": list(heads),
        "clips": [
            {
                "name": c.name,
                "frames": c.frames,
                "faces": c.faces,
                "readers": {n: _plain(asdict(f)) for n, f in c.readers.items()},
            }
            for c in clips
        ],
        "overall": {h: _plain(overall(counted, readers, h)) for h in heads} if counted else {},
        "turns": {f: {n: _plain(m and asdict(m)) for n, m in r.items()} for f, r in turns.items()},
    }


def _plain(value: Any) -> Any:
    """The same without NaN, which JSON does not know."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _row_cell(figures: ReaderFigures, aperture: str) -> str:
    row = figures.rows.get(aperture)
    if row is None:
        return f" | {'-':>11} {'-':>6}"
    text = f"{row.correlation:.3f}"
    return f" | {f'({text})' if row.still else text:>11} {row.amplitude:6.2f}"


def _mean_cell(figures: ReaderFigures) -> str:
    if figures.mean is None:
        return f" | {'-':>11} {'-':>6}"
    return f" | {figures.mean.correlation:11.3f} {figures.mean.amplitude:6.2f}"
