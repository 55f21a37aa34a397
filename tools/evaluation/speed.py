"""How long faces take to read on one core: ours beside MediaPipe's, on the same frames in one run.

Everything is measured in processes of their own that are held to a single core, so that no library
gains by threads and what this process has loaded counts for nothing. What reading costs is time of
the processor, all threads together: on one core that is how long it takes, whatever else the
machine does.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from freeavatar.foundation.expression import Frame

FRAMES = 150
"""Of the clip, read by all in turn."""
MOST_MIB = 400
"""Decoded frames held in memory: decoding must not run beside what is timed."""
BLOCK = 30
"""Frames that one reader reads before the next has its turn: close enough to meet the same load."""
UNTIMED = 5
"""Frames at the start of each turn in which caches fill again (and, in the first, faces are found):
in use, nobody else's networks run between two frames."""
DETECTIONS = 40
WIDTH, HEIGHT = 1280, 720
"""Of the picture that faces are found in afresh."""
STARTS = 3
"""Fresh processes of which the middle one counts."""

FRESH = """
import os, sys
hasattr(os, "sched_setaffinity") and os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from freeavatar.foundation.readers import open_reader
from freeavatar.foundation.sources import open_source
reader = open_reader("embedded")
with open_source(sys.argv[1]) as source:
    for frame in source:
        reader.read(frame)
        if frame.index == 0:
            print("first", flush=True)
        if frame.index >= int(sys.argv[2]):
            break
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""
"""VmHWM, for the maximum that getrusage reports begins with the parent's."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Milliseconds of one core that something takes."""

    median: float
    p95: float

    @staticmethod
    def of(seconds: list[float]) -> "Cost":
        """Of repeated measurements."""
        ordered = sorted(seconds)
        late = ordered[min(round(0.95 * (len(ordered) - 1)), len(ordered) - 1)]
        return Cost(median=round(statistics.median(ordered) * 1e3, 3), p95=round(late * 1e3, 3))


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What `measure` found; None where MediaPipe or its bundle is not there."""

    clip: str
    frames: int
    found: int
    """Frames of them in which ours saw a face."""
    ours: Cost
    """Frame to expression while the face is followed."""
    landmarker: Cost | None
    """MediaPipe's Face Landmarker alone, following the face in the same frames."""
    mediapipe: Cost | None
    """Frame to expression with `MediaPipeReader`, which adds the choice of the face to that."""
    detection: Cost
    """Our detector seeks the largest face of a whole picture of 1280 × 720, as where a face is
    taken up."""
    every_face: Cost
    """It seeks all faces of such a picture."""
    start: Cost
    """A whole reading from such a picture alone: found, and read until the crop fits."""
    peak_mib: float
    """Memory of a fresh process that decodes and reads the clip."""
    first_frame: float
    """Seconds from the start of a process to its first expression."""

    @property
    def ratio(self) -> tuple[float, float] | None:
        """Ours over the Face Landmarker: median and 95th percentile."""
        theirs = self.landmarker
        if theirs is None:
            return None
        return self.ours.median / theirs.median, self.ours.p95 / theirs.p95


def measure(clip: Path, bundle: Path | None) -> Speed:
    """Measure on a clip, in other processes.

    Args:
        clip: that shows a face from the start.
        bundle: MediaPipe's, None to leave it out.

    Raises:
        ReaderError: a reader failed; the message is its own.
    """
    words = [str(clip), str(bundle) if bundle else ""]
    code = "import sys; from freeavatar.tools.evaluation.speed import _work; _work(*sys.argv[1:])"
    figures: dict[str, Any] = json.loads(_output([sys.executable, "-c", code, *words]))
    starts = [_fresh(clip, 1)[0] for _ in range(STARTS - 1)]
    last, peak = _fresh(clip, FRAMES)
    first = statistics.median([*starts, last])
    costs: dict[str, Any] = {k: Cost(**v) if isinstance(v, dict) else v for k, v in figures.items()}
    return Speed(clip=clip.name, peak_mib=peak, first_frame=round(first, 3), **costs)


def lines(speed: Speed) -> list[str]:
    """The figures as a table."""
    out = [f"faces of {speed.clip}: {speed.found} of {speed.frames} frames, on one core"]
    out.append(f"{'':<34}{'median':>9}{'p95':>9}   milliseconds")
    rows = (
        ("tracked frame, ours", speed.ours),
        ("tracked frame, Face Landmarker", speed.landmarker),
        ("tracked frame, --reader mediapipe", speed.mediapipe),
        (f"detection at {WIDTH}×{HEIGHT}", speed.detection),
        ("detection of every face there", speed.every_face),
        ("detection and first reading", speed.start),
    )
    out += [f"{name:<34}{c.median:>9.2f}{c.p95:>9.2f}" for name, c in rows if c is not None]
    if speed.ratio is not None:
        out.insert(5, f"{'ours / Face Landmarker':<34}{speed.ratio[0]:>9.2f}{speed.ratio[1]:>9.2f}")
    else:
        out.append("no MediaPipe bundle to compare with: name it with --mediapipe-bundle")
    out.append(f"import and first frame: {speed.first_frame:.2f} s")
    out.append(f"peak memory: {speed.peak_mib:.0f} MiB")
    return out


