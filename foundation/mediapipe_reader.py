"""Reads expressions with MediaPipe's Face Landmarker."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .expression import BLENDSHAPES, Expression, FloatArray, Frame
from .face_boxes import (
    SAME_FACE,
    Window,
    area,
    box_size,
    overlap,
    suits,
    tiles,
    whole_in,
    window_around,
    without_repeats,
)
from .face_choice import FaceChoice
from .mediapipe_landmarker import FoundFace, Landmarker
from .mediapipe_pose import gaze

FAR = 0.2
"""Size of a face in shorter sides of the picture below which it gets a window of its own."""
SURE = 0.7
"""Detection score asked for in tiles: dozens of looks at a picture without a face turn up a false
one now and then (of 31 frames of a film's title one did with 0.5, none with 0.65)."""
SWEEP_EVERY = 12
"""Frames between two sweeps for small faces while none is found, which bounds their cost."""
OPEN_EYE, SHUT_EYE = 0.2, 0.35
"""eyeBlink of the less closed eye at which lids begin to be, and are wholly, linked."""
LEFT_LID, RIGHT_LID = BLENDSHAPES.index("eyeBlinkLeft"), BLENDSHAPES.index("eyeBlinkRight")


class MediaPipeReader:
    """Follows one face and reads its expression.

    `FaceChoice` says which of several; the chosen one is followed by overlap. Faces too small for
    MediaPipe's detector are sought in overlapping tiles and read in a window around them; so is a
    face with others beside it, since MediaPipe follows (and steadies) only a single face.

    Args:
        bundle: the ``face_landmarker.task`` file, see `find_bundle`.
        face: counts from 1 at the left; None for the largest.
        max_faces: most faces looked at in one picture or tile.
        video: False for pictures that have nothing to do with one another.

    Raises:
        ReaderError: ``face`` below 1, MediaPipe is missing or does not accept the bundle.
    """

    def __init__(
        self, bundle: Path, *, face: int | None = None, max_faces: int = 6, video: bool = True
    ) -> None:
        self.most_faces = 0
        """Most faces seen in one frame so far."""
        self._choice = FaceChoice(face)
        self._video = video
        self._scout = Landmarker(bundle, max_faces=max(max_faces, face or 1))
        self._sweeper = Landmarker(bundle, max_faces=max_faces, confidence=SURE)
        self._tracker = Landmarker(bundle, video=True)
        self._window: Window | None = None
        self._shape: tuple[int, ...] = ()
        self._next_sweep = 0

    def read(self, frame: Frame) -> Expression:
        """The chosen face of this frame, or an Expression with ``found=False``.

        ``confidence`` is the share of the landmarks inside the picture: MediaPipe gives no score.
        """
        if not self._video or frame.picture.shape != self._shape:
            self._choice.forget()
            self._window = None
            self._shape = frame.picture.shape
        face = self._follow(frame) or self._search(frame)
        if face is None:
            return Expression(index=frame.index, time=frame.time, found=False)
        self._choice.keep(face.box, frame.time)
        return _expression(face, frame)

    def all_faces(self, picture: NDArray[np.uint8]) -> list[FoundFace]:
        """Every face of a picture (H, W, 3) RGB on its own, small ones sought in tiles."""
        self._shape = picture.shape
        return self._all_faces(Frame(picture=picture, index=0, time=0.0))

    def close(self) -> None:
        """Release the models."""
        self._scout.close()
        self._sweeper.close()
        self._tracker.close()

    def _follow(self, frame: Frame) -> FoundFace | None:
        """The face of the last frame, where the tracker still has it."""
        box = self._choice.box
        if self._window is None or box is None:
            return None
        height, width = self._shape[:2]
        whole = self._window == (0, 0, width, height)
        if not whole and not suits(self._window, box, width, height):
            self._window = window_around(box, width, height)
            self._tracker.forget(frame.time)
        return self._same(self._tracker.find(frame.picture, frame.time, self._window), box)

    def _search(self, frame: Frame) -> FoundFace | None:
        """A face chosen afresh; the tracker starts on it."""
        self._window = None
        faces = self._all_faces(frame)
        self.most_faces = max(self.most_faces, len(faces))
        chosen = self._choice.choose(faces, frame.time)
        if chosen is None:
            return None
        height, width = self._shape[:2]
        near = box_size(chosen.box) >= FAR * min(width, height)
        alone = near and len(faces) == 1
        self._window = (0, 0, width, height) if alone else window_around(chosen.box, width, height)
        self._tracker.forget(frame.time)
        tracked = self._tracker.find(frame.picture, frame.time, self._window)
        return self._same(tracked, chosen.box) or chosen

    def _all_faces(self, frame: Frame) -> list[FoundFace]:
        height, width = self._shape[:2]
        faces = self._scout.find(frame.picture)
        box = self._choice.box
        if box is not None and not faces:
            faces = self._scout.find(frame.picture, window=window_around(box, width, height))
        wanted = (self._choice.face or 1) if box is None else 1
        first = self._next_sweep == 0 or not self._video
        if first or (len(faces) < wanted and frame.index >= self._next_sweep):
            self._next_sweep = frame.index + SWEEP_EVERY
            for tile in tiles(width, height):
                found = self._sweeper.find(frame.picture, window=tile)
                faces += [face for face in found if whole_in(face, tile, width, height)]
        return [face for face in without_repeats(faces) if self._confirmed(face, frame)]

    def _confirmed(self, face: FoundFace, frame: Frame) -> bool:
        """A second look, at the face alone: false finds seldom survive another cut of the picture.

        Of the 97 frames after an actor has left, in which a film's title shows, the first look
        takes one for a face, both together none.
        """
        last = self._choice.recent(frame.time)
        if last is not None and overlap(face.box, last) >= SAME_FACE:
            return True
        height, width = self._shape[:2]
        window = window_around(face.box, width, height)
        return self._same(self._scout.find(frame.picture, window=window), face.box) is not None

    @staticmethod
    def _same(found: list[FoundFace], box: FloatArray) -> FoundFace | None:
        best = max(found, key=lambda face: overlap(face.box, box), default=None)
        return best if best is not None and overlap(best.box, box) >= SAME_FACE else None


def landmark_finder(
    bundle: Path,
) -> Callable[[NDArray[np.uint8]], FloatArray | None]:
    """A function that finds the face landmarks of single pictures.

    Args:
        bundle: the ``face_landmarker.task`` file.

    Returns:
        ``find(picture)``: picture (H, W, 3) RGB to (478, 2) landmarks in pixels, x right, y down,
        of the largest face, or None where no face is found.

    Raises:
        ReaderError: MediaPipe is missing or does not accept the bundle.
    """
    landmarker = Landmarker(bundle, max_faces=4, expressions=False)

    def find(picture: NDArray[np.uint8]) -> FloatArray | None:
        faces = landmarker.find(picture)
        return max(faces, key=area).landmarks if faces else None

    return find


def linked_lids(blendshapes: FloatArray) -> FloatArray:
    """Close both eyes alike when both are clearly closing.

    MediaPipe reports eyes that are both shut as far apart as 0.84 and 0.32 when brows or hands
    shade one of them, which plays as a wink. In a real wink the open eye stays low. The less closed
    eye is therefore drawn to the other, not at all below `OPEN_EYE`, wholly above `SHUT_EYE`.

    Args:
        blendshapes: (52,) in the order of `BLENDSHAPES`.

    Returns:
        (52,) a copy in which only eyeBlinkLeft or eyeBlinkRight may have risen.
    """
    linked = blendshapes.copy()
    lids = blendshapes[[LEFT_LID, RIGHT_LID]]
    less, more = float(lids.min()), float(lids.max())
    share = float(np.clip((less - OPEN_EYE) / (SHUT_EYE - OPEN_EYE), 0.0, 1.0))
    linked[LEFT_LID if lids[0] < lids[1] else RIGHT_LID] = less + share * (more - less)
    return linked


def _expression(face: FoundFace, frame: Frame) -> Expression:
    height, width = frame.picture.shape[:2]
    inside = ((face.landmarks >= 0) & (face.landmarks < (width, height))).all(axis=1)
    return Expression(
        index=frame.index,
        time=frame.time,
        found=True,
        blendshapes=linked_lids(face.blendshapes),
        head=face.head,
        translation=face.translation,
        eyes=gaze(face.blendshapes),
        landmarks=face.landmarks,
        box=face.box,
        confidence=float(inside.mean()),
    )
