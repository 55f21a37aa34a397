"""The MediaPipe bundle: where it is looked for, and its download from a real local server."""

import hashlib
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from freeavatar.foundation import bundle
from freeavatar.foundation.bundle import cached_bundle, download_bundle, find_bundle
from freeavatar.foundation.errors import ReaderError

BODY = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """/whole, /truncated (fewer bytes than promised), /endless (no length, far too many),
    /broken (not the chunks it announces), 404."""

    def do_GET(self) -> None:
        if self.path not in ("/whole", "/truncated", "/huge", "/endless", "/broken"):
            self.send_error(404)
            return
        self.send_response(200)
        if self.path == "/huge":
            self.send_header("Content-Length", str(1 << 40))
        elif self.path == "/broken":
            self.send_header("Transfer-Encoding", "chunked")
        elif self.path != "/endless":
            self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        try:
            if self.path == "/endless":
                while True:
                    self.wfile.write(BODY)
            self.wfile.write(BODY if self.path == "/whole" else BODY[:5000])
        except OSError:
            pass  # the client has seen enough

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_a_download_arrives_whole(server: str, tmp_path: Path) -> None:
    target = tmp_path / "new" / "face.task"
    download_bundle(target, url=f"{server}/whole", sha256=SHA256)
    assert target.read_bytes() == BODY
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("page", "sha256", "reason"),
    [
        ("whole", "0" * 64, "not the expected file"),
        ("truncated", SHA256, "broke off"),
        ("broken", SHA256, "cannot download"),
        ("huge", SHA256, "far more than the bundle has"),
        ("absent", SHA256, "404"),
    ],
)
def test_a_bad_download_leaves_nothing_and_says_what_to_do(
    server: str, tmp_path: Path, page: str, sha256: str, reason: str
) -> None:
    target = tmp_path / "face.task"
    with pytest.raises(ReaderError, match=reason) as caught:
        download_bundle(target, url=f"{server}/{page}", sha256=sha256, timeout=5)
    assert list(tmp_path.iterdir()) == []
    message = str(caught.value)
    assert "\n" not in message and f"{server}/{page}" in message and str(target) in message


def test_an_endless_download_is_broken_off(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "LARGEST_BUNDLE", 1 << 20)
    with pytest.raises(ReaderError, match="far more bytes"):
        download_bundle(tmp_path / "f.task", url=f"{server}/endless", sha256=SHA256, timeout=5)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_connection(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ReaderError, match="refused") as caught:
        download_bundle(
            tmp_path / "f.task", url=f"http://127.0.0.1:{port}/x", sha256=SHA256, timeout=5
        )
    assert "by hand" in str(caught.value) and list(tmp_path.iterdir()) == []


def test_the_order_of_places(
    server: str, user_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(bundle.BUNDLE_VARIABLE, raising=False)
    monkeypatch.setattr(bundle, "BUNDLE_URL", f"{server}/whole")
    monkeypatch.setattr(bundle, "BUNDLE_SHA256", SHA256)
    cached = user_folders / "cache" / "freeavatar" / "mediapipe" / "face_landmarker.task"
    assert cached_bundle() == cached
    with pytest.raises(ReaderError, match="by hand"):
        find_bundle(download=False)
    assert not cached.exists()

    assert find_bundle() == cached and cached.read_bytes() == BODY
    stamp = cached.stat().st_mtime_ns
    assert find_bundle(download=False) == cached and cached.stat().st_mtime_ns == stamp

    cached.write_bytes(b"damaged on disk")
    assert find_bundle() == cached and cached.read_bytes() == BODY

    named, chosen = tmp_path / "named.task", tmp_path / "chosen.task"
    named.write_bytes(b"a")
    chosen.write_bytes(b"b")
    monkeypatch.setenv(bundle.BUNDLE_VARIABLE, str(named))
    assert find_bundle() == named
    assert find_bundle(chosen) == chosen
    with pytest.raises(ReaderError, match="--mediapipe-bundle names"):
        find_bundle(tmp_path / "absent.task")
    monkeypatch.setenv(bundle.BUNDLE_VARIABLE, str(tmp_path / "absent.task"))
    with pytest.raises(ReaderError, match=bundle.BUNDLE_VARIABLE):
        find_bundle()


def test_the_known_checksum_is_that_of_the_shared_bundle(shared: Path) -> None:
    data = (shared / "mediapipe" / "face_landmarker.task").read_bytes()
    assert hashlib.sha256(data).hexdigest() == bundle.BUNDLE_SHA256
    assert bundle.BUNDLE_URL.startswith("https://")
