"""Finding VRChat and being found: multicast DNS, the OSCQuery tree, avatar changes."""

import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import zeroconf
from pythonosc.udp_client import SimpleUDPClient
from zeroconf import ServiceBrowser, ServiceInfo, ServiceStateChange, Zeroconf

from freeavatar.bridge.targets import open_target
from freeavatar.bridge.vrchat import oscquery_client, oscquery_tree
from freeavatar.bridge.vrchat.oscquery_client import HTTP_SERVICE, OSC_SERVICE, is_at
from freeavatar.bridge.vrchat.oscquery_server import answer
from freeavatar.rigs.spec import Rig

RECEIVERS = Path(__file__).resolve().parent.parent / "receivers"
ROOT = "/avatar/parameters/"
PATIENCE = 30.0


def until(met: Callable[[], Any], what: str) -> Any:
    """Wait for something that other threads or programs do."""
    end = time.monotonic() + PATIENCE
    while not (found := met()):
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.01)
    return found


def node(parameters: Sequence[tuple[str, str]]) -> bytes:
    """The tree VRChat would show of an avatar."""
    root: dict[str, Any] = {"FULL_PATH": ROOT.rstrip("/"), "ACCESS": 0, "CONTENTS": {}}
    for address, kind in parameters:
        inner = root
        parts = address.removeprefix(ROOT).split("/")
        for depth, part in enumerate(parts):
            path = ROOT + "/".join(parts[: depth + 1])
            contents = inner.setdefault("CONTENTS", {})
            inner = contents.setdefault(part, {"FULL_PATH": path, "ACCESS": 0})
        inner |= {"TYPE": kind, "ACCESS": 3, "VALUE": [None]}
    return json.dumps(root).encode()


class FakeVrchat:
    """VRChat's side: announces itself, shows an avatar's tree, tells who asks that it changed."""

    def __init__(self) -> None:
        self.asked = 0
        self.status, self.body = 200, node([])
        double = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = double.body
                self.send_response(double.status if self.path == ROOT.rstrip("/") else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                double.asked += 1

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._served.serve_forever, args=(0.05,))
        self._thread.start()
        self.network = Zeroconf()
        self.name = f"VRChat-Client-{uuid.uuid4().hex[:6].upper()}"

    def announce(self) -> None:
        self._info = ServiceInfo(
            HTTP_SERVICE,
            f"{self.name}.{HTTP_SERVICE}",
            port=self._served.server_address[1],
            server=f"{self.name}.local.",
            parsed_addresses=["127.0.0.1"],
        )
        self.network.register_service(self._info, cooperating_responders=True)

    def leave(self) -> None:
        self.network.unregister_service(self._info)

    def wear(self, *names: str, kind: str = "f") -> None:
        self.body = node([(ROOT + name, kind) for name in names])

    def tell(self) -> None:
        """Find who wants to know of avatars, and tell them by OSC as VRChat does."""
        for name in services(self.network, HTTP_SERVICE):
            info = self.network.get_service_info(HTTP_SERVICE, name, 3000)
            if not name.startswith("FreeAvatar") or info is None:
                continue
            place = f"http://{info.parsed_addresses()[0]}:{info.port}"
            with urllib.request.urlopen(f"{place}/avatar/change", timeout=10) as said:
                assert json.load(said)["ACCESS"] == 2
            with urllib.request.urlopen(f"{place}/?HOST_INFO", timeout=10) as said:
                host = json.load(said)
            assert host["OSC_TRANSPORT"] == "UDP"
            client = SimpleUDPClient(host["OSC_IP"], host["OSC_PORT"])
            client.send_message("/avatar/change", "avtr_" + str(uuid.uuid4()))

    def close(self) -> None:
        self.network.close()
        self._served.shutdown()
        self._served.server_close()
        self._thread.join()


