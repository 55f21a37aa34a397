"""Writes the film of the synthetic actor, and beside it the curves that made it.

Nobody is shown: the face is an average of several people's, and nobody was recorded: what it does
is composed in `freeavatar.tools.dataset.actor_performance`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from freeavatar.bridge.takes import open_take
from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.rigs import registry
from freeavatar.rigs.spec import RigFrame

from .actor_performance import RATE, Performance, perform
from .actor_stage import SIZE, Stage
from .errors import DataError
from .ict import load_ict
from .portraits import load_portraits
from .puppet_rig import PuppetRig

if TYPE_CHECKING:
    Pictures = Iterator[NDArray[np.uint8]]

QUALITY = 20
"""x264's constant rate factor."""


def write_actor(face: Path, out: Path, ict: Path, bundle: Path, cache: Path) -> int:
    """Film an averaged portrait and write the curves to the same name ending in .csv.

    Args:
        face: the portrait; the others of its folder tell where landmarks lie on the 3D face.
        out: ends in .mp4; overwritten.
        ict: file of the ICT face.
        bundle: MediaPipe's, needed until the cache knows the folder.
        cache: for landmarks and fits.

    Returns:
        Frames written.

    Raises:
        DataError: the portrait shows no face, or the name does not end in .mp4.
    """
    if out.suffix != ".mp4":
        raise DataError(f"the film's name ends in .mp4, not {out.name!r}")
    head = load_ict(ict)
    (portraits,) = load_portraits([face.parent], head, bundle, cache)
    if face.name not in portraits.name:
        raise DataError(f"no face was found in {face}")
    stage = Stage(portraits, portraits.name.index(face.name), PuppetRig(head, portraits.offsets))
    performance = perform()
    out.parent.mkdir(parents=True, exist_ok=True)
    write_film(out, _pictures(stage, performance))
    write_curves(out.with_suffix(".csv"), performance)
    return len(performance.times)


def write_film(path: Path, pictures: "Pictures") -> None:
    """Encode pictures (SIZE, SIZE, 3) sRGB as H.264 that plays everywhere, without sound."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as film:
        video = film.add_stream("libx264", rate=RATE)
        video.width = video.height = SIZE
        video.pix_fmt = "yuv420p"
        # One thread: the same pictures give the same file on every machine.
        video.options = {
            "preset": "slow",
            "crf": str(QUALITY),
            "tune": "grain",
            "threads": "1",
            "g": str(2 * RATE),
        }
        for picture in pictures:
            film.mux(video.encode(VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(video.encode(None))


def write_curves(path: Path, performance: Performance) -> None:
    """Write a performance as a Live Link Face CSV."""
    rig = registry.load("arkit")
    order = [BLENDSHAPES.index(name) for name in rig.names]
    sink = open_take(path, rig, rate=RATE, subject="actor")
    for index, time in enumerate(performance.times):
        sink.send(
            RigFrame(
                index=index,
                time=float(time),
                values=performance.blendshapes[index][order],
                head=performance.head[index],
                eyes=performance.eyes[index],
            )
        )
    sink.close()


def _pictures(stage: Stage, performance: Performance) -> "Pictures":
    from tqdm import tqdm

    moments = zip(performance.blendshapes, performance.head, performance.shift, strict=True)
    for moment in tqdm(moments, desc="actor", total=len(performance.times), disable=None):
        yield stage.draw(*moment)
