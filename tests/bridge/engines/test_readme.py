"""What README.md says about engines works as it is written there."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeavatar.bridge.osc_reading import read_osc
from freeavatar.rigs import registry

ROOT = Path(__file__).resolve().parents[3]
ADDRESS = "/freeavatar/mannequin"


def shell_blocks(markdown: str, heading: str) -> list[str]:
    """The shell commands under a heading of a Markdown text, block by block."""
    section = markdown.split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]
    return [block.split("```", 1)[0] for block in section.split("```sh\n")[1:]]


def frames_sent(datagrams: list[bytes]) -> list[dict[str, tuple[Any, ...]]]:
    """Arguments by name of every whole frame."""
    frames: list[dict[str, tuple[Any, ...]]] = []
    coming: dict[str, tuple[Any, ...]] = {}
    for heard in (m for datagram in datagrams for m in read_osc(datagram)):
        coming[heard.address.removeprefix(f"{ADDRESS}/")] = heard.arguments
        if heard.address == f"{ADDRESS}/found":
            frames.append(coming)
            coming = {}
    return frames


@pytest.mark.slow
def test_the_readmes_way_into_godot_works_as_written(
    tmp_path: Path, play_game: Any, relay: Any
) -> None:
    """Runs the commands of README.md; only the port differs, and a relay hears what is sent."""
    copy, live = shell_blocks((ROOT / "README.md").read_text(), "### Godot")
    for folder in ("rigs", "bridge", "tools"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(["sh", "-ec", copy], cwd=tmp_path, check=True)
    engine = play_game(tmp_path / "game")
    between = relay(engine.port)
    assert live.count(":9000") == 1
    subprocess.run(
        ["sh", "-ec", live.replace(":9000", f":{between.port}")],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=300,
    )
    sent = {round(frame["time"][0], 4): frame for frame in frames_sent(between.heard)}
    shown = engine.until(max(sent))
    names = registry.load("mannequin").names
    assert len(sent) > 50 and len(shown) > 50
    for frame in shown:
        of = sent[min(sent, key=lambda time: abs(time - frame["time"]))]
        assert frame["time"] == pytest.approx(of["time"][0], abs=1e-4)
        weights = [frame["weights"][name] for name in names]
        np.testing.assert_allclose(weights, [of[n][0] for n in names], rtol=0, atol=1e-4)
    jaw = [frame["weights"]["jawOpen"] for frame in shown]
    assert max(jaw) - min(jaw) > 0.1, "the actor speaks, so the jaw must move"
