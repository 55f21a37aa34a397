"""Skins: which bones a vertex follows, and the matrices that put it where it rests.

Source: glTF 2.0 specification, section 3.7.3. A skinned mesh ignores its node's own transform.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.accessors import read_floats, read_integers
from freeavatar.rigs.gltf.document import Document
from freeavatar.rigs.gltf.fields import Fields
from freeavatar.rigs.gltf.scene import NodeTree
from freeavatar.rigs.spec import FloatArray, IntArray


@dataclass(frozen=True)
class Skin:
    """The bones of one skin."""

    nodes: IntArray
    """(B,) node of each bone."""
    matrices: NDArray[np.float64]
    """(B, 4, 4) global transform of the bone times its inverse bind matrix."""

    def bind(
        self, document: Document, attributes: Fields, count: int, where: str
    ) -> tuple[IntArray, FloatArray, NDArray[np.float64]]:
        """Bones, weights and blended matrices of a primitive's vertices.

        Returns:
            (V, J) nodes (-1 where the weight is 0), (V, J) weights summing to 1, (V, 4, 4).

        Raises:
            RigError: a vertex names a bone that is not there, or the counts disagree.
        """
        bones, weights = _influences(document, attributes, where)
        if len(bones) != count or len(weights) != count:
            raise RigError(
                f"{document.file}: JOINTS_0 of {where} has {len(bones)} elements for "
                f"{count} vertices"
            )
        if int(bones.max()) >= len(self.nodes):
            raise RigError(
                f"{document.file}: JOINTS_0 of {where} names bone {int(bones.max())} of "
                f"{len(self.nodes)}"
            )
        weights = weights.clip(0, None)
        total = weights.sum(axis=1, keepdims=True)
        weights[total[:, 0] <= 0, 0] = 1.0
        weights /= np.where(total > 0, total, 1)
        blended = np.zeros((count, 4, 4))
        for bone, weight in zip(bones.T, weights.T, strict=True):
            blended += weight[:, None, None] * self.matrices[bone]
        nodes = np.where(weights > 0, self.nodes[bones], -1).astype(np.int32)
        # The first column marks a vertex as skinned: put its strongest bone there.
        order = np.argsort(-weights, axis=1, kind="stable")
        return (
            np.take_along_axis(nodes, order, axis=1),
            np.take_along_axis(weights, order, axis=1).astype(np.float32),
            blended,
        )


def read_skin(document: Document, tree: NodeTree, index: int) -> Skin:
    """Read one skin.

    Raises:
        RigError: it has no bones, or fewer inverse bind matrices than bones.
    """
    fields = document.item("skins", index)
    nodes = fields.array("joints")
    if not nodes or any(type(n) is not int or not 0 <= n < len(tree.names) for n in nodes):
        raise fields.fail("joints", f"a list of node numbers below {len(tree.names)}")
    matrices = tree.matrices[nodes]
    if fields.has("inverseBindMatrices"):
        what = f"inverseBindMatrices of {fields.where}"
        inverse = read_floats(document, fields.integer("inverseBindMatrices"), 16, what)
        if len(inverse) < len(nodes):
            raise RigError(f"{document.file}: {what} has {len(inverse)} for {len(nodes)} joints")
        matrices = matrices @ inverse[: len(nodes)].reshape(-1, 4, 4).transpose(0, 2, 1)
    return Skin(nodes=np.array(nodes, np.int32), matrices=matrices)


def _influences(
    document: Document, attributes: Fields, where: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    bones, weights = [], []
    for number in range(8):
        if not attributes.has(f"JOINTS_{number}"):
            break
        what = f"JOINTS_{number} of {where}"
        bones.append(read_integers(document, attributes.integer(f"JOINTS_{number}"), 4, what))
        what = f"WEIGHTS_{number} of {where}"
        weights.append(read_floats(document, attributes.integer(f"WEIGHTS_{number}"), 4, what))
    if not bones:
        raise RigError(f"{document.file}: {where} has a skin but no JOINTS_0")
    if len({len(b) for b in bones} | {len(w) for w in weights}) > 1:
        raise RigError(f"{document.file}: JOINTS and WEIGHTS of {where} differ in length")
    return np.concatenate(bones, axis=1), np.concatenate(weights, axis=1).astype(np.float64)
