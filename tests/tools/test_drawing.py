"""Rigs are drawn with OpenGL where there is some, and by the network where there is none."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeavatar.rigs import registry, rendering
from freeavatar.rigs.errors import RenderError
from freeavatar.rigs.rendering import Renderer
from freeavatar.rigs.spec import RigFrame
from freeavatar.tools.cli import main
from freeavatar.tools.drawing import open_renderer
from freeavatar.tools.inputs import DEMO_TAKE


def without_opengl(*_: Any) -> Any:
    raise RenderError("cannot draw: OpenGL did not start")


def test_the_network_stands_in_where_there_is_no_opengl(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rig = registry.load("fox")
    frame = RigFrame(index=0, time=0.0, values=rig.neutral)
    with Renderer(rig, size=(128, 128)) as renderer:
        reference = renderer.picture(frame)
    monkeypatch.setattr(rendering, "_canvas", without_opengl)
    with caplog.at_level(logging.WARNING), open_renderer(rig, side=128) as drawing:
        picture = drawing.picture(frame)
    assert "the neural renderer draws fox instead" in caplog.text
    assert picture.shape == (128, 128, 3)
    # Its colours come from the materials here, not from reference pictures.
    middle = picture.astype(float)
    assert np.abs(middle - reference).mean() < 16
    assert np.abs(middle - middle[0, 0]).max(axis=2).mean() > 20


def test_a_rig_of_curves_alone_is_refused_either_way() -> None:
    with (
        pytest.raises(RenderError, match="has no mesh"),
        open_renderer(registry.load("arkit"), side=64),
    ):
        pass
    with (
        pytest.raises(RenderError, match="has no mesh"),
        open_renderer(registry.load("arkit"), side=64, neural=True),
    ):
        pass


def test_render_neural_writes_a_picture(tmp_path: Path) -> None:
    take = tmp_path / "take.csv"
    take.write_bytes(Path(DEMO_TAKE).read_bytes())
    out = tmp_path / "still.png"
    command = ["render", "--rig", "fox", "--take", str(take), "--neural", "--start", "1"]
    assert main([*command, "--size", "256", "--out", str(out)]) == 0
    drawn = np.asarray(Image.open(out))
    assert drawn.shape == (256, 256, 3)
    assert drawn.std() > 20