def summary(speed: Speed) -> dict[str, Any]:
    """The figures for JSON."""
    ratio = None if speed.ratio is None else [round(r, 3) for r in speed.ratio]
    return {**asdict(speed), "ratio": ratio}


def _work(clip: str, bundle: str) -> None:
    """In a process of its own: read the frames with all readers in turn, print figures as JSON."""
    from freeavatar.foundation.embedded_reader import EmbeddedReader

    _hold_to_one_core()
    frames = list(_frames(Path(clip)))
    reader = EmbeddedReader()
    found = 0

    def ours(frame: "Frame") -> None:
        nonlocal found
        found += reader.read(frame).found

    readers: dict[str, Callable[[Frame], Any]] = {"ours": ours}
    if bundle:
        readers |= _theirs(Path(bundle))
    spent: dict[str, list[float]] = {name: [] for name in readers}
    for first in range(0, len(frames), BLOCK):
        for name, read in readers.items():
            for i, frame in enumerate(frames[first : first + BLOCK]):
                since = time.process_time()
                read(frame)
                if i >= UNTIMED:
                    spent[name].append(time.process_time() - since)
    costs = {name: asdict(Cost.of(times)) for name, times in spent.items()}
    figures: dict[str, Any] = {"landmarker": None, "mediapipe": None, **costs, **_afresh(frames)}
    print(json.dumps({**figures, "frames": len(frames), "found": found}))
    sys.stdout.flush()
    os._exit(0)  # MediaPipe's threads may hold an interpreter that ends


def _theirs(bundle: Path) -> "dict[str, Callable[[Frame], Any]]":
    from freeavatar.foundation.mediapipe_landmarker import Landmarker
    from freeavatar.foundation.mediapipe_reader import MediaPipeReader

    alone, reader = Landmarker(bundle, video=True), MediaPipeReader(bundle)
    return {
        "landmarker": lambda frame: alone.find(frame.picture, frame.time),
        "mediapipe": reader.read,
    }


def _afresh(frames: "list[Frame]") -> dict[str, Any]:
    from freeavatar.foundation.embedded_reader import EmbeddedReader
    from freeavatar.foundation.expression import Frame
    from freeavatar.foundation.face_finder import FaceFinder

    finder, reader = FaceFinder(threads=1), EmbeddedReader(video=False)
    todo: dict[str, Callable[[Frame], Any]] = {
        "detection": lambda frame: finder.find_large(frame.picture),
        "every_face": lambda frame: finder.find(frame.picture),
        "start": reader.read,
    }
    spent: dict[str, list[float]] = {name: [] for name in todo}
    for frame in frames[:DETECTIONS]:
        wide = Frame(picture=_wide(frame.picture), index=frame.index, time=frame.time)
        for name, find in todo.items():
            since = time.process_time()
            find(wide)
            spent[name].append(time.process_time() - since)
    return {name: asdict(Cost.of(times[1:])) for name, times in spent.items()}


def _wide(picture: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """The picture in one of `WIDTH` by `HEIGHT`, undistorted, its border repeated beside it."""
    import cv2
    import numpy as np

    scale = min(WIDTH / picture.shape[1], HEIGHT / picture.shape[0])
    wide, high = (max(round(side * scale), 1) for side in picture.shape[1::-1])
    whole = cv2.resize(picture, (wide, high))
    left, top = (WIDTH - wide) // 2, (HEIGHT - high) // 2
    right, bottom = WIDTH - wide - left, HEIGHT - high - top
    border = cv2.BORDER_REPLICATE
    return np.asarray(cv2.copyMakeBorder(whole, top, bottom, left, right, border), np.uint8)


def _frames(clip: Path) -> "Iterator[Frame]":
    from freeavatar.foundation.sources import open_source

    with open_source(str(clip)) as source:
        held = 0
        for frame in islice(source, FRAMES):
            held += frame.picture.nbytes
            if held > MOST_MIB << 20:
                return
            yield frame


def _hold_to_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _fresh(clip: Path, frames: int) -> tuple[float, float]:
    """Seconds to the first expression and MiB at most, of a fresh process."""
    since = time.perf_counter()
    command = [sys.executable, "-c", FRESH, str(clip), str(frames)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        elapsed = time.perf_counter() - since
        rest, error = child.communicate()
    if child.returncode or not first:
        raise _failed(error.decode())
    return elapsed, round(int(rest.split()[-1]) / 1024, 1)


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise _failed(done.stderr)
    return done.stdout.splitlines()[-1]


def _failed(error: str) -> Exception:
    from freeavatar.foundation.errors import ReaderError

    line = next((x for x in reversed(error.splitlines()) if x.strip()), "no reason given")
    return ReaderError(f"faces cannot be read here: {line.split(': ', 1)[-1]}")
