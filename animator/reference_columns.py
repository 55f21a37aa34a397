"""What each ARKit shape does on the head that we know, laid out as an animator sees controls."""

import numpy as np

from .columns import Columns, columns_of
from .descriptors import VIEW_SIZE, Descriptors
from .naming import name_map
from .reference import REFERENCE_RIG, Reference, built_in_reference


def reference_columns(
    reference: Reference | None = None, known: Descriptors | None = None
) -> Columns:
    """The 52 columns of the reference head.

    Args:
        reference: motion of the head; None takes the built-in one.
        known: descriptors of the built-in reference rig's controls, for the shapes' looks; None
            goes by the motion alone.

    Raises:
        RigError: the installation is damaged.
    """
    reference = reference or built_in_reference()
    motion = reference.motion.astype(np.float32)
    picture = np.zeros((len(motion), VIEW_SIZE), np.float32)
    drawn = known is not None and known.drawn
    if known is not None and drawn:
        from freeavatar.rigs import registry

        names = name_map(registry.load(REFERENCE_RIG))
        for control, shape, scale in zip(names.direct, names.shapes, names.scale, strict=True):
            picture[shape] += known.picture[control] * scale
    return columns_of(
        Descriptors(
            motion=motion,
            found=reference.found,
            picture=picture,
            drawn=drawn,
            lowest=np.zeros(len(motion), np.float32),
        )
    )
