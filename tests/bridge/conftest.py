"""Rigs made in code, a performance for them, and a socket that hears it."""

import socket
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from freeavatar.rigs.conventions import ARKIT, describe_controls
from freeavatar.rigs.spec import Control, Joint, Mesh, Part, Rig, RigFrame


@pytest.fixture
def arkit_rig() -> Rig:
    """The 52 curves without a mesh."""
    return Rig(name="arkit", controls=describe_controls(ARKIT))


@pytest.fixture
def odd_rig() -> Rig:
    """Three controls of a character that follows no convention."""
    names = ("jaw open", "Grimace/left", "head")
    return Rig(name="fox 2", controls=tuple(Control(name=name) for name in names))


@pytest.fixture
def mesh_rig() -> Rig:
    """Two tetrahedra with three morphs, head and eye joints."""
    corner = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32) * 0.1
    vertices = np.concatenate([corner, corner + np.float32([0.2, 0, 0])])
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    deltas = np.zeros((3, 8, 3), np.float32)
    deltas[0, :, 1], deltas[1, 3], deltas[2, 5] = 0.02, (0, 0.01, 0.03), (0.04, 0, 0)
    everything, right, left = np.ones(8), np.eye(8)[:4].sum(0), np.eye(8)[4:].sum(0)
    places = (("head", (0, -0.1, 0)), ("left_eye", (0.03, 0.05, 0.06)))
    pivots = dict([*places, ("right_eye", (-0.03, 0.05, 0.06))])
    weights = {"head": everything, "left_eye": left, "right_eye": right}
    return Rig(
        name="solid",
        controls=tuple(Control(name=name) for name in ("up", "tip", "side")),
        mesh=Mesh(
            vertices=vertices,
            triangles=np.concatenate([faces, faces + 4]),
            deltas=deltas,
            parts=(Part(name="solid", first_triangle=0, triangle_count=8),),
            joints=tuple(
                Joint(
                    role=role,  # type: ignore[arg-type]
                    pivot=np.array(pivot, np.float32),
                    weights=weights[role].astype(np.float32),
                )
                for role, pivot in pivots.items()
            ),
        ),
    )


Perform = Callable[..., list[RigFrame]]


@pytest.fixture
def perform() -> Perform:
    """Makes frames with values, head and eyes that all differ."""

    def make(rig: Rig, count: int, *, rate: float = 60.0) -> list[RigFrame]:
        random = np.random.default_rng(7)
        return [
            RigFrame(
                index=i,
                time=i / rate,
                values=random.random(len(rig.controls), dtype=np.float32),
                found=i % 5 != 3,
                head=random.uniform(-1, 1, 3).astype(np.float32),
                eyes=random.uniform(-0.5, 0.5, (2, 3)).astype(np.float32),
            )
            for i in range(count)
        ]

    return make


class Ear:
    """A UDP socket on this machine."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]

    def heard(self) -> list[bytes]:
        """Every datagram that has arrived and was not asked for yet."""
        datagrams = []
        while True:
            try:
                datagrams.append(self.socket.recv(65535))
            except BlockingIOError:
                return datagrams


@pytest.fixture
def ear() -> Iterator[Ear]:
    """A socket to send to."""
    ear = Ear()
    yield ear
    ear.socket.close()
