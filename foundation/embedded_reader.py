"""Reads expressions with our own networks: nothing to download, one pass a tracked frame."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .crop_motion import apart, drawn_along
from .crops import MARGIN, Crop, crop_around
from .expression import Expression, FloatArray, Frame
from .expression_model import ExpressionModel, ModelOutput
from .face_boxes import SAME_FACE, Boxed, box_size, overlap, without_repeats
from .face_choice import FORGET, FaceChoice
from .place_in_picture import head_in_picture, translation
from .point_correction import PointCorrection
from .scene_change import SceneChange
from .steadiness import Steadiness

ACCEPT, KEEP = 0.6, 0.35
"""Confidence that a face needs to be taken up, and to be kept while it is followed."""
SLACK = 0.03
"""How far (see `apart`) the crop may be from the one the face's points ask for before it moves."""
AGAIN = 0.15
"""How far off a crop is read a second time, in its better place."""
LOST = 0.45
"""How far off the face is sought afresh: nobody moves so far between two frames."""
SETTLING = 2
"""Most looks at a face after the first, until the crop fits."""
SEARCH_EVERY = 0.1
"""Seconds between two searches while no face is to be seen; the first few follow at once."""
EAGER = 3
"""Frames in a row without a face that are searched before `SEARCH_EVERY` sets in."""
MOST_FACES = 16
"""Faces of one picture that are looked at."""
SMALLEST = 12.0
"""Pixels; a smaller crop shows no face."""


class FoundBox(Boxed, Protocol):
    """What the detector says of one face."""

    @property
    def points(self) -> FloatArray:
        """(3, 2) right eye, left eye, middle of the mouth, pixels."""
        ...


class Finder(Protocol):
    """Finds faces in a whole picture."""

    def find(self, picture: NDArray[np.uint8]) -> Sequence[FoundBox]:
        """The faces of a picture (H, W, 3) RGB, best first."""
        ...


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

    @property
    def box(self) -> FloatArray:
        """(4,) left, top, right, bottom of the landmarks in pixels."""
        return np.concatenate([self.landmarks.min(0), self.landmarks.max(0)])

    @property
    def confidence(self) -> float:
        """0..1; 0 where the numbers are not those of a face."""
        value = float(self.output.confidence[0])
        return value if np.isfinite(value) and np.isfinite(self.landmarks).all() else 0.0


