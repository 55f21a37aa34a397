"""The expression network: crops of faces in, what they express out."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .crops import NETWORK_SIZE
from .expression import BLENDSHAPES, FloatArray
from .landmarks import LANDMARKS
from .onnx_session import WEIGHTS, Network, Signature
from .point_correction import PointGains
from .processor import has_byte_products

EXPRESSION_NETWORK = WEIGHTS / "expression.onnx"
FULL_NETWORK = WEIGHTS / "expression_full.onnx"
"""The same network before it was put into eight bits."""
POINT_GAINS = "point_gains"
"""Key of the file's metadata that holds its `PointGains`."""
SIGNATURE = Signature(
    kind="expression/1",
    inputs={"crop": (NETWORK_SIZE, NETWORK_SIZE, 3)},
    outputs={
        "blendshapes": (len(BLENDSHAPES),),
        "eyes": (2, 2),
        "head": (3, 3),
        "place": (3,),
        "landmarks": (len(LANDMARKS), 2),
        "confidence": (),
        "embedding": (64,),
        "tokens": (64, 192),
    },
)


def shipped_network() -> Path:
    """The expression network that suits this processor."""
    whole = not has_byte_products() and FULL_NETWORK.is_file()
    return FULL_NETWORK if whole else EXPRESSION_NETWORK


@dataclass(frozen=True, kw_only=True)
class ModelOutput:
    """What the network says of N crops."""

    blendshapes: FloatArray
    """(N, 52) ARKit coefficients 0..1."""
    eyes: FloatArray
    """(N, 2, 2) yaw, pitch of left and right eye, radians, as in `Expression.eyes`."""
    head: FloatArray
    """(N, 3, 3) rotation in the axes of the crop, as in `Expression.head`."""
    place: FloatArray
    """(N, 3) x, y of the mean of the eye corners in sides of the crop, and the metres that the side
    spans at their depth."""
    landmarks: FloatArray
    """(N, 156, 2) in sides of the crop, 0..1 inside it."""
    confidence: FloatArray
    """(N,) 0..1 that there is a face."""
    embedding: FloatArray
    """(N, 64) unit length."""
    tokens: FloatArray
    """(N, 64, 192)."""

    def row(self, index: int) -> "ModelOutput":
        """One crop's part, still with an axis of length 1 in front."""
        if len(self.confidence) == 1:
            return self
        part = slice(index, index + 1)
        return ModelOutput(**{f.name: getattr(self, f.name)[part] for f in fields(self)})


class ExpressionModel:
    """Runs the expression network.

    Args:
        path: ``.onnx`` file; None for the one that ships: in eight bits where the processor is
            quick at that, else whole.
        threads: most cores that one call uses.

    Raises:
        ReaderError: the network is missing, damaged or another one.
    """

    def __init__(self, path: Path | None = None, *, threads: int = 1) -> None:
        self._network = Network(path or shipped_network(), SIGNATURE, threads=threads)
        gains = self._network.about.get(POINT_GAINS)
        self.point_gains = None if gains is None else PointGains.from_json(gains)
        """How its points correct its curves in a video; None where its file does not say."""

    def read(self, crops: NDArray[np.uint8]) -> ModelOutput:
        """What crops express.

        Args:
            crops: (N, 128, 128, 3) RGB.
        """
        return ModelOutput(**self._network.run(crop=np.ascontiguousarray(crops)))
