"""Programs we did not write receive our streams and open our takes."""

import functools
import http.server
import json
import queue
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from freeavatar.bridge.takes import open_take
from freeavatar.bridge.targets import open_target
from freeavatar.rigs import registry
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Rig, RigFrame

RECEIVERS = Path(__file__).resolve().parent.parent / "receivers"
RATE = 60.0


def program(name: str) -> str:
    """Path of a program, or the test is skipped."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed (apt: liblo-tools, nodejs, npm, chromium)")
    return found


@pytest.fixture
def node_modules() -> Path:
    """three.js and gltf-validator."""
    folder = RECEIVERS / "node_modules"
    if not (folder / "three").is_dir() or not (folder / "gltf-validator").is_dir():
        pytest.skip("npm install --prefix tests/receivers --package-lock=false was not run")
    return folder


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def oscdump(tmp_path: Path) -> Iterator[Any]:
    """Starts liblo's oscdump on a port; returns the port and what reads its lines at the end."""
    started: list[subprocess.Popen[bytes]] = []
    heard = tmp_path / "heard.txt"

    def start() -> tuple[int, Any]:
        port = free_port()
        with heard.open("wb") as out:
            started.append(subprocess.Popen([program("oscdump"), "-L", str(port)], stdout=out))
        _until_bound(port)
        return port, lambda: _settled(heard)

    yield start
    for running in started:
        running.send_signal(signal.SIGTERM)
        running.wait(10)


def _until_bound(port: int) -> None:
    for _ in range(500):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return
        time.sleep(0.01)
    raise AssertionError("oscdump did not start")


def _settled(path: Path) -> list[str]:
    size = -1
    while size != path.stat().st_size:
        size = path.stat().st_size
        time.sleep(0.3)
    return path.read_text().splitlines()


def perform_live(url: str, rig: Rig, frames: list[RigFrame]) -> None:
    """Send frames at their own times."""
    sink = open_target(url, rig, rate=RATE)
    began = time.perf_counter()
    for frame in frames:
        time.sleep(max(0.0, began + frame.time - time.perf_counter()))
        sink.send(frame)
    sink.close()


def messages(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Address and arguments of oscdump's lines: a time tag, address, types, values."""
    for line in lines:
        found = re.fullmatch(r"\S+ (/\S*) (\S*) ?(.*)", line)
        assert found, line
        yield found[1], found[3].split()


@pytest.mark.parametrize("seconds", [5])
def test_oscdump_receives_every_osc_value_of_five_seconds(
    oscdump: Any, arkit_rig: Rig, perform: Any, seconds: int
) -> None:
    port, lines = oscdump()
    frames = perform(arkit_rig, int(seconds * RATE))
    perform_live(f"osc://127.0.0.1:{port}", arkit_rig, frames)
    heard: dict[str, list[list[str]]] = {}
    for address, values in messages(lines()):
        heard.setdefault(address.removeprefix("/freeavatar/arkit/"), []).append(values)
    assert {name: len(values) for name, values in heard.items()} == dict.fromkeys(
        [*arkit_rig.names, "head", "eyes", "time", "found"], len(frames)
    )
    for k, name in enumerate(arkit_rig.names):
        said = np.array([float(values[0]) for values in heard[name]])
        np.testing.assert_allclose(said, [f.values[k] for f in frames], atol=1e-6)
    np.testing.assert_allclose(np.array(heard["head"], float), [f.head for f in frames], atol=1e-6)
    assert [int(v[0]) for v in heard["found"]] == [int(f.found) for f in frames]


def test_oscdump_receives_every_vmc_message_of_five_seconds(
    oscdump: Any, arkit_rig: Rig, perform: Any
) -> None:
    port, lines = oscdump()
    frames = perform(arkit_rig, int(5 * RATE))
    perform_live(f"vmc://127.0.0.1:{port}", arkit_rig, frames)
    heard = list(messages(lines()))
    count = Counter(address for address, _ in heard)
    n = len(frames)
    assert count == {
        "/VMC/Ext/OK": n + 1,
        "/VMC/Ext/T": n,
        "/VMC/Ext/Root/Pos": n,
        "/VMC/Ext/Bone/Pos": 4 * n,
        "/VMC/Ext/Blend/Val": 52 * n,
        "/VMC/Ext/Blend/Apply": n,
    }
    jaw = [float(v[1]) for a, v in heard if a.endswith("/Val") and v[0].strip('"') == "JawOpen"]
    np.testing.assert_allclose(jaw, [f.values[17] for f in frames], atol=1e-6)


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rig, list[RigFrame]]:
    """A GLB take of the mannequin with the frames it was written from."""
    rig = registry.load("mannequin")
    random = np.random.default_rng(5)
    frames = [
        RigFrame(
            index=i,
            time=i / RATE,
            values=random.random(len(rig.controls), dtype=np.float32),
            head=random.uniform(-0.5, 0.5, 3).astype(np.float32),
            eyes=random.uniform(-0.3, 0.3, (2, 3)).astype(np.float32),
        )
        for i in range(90)
    ]
    path = tmp_path_factory.mktemp("take") / "take.glb"
    sink = open_take(path, rig, rate=RATE)
    for frame in frames:
        sink.send(frame)
    sink.close()
    return path, rig, frames


