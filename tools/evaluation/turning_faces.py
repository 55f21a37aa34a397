"""Rendered faces at rest that turn from one side to the other, to be read by every reader."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES, Frame
from freeavatar.rigs import registry

from .rendered_actors import PICTURE_SIZE, RigActor, resting_turn
from .steadiness import TURN

if TYPE_CHECKING:
    from freeavatar.tools.dataset.puppeteer import Puppet

log = logging.getLogger(__name__)

RIGS = ("valid_black_m_1.glb", "facecap_generic.glb")
"""Files of DATA/rigs, beside the built-in mannequin."""
COMPOSITES = ("composite__f_multi.jpg", "composite__m_african.jpg", "composite__f_easian.jpg")
"""Averaged portraits of DATA/faces/webmorph: photoreal, no real person, never learned from."""


def turning_faces(
    data: Path | None, bundle: Path | None, cache: Path
) -> Iterator[tuple[str, list[Frame]]]:
    """The faces that there are, each with its frames; straight ahead is frame number `TURN`.

    Args:
        data: folder with ``rigs``, ``faces/webmorph`` and ``synth``; None for the mannequin alone.
        bundle: MediaPipe's, to fit portraits; None leaves them out.
        cache: folder of fitted portraits, filled where it is empty.

    Raises:
        RenderError: no OpenGL is to be had.
    """
    rigs = ["mannequin"]
    if data is not None:
        rigs += [str(data / "rigs" / name) for name in RIGS if (data / "rigs" / name).is_file()]
    for name in rigs:
        rig = registry.load(name)
        yield rig.name, list(RigActor(rig).frames(*resting_turn()))
    if data is not None and bundle is not None:
        yield from _portraits(data, bundle, cache)


def _portraits(data: Path, bundle: Path, cache: Path) -> Iterator[tuple[str, list[Frame]]]:
    folder, face = data / "faces" / "webmorph", data / "synth" / "ict_face.npz"
    wanted = [name for name in COMPOSITES if (folder / name).is_file()]
    if not wanted or not face.is_file():
        return
    try:
        from freeavatar.tools.dataset.ict import load_ict
        from freeavatar.tools.dataset.person import prepare
        from freeavatar.tools.dataset.portraits import load_portraits
        from freeavatar.tools.dataset.puppet_rig import PuppetRig
        from freeavatar.tools.dataset.puppeteer import Puppet
    except ImportError as error:
        log.warning("no portraits turn: %s; pip install 'freeavatar[train]'", error)
        return
    ict = load_ict(face)
    (portraits,) = load_portraits([folder], ict, bundle, cache)
    rig = PuppetRig(ict, portraits.offsets)
    for name in wanted:
        if name in portraits.name:
            puppet = Puppet(rig, prepare(rig, portraits, portraits.name.index(name)))
            yield Path(name).stem, _turned(puppet, range(-TURN, TURN + 1))


def _turned(puppet: "Puppet", degrees: Sequence[int]) -> list[Frame]:
    from freeavatar.tools.dataset.puppet_rig import rotation_matrix

    rest = np.zeros(len(BLENDSHAPES), np.float32)
    framing = puppet.framing(PICTURE_SIZE)
    frames = []
    for i, yaw in enumerate(degrees):
        head = rotation_matrix(np.array([0.0, -np.radians(yaw), 0.0], np.float32))
        shot = puppet.shoot(puppet.pose(rest, head), framing)
        frames.append(Frame(picture=_picture(shot.picture), index=i, time=i / 30.0))
    return frames


def _picture(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
