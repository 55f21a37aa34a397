"""Plots as SVG text: dots on a scale, and curves over time."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

COLOURS = ("#1f5fa8", "#d9772b", "#3b8f4e", "#8a4fa3", "#a33a3a", "#5f6b7a")
MEASURED = "#1b1d21"
GRID = "#d5d9df"
TEXT = "#33373d"
FONT = 'font-family="system-ui, sans-serif" font-size="12"'
ROW = 18
EDGE = 24
"""Pixels left and right of a curve, for the outer labels."""
LABEL = 170
"""Pixels for the names of rows."""


def dots(
    rows: Mapping[str, Sequence[float]],
    series: Sequence[str],
    *,
    title: str,
    low: float = 0.0,
    high: float = 1.0,
    width: int = 760,
) -> str:
    """A row for each name, a dot for each series; values that are no number are left out.

    Args:
        rows: name to one value for each series.
        series: names for the legend.
        title: heading, with the unit.
        low, high: ends of the scale; values beyond are drawn at the end.
        width: pixels.
    """
    inner = width - LABEL - 20
    bottom = 44 + ROW * len(rows)

    def at(value: float) -> float:
        return LABEL + inner * (min(max(value, low), high) - low) / (high - low)

    parts = [_heading(title, series, COLOURS)]
    for tick in np.linspace(low, high, 6):
        x = at(float(tick))
        parts.append(f'<path d="M{x:.1f} 40V{bottom}" stroke="{GRID}"/>')
        parts.append(_text(x, bottom + 14, f"{tick:.3g}", anchor="middle"))
    for i, (name, values) in enumerate(rows.items()):
        y = 44 + ROW * (i + 0.5)
        parts.append(_text(LABEL - 8, y + 4, name, anchor="end"))
        known = [at(v) for v in values if np.isfinite(v)]
        if len(known) > 1:
            line = f"M{min(known):.1f} {y}H{max(known):.1f}"
            parts.append(f'<path d="{line}" stroke="{GRID}" stroke-width="3"/>')
        for k, value in reversed(list(enumerate(values))):
            if np.isfinite(value):
                parts.append(f'<circle cx="{at(value):.1f}" cy="{y}" r="4.5" fill="{_colour(k)}"/>')
    return _svg(width, bottom + 22, parts)


def curves(
    times: Values,
    lines: Mapping[str, Values],
    *,
    title: str,
    width: int = 760,
    height: int = 130,
) -> str:
    """Curves over time, the first one in black; each is shown around its own mean.

    Args:
        times: (T,) seconds.
        lines: name to (T,) values; gaps where they are no number.
        title: heading.
        width, height: pixels.
    """
    shown = {n: v - np.nanmean(v) for n, v in lines.items() if np.isfinite(v).any()}
    if not shown:
        return ""
    top, bottom = 34.0, height - 20.0
    reach = max(float(np.nanmax(np.abs(v))) for v in shown.values()) or 1.0
    end = max(float(times[-1]), 1e-6)
    x = EDGE + (width - 2 * EDGE) * times / end
    colours = (MEASURED, *COLOURS)
    parts = [_heading(title, list(shown), colours)]
    for second in np.linspace(0, end, 6):
        place = EDGE + (width - 2 * EDGE) * second / end
        parts.append(f'<path d="M{place:.1f} {top}V{bottom}" stroke="{GRID}"/>')
        parts.append(_text(place, height - 6, f"{second:.1f} s", anchor="middle"))
    for k, values in reversed(list(enumerate(shown.values()))):
        y = (top + bottom) / 2 - values / reach * (bottom - top) / 2
        colour = colours[k % len(colours)]
        parts.append(f'<path d="{_path(x, y)}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
    return _svg(width, height, parts)


def _path(x: Values, y: Values) -> str:
    """Lines through the points, begun anew after each gap."""
    out, pen = [], "M"
    for a, b in zip(x, y, strict=True):
        if np.isfinite(b):
            out.append(f"{pen}{a:.1f} {b:.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(out)


def _heading(title: str, series: Sequence[str], colours: Sequence[str]) -> str:
    parts = [f'<g font-weight="600">{_text(10, 16, title)}</g>']
    x = 10.0
    for k, name in enumerate(series):
        parts.append(f'<circle cx="{x + 5:.0f}" cy="27" r="4" fill="{colours[k % len(colours)]}"/>')
        parts.append(_text(x + 13, 31, name))
        x += 26 + 7 * len(name)
    return "".join(parts)


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{TEXT}">{escape(text)}</text>'
    )


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" {FONT}>{"".join(parts)}</svg>'
    )