class EmbeddedReader:
    """Follows one face and reads its expression.

    The detector looks for faces at the start and whenever the followed one is lost; `FaceChoice`
    says which is taken. From then on the network follows by itself: where it sees the face's points
    in one frame, it looks in the next, and its confidence says whether there is a face. Where that
    stays low, the detector has to agree, or the face counts as lost.

    Args:
        face: counts from 1 at the left; None for the largest.
        threads: most cores that the networks use.
        video: False for pictures that have nothing to do with one another.
        model: the expression network; None for the one that ships.
        finder: the detector; None for the one that ships.

    Raises:
        ReaderError: ``face`` below 1, or a network is missing or damaged.
    """

    def __init__(
        self,
        face: int | None = None,
        threads: int = 1,
        video: bool = True,
        *,
        model: ExpressionModel | None = None,
        finder: Finder | None = None,
    ) -> None:
        self.most_faces = 0
        """Most faces seen in one frame so far."""
        self._choice = FaceChoice(face)
        self._video = video
        self._model = model or ExpressionModel(threads=threads)
        self._finder = finder or _shipped_finder(threads)
        self._shape: tuple[int, ...] = ()
        self._scenes = SceneChange()
        self._crop: Crop | None = None
        self._lost = 0
        self._searched = self._sure = -np.inf
        gains = self._model.point_gains
        self._correction = PointCorrection(gains) if video and gains is not None else None
        self._steadiness = Steadiness() if video else None

    def read(self, frame: Frame) -> Expression:
        """The chosen face of this frame, or an Expression with ``found=False``."""
        picture = frame.picture
        if not self._video or picture.shape != self._shape:
            self._shape = picture.shape
            self._forget()
        cut = self._scenes.cut(picture)
        if cut:
            self._meet_someone()
        reading = self._search(picture, frame.time, anew=True) if cut else None
        reading = reading or self._follow(picture)
        if reading is not None and self._doubted(reading, frame):
            reading = self._crop = None
            self._choice.forget()
        if reading is None and not cut:
            reading = self._search(picture, frame.time)
        if reading is None:
            self._lost += 1
            return Expression(index=frame.index, time=frame.time, found=False)
        self._lost = 0
        if reading.confidence >= ACCEPT:
            self._sure = frame.time
        self._crop = drawn_along(reading.crop, reading.own, SLACK)
        self._choice.keep(reading.box, frame.time)
        return self._corrected(_expression(reading, frame))

    def close(self) -> None:
        """Nothing to do: the networks go with the reader."""

    def _corrected(self, expression: Expression) -> Expression:
        blendshapes = expression.blendshapes
        if self._correction is not None:
            blendshapes = self._correction.corrected(
                blendshapes, expression.landmarks, expression.head, expression.time
            )
        if self._steadiness is not None:
            blendshapes = self._steadiness.steadied(blendshapes)
        return replace(expression, blendshapes=blendshapes)

    def _meet_someone(self) -> None:
        """What was learnt of a person goes with them."""
        if self._correction is not None:
            self._correction.forget()
        if self._steadiness is not None:
            self._steadiness.forget()

    def _forget(self) -> None:
        self._meet_someone()
        self._choice.forget()
        self._scenes = SceneChange()
        self._crop = None
        self._lost = 0
        self._searched = self._sure = -np.inf

    def _follow(self, picture: NDArray[np.uint8]) -> Reading | None:
        """The face where it was in the last frame; also when it comes back there."""
        if self._crop is None:
            return None
        reading = self._look(picture, [self._crop])[0]
        if reading.confidence < (ACCEPT if self._lost else KEEP):
            return None
        far = apart(reading.crop, reading.own)
        if AGAIN < far < LOST:
            reading = self._look(picture, [reading.own])[0]
            far = apart(reading.crop, reading.own)
        return reading if far < LOST and self._holds(reading, KEEP) else None

    def _doubted(self, reading: Reading, frame: Frame) -> bool:
        """Whether a face of low confidence has gone without the detector's word for too long.

        So a lamp that the crop has slid onto is not followed for ever.
        """
        if reading.confidence >= ACCEPT:
            return False
        if not 0 <= frame.time - self._searched < SEARCH_EVERY:
            self._searched = frame.time
            hits = self._finder.find(frame.picture)
            if any(overlap(hit.box, reading.box) >= SAME_FACE for hit in hits):
                self._sure = frame.time
        return frame.time - self._sure > FORGET

    def _search(
        self, picture: NDArray[np.uint8], time: float, *, anew: bool = False
    ) -> Reading | None:
        """A face chosen among those that the detector finds.

        Args:
            picture: (H, W, 3) RGB.
            time: seconds.
            anew: True chooses as at the start, and at once: the picture is another shot's.
        """
        waiting = self._lost >= EAGER and 0 <= time - self._searched < SEARCH_EVERY
        if waiting and not anew:
            return None
        self._searched = time
        if self._choice.recent(time) is None:
            self._crop = None
            self._meet_someone()
        hits = self._finder.find(picture)[:MOST_FACES]
        readings = self._look(picture, [_crop_of(hit) for hit in hits])
        faces = without_repeats([r for r in readings if self._holds(r, KEEP)])
        while (chosen := self._choice.choose(faces, time, anew=anew)) is not None:
            better = self._settled(picture, chosen)
            if self._holds(better, ACCEPT):
                self.most_faces = max(self.most_faces, len(faces))
                return better
            faces = [face for face in faces if face is not chosen]
        self.most_faces = max(self.most_faces, len(faces))
        return None

    def _settled(self, picture: NDArray[np.uint8], reading: Reading) -> Reading:
        """The detector's box is rough: look again where the face's points are, until that fits."""
        for _ in range(SETTLING):
            reading = self._look(picture, [reading.own])[0]
            if apart(reading.crop, reading.own) < AGAIN:
                break
        return reading

    def _look(self, picture: NDArray[np.uint8], crops: list[Crop]) -> list[Reading]:
        if not crops:
            return []
        output = self._model.read(np.stack([crop.cut(picture) for crop in crops]))
        return [_reading(crop, output.row(i)) for i, crop in enumerate(crops)]

    def _holds(self, reading: Reading, confidence: float) -> bool:
        """Whether there is a face, with its middle in the picture."""
        height, width = self._shape[:2]
        x, y = reading.own.centre
        inside = 0 <= x <= width and 0 <= y <= height and reading.own.side >= SMALLEST
        return reading.confidence >= confidence and inside


def _shipped_finder(threads: int) -> Finder:
    from .face_finder import FaceFinder

    return FaceFinder(threads=threads)


def _crop_of(hit: FoundBox) -> Crop:
    """A first crop from the detector's box, turned so that the eyes are level."""
    left, top, right, bottom = (float(v) for v in hit.box)
    across = hit.points[1] - hit.points[0]
    return Crop(
        centre=((left + right) / 2, (top + bottom) / 2),
        side=max(MARGIN * box_size(hit.box), 1.0),
        roll=float(np.arctan2(across[1], across[0])),
    )


def _reading(crop: Crop, output: ModelOutput) -> Reading:
    landmarks = crop.to_frame(output.landmarks[0] * np.float32(crop.size))
    own = crop_around(landmarks, size=crop.size) if np.isfinite(landmarks).all() else crop
    return Reading(crop=crop, output=output, landmarks=landmarks, own=own)


def _expression(reading: Reading, frame: Frame) -> Expression:
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
