"""What the neural renderer knows of one rig: points of its surface and how they move.

The points are those that some reference picture shows: the neutral from the front and from the
sides, and the few controls that uncover most of what the neutral hides (an open mouth, shut lids).
Their colours are read from these pictures; places, normals and displacements come from the mesh.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import FloatArray

PREFIX = "appearance."
"""Of its arrays in a file that it shares with others."""
JOINTS = ("left_eye", "right_eye", "head")
"""In the order in which they turn, see `freeavatar.rigs.blendshapes.pose`."""


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """N surface points of a rig with K controls."""

    points: FloatArray
    """(N, 3) on the neutral, metres, rig space."""
    displacements: FloatArray
    """(K, N, 3) metres under each control at unit weight 1."""
    colours: FloatArray
    """(N, 3) sRGB 0..1 as the reference renderer shows them in its own light."""
    normals: FloatArray
    """(N, 3) unit, on the neutral."""
    joints: FloatArray
    """(3, N) 0..1 how far each point follows each of `JOINTS`."""
    pivots: FloatArray
    """(3, 3) metres, of each of `JOINTS`; 0 for those that the rig lacks."""
    eye: FloatArray
    """(3,) metres: where the camera stands, looking along -z."""
    field_of_view: float
    """Radians, of the square picture."""
    height: float
    """Metres that the picture shows at the face."""

    def __post_init__(self) -> None:
        n = len(self.points)
        shapes = {
            "points": (n, 3),
            "colours": (n, 3),
            "normals": (n, 3),
            "displacements": (len(self.displacements), n, 3),
            "joints": (len(JOINTS), n),
            "pivots": (len(JOINTS), 3),
            "eye": (3,),
        }
        for name, shape in shapes.items():
            found = getattr(self, name).shape
            if found != shape:
                raise RigError(f"an appearance's {name} should be {shape}, they are {found}")

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As kept in a file: half precision where that is below a hundredth of a millimetre."""
        out: dict[str, NDArray[Any]] = {}
        for field in fields(self):
            value = np.asarray(getattr(self, field.name), np.float32)
            small = field.name in ("displacements", "colours", "normals", "joints")
            out[PREFIX + field.name] = value.astype(np.float16) if small else value
        return out

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave; other entries are ignored.

        Raises:
            RigError: parts are missing or of other sizes.
        """
        try:
            kept = {f.name: np.asarray(arrays[PREFIX + f.name], np.float32) for f in fields(cls)}
        except KeyError as error:
            raise RigError(f"the rig's appearance lacks {error}; register the rig again") from None
        for name in ("field_of_view", "height"):
            kept[name] = float(kept[name])  # type: ignore[assignment]
        return cls(**kept)  # type: ignore[arg-type]
