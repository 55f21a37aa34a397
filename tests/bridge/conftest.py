"""Rigs made in code, a performance for them, and a socket that hears it."""

import socket
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from freeavatar.rigs.conventions import ARKIT, describe_controls
from freeavatar.rigs.spec import Control, Joint, JointRole, Mesh, Part, Rig, RigFrame


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
    """A head and two eyes, each a tetrahedron, with three morphs of the head."""
    corner = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    places = np.float32([[0, 0, 0], [0.03, 0.05, 0.06], [-0.03, 0.05, 0.06]])
    solids = [corner * size + at for size, at in zip((0.1, 0.01, 0.01), places, strict=True)]
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    deltas = np.zeros((3, 12, 3), np.float32)
    deltas[0, :4, 1], deltas[1, 3], deltas[2, 1] = 0.02, (0, 0.01, 0.03), (0.04, 0, 0)
    weights = np.repeat(np.eye(3, dtype=np.float32), 4, axis=1)
    weights[0] = 1
    roles: tuple[JointRole, ...] = ("head", "left_eye", "right_eye")
    return Rig(
        name="solid",
        controls=tuple(Control(name=name) for name in ("up", "tip", "side")),
        mesh=Mesh(
            vertices=np.concatenate(solids),
            triangles=np.concatenate([faces, faces + 4, faces + 8]),
            deltas=deltas,
            parts=(Part(name="solid", first_triangle=0, triangle_count=12),),
            joints=tuple(
                Joint(role=role, pivot=at + np.float32([0, -0.1 * (role == "head"), 0]), weights=w)
                for role, at, w in zip(roles, places, weights, strict=True)
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
