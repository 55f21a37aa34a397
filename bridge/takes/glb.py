"""GLB takes: the rig with its morph and head animation, for Blender, browsers and engines."""

import hashlib
from pathlib import Path

from freeavatar.bridge.sink import BridgeError
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Rig, Take

from .arrays import FrameArrays
from .partfile import set_leftover_aside
from .whole import WholeWriter, recover_whole, write_whole


class GlbWriter(WholeWriter):
    """Keeps frames in a journal and writes the GLB when closed; a `Sink`."""

    def __init__(self, path: Path, rig: Rig, *, rate: float, subject: str = "") -> None:
        """Start the journal.

        Raises:
            BridgeError: the rig has no mesh, or the journal cannot be written.
        """
        require_mesh(path, rig)
        super().__init__(path, rig, write_glb_take, rate=rate, subject=subject)


def require_mesh(path: Path, rig: Rig) -> None:
    """Refuse rigs that a GLB or FBX cannot show.

    Raises:
        BridgeError: the rig has no mesh.
    """
    if rig.mesh is None:
        kind = "an FBX" if path.suffix.lower() == ".fbx" else "a GLB"
        raise BridgeError(
            f"{path}: {kind} needs a rig with a mesh and {rig.name} has none; choose another --rig "
            f"or write a .csv or .jsonl take"
        )


def recover_glb(path: Path, rig: Rig) -> Path | None:
    """Turn the journal an interrupted run left into a GLB, ``take.recovered.glb``.

    Args:
        path: of the take, without ``.part``.
        rig: the take is for; a journal of another rig is kept as ``take.recovered.glb.part``.

    Returns:
        The recovered take, or None where nothing (or nothing with frames) was left.

    Raises:
        BridgeError: another run is writing the take, or the GLB cannot be written.
    """
    if rig.mesh is None:
        return set_leftover_aside(path, readable=False)
    return recover_whole(path, rig, write_glb_take)


def write_glb_take(path: Path, rig: Rig, take: Take) -> None:
    """Write a take of a rig as GLB, whole or not at all; its animation begins at 0 s.

    Raises:
        BridgeError: the rig cannot be written as GLB, or the disk is full.
    """
    from freeavatar.rigs.gltf.animation import add_animation

    frames = FrameArrays.of(take.frames)
    try:
        glb = add_animation(
            _source(rig),
            rig,
            times=frames.times - frames.times[0],
            values=frames.values,
            head=frames.head,
            eyes=frames.eyes,
            name=take.subject or "take",
        )
    except RigError as error:
        raise BridgeError(f"cannot write {path}: {error}") from error
    write_whole(path, glb)


def _source(rig: Rig) -> bytes:
    """The GLB the rig was registered from, else its mesh as we write it."""
    from freeavatar.rigs.gltf.writer import glb_bytes
    from freeavatar.rigs.registry import source_path

    original = source_path(rig.name)
    if original is not None and original.suffix.lower() in (".glb", ".vrm"):
        data = original.read_bytes()
        if hashlib.sha256(data).hexdigest() == rig.source_sha256:
            return data
    return glb_bytes(rig)
