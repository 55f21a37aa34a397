"""The report is one readable file: well-formed plots, escaped text, pictures inside."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from freeavatar.tools.evaluation.charts import LABEL, curves, dots
from freeavatar.tools.evaluation.report import Section, write_report

SVG = "{http://www.w3.org/2000/svg}"


def test_dots_lie_where_their_values_are() -> None:
    svg = dots({"jaw": [0.0, 0.5], "a<b": [2.0, float("nan")]}, ["ours", "theirs"], title="r")
    root = ElementTree.fromstring(svg)
    marks = [c for c in root.iter(f"{SVG}circle") if c.get("r") == "4.5"]
    places = sorted(float(c.get("cx", "")) for c in marks)
    assert places == [LABEL, LABEL + 285, LABEL + 570]
    assert any(t.text == "a<b" for t in root.iter(f"{SVG}text"))


def test_curves_break_where_nothing_is_known() -> None:
    times = np.arange(6.0)
    gap = np.array([0, 1, np.nan, 1, 0, 1])
    root = ElementTree.fromstring(curves(times, {"picture": times, "ours": gap}, title="mouth"))
    paths = [p.get("d", "") for p in root.iter(f"{SVG}path") if p.get("fill") == "none"]
    assert sorted(path.count("M") for path in paths) == [1, 2]
    assert curves(times, {"picture": np.full(6, np.nan)}, title="") == ""


def test_a_report_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.html"
    picture = Image.new("RGB", (8, 8), (200, 30, 30))
    sections = [
        Section(title="Curves & more", lines=["r < 1"], note="note", plots=["<svg></svg>"]),
        Section(title="Pictures", pictures=[picture]),
    ]
    write_report(path, "Figures", sections)
    text = path.read_text()
    assert "Curves &amp; more" in text and "r &lt; 1" in text and "<svg></svg>" in text
    assert "data:image/jpeg;base64," in text
    assert "<script" not in text and "http" not in text
