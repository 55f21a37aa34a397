"""Reads expressions with our own networks: nothing to download, one pass a tracked frame."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .crop_motion import apart, drawn_along
from .crops import MARGIN, Crop
from .expression import Expression, FloatArray, Frame
from .expression_model import ExpressionModel
from .face_boxes import SAME_FACE, Boxed, box_size, overlap, without_repeats
from .face_choice import FORGET, FaceChoice
from .personal_curves import PersonalCurves
from .reading import Reading, expression_of, reading_of
from .scene_change import SceneChange

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
CLEAR = 0.75
"""Score of a find that is followed at once; fainter ones must be found twice in a row, as letters
and leaves now and then look like a face in one frame."""
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

    @property
    def score(self) -> float:
        """0..1."""
        ...


class Finder(Protocol):
    """Finds faces in a whole picture."""

    def find(self, picture: NDArray[np.uint8]) -> Sequence[FoundBox]:
        """The faces of a picture (H, W, 3) RGB, best first."""
        ...

    def find_large(self, picture: NDArray[np.uint8]) -> Sequence[FoundBox]:
        """The same, but only large ones where there are such."""
        ...


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
        curves: refines a video's curves; None for what the network's own points say.

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
        curves: PersonalCurves | None = None,
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
        self._faint: list[FoundBox] = []
        self._curves = curves or (PersonalCurves(self._model.point_gains) if video else None)

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
        expression = expression_of(reading, frame)
        if self._curves is None:
            return expression
        return replace(expression, blendshapes=self._curves.refined(expression, picture))

    def close(self) -> None:
        """Release what refines the curves; the networks go with the reader."""
        if self._curves is not None:
            self._curves.close()

    def _meet_someone(self) -> None:
        """What was learnt of a person goes with them."""
        if self._curves is not None:
            self._curves.forget()

    def _forget(self) -> None:
        self._meet_someone()
        self._choice.forget()
        self._scenes = SceneChange()
        self._crop = None
        self._faint = []
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
        wanted = self._finder.find_large if self._choice.wants_large else self._finder.find
        hits = self._believed(wanted(picture)[:MOST_FACES])
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

    def _believed(self, hits: Sequence[FoundBox]) -> list[FoundBox]:
        """Those that are clear, were found in the last search, too, or are in a single picture."""
        before, self._faint = self._faint, [hit for hit in hits if hit.score < CLEAR]
        return [
            hit
            for hit in hits
            if hit.score >= CLEAR
            or not self._video
            or any(overlap(hit.box, other.box) >= SAME_FACE for other in before)
        ]

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
        return [reading_of(crop, output.row(i)) for i, crop in enumerate(crops)]

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
