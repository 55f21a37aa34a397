"""Everything the networks know of one rig, and the file that keeps it.

``identity.safetensors`` lies in a registered rig's folder, smaller ones beside the built-in rigs.
Its arrays are named ``descriptors.…``, ``appearance.…`` and, after tuning, as in `LEARNED`; its
metadata says for which controls and for which state of the rig they were made.
"""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.renderer_net.appearance import PREFIX as OF_APPEARANCE
from freeavatar.renderer_net.appearance import Appearance
from freeavatar.renderer_net.dots import CODE as RENDERER_CODE
from freeavatar.rigs import registry
from freeavatar.rigs.built_in import BUILT_IN
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import FloatArray, Rig

from .animator_config import CODE_SIZE
from .descriptors import (
    Descriptors,
    descriptor_arrays,
    descriptors_of,
    lowest_weights,
    read_descriptors,
)

log = logging.getLogger(__name__)

LEARNED: Mapping[str, tuple[int | None, ...]] = {
    "code": (CODE_SIZE,),
    "follow": (2, len(BLENDSHAPES), None),
    "trust": (2, None),
    "renderer_code": (RENDERER_CODE,),
}
"""Shapes of what tuning learns; None is the number of controls."""
KIND = "rig-identity/1"
FILE_NAME = "identity.safetensors"
LARGEST_FILE = 1 << 30
"""Bytes; a thousand controls with their appearance have half of that."""
LARGEST_NUMBER = np.float32(1e6)
"""Of any array, in its file's precision or a better one."""


@dataclass(frozen=True, kw_only=True)
class RigIdentity:
    """What a rig is to the animator and to the neural renderer."""

    descriptors: Descriptors
    appearance: Appearance | None = None
    """None where the rig could not be drawn, and in the small files of the built-in rigs."""
    code: FloatArray | None = None
    """(16,) learned addition to the animator's identity code; None without tuning."""
    follow: FloatArray | None = None
    """(2, 52, K) learned addition to how controls follow blendshapes, at their positive and their
    negative side; None without tuning."""
    trust: FloatArray | None = None
    """(2, K) learned addition to how far the solver is believed; None without tuning."""
    renderer_code: FloatArray | None = None
    """(16,) learned code of the neural renderer; None without tuning."""


def identity_paths(name: str) -> tuple[Path, ...]:
    """Where the identity of a rig may lie, best first; none need exist.

    Returns:
        A registered rig has one place. A built-in one has a place in the user's data folder, for
        what is tuned there, and the file it ships with. Other rigs have none.
    """
    if name in BUILT_IN:
        own = registry.folder().with_name("identities") / f"{name}.safetensors"
        path = BUILT_IN[name]
        return (own,) if path is None else (own, path.with_name(f"{name}_{FILE_NAME}"))
    return (registry.folder() / name / FILE_NAME,) if name in registry.registered() else ()


def load_identity(rig: Rig) -> RigIdentity:
    """The identity that is kept for a rig, or what its face points alone say.

    A file that was made for another state of the rig (its mesh, its face points, its set of
    controls) is left out with a warning. Another order of the controls, or fewer of them, is fine.

    Args:
        rig: registered, built-in, or read from a file.

    Raises:
        RigError: the file is damaged; says what to do.
    """
    for path in identity_paths(rig.name):
        if path.is_file():
            kept = read_identity(path, rig)
            if kept is not None:
                return kept
            log.warning(
                "%s belongs to another version of rig %s and was left out: register it again",
                path.name,
                rig.name,
            )
    return RigIdentity(descriptors=descriptors_of(rig))