def test_gltf_validator_finds_no_fault_in_a_glb_take(
    take: tuple[Path, Rig, list[RigFrame]], node_modules: Path
) -> None:
    done = subprocess.run(
        [program("node"), RECEIVERS / "validate.mjs", take[0]],
        capture_output=True,
        text=True,
        check=True,
    )
    issues = json.loads(done.stdout)
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"][:5]


class _Served(http.server.SimpleHTTPRequestHandler):
    """The receivers' folder, and the take as /take.glb; what the page posts goes to a queue."""

    take: Path
    posted: "queue.Queue[Any]"

    def do_POST(self) -> None:
        """Take what was played."""
        self.posted.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def translate_path(self, path: str) -> str:
        return str(self.take) if path == "/take.glb" else super().translate_path(path)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def play(
    take: tuple[Path, Rig, list[RigFrame]], tmp_path: Path
) -> Iterator[Callable[[list[float]], Any]]:
    """Plays the take in headless Chromium and gives what the page saw at the times asked for."""
    posted: queue.Queue[Any] = queue.Queue()
    handler = type("Handler", (_Served,), {"take": take[0], "posted": posted})
    served = functools.partial(handler, directory=str(RECEIVERS))
    running: list[subprocess.Popen[bytes]] = []

    def start(times: list[float]) -> Any:
        page = f"http://127.0.0.1:{server.server_address[1]}/play.html"
        arguments = (
            "--headless=new", "--no-sandbox", "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader", f"--user-data-dir={tmp_path}",
            f"{page}?times={','.join(map(repr, times))}",
        )  # fmt: skip
        quiet = subprocess.DEVNULL
        chromium = [program("chromium"), *arguments]
        running.append(subprocess.Popen(chromium, stdout=quiet, stderr=quiet))
        return posted.get(timeout=120)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield start
        for browser in running:
            browser.terminate()
            browser.wait(30)
        server.shutdown()


def test_three_js_in_chromium_plays_a_glb_take(
    take: tuple[Path, Rig, list[RigFrame]], node_modules: Path, play: Callable[[list[float]], Any]
) -> None:
    _, rig, frames = take
    # Two frames' own times, and one half way between two.
    shown = (10, 75, 40)
    times = [frames[10].time, frames[75].time, (frames[40].time + frames[41].time) / 2]
    played = play(times)
    assert "error" not in played, played["error"]
    assert played["clips"] == 1
    assert played["duration"] == pytest.approx(frames[-1].time, abs=1e-5)
    expected = [frames[10].values, frames[75].values, (frames[40].values + frames[41].values) / 2]
    for moment, values in zip(played["moments"], expected, strict=True):
        for name, value in zip(rig.names, values, strict=True):
            assert moment["weights"][name], f"no mesh has the morph target {name}"
            np.testing.assert_allclose(moment["weights"][name], value, atol=1e-5)
    for moment, at in zip(played["moments"][:2], shown[:2], strict=True):
        turned = {"head": frames[at].head, "eye_left": frames[at].eyes[0]}
        turned["eye_right"] = frames[at].eyes[1]
        for node, angles in turned.items():
            found = Rotation.from_quat(moment["turned"][node]).as_matrix()
            np.testing.assert_allclose(found, matrix_from_angles(angles), atol=1e-5)
    # The head fills a good part of the 64 x 64 picture and leaves some of it dark.
    assert 300 < played["lit"] < 3900
