"""Recall and false finds of face finders, side by side, and what a detection costs."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.landmarks import LANDMARKS
from freeavatar.foundation.training.finder_tally import Tally

from .clip_faces import CLIP_FACES

Picture = NDArray[np.uint8]
Find = Callable[[Picture], FloatArray]
"""Picture (H, W, 3) RGB to boxes (F, 4) of landmarks, best first, pixels."""
OURS, MEDIAPIPE, TILED = "ours", "mediapipe", "mediapipe in tiles"
MOST_FACES = 10
"""Faces that MediaPipe is asked for; by default it reports one, which would halve its recall."""
REPEATS = 100
FACES = ("legislators", "webmorph")
"""Folders of portraits of which the test people are shown."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture whose faces are known."""

    group: str
    picture: Picture
    faces: FloatArray
    """(F, 11), see `freeavatar.foundation.finder_targets.FACE_NUMBERS`."""


def finder_figures(
    data: Path, *, bundle: Path | None, cache: Path, composites: int = 300
) -> dict[str, Any]:
    """Everything that is measured about the face finder.

    Args:
        data: folder with ``clips``, ``faces`` and ``synth``.
        bundle: MediaPipe's ``face_landmarker.task``; None leaves it and the composites out.
        cache: folder for landmarks of the test portraits.
        composites: pictures made of test people.

    Returns:
        ``clips`` and ``composites``: reader to group (a clip, a kind of composite, ``all``) to
        ``recall``, ``false_per_picture``, ``faces``, ``pictures`` and ``overlap`` (mean
        intersection over union of what was found); ``speed``: reader to milliseconds at 1280 x 720,
        ``median`` and ``p95``.
    """
    finders = open_finders(bundle)
    out: dict[str, Any] = {"clips": compared(finders, clip_pictures(data / "clips"))}
    out["composites"] = {}
    if bundle is not None:
        from freeavatar.tools.dataset.composites import composites_to_judge_by, open_composer

        faces = [data / "faces" / name for name in FACES]
        places = data / "synth" / "hdri"
        composer = open_composer(faces, places, "test", bundle=bundle, cache=cache)
        pictures = (
            Shown(group=made.kind, picture=made.picture, faces=made.faces)
            for made in composites_to_judge_by(composer, composites)
        )
        out["composites"] = compared(finders, pictures)
    out["speed"] = speeds(finders, data / "clips" / "single_face.jpg")
    return out


def open_finders(bundle: Path | None) -> dict[str, Find]:
    """Ours, and with a bundle MediaPipe's detection alone and with our search in tiles."""
    from freeavatar.foundation.face_finder import FaceFinder

    ours = FaceFinder(threads=1)

    def find(picture: Picture) -> FloatArray:
        hits = ours.find(picture)
        return np.array([hit.box for hit in hits], np.float32).reshape(-1, 4)

    finders: dict[str, Find] = {OURS: find}
    if bundle is not None:
        finders |= _theirs(bundle)
    return finders


def _theirs(bundle: Path) -> dict[str, Find]:
    from freeavatar.foundation.mediapipe_landmarker import Landmarker
    from freeavatar.foundation.mediapipe_reader import MediaPipeReader

    alone = Landmarker(bundle, max_faces=MOST_FACES, expressions=False)
    reader = MediaPipeReader(bundle, video=False, max_faces=MOST_FACES)
    numbers = list(LANDMARKS)

    def boxes(faces: Iterable[Any]) -> FloatArray:
        points = [face.landmarks[numbers] for face in faces]
        rows = [np.concatenate([p.min(axis=0), p.max(axis=0)]) for p in points]
        return np.array(rows, np.float32).reshape(-1, 4)

    def plain(picture: Picture) -> FloatArray:
        return boxes(alone.find(picture))

    def tiled(picture: Picture) -> FloatArray:
        return boxes(reader.all_faces(picture))

    return {MEDIAPIPE: plain, TILED: tiled}


def clip_pictures(clips: Path) -> Iterable[Shown]:
    """The frames of `CLIP_FACES`."""
    from freeavatar.foundation.sources import open_source

    for name, frames in CLIP_FACES.items():
        with open_source(str(clips / name)) as source:
            for frame in islice(source, max(frames) + 1):
                if frame.index not in frames:
                    continue
                boxes = np.array(frames[frame.index], np.float32).reshape(-1, 4)
                rest = np.zeros((len(boxes), 7), np.float32)
                rest[:, -1] = 1.0
                yield Shown(
                    group=name, picture=frame.picture, faces=np.concatenate([boxes, rest], axis=1)
                )


def compared(
    finders: Mapping[str, Find], pictures: Iterable[Shown]
) -> dict[str, dict[str, dict[str, float]]]:
    """Reader to group to figures; ``all`` is the last group."""
    tallies: dict[str, dict[str, Tally]] = {name: {} for name in finders}
    for shown in pictures:
        for name, find in finders.items():
            boxes = find(shown.picture)
            for group in (shown.group, "all"):
                tallies[name].setdefault(group, Tally()).add(boxes, shown.faces)
    return {
        name: {group: _figures(groups[group]) for group in sorted(groups, key=lambda g: g == "all")}
        for name, groups in tallies.items()
    }


def _figures(tally: Tally) -> dict[str, float]:
    return {
        "recall": tally.recall,
        "false_per_picture": tally.false_per_picture,
        "faces": tally.faces,
        "pictures": tally.pictures,
        "overlap": float(np.mean(tally.overlaps)) if tally.overlaps else float("nan"),
    }


def speeds(finders: Mapping[str, Find], picture: Path) -> dict[str, dict[str, float]]:
    """Milliseconds of a detection in a picture of 1280 x 720 pixels that shows one face."""
    import cv2

    face = cv2.imread(str(picture), cv2.IMREAD_COLOR_RGB)
    if face is None:
        raise ValueError(f"{picture} is not a picture that OpenCV reads")
    wide = np.full((720, 1280, 3), 120, np.uint8)
    height, width = face.shape[:2]
    wide[80 : 80 + height, 300 : 300 + width] = face
    out = {}
    for name, find in finders.items():
        if name == TILED:
            continue
        spent = []
        for _ in range(REPEATS + 5):
            since = time.perf_counter()
            find(wide)
            spent.append((time.perf_counter() - since) * 1000)
        median, late = np.percentile(spent[5:], (50, 95))
        out[name] = {"median": float(median), "p95": float(late)}
    return out


def finder_lines(figures: Mapping[str, Any]) -> list[str]:
    """The figures as a table."""
    lines = []
    for title in ("clips", "composites"):
        readers = figures[title]
        if not readers:
            continue
        names = list(readers)
        lines.append(f"{title}: recall, false finds per picture")
        lines.append(f"{'':<52}{'faces':>6}  " + "".join(f"{n:>20}" for n in names))
        for group, first in readers[names[0]].items():
            cells = "".join(
                f"{_share(readers[n][group]):>13}{readers[n][group]['false_per_picture']:>7.3f}"
                for n in names
            )
            lines.append(f"{group:<52}{first['faces']:>6}  {cells}")
        lines.append("")
    for name, cost in figures["speed"].items():
        lines.append(
            f"a detection at 1280 x 720, {name}: {cost['median']:.1f} ms, p95 {cost['p95']:.1f} ms"
        )
    return lines


def _share(figures: Mapping[str, float]) -> str:
    return f"{figures['recall']:.3f}" if figures["faces"] else "-"
