"""Puts right what exporters often get wrong, so that a file we write on passes the validator."""

import numpy as np

from freeavatar.rigs.errors import RigError

from .accessors import MESHOPT_NAMES, read_floats
from .builder import ARRAY_BUFFER, GlbBuilder
from .document import Document
from .fields import Fields

FLOAT = 5126
WEIGHT_TOLERANCE = 1e-7
"""How far skin weights may be from summing to 1, per bone; the validator allows twice this."""


def repair(document: Document, builder: GlbBuilder) -> None:
    """Correct the bounds of positions, and skin weights that do not sum to 1.

    Args:
        document: as parsed; its meshes have been read, so their accessors are sound.
        builder: over the document's JSON; gets new accessors for corrected weights.
    """
    bounded: set[int] = set()
    skinned: dict[int, int] = {}
    for mesh in document.items("meshes"):
        for primitive in mesh.objects("primitives"):
            attributes = primitive.object("attributes")
            for fields in (attributes, *primitive.objects("targets")):
                if fields.has("POSITION"):
                    bounded.add(fields.integer("POSITION"))
            if attributes.has("WEIGHTS_0") and not attributes.has("WEIGHTS_1"):
                old = attributes.integer("WEIGHTS_0")
                if old not in skinned:
                    skinned[old] = _normalise(document, builder, old)
                attributes.values["WEIGHTS_0"] = skinned[old]
    for index in bounded:
        _correct_bounds(document, index)


def _plain_floats(document: Document, accessor: Fields) -> bool:
    if accessor.integer("componentType") != FLOAT:
        return False
    view = accessor.optional("bufferView")
    if view is None:
        return True
    extensions = document.item("bufferViews", view).object("extensions")
    return not any(extensions.has(name) for name in MESHOPT_NAMES)


def _correct_bounds(document: Document, index: int) -> None:
    accessor = document.item("accessors", index)
    if not _plain_floats(document, accessor):
        return
    try:
        values = read_floats(document, index, 3, "POSITION")
    except RigError:
        # A mesh outside the scene may be unreadable; it is left as it was.
        return
    accessor.values["min"] = [float(v) for v in values.min(axis=0)]
    accessor.values["max"] = [float(v) for v in values.max(axis=0)]


def _normalise(document: Document, builder: GlbBuilder, index: int) -> int:
    if not _plain_floats(document, document.item("accessors", index)):
        return index
    try:
        weights = read_floats(document, index, 4, "WEIGHTS_0").astype(np.float64)
    except RigError:
        return index
    total = weights.sum(axis=1)
    allowed = WEIGHT_TOLERANCE * np.maximum((weights > 0).sum(axis=1), 1)
    if (np.abs(total - 1) <= allowed).all() or (weights < 0).any():
        return index
    weights[total <= 0, 0] = 1
    weights /= weights.sum(axis=1, keepdims=True)
    return builder.accessor(weights.astype(np.float32), target=ARRAY_BUFFER)
