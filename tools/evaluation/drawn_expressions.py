"""What drawn rigs express to the foundation, beside what the actor does."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from freeavatar.animator.control_pictures import face_camera_of
from freeavatar.foundation.crops import NETWORK_SIZE, Crop
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.expression_model import ExpressionModel
from freeavatar.rigs.rendering import Renderer
from freeavatar.rigs.spec import Rig, RigFrame

BATCH = 32


def expressed(
    rig: Rig, values: FloatArray, embeddings: FloatArray, model: ExpressionModel
) -> float:
    """Mean of one minus the cosine between what a drawn rig and what an actor express.

    Args:
        rig: with a mesh.
        values: (N, K) control values.
        embeddings: (N, 64) of the actor's pictures, unit length.
        model: the foundation.

    Raises:
        RenderError: no OpenGL is to be had.
    """
    near = [
        (model.read(crops).embedding * embeddings[first : first + len(crops)]).sum(axis=1)
        for first, crops in _drawn(rig, values)
    ]
    return float(1.0 - np.concatenate(near).mean())


def _drawn(
    rig: Rig, values: Sequence[NDArray[np.floating]] | FloatArray
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Number of the first, and crops (N, 128, 128, 3)."""
    camera = face_camera_of(rig)
    middle = camera.size[0] / 2
    crop = Crop(centre=(middle, middle), side=float(NETWORK_SIZE), roll=0.0)
    with Renderer(rig, size=camera.size, camera=camera) as renderer:
        for first in range(0, len(values), BATCH):
            frames = [
                RigFrame(index=i, time=0.0, values=np.asarray(row, np.float32))
                for i, row in enumerate(values[first : first + BATCH])
            ]
            yield first, np.stack([crop.cut(renderer.picture(frame)) for frame in frames])
