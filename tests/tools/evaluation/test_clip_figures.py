"""Figures on clips: known motion in, known figures out."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.animator.motion import anchor_positions
from freeavatar.animator.proportions import feature_sizes
from freeavatar.animator.reference import built_in_reference
from freeavatar.foundation.expression import BLENDSHAPES, SWAPPED, Expression, Frame, Reader
from freeavatar.rigs import registry
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.tools.evaluation.agreement import FEWEST, follow, mean_of
from freeavatar.tools.evaluation.apertures import (
    APERTURES,
    GROUPS,
    LIDS,
    built_in_head,
    measured,
    performed,
)
from freeavatar.tools.evaluation.clip_tables import clip_lines, overall, summary
from freeavatar.tools.evaluation.clips import YARDSTICK, clip_figures, read_clip
from freeavatar.tools.evaluation.steadiness import (
    cross_talk,
    mirror_difference,
    trembling,
    with_noise,
)

Values = NDArray[np.float64]
LENGTH = 120


def acted(seed: int = 0) -> Values:
    """(T, 52) jaw, smile, blinks and brows that move independently; the eyes open most often."""
    make = np.random.default_rng(seed)
    curves = np.zeros((LENGTH, 52))
    moving = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "browDownLeft",
              "browOuterUpRight")  # fmt: skip
    for name in moving:
        curves[:, BLENDSHAPES.index(name)] = make.random(LENGTH)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        curves[:, BLENDSHAPES.index(name)] = np.maximum(make.random(LENGTH) * 3 - 2, 0)
    return curves


def filmed(curves: Values, turn: Values) -> tuple[Values, Values]:
    """Landmarks (T, A, 2) and head rotations of the mannequin under a parallel camera."""
    at = anchor_positions(registry.load("mannequin"))
    moved = np.einsum("ts,sax->tax", curves, built_in_reference().motion) * feature_sizes(at)
    head = np.stack([matrix_from_angles(angles) for angles in turn])
    seen = np.einsum("tij,taj->tai", head, at + moved)
    return seen[..., :2] * (2000.0, -2000.0) + (320.0, 240.0), head


def test_the_picture_of_a_turning_head_shows_the_apertures_that_its_curves_give() -> None:
    make = np.random.default_rng(1)
    curves = acted()
    landmarks, head = filmed(curves, make.uniform(-0.45, 0.45, (LENGTH, 3)))
    seen = measured(landmarks, head, built_in_head())
    given = performed(curves, built_in_head())
    for i, name in enumerate(APERTURES):
        assert np.corrcoef(seen[:, i], given[:, i])[0, 1] > 0.97, name
        if i not in LIDS:
            assert np.abs(seen[:, i] - given[:, i]).max() < 0.05, name
    rows = follow(seen, given)
    assert set(rows) == set(GROUPS)
    assert all(0.9 < row.amplitude < 1.1 for row in rows.values())


def test_damped_curves_keep_their_correlation_and_lose_amplitude() -> None:
    landmarks, head = filmed(acted(), np.zeros((LENGTH, 3)))
    seen = measured(landmarks, head, built_in_head())
    rows = follow(seen, performed(0.5 * acted() + 0.2, built_in_head()))
    for name, row in rows.items():
        assert row.correlation > 0.999, name
        assert row.amplitude == pytest.approx(0.5, abs=0.05), name
    still = follow(seen, performed(np.zeros((LENGTH, 52)), built_in_head()))
    assert all(r.correlation == 0.0 and r.amplitude < 1e-9 for r in still.values())


def test_resting_parts_and_lost_faces_stay_out() -> None:
    curves = acted()
    curves[:, [i for i, n in enumerate(BLENDSHAPES) if n.startswith("brow")]] = 0.0
    landmarks, head = filmed(curves, np.zeros((LENGTH, 3)))
    head[:10], landmarks[:10] = np.nan, np.nan
    head[10:15] = matrix_from_angles(np.array([1.2, 0.0, 0.0]))
    seen = measured(landmarks, head, built_in_head())
    assert np.isnan(seen[:15]).all() and np.isfinite(seen[15:]).all()
    rows = follow(seen, performed(curves, built_in_head()))
    assert [name for name, row in rows.items() if row.still] == ["brows"]
    assert rows["lids"].frames == LENGTH - 15
    mean = mean_of(rows)
    assert mean is not None and mean.correlation > 0.99
    assert follow(seen[: 14 + FEWEST], performed(curves, built_in_head())[: 14 + FEWEST]) == {}


def test_mirrored_curves_change_sides() -> None:
    curves = np.random.default_rng(0).random((5, 52))
    mirrored = curves[:, SWAPPED]
    assert not np.allclose(curves, mirrored)
    assert mirror_difference(curves, mirrored) == 0.0
    mirrored[:, 0] += 0.52
    mirrored[3] = np.nan
    assert mirror_difference(curves, mirrored) == pytest.approx(0.01)


def test_trembling_and_cross_talk_name_the_worst_channel() -> None:
    curves = np.full((40, 52), 0.3)
    curves[::2, BLENDSHAPES.index("jawOpen")] += 0.02
    shaken = trembling(curves)
    assert shaken.channel == "jawOpen"
    assert shaken.largest == pytest.approx(0.01)
    assert shaken.mean == pytest.approx(0.01 / 52)
    curves[0, BLENDSHAPES.index("eyeLookInLeft")] = 1.0
    moved = cross_talk(curves, rest=1)
    assert moved.channel == "jawOpen" and moved.largest == pytest.approx(0.02)
    with pytest.raises(ValueError, match="straight ahead"):
        cross_talk(np.full((3, 52), np.nan), rest=1)


class Puppet:
    """A reader that knows the truth; a `gain` below 1 damps it, a `box` elsewhere is another face.

    The picture's first pixel holds the frame's number, in its last column when it is mirrored.
    """

    def __init__(self, curves: Values, *, gain: float = 1.0, left: float = 0.0) -> None:
        self.landmarks, self.head = filmed(curves, np.zeros((len(curves), 3)))
        self.curves, self.gain, self.left = curves, gain, left

    def read(self, frame: Frame) -> Expression:
        row = self.curves[frame.index] * self.gain
        if frame.picture[0, -1, 0]:
            row = row[SWAPPED]
        points = np.zeros((478, 2))
        from freeavatar.foundation.landmarks import LANDMARKS

        points[list(LANDMARKS[:-2])] = self.landmarks[frame.index]
        return Expression(
            index=frame.index,
            time=frame.time,
            found=frame.index != 7,
            blendshapes=row.astype(np.float32),
            head=self.head[frame.index],
            landmarks=points.astype(np.float32),
            box=np.array([self.left, 0, self.left + 50, 50], np.float32),
        )

    def close(self) -> None:
        pass


def film() -> list[Frame]:
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[0, 0] = 9
    return [Frame(picture=picture, index=i, time=i / 25) for i in range(LENGTH)]


def test_a_clip_is_read_once_by_all_readers_side_by_side() -> None:
    readers: dict[str, Callable[[], Reader]] = {
        "damped": lambda: Puppet(acted(), gain=0.5),
        "elsewhere": lambda: Puppet(acted(), left=400.0),
        YARDSTICK: lambda: Puppet(acted()),
    }
    run = read_clip("film", film(), readers)
    clip = clip_figures(run, {"mannequin": built_in_head()}, readers, still=False)
    assert (clip.frames, clip.faces) == (LENGTH, LENGTH - 1)
    damped, other = clip.readers["damped"], clip.readers["elsewhere"]
    assert damped.mean is not None and damped.mean.correlation > 0.99
    assert damped.mean.amplitude == pytest.approx(0.5, abs=0.02)
    assert damped.mirror == pytest.approx(0.0, abs=1e-6)
    assert other.found == 0 and other.other_face == LENGTH - 1 and other.mean is None

    table = overall([clip], ["damped", YARDSTICK])
    assert table["mean"][YARDSTICK] == pytest.approx((1.0, 1.0), abs=0.02)
    lines = clip_lines([clip], list(readers), "mannequin")
    assert any("flatters MediaPipe" in line for line in lines)
    assert any(line.split()[:2] == ["film", "mean"] and "0.50" in line for line in lines)
    figures = summary([clip], list(readers), ["mannequin"], {})
    assert figures["clips"][0]["readers"]["elsewhere"]["mean"] is None


def test_noise_is_new_in_every_frame_and_of_known_size() -> None:
    frames = list(with_noise(np.full((40, 40, 3), 128, np.uint8), frames=4))
    apart = frames[0].picture.astype(float) - frames[1].picture
    assert apart.std() == pytest.approx(3.0 * np.sqrt(2), rel=0.05)
