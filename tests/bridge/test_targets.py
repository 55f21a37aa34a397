"""Target URLs: defaults, IPv6, options, and errors that say what to type."""

import re
import socket

import pytest

from freeavatar.bridge.osc_reading import read_osc
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.targets import open_target, parse_target
from freeavatar.rigs.spec import Rig


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("osc://127.0.0.1", "127.0.0.1", 9000),
        ("OSC://studio-pc:8000/", "studio-pc", 8000),
        ("vmc://127.0.0.1", "127.0.0.1", 39539),
        ("livelink://[::1]?subject=Anna", "::1", 11111),
        ("livelink://[fe80::1]:5?fps=30", "fe80::1", 5),
    ],
)
def test_ports_default_to_the_protocols(url: str, host: str, port: int) -> None:
    target = parse_target(url)
    assert (target.host, target.port) == (host, port)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("127.0.0.1:9000", "unknown kind of target; there are osc://, vmc://, livelink://"),
        ("http://x", "unknown kind"),
        ("osc:127.0.0.1", "unknown kind"),
        ("osc://", "no host; write osc://127.0.0.1:9000"),
        ("vmc://:39540", "no host"),
        ("osc://a:99999", "out of range"),
        ("osc://a:0", "port 0"),
        ("osc://a:b", "looks like osc://"),
        ("osc://[::1:9000", "looks like osc://"),
        ("osc://a/path", "only host, port"),
        ("osc://me@a", "only host, port"),
        ("osc://a?subject=x", "unknown option subject; OSC takes ?prefix="),
        ("vmc://a?x=1", "VMC protocol takes no options"),
        ("livelink://127.0.0.1?fps=0", "fps must be"),
        ("livelink://127.0.0.1?fps=nan", "fps must be"),
        ("livelink://127.0.0.1?fps=1/0", "fps must be"),
        ("livelink://127.0.0.1?subject=" + "x" * 200, "longer than 128 bytes"),
        ("osc://127.0.0.1?prefix=/a%20b", "' ' cannot be part"),
        ("osc://no-such-host.invalid", "cannot find the host no-such-host.invalid"),
    ],
)
def test_wrong_urls_are_explained(url: str, complaint: str, arkit_rig: Rig) -> None:
    with pytest.raises(BridgeError, match=re.escape(complaint)) as caught:
        open_target(url, arkit_rig, rate=60)
    assert "\n" not in str(caught.value)


def test_ipv6_arrives(arkit_rig: Rig, perform) -> None:  # type: ignore[no-untyped-def]
    try:
        ear = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        ear.bind(("::1", 0))
    except OSError:
        with pytest.raises(BridgeError):
            open_target("osc://[::1]:9000", arkit_rig, rate=60)
        return
    with ear:
        ear.settimeout(5)
        open_target(f"osc://[::1]:{ear.getsockname()[1]}", arkit_rig, rate=60).send(
            perform(arkit_rig, 1)[0]
        )
        assert len(read_osc(ear.recv(65535))) > 20
