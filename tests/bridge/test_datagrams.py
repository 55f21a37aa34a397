"""UDP goes on when the network went away and came back, with or without the old address."""

import errno
import shutil
import socket
import subprocess
import sys
import time
from typing import Any, ClassVar

import pytest

from freeavatar.bridge import datagrams
from freeavatar.bridge.datagrams import DatagramSender

GONE = (
    errno.ENETUNREACH,
    errno.ENETDOWN,
    errno.EHOSTUNREACH,
    errno.EHOSTDOWN,
    errno.EADDRNOTAVAIL,
    errno.EINVAL,
    errno.EPERM,
    errno.ENOBUFS,
)


class Cable(socket.socket):
    """A socket whose network can be away."""

    error: ClassVar[int] = 0
    begun: ClassVar[int] = 0
    stale = False

    def connect(self, address: Any) -> None:
        """Fails while it is away."""
        type(self).begun += 1
        self._check()
        super().connect(address)

    def send(self, *arguments: Any) -> int:
        """Fails while it is away, and afterwards in a socket with the old address."""
        self.stale |= bool(self.error)
        if self.stale and not self.error:
            raise OSError(errno.EINVAL, "the address is no longer this machine's")
        self._check()
        return super().send(*arguments)

    def _check(self) -> None:
        if self.error:
            raise OSError(self.error, "away")


@pytest.mark.parametrize("error", GONE)
def test_sending_goes_on_when_the_network_is_back(
    error: int, ear: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datagrams.socket, "socket", Cable)
    monkeypatch.setattr(datagrams, "RENEWAL", 0.0)
    sender = DatagramSender("127.0.0.1", ear.port)
    sender.send(b"before")
    monkeypatch.setattr(Cable, "error", error)
    for _ in range(100):
        sender.send(b"lost")
    assert (sender.sent, sender.errors) == (1, 100)
    monkeypatch.setattr(Cable, "error", 0)
    sender.send(b"after")
    assert ear.heard() == [b"before", b"after"]
    sender.close()
    sender.send(b"closed")
    assert sender.sent == 2


def test_a_new_socket_is_tried_once_a_second(ear: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datagrams.socket, "socket", Cable)
    monkeypatch.setattr(Cable, "begun", 0)
    sender = DatagramSender("127.0.0.1", ear.port)
    monkeypatch.setattr(Cable, "error", errno.ENETUNREACH)
    began = time.monotonic()
    for _ in range(500):
        sender.send(b"lost")
    assert Cable.begun <= 3 + time.monotonic() - began
    assert sender.errors == 500
    sender.close()


NETWORK = """
import fcntl, socket, struct, sys, time
from freeavatar.bridge.datagrams import DatagramSender
from freeavatar.bridge.streams import StreamSender

def switch(up):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", int(up)))

switch(True)
ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ear.bind(("127.0.0.1", 0))
listening = socket.create_server(("127.0.0.1", 0))
for each in (ear, listening):
    each.settimeout(30)
datagrams = DatagramSender(*ear.getsockname())
late = StreamSender(*listening.getsockname())
datagrams.send(b"1")
late.send(b"1")
taken = listening.accept()[0]
taken.settimeout(30)
switch(False)
for _ in range(5):
    datagrams.send(b"lost")
    late.send(b"2")
absent = StreamSender("127.0.0.1", listening.getsockname()[1])
assert not absent.connected, "the network is not away"
switch(True)
datagrams.send(b"3")
until = time.monotonic() + 30
while not absent.sent and time.monotonic() < until:
    absent.send(b"3")
    time.sleep(0.01)
late.close()
absent.close()
heard = b"".join(iter(lambda: taken.recv(99), b""))
again = listening.accept()[0]
print(ear.recv(9), ear.recv(9), heard, again.recv(1))
"""


def test_a_real_interface_may_go_down_and_up() -> None:
    """In a network of its own, which Linux gives to those it trusts."""
    unshare = shutil.which("unshare")
    alone = [unshare or "unshare", "-rn"]
    if not unshare or subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("no network of its own can be made here (Linux: unshare -rn) (optional)")
    done = subprocess.run(
        [*alone, sys.executable, "-c", NETWORK], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "b'1' b'3' b'122222' b'3'"