def services(network: Zeroconf, kind: str) -> list[str]:
    """Names of our services; waits until there is one."""
    seen: dict[str, None] = {}

    def changed(
        zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        seen[name] = None

    browser = ServiceBrowser(network, kind, handlers=[changed])
    ours = until(lambda: [n for n in list(seen) if n.startswith("FreeAvatar")], f"our {kind}")
    browser.cancel()
    return list(ours)


@pytest.fixture
def vrchat() -> Iterator[FakeVrchat]:
    try:
        fake = FakeVrchat()
    except (OSError, zeroconf.Error) as error:
        pytest.skip(f"no multicast DNS here: {error} (optional)")
    yield fake
    fake.close()


@pytest.fixture
def sink(arkit_rig: Rig, ear: Any) -> Iterator[Any]:
    sink = open_target(f"vrchat://127.0.0.1:{ear.port}", arkit_rig, rate=60)
    yield sink
    sink.close()


def test_the_avatars_names_are_sent_and_another_avatars_after_a_change(
    vrchat: FakeVrchat, sink: Any, ear: Any, arkit_rig: Rig, perform: Any
) -> None:
    assert len(sink.addresses) == 181
    vrchat.wear("FT/v2/JawOpen", "v2/SmileSadLeft", "VRCEmote")
    vrchat.announce()
    until(lambda: len(sink.addresses) == 2, "the first avatar")
    assert set(sink.addresses) == {f"{ROOT}FT/v2/JawOpen", f"{ROOT}v2/SmileSadLeft"}

    vrchat.wear("Fox/v2/MouthX1", "Fox/v2/MouthXNegative", "LipTrackingActive", kind="T")
    vrchat.tell()
    until(lambda: len(sink.addresses) == 3, "the second avatar")
    ear.heard()
    sink.send(perform(arkit_rig, 1)[0])
    heard = b"".join(ear.heard())
    assert heard.count(b"/avatar/") == 3 and b"JawOpen" not in heard


def test_vrchat_may_leave_and_come_back(vrchat: FakeVrchat, sink: Any, perform: Any) -> None:
    vrchat.wear("v2/JawOpen")
    vrchat.announce()
    until(lambda: len(sink.addresses) == 1, "the avatar")
    vrchat.leave()
    vrchat.wear("v2/JawX", "v2/JawZ")
    vrchat.name += "-again"
    assert sink.addresses == (f"{ROOT}v2/JawOpen",)
    vrchat.announce()
    until(lambda: len(sink.addresses) == 2, "the avatar of the VRChat that came back")


def test_answers_that_make_no_sense_change_nothing(
    vrchat: FakeVrchat, sink: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oscquery_client, "RETRY", 0.01)
    monkeypatch.setattr(oscquery_client, "RETRIES", 1000)
    # So that only being told, and trying again, can bring a reading.
    monkeypatch.setattr(oscquery_client, "REFRESH", 600.0)
    vrchat.wear("v2/JawOpen")
    vrchat.announce()
    until(lambda: len(sink.addresses) == 1, "the avatar")
    for status, body in (
        (500, b""), (404, node([])), (301, b""), (200, b""), (200, b"{"), (200, b"[]"),
        (200, b"[" * 100_000), (200, b'{"CONTENTS": 1}'), (200, b"\xff\xfe\0"), (200, b"9" * 9999),
        (200, b" " * (oscquery_tree.LARGEST + 1)),
    ):  # fmt: skip
        vrchat.status, vrchat.body = status, body
        asked = vrchat.asked
        sink._changed()
        until(lambda asked=asked: vrchat.asked > asked + 1, "being asked again")
        assert sink.addresses == (f"{ROOT}v2/JawOpen",)
    vrchat.status = 200
    vrchat.wear("v2/JawX", "v2/JawZ")
    until(lambda: len(sink.addresses) == 2, "the avatar that is told at last")


def test_opening_and_closing_leave_no_thread_and_wait_for_nobody(arkit_rig: Rig, ear: Any) -> None:
    before = set(threading.enumerate())
    for _ in range(2):
        began = time.monotonic()
        sink = open_target(f"vrchat://127.0.0.1:{ear.port}", arkit_rig, rate=60)
        assert time.monotonic() - began < 2
        sink.close()
    until(lambda: set(threading.enumerate()) <= before, "the end of all threads")


def test_multicast_dns_shows_both_our_ports(vrchat: FakeVrchat, sink: Any) -> None:
    for kind, port in (
        (HTTP_SERVICE, sink._server.http_port),
        (OSC_SERVICE, sink._server.osc_port),
    ):
        found = [
            vrchat.network.get_service_info(kind, name, 3000)
            for name in services(vrchat.network, kind)
        ]
        assert (["127.0.0.1"], port) in [(f.parsed_addresses(), f.port) for f in found if f]


def program(*arguments: str) -> list[str]:
    node_js = shutil.which("node")
    if not node_js or not (RECEIVERS / "node_modules" / "oscquery").is_dir():
        pytest.skip("node, or npm install --prefix tests/receivers, is missing")
    return [node_js, str(RECEIVERS / arguments[0]), *arguments[1:]]


def test_npm_oscquery_reads_our_tree(sink: Any) -> None:
    served = sink._server
    asked = program("oscquery_read.mjs", "127.0.0.1", str(served.http_port))
    done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
    read = json.loads(done.stdout)
    assert read["methods"] == [
        {"full_path": "/avatar/change", "access": 2, "arguments": [{"type": "s"}]}
    ]
    host = read["host"]
    assert host["name"].startswith("FreeAvatar-")
    assert (host["oscIp"], host["oscTransport"]) == ("127.0.0.1", "UDP")
    assert host["oscPort"] == served.osc_port


def test_npm_oscquery_plays_vrchat(sink: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    first = [[f"{ROOT}FT/v2/JawOpen{bit}", "T"] for bit in (1, 2, 4)] + [[f"{ROOT}Emote", "i"]]
    name = f"VRChat-Client-{uuid.uuid4().hex[:6].upper()}"
    asked = program("oscquery_serve.mjs", name, str(port), json.dumps(first))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(asked, text=True, **pipes) as playing:  # type: ignore[call-overload]
        try:
            assert playing.stdout.readline() == "up\n"
            until(lambda: len(sink.addresses) == 3, "the first avatar")
            playing.stdin.write(json.dumps([[f"{ROOT}v2/Head/Yaw", "f"]]) + "\n")
            playing.stdin.flush()
            assert playing.stdout.readline() == "worn\n"
            sink._changed()
            until(lambda: sink.addresses == (f"{ROOT}v2/Head/Yaw",), "the second avatar")
            playing.stdin.close()
            assert playing.wait(30) == 0
        finally:
            playing.kill()


@pytest.mark.parametrize(
    ("path", "query", "status", "said"),
    [
        ("/avatar", "FULL_PATH", 200, {"FULL_PATH": "/avatar"}),
        ("/avatar/change/", "TYPE", 200, {"TYPE": "s"}),
        ("/avatar/change", "VALUE", 204, None),
        ("/avatar", "TYPE", 204, None),
        ("/avatar", "COLOUR", 400, None),
        ("/avatar/parameters", "", 404, None),
        ("/avatar/change/FULL_PATH", "", 404, None),
        ("/anything", "HOST_INFO", 200, {"NAME": "x"}),
    ],
)
def test_requests_are_answered_as_the_proposal_says(
    path: str, query: str, status: int, said: Any
) -> None:
    assert answer(path, query, {"NAME": "x"}) == (status, said)


def test_only_the_targets_own_vrchat_is_believed() -> None:
    assert is_at("127.0.0.1", "localhost")
    assert is_at("127.0.0.1", "127.0.0.1")
    assert is_at("198.51.100.7", "198.51.100.7")
    assert not is_at("198.51.100.7", "127.0.0.1")
    assert not is_at("127.0.0.1", "198.51.100.7")
    assert not is_at("nonsense", "127.0.0.1")
