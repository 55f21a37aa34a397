"""Actors that perform recorded ARKit takes: pictures whose curves are known exactly.

Rigs are here, textured people in `rendered_people`.

Every control that stands for one ARKit shape takes that shape's curve; all others rest. The eyes
turn as the eyeLook curves say, so that a picture shows nothing that is not in the curves.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from freeavatar.animator.naming import SHAPE_INDEX, companions, name_map
from freeavatar.animator.performer import expressions_from_take
from freeavatar.animator.reference import REFERENCE_RIG
from freeavatar.bridge.takes import read_take
from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import BLENDSHAPES, FloatArray, Frame
from freeavatar.rigs import registry
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.rendering import Renderer
from freeavatar.rigs.spec import Rig, RigFrame
from freeavatar.tools.dataset.expressions import eyes_of

from .steadiness import GAZE, TURN

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

log = logging.getLogger(__name__)

PICTURE_SIZE = 480
"""Pixels a side of a rendered rig."""
MOVES = 1e-6
"""Metres; a control that moves no vertex farther shows nothing."""
NOD = 8
"""Degrees up and down while the head turns."""
TURN_FRAMES, NOD_FRAMES = 48, 31
"""Frames of one turn to both sides, and of one nod: slow, and never in step."""
SUFFIXES = (".glb", ".gltf", ".vrm")


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Chosen frames of recorded takes, one after the other."""

    times: Values
    """(T,) seconds, rising."""
    curves: FloatArray
    """(T, 52) ARKit 0..1; mouthClose no larger than jawOpen, as lips that meet cannot pass."""


def sampled(takes: Sequence[Path], count: int) -> Moments:
    """Frames at even distances over all takes.

    Args:
        takes: files of ARKit curves, played one after the other.
        count: of frames; all, where there are fewer.

    Raises:
        BridgeError, RigError: a file is no take, or has no ARKit curves.
        SourceError: no take has a frame with a face.
    """
    curves, times, start = [], [], 0.0
    for path in takes:
        take = read_take(path)
        shown = [e for e in expressions_from_take(take) if e.found]
        curves += [e.blendshapes for e in shown]
        times += [start + e.time for e in shown]
        start = (times[-1] if times else start) + 1.0 / take.rate
    if not curves:
        raise SourceError("the takes have no frame with a face: name others by --curves")
    rows = np.linspace(0, len(curves) - 1, min(count, len(curves))).astype(int)
    chosen = np.stack([curves[row] for row in rows])
    lips, jaw = SHAPE_INDEX["mouthClose"], SHAPE_INDEX["jawOpen"]
    chosen[:, lips] = np.minimum(chosen[:, lips], chosen[:, jaw])
    return Moments(times=np.array(times)[rows], curves=chosen)


def actor_names(data: Path | None) -> list[str]:
    """The built-in mannequin, and every rig of DATA/rigs whose set of ARKit names is complete."""
    folder = None if data is None else data / "rigs"
    found = [] if folder is None else sorted(p for p in folder.glob("*") if p.suffix in SUFFIXES)
    return [REFERENCE_RIG, *(str(path) for path in found if _complete(path))]


def _complete(path: Path) -> bool:
    try:
        rig = registry.load(path)
    except RigError as error:
        log.warning("%s does not perform: %s", path.name, error)
        return False
    return rig.mesh is not None and name_map(rig).complete


class Actor(Protocol):
    """Who performs curves before a camera that stands still."""

    @property
    def name(self) -> str:
        """For tables."""

    @property
    def shown(self) -> Mask:
        """(52,) the channels that can be seen."""

    def frames(self, moments: Moments, head: Values) -> Iterator[Frame]:
        """Pictures of a performance.

        Args:
            moments: whose curves are performed.
            head: (T, 3) yaw, pitch, roll, radians.
        """


@dataclass(frozen=True)
class RigActor:
    """A rig, in the preview's light; see `load_actor`."""

    rig: Rig

    @property
    def name(self) -> str:
        """The rig's."""
        return self.rig.name

    @property
    def shown(self) -> Mask:
        """See `shown_channels`."""
        return shown_channels(self.rig)

    def frames(self, moments: Moments, head: Values) -> Iterator[Frame]:
        """Pictures (`PICTURE_SIZE` a side), see `Actor`.

        Raises:
            RenderError: no OpenGL is to be had.
        """
        values = control_values(self.rig, moments.curves)
        with Renderer(self.rig, size=(PICTURE_SIZE, PICTURE_SIZE)) as renderer:
            for i, curves in enumerate(moments.curves):
                eyes = np.zeros((2, 3), np.float32)
                eyes[:, :2] = eyes_of(curves)
                time, turn = float(moments.times[i]), head[i].astype(np.float32)
                pose = RigFrame(index=i, time=time, values=values[i], head=turn, eyes=eyes)
                yield Frame(picture=renderer.picture(pose), index=i, time=time)


def load_actor(name: str) -> RigActor:
    """A rig that performs.

    Raises:
        RigError: it cannot be read, has no mesh, or no control whose name is one of ARKit's.
    """
    rig = registry.load(name)
    if rig.mesh is None or not shown_channels(rig).any():
        raise RigError(
            f"rig {rig.name} cannot perform ARKit curves, whose names its controls lack: "
            "choose another --actor"
        )
    return RigActor(rig)


def shown_channels(rig: Rig) -> Mask:
    """(52,) the channels that a rig can show: some control, or an eye's joint, moves for them."""
    shown = np.zeros(len(BLENDSHAPES), bool)
    if rig.mesh is None:
        return shown
    names = name_map(rig)
    shown[names.shapes[rig.mesh.motion[names.direct] > MOVES]] = True
    if rig.mesh.joint("left_eye") is not None and rig.mesh.joint("right_eye") is not None:
        shown |= GAZE
    return shown


def truth_of(actor: Actor, curves: FloatArray) -> Values:
    """Curves (T, 52) as far as an actor shows them; NaN in the channels that cannot be seen."""
    return np.where(actor.shown, curves.astype(np.float64), np.nan)


def resting_turn() -> tuple[Moments, Values]:
    """A resting face that turns from one side to the other, a degree a frame: moments and head;
    straight ahead is frame number `TURN`."""
    yaw = np.radians(np.arange(-TURN, TURN + 1))
    curves = np.zeros((len(yaw), len(BLENDSHAPES)), np.float32)
    head = np.stack([yaw, np.zeros_like(yaw), np.zeros_like(yaw)], axis=1)
    return Moments(times=np.arange(len(yaw)) / 30.0, curves=curves), head


def head_turns(count: int) -> Values:
    """(T, 3) yaw, pitch, roll, radians: slowly from side to side (`TURN`), and a little up and
    down (`NOD`), as the frames go, since the takes' own times are far apart."""
    frames = 2 * np.pi * np.arange(count)
    yaw, pitch = TURN * np.sin(frames / TURN_FRAMES), NOD * np.sin(frames / NOD_FRAMES)
    return np.asarray(np.radians(np.stack([yaw, pitch, np.zeros(count)], axis=1)))


def control_values(rig: Rig, curves: FloatArray) -> FloatArray:
    """(T, K) values of a rig's controls for curves (T, 52)."""
    names = name_map(rig)
    weights = np.zeros((len(curves), len(rig.controls)))
    weights[:, names.direct] = np.minimum(curves[:, names.shapes] * names.scale, 1.0)
    for follower, leader in companions(rig.names):
        weights[:, follower] = weights[:, leader]
    span = np.array([c.maximum - c.neutral for c in rig.controls], np.float64)
    return np.asarray(rig.neutral + span * weights, np.float32)
