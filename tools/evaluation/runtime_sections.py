"""The parts of the report about finding faces and about speed."""

from pathlib import Path
from typing import Any

from freeavatar.foundation.errors import ReaderError, SourceError

from . import speed
from .finder import finder_figures, finder_lines
from .report import Section

SPEED_CLIP = "emotions_pexels.mp4"


def runtime_sections(
    data: Path, bundle: Path | None, cache: Path
) -> tuple[list[Section], dict[str, Any]]:
    """Measure the face finder and the speed of reading.

    What cannot be measured, as a network or a clip is missing, says so in its section.

    Args:
        data: folder with ``clips``, ``faces`` and ``synth``.
        bundle: MediaPipe's; None leaves it out.
        cache: folder of fitted portraits.

    Returns:
        The sections, and the figures by name for scripts.
    """
    sections: list[Section] = []
    figures: dict[str, Any] = {}
    try:
        figures["finder"] = finder_figures(data, bundle=bundle, cache=cache)
        sections.append(Section(title="Finding faces", lines=finder_lines(figures["finder"])))
    except (ReaderError, SourceError, ImportError) as error:
        sections.append(Section(title="Finding faces", lines=[f"not measured: {error}"]))
    try:
        measured = speed.measure(data / "clips" / SPEED_CLIP, bundle)
        figures["speed"] = speed.summary(measured)
        sections.append(Section(title="Speed", lines=speed.lines(measured)))
    except (ReaderError, SourceError) as error:
        sections.append(Section(title="Speed", lines=[f"not measured: {error}"]))
    return sections, figures
