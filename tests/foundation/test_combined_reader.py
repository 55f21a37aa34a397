"""Our reading held to MediaPipe's points, on a real clip and where MediaPipe sees nothing."""

from pathlib import Path

import numpy as np
import pytest

from freeavatar.foundation.combined_reader import CombinedReader
from freeavatar.foundation.embedded_reader import EmbeddedReader
from freeavatar.foundation.errors import ReaderError
from freeavatar.foundation.expression import SWAPPED, Expression, Frame, Reader
from freeavatar.foundation.face_boxes import overlap
from freeavatar.foundation.landmarks import LANDMARKS
from freeavatar.foundation.mediapipe_landmarker import Landmarker
from freeavatar.foundation.readers import READERS, landmarker_is_there, open_reader
from freeavatar.foundation.sources import open_source
from freeavatar.tools.arguments import READER_NAMES
from freeavatar.tools.evaluation.agreement import follow, mean_of
from freeavatar.tools.evaluation.apertures import built_in_head, measured, performed


@pytest.fixture(scope="module")
def bundle(shared: Path) -> Path:
    return shared / "mediapipe" / "face_landmarker.task"


@pytest.fixture(scope="module")
def smile(shared: Path) -> list[Frame]:
    return list(open_source(str(shared / "clips" / "neutral_to_smile.mp4")))


def read_all(reader: Reader, frames: list[Frame]) -> list[Expression]:
    found = [reader.read(frame) for frame in frames]
    reader.close()
    return found


def curves(found: list[Expression]) -> np.ndarray:
    return np.stack([e.blendshapes for e in found]).astype(np.float64)


@pytest.fixture(scope="module")
def combined(bundle: Path, smile: list[Frame]) -> list[Expression]:
    return read_all(CombinedReader(bundle), smile)


def test_curves_follow_the_picture_at_least_as_closely_as_mediapipes_own(
    bundle: Path, smile: list[Frame], combined: list[Expression]
) -> None:
    assert all(e.found for e in combined)
    theirs = read_all(open_reader("mediapipe", bundle=bundle), smile)
    head = built_in_head()
    points = np.stack([e.landmarks[list(LANDMARKS)] for e in theirs])
    seen = measured(points, np.stack([e.head for e in theirs]), head)
    ours, other = (mean_of(follow(seen, performed(curves(e), head))) for e in (combined, theirs))
    assert ours is not None and other is not None
    assert ours.correlation > other.correlation > 0.9
    assert 0.8 < ours.amplitude < 1.2


def test_the_mirrored_clip_gives_mirrored_curves(
    bundle: Path, smile: list[Frame], combined: list[Expression]
) -> None:
    flipped = [
        Frame(picture=np.ascontiguousarray(f.picture[:, ::-1]), index=f.index, time=f.time)
        for f in smile
    ]
    mirrored = read_all(CombinedReader(bundle), flipped)
    apart = np.abs(curves(combined) - curves(mirrored)[:, SWAPPED])
    assert apart.mean() < 0.02


def test_where_mediapipe_sees_nothing_our_own_points_are_taken(
    bundle: Path, smile: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Landmarker, "find", lambda self, picture, time, window: [])
    alone = read_all(CombinedReader(bundle), smile[:20])
    plain = read_all(EmbeddedReader(), smile[:20])
    assert all(e.found for e in alone)
    assert np.abs(curves(alone) - curves(plain)).mean() < 0.05
    assert not np.array_equal(curves(alone), curves(plain)), "both ways round"


def test_mediapipe_looks_at_the_face_that_we_follow(bundle: Path, shared: Path) -> None:
    (frame,) = open_source(str(shared / "clips" / "multi_face.jpg"))
    seen: list[np.ndarray] = []

    class Watching(Landmarker):
        def find(self, picture, time=0.0, window=None):  # type: ignore[no-untyped-def]
            found = super().find(picture, time, window)
            seen.extend(face.box for face in found)
            return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("freeavatar.foundation.combined_reader.Landmarker", Watching)
        reader = CombinedReader(bundle, face=2)
        first = reader.read(frame)
        reader.read(Frame(picture=frame.picture, index=1, time=0.04))
        assert reader.most_faces > 2
        reader.close()
    assert first.found and len(seen) == 2
    assert all(overlap(box, first.box) > 0.5 for box in seen)


def test_auto_takes_mediapipes_points_where_its_bundle_is_and_time_allows(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FREEAVATAR_MEDIAPIPE_BUNDLE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def kind(**options: object) -> type:
        reader = open_reader("auto", **options)  # type: ignore[arg-type]
        reader.close()
        return type(reader)

    assert tuple(READERS) == READER_NAMES
    assert landmarker_is_there(bundle) and not landmarker_is_there()
    assert kind() is EmbeddedReader
    assert kind(bundle=bundle) is CombinedReader
    assert kind(bundle=bundle, live=True) is EmbeddedReader
    with pytest.raises(ReaderError, match="counted from 1"):
        open_reader("combined", bundle=bundle, face=0)
    with pytest.raises(ReaderError, match="which is not a file"):
        open_reader("auto", bundle=tmp_path / "none.task")
