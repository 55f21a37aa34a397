"""What the expression network says of one crop, placed in the picture it was cut from."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .crops import Crop, crop_around
from .expression import Expression, FloatArray, Frame
from .expression_model import ModelOutput
from .place_in_picture import head_in_picture, translation


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the network says of one crop, and where that lies in the picture."""

    crop: Crop
    output: ModelOutput
    """Of one row."""
    landmarks: FloatArray
    """(156, 2) pixels of the picture."""
    own: Crop
    """The crop that the landmarks ask for."""

    @cached_property
    def box(self) -> FloatArray:
        """(4,) left, top, right, bottom of the landmarks in pixels."""
        return np.concatenate([self.landmarks.min(0), self.landmarks.max(0)])

    @cached_property
    def confidence(self) -> float:
        """0..1; 0 where the numbers are not those of a face."""
        value = float(self.output.confidence[0])
        return value if math.isfinite(value) and _finite(self.landmarks) else 0.0


def reading_of(crop: Crop, output: ModelOutput) -> Reading:
    """Place the output (of one row) of a crop in its picture."""
    landmarks = crop.to_frame(output.landmarks[0] * np.float32(crop.size))
    own = crop_around(landmarks, size=crop.size) if _finite(landmarks) else crop
    return Reading(crop=crop, output=output, landmarks=landmarks, own=own)


def _finite(numbers: FloatArray) -> bool:
    """Whether all are finite: so is their sum, then, for places are far smaller than numbers may
    get."""
    return math.isfinite(numbers.sum(dtype=np.float64))


def expression_of(reading: Reading, frame: Frame) -> Expression:
    """The face of a frame as everything behind the reader sees it."""
    output, crop = reading.output, reading.crop
    height, width = frame.picture.shape[:2]
    head = head_in_picture(output.head[0], crop.roll)
    eyes = np.zeros((2, 3), np.float32)
    eyes[:, :2] = output.eyes[0]
    return Expression(
        index=frame.index,
        time=frame.time,
        found=True,
        blendshapes=np.clip(output.blendshapes[0], 0.0, 1.0),
        head=head,
        translation=translation(output.place[0], crop, head, (width, height)),
        eyes=eyes,
        landmarks=reading.landmarks,
        box=reading.box,
        confidence=min(reading.confidence, 1.0),
        embedding=output.embedding[0],
        tokens=output.tokens[0],
    )
