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
from .face_boxes import Window
from .mediapipe_pose import pose_in_picture


@dataclass(frozen=True, kw_only=True)
class FoundFace:
    """One face as MediaPipe reports it."""

    landmarks: FloatArray
    """(478, 2) pixels of the whole picture, x right, y down."""
    blendshapes: FloatArray
    """(52,) in the order of `BLENDSHAPES`; tongueOut, which MediaPipe lacks, is 0."""
    head: NDArray[np.float64]
    """(3, 3) rotation as in `Expression`."""
    translation: FloatArray
    """(3,) metres, as in `Expression`."""

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
        confidence: 0..1, lowest score of a detection that counts.

    Raises:
        ReaderError: MediaPipe is missing or does not accept the bundle.
    """

    def __init__(
        self,
        bundle: Path,
        *,
        max_faces: int = 1,
        video: bool = False,
        expressions: bool = True,
        confidence: float = 0.5,
    ) -> None:
        self._video = video
        self._clock = -1
        with _quiet():
            self._task = _create(bundle, max_faces, video, expressions, confidence)
        self._release = weakref.finalize(self, _shut, self._task)

    def find(
        self, picture: NDArray[np.uint8], time: float = 0.0, window: Window | None = None
    ) -> list[FoundFace]:
        """The faces of one picture.

        Args:
            picture: (H, W, 3) RGB.
            time: seconds; used when tracking, where a time that does not advance is nudged on.
            window: look only at this part of the picture.

        Returns:
            Faces in MediaPipe's order, maybe none; always in pixels of the whole picture.
        """
        height, width = picture.shape[:2]
        left, top, wide, high = window = window or (0, 0, width, height)
        result = self._detect(picture[top : top + high, left : left + wide], time)
        return _faces(result, window, (width, height))

    def forget(self, time: float = 0.0) -> None:
        """Make a tracking landmarker start afresh.

        A black picture ends all tracks in a few milliseconds; a new landmarker takes longer. A test
        holds that the next result equals that of a new one.
        """
        if self._video:
            self._detect(np.zeros((64, 64, 3), np.uint8), time)

    def _detect(self, picture: NDArray[np.uint8], time: float) -> Any:
        import mediapipe

        image = mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture)
        )
        if not self._video:
            return self._task.detect(image)
        self._clock = max(self._clock + 1, round(time * 1000))
        return self._task.detect_for_video(image, self._clock)

    def close(self) -> None:
        """Release the model; further calls are harmless."""
        self._release()


def _create(bundle: Path, max_faces: int, video: bool, expressions: bool, confidence: float) -> Any:
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
            min_face_detection_confidence=confidence,
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
        try:
            task.close()
        except RuntimeError:
            # At interpreter exit MediaPipe's thread is gone already and the process frees the
            # model; without its handle the task's own clean-up prints no traceback.
            task._handle = None


def _faces(result: Any, window: Window, size: tuple[int, int]) -> list[FoundFace]:
    left, top, width, height = window
    faces = []
    for i, points in enumerate(result.face_landmarks):
        curves = np.zeros(len(BLENDSHAPES), np.float32)
        head: NDArray[np.float64] = np.eye(3)
        translation = np.zeros(3, np.float32)
        if result.face_blendshapes:
            curves = _curves(result.face_blendshapes[i])
        if result.facial_transformation_matrixes:
            transform = np.asarray(result.facial_transformation_matrixes[i], np.float64)
            head, translation = pose_in_picture(transform, window, size)
        pixels = [(left + p.x * width, top + p.y * height) for p in points]
        faces.append(
            FoundFace(
                landmarks=np.array(pixels, np.float32),
                blendshapes=curves,
                head=head,
                translation=translation,
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
