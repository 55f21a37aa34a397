"""Counts faces found, missed and made up; numpy only."""

from dataclasses import dataclass, field

from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.face_boxes import overlap

SAME = 0.4
"""Overlap (intersection over union) from which a find counts for a face."""
TOUCHES = 0.1
"""Overlap from which a find is on a face that is to be ignored."""


@dataclass(kw_only=True)
class Tally:
    """Faces found, missed and made up so far."""

    faces: int = 0
    found: int = 0
    false: int = 0
    pictures: int = 0
    overlaps: list[float] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """Found of all faces, 0..1."""
        return self.found / max(self.faces, 1)

    @property
    def false_per_picture(self) -> float:
        """Finds where there is no face, per picture."""
        return self.false / max(self.pictures, 1)

    def add(self, boxes: FloatArray, faces: FloatArray) -> None:
        """Count one picture.

        Args:
            boxes: (B, 4) found, best first.
            faces: (F, 11) there, see `freeavatar.foundation.finder_targets.FACE_NUMBERS`; a find on
                one to be ignored counts for nothing.
        """
        self.pictures += 1
        self.faces += int((faces[:, 10] > 0).sum())
        free = list(range(len(faces)))
        for box in boxes:
            best = max(free, key=lambda i: overlap(box, faces[i, :4]), default=None)
            if best is None or overlap(box, faces[best, :4]) < SAME:
                ignored = faces[faces[:, 10] == 0]
                self.false += not any(overlap(box, f[:4]) > TOUCHES for f in ignored)
                continue
            free.remove(best)
            if faces[best, 10] > 0:
                self.found += 1
                self.overlaps.append(overlap(box, faces[best, :4]))
