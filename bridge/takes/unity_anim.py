"""Unity animation clips (``.anim``): blend shape curves for a SkinnedMeshRenderer.

One ``blendShape.<name>`` curve per shape and renderer (the text is `unity_clip`'s). Head and eyes
are left out: they would need the paths and rest rotations of the Unity scene's transforms, which
a rig does not know.

Curves find their renderer by its path below the Animator. Without one given that is the name of
the rig's mesh, as Unity places it directly below an imported model; rename it in the Animation
window where a scene has it elsewhere.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from freeavatar.bridge.sink import BridgeError
from freeavatar.rigs.blendshapes import unit_weights
from freeavatar.rigs.spec import FloatArray, Rig, Take
from freeavatar.rigs.vrm_expressions import resolve_expressions

from .arrays import FrameArrays, rising_from_zero
from .unity_clip import Curves, clip_text
from .whole import WholeWriter, recover_whole, write_whole


class UnityAnimWriter(WholeWriter):
    """Keeps frames in a journal and writes the clip when closed; a `Sink`."""

    def __init__(
        self, path: Path, rig: Rig, *, rate: float, subject: str = "", renderer: str | None = None
    ) -> None:
        """Start the journal.

        Args:
            path: of the clip.
            rig: whose frames will come.
            rate: frames per second that Unity shows.
            subject: whom the take shows; the clip has no place for it.
            renderer: path of the SkinnedMeshRenderer below the Animator; "" is the Animator's own
                object. None: the names of the rig's meshes.

        Raises:
            BridgeError: no control of the rig moves a blend shape, or the journal cannot be
                written.
        """
        require_shapes(path, rig)
        write = partial(write_unity_anim, renderer=renderer)
        super().__init__(path, rig, write, rate=rate, subject=subject)


def require_shapes(path: Path, rig: Rig) -> None:
    """Refuse rigs that a clip cannot drive.

    Raises:
        BridgeError: no control moves a blend shape.
    """
    if not any(_binds(rig, name) for name in rig.names):
        raise BridgeError(
            f"{path}: a Unity .anim drives blend shapes and no control of {rig.name} moves one; "
            f"write a .vrma or .jsonl take"
        )


def recover_unity_anim(path: Path, rig: Rig) -> Path | None:
    """Turn the journal an interrupted run left into ``take.recovered.anim``; see `recover_whole`.

    Raises:
        BridgeError: another run is writing the take, or it cannot be written.
    """
    return recover_whole(path, rig, write_unity_anim)


def read_unity_anim(path: Path) -> Take:
    """Refuse: a clip has neither head nor eyes nor every frame.

    Raises:
        BridgeError: always.
    """
    raise BridgeError(
        f"{path}: a Unity .anim is written only, never read; keep a .jsonl or .glb take beside it"
    )


def write_unity_anim(path: Path, rig: Rig, take: Take, *, renderer: str | None = None) -> None:
    """Write a take of a rig as Unity clip, whole or not at all; it begins at 0 s.

    Args:
        path: of the clip, which is called as its file is.
        rig: the take is of.
        take: with at least one frame; frames whose times do not rise are left out.
        renderer: as `UnityAnimWriter` takes it.

    Raises:
        BridgeError: the disk is full, the folder cannot be written, or nothing moves a shape.
    """
    require_shapes(path, rig)
    frames = rising_from_zero(FrameArrays.of(take.frames))
    curves = shape_curves(rig, frames.values, renderer)
    write_whole(path, clip_text(path.stem, take.rate, frames.times, curves).encode("ascii"))


def shape_curves(rig: Rig, values: FloatArray, renderer: str | None = None) -> Curves:
    """Weights of each blend shape on each renderer.

    A VRM's expressions become the shapes they bind, binary and override flags applied. Without a
    renderer each shape goes to every mesh that its control moves.

    Args:
        rig: the values are of.
        values: (F, K) in the order of `Rig.controls`.
        renderer: path, or None.
    """
    shown = np.nan_to_num(unit_weights(rig, resolve_expressions(rig, values)))
    curves: dict[tuple[str, str], FloatArray] = {}
    meshes = {} if renderer is not None else _moved_meshes(rig)
    default = renderer if renderer is not None else _main_mesh(meshes)
    for column, name in enumerate(rig.names):
        for shape, weight in _binds(rig, name).items():
            for path in meshes.get(name) or (default,):
                share = np.float32(weight) * shown[:, column]
                before = curves.get((path, shape))
                curves[path, shape] = share if before is None else before + share
    return curves


def _binds(rig: Rig, control: str) -> Mapping[str, float]:
    """Blend shapes a control moves, with its share in each; a clip of materials moves none."""
    clip = rig.expressions.get(control)
    return {control: 1.0} if clip is None else clip["binds"]


def _moved_meshes(rig: Rig) -> dict[str, tuple[str, ...]]:
    """Names of the meshes that each control moves."""
    if rig.mesh is None:
        return {}
    moved: dict[str, dict[str, None]] = {name: {} for name in rig.names}
    moves = np.asarray(rig.mesh.deltas.any(axis=2))
    for part in rig.mesh.parts:
        first, count = part.first_triangle, part.triangle_count
        vertices = np.unique(rig.mesh.triangles[first : first + count])
        for column in np.flatnonzero(moves[:, vertices].any(axis=1)):
            # A part is called "mesh:material" where its material has another name.
            moved[rig.names[column]][part.name.rpartition(":")[0] or part.name] = None
    return {name: tuple(meshes) for name, meshes in moved.items()}


def _main_mesh(meshes: Mapping[str, tuple[str, ...]]) -> str:
    """The mesh that most controls move, for those that seem to move nothing."""
    every = [mesh for several in meshes.values() for mesh in several]
    return max(dict.fromkeys(every), key=every.count, default="")
