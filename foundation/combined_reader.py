"""Reads expressions with MediaPipe's landmarks and our own network together."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from .combination import CombinationModel, combined_features
from .crops import crop_around
from .expression import Expression, Frame
from .expression_model import ExpressionModel
from .landmarks import LANDMARKS
from .mediapipe_pose import gaze
from .mediapipe_reader import MediaPipeReader


class CombinedReader:
    """MediaPipe finds and follows the face; both read it; a small network weighs what they say.

    Args:
        bundle: the ``face_landmarker.task`` file, see `find_bundle`.
        face: counts from 1 at the left; None for the largest.
        threads: most cores that our networks use.
        model: the expression network; None for the one that ships.
        combination: the combining network; None for the one that ships.

    Raises:
        ReaderError: ``face`` below 1, MediaPipe or a network is missing or damaged.
    """

    def __init__(
        self,
        bundle: Path,
        *,
        face: int | None = None,
        threads: int = 1,
        model: ExpressionModel | None = None,
        combination: CombinationModel | None = None,
    ) -> None:
        self._model = model or ExpressionModel(threads=threads)
        self._combination = combination or CombinationModel(threads=threads)
        self._theirs = MediaPipeReader(bundle, face=face)

    @property
    def most_faces(self) -> int:
        """Most faces seen in one frame so far."""
        return self._theirs.most_faces

    def read(self, frame: Frame) -> Expression:
        """The chosen face of this frame, or an Expression with ``found=False``."""
        seen = self._theirs.read(frame)
        if not seen.found:
            return seen
        crop = crop_around(seen.landmarks[list(LANDMARKS)])
        output = self._model.read(crop.cut(frame.picture)[None])
        features = combined_features(
            seen.landmarks, seen.head, seen.blendshapes, output.blendshapes[0]
        )
        blendshapes = self._combination.read(features[None])[0].astype(np.float32)
        return replace(
            seen,
            blendshapes=blendshapes,
            eyes=gaze(blendshapes),
            embedding=output.embedding[0],
            tokens=output.tokens[0],
        )

    def close(self) -> None:
        """Release the models."""
        self._theirs.close()
