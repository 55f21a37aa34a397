"""The node tree of a glTF file: who hangs under whom, and where everything is at rest."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.errors import RigError

from .document import Document
from .fields import Fields

MAX_DEPTH = 1000

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class NodeTree:
    """All nodes of a file, in the file's numbering."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    """Parent of each node, -1 for a root."""
    children: tuple[tuple[int, ...], ...]
    roots: tuple[int, ...]
    """Roots of the scene that is shown."""
    matrices: Matrix
    """(N, 4, 4) from each node's space to the file's world, at rest."""

    @cached_property
    def shown(self) -> tuple[int, ...]:
        """Nodes of the shown scene, depth first: the order in which meshes are read."""
        return tuple(node for root in self.roots for node in self.under(root))

    def under(self, node: int) -> list[int]:
        """A node and all its descendants, depth first."""
        found, waiting = [], [node]
        while waiting:
            node = waiting.pop()
            found.append(node)
            waiting.extend(reversed(self.children[node]))
        return found

    def above(self, node: int) -> list[int]:
        """The ancestors of a node, nearest first."""
        found = []
        while (node := self.parents[node]) >= 0:
            found.append(node)
        return found


def read_nodes(document: Document) -> NodeTree:
    """Read and check the node tree.

    Raises:
        RigError: a node is its own ancestor, has two parents, or is nested too deeply.
    """
    nodes = document.items("nodes")
    children = tuple(_indices(document, node, "children", len(nodes)) for node in nodes)
    parents = _parents(document, children)
    matrices = np.zeros((len(nodes), 4, 4))
    order = _from_roots(document, parents, children)
    for node in order:
        local = local_matrix(nodes[node])
        above = parents[node]
        matrices[node] = matrices[above] @ local if above >= 0 else local
    if not np.isfinite(matrices).all() or (matrices.size and np.abs(matrices).max() > 1e12):
        raise RigError(f"{document.file}: its node transforms grow beyond any size")
    return NodeTree(
        names=tuple(node.text("name") for node in nodes),
        parents=parents,
        children=children,
        roots=_scene_roots(document, parents),
        matrices=matrices,
    )


def local_matrix(node: Fields) -> Matrix:
    """(4, 4) transform of a node relative to its parent: its matrix, or T·R·S."""
    if node.has("matrix"):
        return np.array(node.numbers("matrix", [0.0] * 16)).reshape(4, 4).T
    x, y, z, w = unit_quaternion(node)
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array(node.numbers("scale", (1.0, 1.0, 1.0)))
    matrix[:3, 3] = node.numbers("translation", (0.0, 0.0, 0.0))
    return matrix


def unit_quaternion(node: Fields) -> NDArray[np.float64]:
    """(4,) rotation of a node relative to its parent, x, y, z, w.

    Raises:
        RigError: all four are zero.
    """
    rotation = np.array(node.numbers("rotation", (0.0, 0.0, 0.0, 1.0)))
    length = np.linalg.norm(rotation)
    if length < 1e-9:
        raise node.fail("rotation", "a quaternion of length 1")
    return np.asarray(rotation / length)


def _indices(document: Document, fields: Fields, key: str, count: int) -> tuple[int, ...]:
    values = fields.array(key)
    if any(type(v) is not int or not 0 <= v < count for v in values):
        raise fields.fail(key, f"node numbers below {count}")
    return tuple(values)


def _parents(document: Document, children: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    parents = [-1] * len(children)
    for node, below in enumerate(children):
        for child in below:
            if parents[child] >= 0:
                raise RigError(f"{document.file}: nodes[{child}] hangs under two nodes")
            parents[child] = node
    return tuple(parents)


def _from_roots(
    document: Document, parents: tuple[int, ...], children: tuple[tuple[int, ...], ...]
) -> list[int]:
    level = [node for node, above in enumerate(parents) if above < 0]
    order: list[int] = []
    for _ in range(MAX_DEPTH):
        order += level
        level = [child for node in level for child in children[node]]
        if not level:
            break
    else:
        raise RigError(f"{document.file}: its nodes are nested deeper than {MAX_DEPTH}")
    if len(order) != len(parents):
        lost = next(iter(set(range(len(parents))) - set(order)))
        raise RigError(f"{document.file}: nodes[{lost}] is its own ancestor (a cycle)")
    return order


def _scene_roots(document: Document, parents: tuple[int, ...]) -> tuple[int, ...]:
    scenes = document.items("scenes")
    if not scenes:
        return tuple(node for node, above in enumerate(parents) if above < 0)
    scene = document.item("scenes", document.root.integer("scene", 0))
    roots = _indices(document, scene, "nodes", len(parents))
    if any(parents[node] >= 0 for node in roots) or len(set(roots)) != len(roots):
        raise scene.fail("nodes", "root nodes, each once")
    return roots
