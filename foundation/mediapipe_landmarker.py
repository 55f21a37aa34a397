"""MediaPipe's Face Landmarker behind one small class: pictures in, plain arrays out."""

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ReaderError
from .expression import BLENDSHAPES, FloatArray


@dataclass(frozen=True, kw_only=True)
class FoundFace:
    """One face as MediaPipe reports it."""

    landmarks: FloatArray
    """(478, 2) pixels of the picture given, x right, y down."""
    blendshapes: FloatArray
    """(52,) in the order of `BLENDSHAPES`; tongueOut, which MediaPipe lacks, is 0."""
    transform: NDArray[np.float64]
    """(4, 4) canonical face to camera, centimetres, y up, z toward the camera."""

    @property
    def box(self) -> FloatArray:
        """(4,) left, top, right, bottom of the landmarks in pixels."""
        return np.concatenate([self.landmarks.min(0), self.landmarks.max(0)])


class Landmarker:
    """Face Landmarker with the noise of its C++ parts kept off standard error.

    Args:
        bundle: the ``face_landmarker.task`` file.
        max_faces: most faces reported.
        video: True tracks from one picture to the next (pictures must come in order);
            False looks at each picture afresh.
        expressions: False skips blendshapes and pose, which then are zeros and the identity.

    Raises:
        ReaderError: MediaPipe is missing or does not accept the bundle.
    """

    def __init__(
        self, bundle: Path, *, max_faces: int = 1, video: bool = False, expressions: bool = True
    ) -> None:
        self._video = video
        self._clock = -1
        with _quiet():
            self._task = _create(bundle, max_faces, video, expressions)
        # MediaPipe's own clean-up at interpreter exit comes too late and prints a traceback.
        self._release = weakref.finalize(self, _shut, self._task)

    def find(self, picture: NDArray[np.uint8], time: float = 0.0) -> list[FoundFace]:
        """The faces of one picture.

        Args:
            picture: (H, W, 3) RGB.
            time: seconds; used when tracking, where a time that does not advance is nudged on.

        Returns:
            Faces in MediaPipe's order, maybe none.
        """
        import mediapipe

        image = mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture)
        )
        if self._video:
            self._clock = max(self._clock + 1, round(time * 1000))
            result = self._task.detect_for_video(image, self._clock)
        else:
            result = self._task.detect(image)
        return _faces(result, picture.shape[1], picture.shape[0])

    def close(self) -> None:
        """Release the model; further calls are harmless."""
        self._release()


def area(face: FoundFace) -> float:
    """Area of the face's box, square pixels."""
    left, top, right, bottom = face.box
    return float((right - left) * (bottom - top))


def _create(bundle: Path, max_faces: int, video: bool, expressions: bool) -> Any:
    try:
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as error:
        raise ReaderError(
            f"MediaPipe cannot be imported ({error}); install it with: pip install mediapipe"
        ) from error
    mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
    try:
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=bundle.read_bytes()),
            running_mode=mode,
            num_faces=max_faces,
            output_face_blendshapes=expressions,
            output_facial_transformation_matrixes=expressions,
        )
        return vision.FaceLandmarker.create_from_options(options)
    except (RuntimeError, ValueError, OSError) as error:
        reason = (str(error).splitlines() or ["unknown reason"])[0]
        raise ReaderError(
            f"MediaPipe does not accept {bundle} as a face landmarker bundle: {reason}"
        ) from error


def _shut(task: Any) -> None:
    with _quiet():
        task.close()


def _faces(result: Any, width: int, height: int) -> list[FoundFace]:
    faces = []
    for i, points in enumerate(result.face_landmarks):
        faces.append(
            FoundFace(
                landmarks=np.array([(p.x * width, p.y * height) for p in points], np.float32),
                blendshapes=_curves(result.face_blendshapes[i])
                if result.face_blendshapes
                else np.zeros(len(BLENDSHAPES), np.float32),
                transform=np.asarray(result.facial_transformation_matrixes[i], np.float64)
                if result.facial_transformation_matrixes
                else np.eye(4),
            )
        )
    return faces


def _curves(categories: Any) -> FloatArray:
    scores = {c.category_name: c.score for c in categories}
    return np.array([scores.get(name, 0.0) for name in BLENDSHAPES], np.float32)


@contextmanager
def _quiet() -> Iterator[None]:
    """Send file descriptor 2 nowhere for a moment.

    MediaPipe's C++ parts write start-up notes there before any log level can be set.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
