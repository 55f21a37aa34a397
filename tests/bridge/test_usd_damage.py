"""USD takes damaged, hostile, cut short by a kill or a full disk, or without their library."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes import open_take, read_take, recover
from freeavatar.rigs.spec import Rig, RigFrame

if importlib.util.find_spec("pxr") is None:
    pytest.skip("usd-core is not installed (optional)", allow_module_level=True)

from pxr import Usd

SUFFIXES = (".usda", ".usdc", ".usd")


def write(path: Path, rig: Rig, frames: list[RigFrame], rate: float = 60.0) -> Path:
    """A take at ``path``."""
    sink = open_take(path, rig, rate=rate, subject="Anna")
    for frame in frames:
        sink.send(frame)
    sink.close()
    return path


ANIMATION = """#usda 1.0
def SkelAnimation "a" (customData = {{ {data} }}) {{
    uniform token[] blendShapes = {shapes}
    float[] blendShapeWeights.timeSamples = {{ {samples} }}
    quatf[] rotations.timeSamples = {{ 0: [{turn}, {turn}, {turn}] }}
}}
"""
WHOLE = {
    "data": "dictionary freeavatar = { string[] names = ['x'];  }",
    "shapes": '["x"]',
    "samples": "0: [0.5]",
    "turn": "(1, 0, 0, 0)",
}


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ({}, ""),
        ({"shapes": "[]"}, "0 blend shapes but 1 weights"),
        ({"shapes": '["x", "x"]', "samples": "0: [1, 1]"}, "does not name its blend shapes"),
        ({"data": "", "shapes": '["x", "x"]', "samples": "0: [1, 1]"}, "does not name"),
        ({"samples": "0: [0.5], 1: [0.5, 1]"}, "2 weights at time code 1"),
        ({"samples": "0: None"}, "no weights at time code 0"),
        ({"samples": "0: [nan]"}, "the weights of /a are not all numbers"),
        ({"samples": "0: [0.5], 1: [1]"}, "the rotations of /a are damaged"),
        ({"samples": "nan: [0.5]"}, "time codes of /a"),
        ({"samples": ""}, "no SkelAnimation in it moves blend shapes"),
        ({"turn": "(0, 0, 0, 0)"}, "is all zeros"),
        ({"turn": "(nan, 0, 0, 0)"}, "is all zeros"),
        (
            {"data": WHOLE["data"][:-1] + "float[] neutral = [1, 2] }"},
            "ranges of /a are damaged",
        ),
        ({"data": 'string freeavatar = "x"'}, ""),
        ({"data": "dictionary freeavatar = { double names = 3 }"}, "names of /a is damaged"),
        ({"data": WHOLE["data"][:-1] + "string[] neutral = ['a'] }"}, "neutral of /a is damaged"),
    ],
)
def test_damaged_files_are_refused_in_one_line(
    tmp_path: Path, damage: dict[str, str], complaint: str
) -> None:
    path = tmp_path / "t.usda"
    path.write_text(ANIMATION.format(**WHOLE | damage))
    if not complaint:
        assert read_take(path).frames[0].values == [0.5]
        return
    with pytest.raises(BridgeError, match=re.escape(complaint)) as caught:
        read_take(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_no_usd_is_refused(
    tmp_path: Path, mesh_rig: Rig, perform: Any, suffix: str
) -> None:
    whole = write(tmp_path / f"whole{suffix}", mesh_rig, perform(mesh_rig, 5)).read_bytes()
    path = tmp_path / f"t{suffix}"
    for data in (b"", b"#usda 1.0\n(", b"PXR-USDC" + b"\0" * 80, whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(BridgeError, match=r"USD file, or a damaged one|no SkelAnimation"):
            read_take(path)
    with pytest.raises(BridgeError, match="no such file"):
        read_take(tmp_path / f"absent{suffix}")


def test_layers_a_file_refers_to_are_not_opened(
    tmp_path: Path, mesh_rig: Rig, perform: Any
) -> None:
    write(tmp_path / "take.usdc", mesh_rig, perform(mesh_rig, 2))
    (tmp_path / "t.usda").write_text("#usda 1.0\n(subLayers = [@take.usdc@])\n")
    assert Usd.Stage.Open(str(tmp_path / "t.usda")).GetPrimAtPath("/solid/animation")
    with pytest.raises(BridgeError, match="must be flattened first"):
        read_take(tmp_path / "t.usda")


KILLED = """
import sys
from pathlib import Path
import numpy as np
from freeavatar.bridge.takes import open_take
from freeavatar.rigs.registry import load
from freeavatar.rigs.spec import RigFrame
sink = open_take(Path(sys.argv[1]), load("arkit"), rate=60)
for i in range(1000000):
    sink.send(RigFrame(index=i, time=i / 60, values=np.full(52, i / 1e6, np.float32)))
    print(i, flush=True)
"""


def test_a_killed_run_is_recovered(tmp_path: Path, arkit_rig: Rig, perform: Any) -> None:
    path = tmp_path / "t.usda"
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) == 100:
            break
    os.kill(writer.pid, signal.SIGKILL)
    printed = [100, *(int(line) for line in writer.stdout.readlines() if line.endswith("\n"))]
    writer.wait()
    writer.stdout.close()
    left = read_take(tmp_path / "t.usda.part")
    assert len(left.frames) > printed[-1]
    write(path, arkit_rig, perform(arkit_rig, 2))
    kept = read_take(tmp_path / "t.recovered.usda")
    assert len(kept.frames) == len(left.frames)
    assert kept.frames[printed[-1]].values[3] == np.float32(printed[-1] / 1e6)
    assert {p.name for p in tmp_path.iterdir()} == {"t.usda", "t.recovered.usda"}


def test_another_rigs_journal_is_kept(tmp_path: Path, mesh_rig: Rig, perform: Any) -> None:
    sink: Any = open_take(tmp_path / "t.usd", mesh_rig, rate=60)
    sink.send(perform(mesh_rig, 1)[0])
    sink._journal.file.keep()
    other = Rig(name="other", controls=mesh_rig.controls[:2])
    assert recover(tmp_path / "t.usd", other) == tmp_path / "t.recovered.usd.part"
    assert read_take(tmp_path / "t.recovered.usd.part").rig == "solid"


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from freeavatar.bridge.takes import open_take
from freeavatar.rigs.registry import load
from freeavatar.rigs.spec import RigFrame
sink = open_take(Path(sys.argv[1]), load("fox"), rate=60)
for i in range(20):
    sink.send(RigFrame(index=i, time=i / 60, values=np.zeros(16, np.float32)))
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    sink.close()
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


@pytest.mark.parametrize("suffix", [".usda", ".usdc"])
def test_a_full_disk_keeps_the_journal_and_the_earlier_take(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b"earlier")
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"BridgeError: cannot write {path}"), done
    assert path.read_bytes() == b"earlier"
    assert len(read_take(tmp_path / f"t{suffix}.part").frames) == 20
    assert {p.name for p in tmp_path.iterdir()} == {path.name, f"{path.name}.part"}


def test_without_the_library_the_error_says_what_to_install(
    tmp_path: Path, arkit_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pxr", None)
    monkeypatch.setitem(sys.modules, "pxr.UsdSkel", None)
    for do in (lambda path: open_take(path, arkit_rig, rate=60), read_take):
        with pytest.raises(BridgeError, match=re.escape("pip install 'freeavatar[usd]'")):
            do(tmp_path / "t.usdc")
    assert not list(tmp_path.iterdir())
