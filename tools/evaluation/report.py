"""One HTML file with everything that was measured: no script, nothing to load."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image

STYLE = """
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #1b1d21; background: #fdfdfc;
       font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem;
     border-bottom: 1px solid #d5d9df; }
pre { font: 13px/1.4 ui-monospace, monospace; background: #f3f4f6; padding: .8rem 1rem;
      overflow-x: auto; border-radius: 4px; }
svg, img { display: block; margin: 1rem 0; max-width: 100%; height: auto; }
"""
JPEG_QUALITY = 85


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a report."""

    title: str
    lines: Sequence[str] = ()
    """A table, shown as it is printed."""
    plots: Sequence[str] = ()
    """SVG texts."""
    pictures: Sequence[Image.Image] = ()
    note: str = ""
    """A sentence above the rest."""


def write_report(path: Path, title: str, sections: Sequence[Section]) -> None:
    """Write a report.

    Raises:
        OSError: the file cannot be written.
    """
    body = "".join(_section(section) for section in sections)
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>"]
    if section.note:
        parts.append(f"<p>{escape(section.note)}</p>")
    parts += section.plots
    if section.lines:
        parts.append(f"<pre>{escape(chr(10).join(section.lines))}</pre>")
    parts += [_picture(picture, section.title) for picture in section.pictures]
    return "".join(parts)


def _picture(picture: Image.Image, title: str) -> str:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=JPEG_QUALITY)
    text = base64.b64encode(data.getvalue()).decode()
    return f'<img alt="{escape(title)}" src="data:image/jpeg;base64,{text}">'