def write_identity(rig: Rig, identity: RigIdentity, path: Path | None = None) -> Path:
    """Keep an identity; the file appears whole or not at all.

    Args:
        rig: whose identity it is.
        identity: to be kept.
        path: file to write; None for the rig's own place. A built-in rig's lies in the user's data
            folder, so that the installation stays as it is.

    Returns:
        The file.

    Raises:
        RigError: ``path`` is None and the rig is neither registered nor built in, or the identity
            is another rig's.
    """
    if len(identity.descriptors.lowest) != len(rig.controls):
        raise RigError(f"this identity is not that of rig {rig.name}: other controls")
    if path is None:
        places = identity_paths(rig.name)
        if not places:
            raise RigError(f"rig {rig.name} is not registered: its identity has no place to be")
        path = places[0]
    about = {
        "kind": KIND,
        "of": fingerprint(rig),
        "controls": json.dumps(rig.names, ensure_ascii=False),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(save(_arrays(identity), metadata=about))
        Path(part).chmod(0o644)
        Path(part).replace(path)
    finally:
        Path(part).unlink(missing_ok=True)
    return path


def read_identity(path: Path, rig: Rig) -> RigIdentity | None:
    """What `write_identity` kept in a file, in the order of the rig's controls.

    Returns:
        None where the file was made for another state of the rig.

    Raises:
        RigError: the file is damaged.
    """
    try:
        arrays, about = _open(path)
        if about.get("kind") != KIND:
            raise RigError(f"it is a {about.get('kind') or 'file of another kind'}")
        controls = _names(about.get("controls", ""))
        if about.get("of") != fingerprint(rig) or not set(rig.names) <= set(controls):
            return None
        return _ordered(_identity(arrays, len(controls)), controls, rig)
    except RigError as error:
        raise RigError(
            f"{path} is damaged ({error}): delete it or register the rig again"
        ) from None


def fingerprint(rig: Rig) -> str:
    """sha256 of what descriptors are made from, but for the controls' names and ranges.

    Displacements belong to a control's name whatever its range, so rig.toml may be edited.
    """
    made_from = hashlib.sha256(rig.source_sha256.encode())
    if rig.mesh is not None:
        made_from.update(rig.mesh.vertices.tobytes())
    if rig.anchors is not None:
        for array in (rig.anchors.vertices, rig.anchors.barycentric, rig.anchors.found):
            made_from.update(np.ascontiguousarray(array).tobytes())
    return made_from.hexdigest()


def _arrays(identity: RigIdentity) -> dict[str, NDArray[Any]]:
    arrays = descriptor_arrays(identity.descriptors)
    if identity.appearance is not None:
        arrays |= identity.appearance.arrays()
    learned = {name: getattr(identity, name) for name in LEARNED}
    arrays |= {n: np.asarray(c, np.float32) for n, c in learned.items() if c is not None}
    # Not ascontiguousarray, which makes arrays of single numbers.
    return {name: np.array(array, order="C") for name, array in arrays.items()}


def _open(path: Path) -> tuple[dict[str, NDArray[Any]], Mapping[str, str]]:
    if path.stat().st_size > LARGEST_FILE:
        raise RigError("it is larger than any identity")
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: np.asarray(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
            return arrays, file.metadata() or {}
    except (SafetensorError, OSError, TypeError, ValueError, AttributeError, KeyError) as error:
        raise RigError(str(error)) from None


def _names(text: str) -> list[str]:
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise RigError("it does not say whose controls it describes")
    return names


def _identity(arrays: Mapping[str, NDArray[Any]], count: int) -> RigIdentity:
    for name, array in arrays.items():
        # What is no number is not smaller either.
        if array.dtype.kind not in "fu" or not (np.abs(array) <= LARGEST_NUMBER).all():
            raise RigError(f"{name} holds no plausible numbers")
    descriptors = read_descriptors(arrays)
    appearance = _appearance(arrays)
    for part in (descriptors.lowest, *([] if appearance is None else [appearance.displacements])):
        if len(part) != count:
            raise RigError(f"{len(part)} of {count} controls are described")
    return RigIdentity(
        descriptors=descriptors,
        appearance=appearance,
        **{name: _learned(arrays, name, count) for name in LEARNED},
    )


def _appearance(arrays: Mapping[str, NDArray[Any]]) -> Appearance | None:
    if not any(name.startswith(OF_APPEARANCE) for name in arrays):
        return None
    try:
        return Appearance.from_arrays(arrays)
    except (ValueError, TypeError, IndexError) as error:
        raise RigError(f"appearance: {error}") from None


def _learned(arrays: Mapping[str, NDArray[Any]], name: str, count: int) -> FloatArray | None:
    if name not in arrays:
        return None
    shape = tuple(count if size is None else size for size in LEARNED[name])
    if arrays[name].shape != shape:
        raise RigError(f"{name} is {arrays[name].shape}, not {shape}")
    return np.asarray(arrays[name], np.float32)


def _ordered(identity: RigIdentity, stored: list[str], rig: Rig) -> RigIdentity:
    """As rig.toml has the controls now: order, number and ranges may have been edited."""
    place = {name: i for i, name in enumerate(stored)}
    order = np.array([place[name] for name in rig.names], np.intp)
    descriptors = replace(identity.descriptors.ordered(order), lowest=lowest_weights(rig))
    appearance = identity.appearance
    if appearance is not None and not np.array_equal(order, np.arange(len(stored))):
        appearance = replace(appearance, displacements=appearance.displacements[order])
    learned = {
        name: array[..., order] if LEARNED[name][-1] is None else array
        for name in LEARNED
        if (array := getattr(identity, name)) is not None
    }
    return replace(identity, descriptors=descriptors, appearance=appearance, **learned)
