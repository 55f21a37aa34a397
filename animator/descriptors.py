"""What each control of a rig does, whatever its name: how it moves the face and changes its look.

Two views of every control at its maximum: the motion of the semantic face points (`anchor_table`),
and the change that the foundation sees in a drawing of the rig. A robot or an animal without face
points has the second only; a machine without OpenGL gives the first only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import FloatArray, Rig

from .anchor_table import ANCHORS
from .motion import anchor_motion, anchor_positions, anchors_of
from .proportions import feature_sizes

FoundationView = Callable[[NDArray[np.uint8]], FloatArray]
"""Crops (N, 128, 128, 3) RGB to what the foundation says of them, (N, `VIEW_SIZE`)."""

EMBEDDING, TOKEN = 64, 192
VIEW_SIZE = len(BLENDSHAPES) + EMBEDDING + TOKEN
"""308: blendshapes, then embedding, then the mean of the tokens."""
VIEW_BLENDSHAPES = slice(0, len(BLENDSHAPES))
VIEW_EMBEDDING = slice(len(BLENDSHAPES), len(BLENDSHAPES) + EMBEDDING)
VIEW_TOKEN = slice(len(BLENDSHAPES) + EMBEDDING, VIEW_SIZE)
"""Where each of the three lies in a row of `Descriptors.picture`."""

PREFIX = "descriptors."
"""Of the keys in a file that descriptors share with other things."""
MOST = 1e4
"""Largest number that a descriptor file may hold: half floats end at 65504, and a face that moves a
thousandfold of its features is no face."""


@dataclass(frozen=True, kw_only=True)
class Descriptors:
    """One row per control, in the rig's own order; names are left out on purpose."""

    motion: FloatArray
    """(K, A, 3) displacement of each face point (`anchor_table.ANCHORS`) at unit weight, divided by
    `proportions.feature_sizes`; zeros where the rig has no such point."""
    found: NDArray[np.bool_]
    """(A,) face points the rig has."""
    picture: FloatArray
    """(K, P) the foundation's view of the rig with the control at its maximum, less its view of the
    neutral; zeros unless ``drawn``. P is `VIEW_SIZE`."""
    drawn: bool
    """Whether ``picture`` was looked at; False says that its zeros mean nothing."""
    lowest: FloatArray
    """(K,) unit weight of each control's minimum, 0 or negative."""

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        count = len(self.lowest)
        wanted = {
            "motion": (count, len(ANCHORS), 3),
            "found": (len(ANCHORS),),
            "picture": (count, VIEW_SIZE),
            "lowest": (count,),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} of {count} descriptors is {shape}, not {getattr(self, name).shape}"
                )

    @cached_property
    def anchored(self) -> bool:
        """Whether the rig has face points."""
        return bool(self.found.any())

    def ordered(self, order: NDArray[np.intp]) -> "Descriptors":
        """The descriptors of some of the controls, in this order (their positions here)."""
        return Descriptors(
            motion=self.motion[order],
            found=self.found,
            picture=self.picture[order],
            drawn=self.drawn,
            lowest=self.lowest[order],
        )


def descriptors_of(
    rig: Rig,
    view: FoundationView | None = None,
    *,
    progress: Callable[[], None] | None = None,
) -> Descriptors:
    """Describe every control of a rig.

    Args:
        rig: with anchors, a mesh, both or neither; what is missing is described by zeros.
        view: the foundation's eyes (`control_pictures.foundation_view`); None draws nothing.
        progress: called after every control that was drawn.

    Raises:
        RenderError: ``view`` is given and no OpenGL is to be had.
        RigError: the rig's face points are another version's.
    """
    count = len(rig.controls)
    motion = np.zeros((count, len(ANCHORS), 3), np.float32)
    found = np.zeros(len(ANCHORS), np.bool_)
    if rig.anchors is not None and rig.mesh is not None:
        found = anchors_of(rig).found.copy()
        motion = (anchor_motion(rig) / feature_sizes(anchor_positions(rig))).astype(np.float32)
    picture = np.zeros((count, VIEW_SIZE), np.float32)
    drawn = view is not None and rig.mesh is not None and bool(len(rig.mesh.triangles))
    if drawn and view is not None:
        from .control_pictures import picture_changes

        picture = picture_changes(rig, view, progress=progress)
    return Descriptors(
        motion=motion, found=found, picture=picture, drawn=drawn, lowest=lowest_weights(rig)
    )


def lowest_weights(rig: Rig) -> FloatArray:
    """(K,) unit weight of each control's minimum, 0 or negative."""
    lowest = [(c.minimum - c.neutral) / (c.maximum - c.neutral) for c in rig.controls]
    return np.minimum(np.array(lowest, np.float32), np.float32(0.0))


def descriptor_arrays(descriptors: Descriptors) -> dict[str, NDArray[Any]]:
    """Arrays for a file, keys with `PREFIX`: half floats, which hold three digits."""
    return {
        f"{PREFIX}motion": _halves(descriptors.motion),
        f"{PREFIX}found": descriptors.found.astype(np.uint8),
        f"{PREFIX}picture": _halves(descriptors.picture),
        f"{PREFIX}drawn": np.array([descriptors.drawn], np.uint8),
        f"{PREFIX}lowest": descriptors.lowest.astype(np.float32),
    }


def read_descriptors(arrays: Mapping[str, NDArray[Any]]) -> Descriptors:
    """What `descriptor_arrays` made; other keys are left alone.

    Raises:
        RigError: something is missing, of another shape or no number; says which.
    """
    try:
        parts = {
            name: np.asarray(arrays[PREFIX + name])
            for name in ("motion", "found", "picture", "drawn", "lowest")
        }
    except KeyError as error:
        raise RigError(f"{error.args[0]} is missing") from None
    for name, array in parts.items():
        if array.dtype.kind not in "fu" or not _plausible(array):
            raise RigError(f"{PREFIX}{name} holds no plausible numbers")
    if parts["drawn"].shape != (1,) or parts["lowest"].ndim != 1:
        raise RigError(f"{PREFIX}drawn is not one number, or {PREFIX}lowest is no row of them")
    try:
        return Descriptors(
            motion=parts["motion"].astype(np.float32),
            found=parts["found"].astype(np.bool_),
            picture=parts["picture"].astype(np.float32),
            drawn=bool(parts["drawn"][0]),
            lowest=parts["lowest"].astype(np.float32),
        )
    except (ValueError, TypeError) as error:
        raise RigError(str(error)) from None


def _halves(numbers: FloatArray) -> NDArray[np.float16]:
    return np.clip(numbers, -MOST, MOST).astype(np.float16)


def _plausible(array: NDArray[Any]) -> bool:
    return bool(np.isfinite(array).all() and (np.abs(array) <= MOST).all())
