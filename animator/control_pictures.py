"""What a rig's controls look like: one drawing each, read by the foundation.

Every control is drawn at its maximum with all others neutral, cut out as a face in a video would
be, and read. The difference to the neutral's reading says what the control expresses, also where
no face points are to be found.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.crops import MARGIN, NETWORK_SIZE, Crop
from freeavatar.foundation.expression import Frame
from freeavatar.foundation.expression_model import ExpressionModel
from freeavatar.rigs.camera import Camera, face_camera
from freeavatar.rigs.errors import RenderError
from freeavatar.rigs.rendering import Renderer
from freeavatar.rigs.spec import FloatArray, Rig, RigFrame

from .descriptors import VIEW_SIZE, FoundationView
from .motion import anchor_positions, anchors_of

ROOM = 1.13
"""Side of the drawing in sides of the crop: what `SHIFTS` reach."""
SHIFTS = ((0.0, 0.0, 1.0), (0.03, 0.02, 1.05), (-0.03, -0.02, 0.95))
"""Right, down and scale, in sides of the crop, of the crops that are cut from one drawing. Their
mean says a little better what a control does than one does: by it, 53 instead of 50 of 100 controls
find the one of the same name among those of another rig."""
SEARCHED = 320
"""Side of the drawing in which a face without face points is looked for, pixels."""
LEAST_POINTS = 20
"""Face points that make a crop; with fewer, the rig is looked at as one without any."""
BATCH = 8
"""Drawings read at a time."""


def foundation_view(model: ExpressionModel | None = None) -> FoundationView:
    """The foundation's eyes, for `descriptors.descriptors_of`.

    Args:
        model: the expression network; None for the one that ships.

    Returns:
        Crops (N, 128, 128, 3) RGB to (N, `VIEW_SIZE`): blendshapes, embedding, mean token.

    Raises:
        ReaderError: the network is missing or damaged.
    """
    network = model or ExpressionModel(threads=2)

    def view(crops: NDArray[np.uint8]) -> FloatArray:
        read = network.read(crops)
        return np.concatenate(
            [read.blendshapes, read.embedding, read.tokens.mean(axis=1)], axis=1
        ).astype(np.float32)

    return view


def picture_changes(
    rig: Rig, view: FoundationView, *, progress: Callable[[], None] | None = None
) -> FloatArray:
    """How each control at its maximum changes what the foundation sees.

    Args:
        rig: with a mesh.
        view: the foundation's eyes.
        progress: called after every control.

    Returns:
        (K, `VIEW_SIZE`); zeros for controls whose drawing is the neutral's.

    Raises:
        RenderError: no OpenGL is to be had.
    """
    changes = np.zeros((len(rig.controls), VIEW_SIZE), np.float32)
    neutral: FloatArray | None = None
    waiting: list[tuple[int, NDArray[np.uint8]]] = []

    def read() -> None:
        nonlocal neutral
        if waiting:
            crops = np.concatenate([cut for _, cut in waiting])
            seen = view(crops).reshape(len(waiting), len(SHIFTS), VIEW_SIZE).mean(axis=1)
            neutral = seen[0] if neutral is None else neutral
            for (control, _), row in zip(waiting, seen, strict=True):
                if control >= 0:
                    changes[control] = row - neutral
            waiting.clear()

    for control, cut in control_pictures(rig):
        if cut is not None:
            waiting.append((control, cut))
        if len(waiting) == BATCH:
            read()
        if control >= 0 and progress is not None:
            progress()
    read()
    return changes


def control_pictures(rig: Rig) -> Iterator[tuple[int, NDArray[np.uint8] | None]]:
    """Crops of the neutral (numbered -1), then of each control at its maximum.

    Each are (S, 128, 128, 3) RGB, one for each of `SHIFTS`, of one drawing. None stands for a
    control that looks like the neutral.

    Raises:
        RenderError: the rig has no mesh, or no OpenGL is to be had.
    """
    camera = face_camera_of(rig)
    middle = camera.size[0] / 2
    crop = Crop(centre=(middle, middle), side=float(NETWORK_SIZE), roll=0.0)
    crops = [_shifted(crop, *shift) for shift in SHIFTS]
    motion = np.zeros(len(rig.controls)) if rig.mesh is None else rig.mesh.motion
    with Renderer(rig, size=camera.size, camera=camera) as renderer:

        def cut(control: int | None = None) -> NDArray[np.uint8]:
            picture = renderer.picture(_frame(rig, control))
            return np.stack([crop.cut(picture) for crop in crops])

        neutral = cut()
        yield -1, neutral
        for control in range(len(rig.controls)):
            crops_of = cut(control) if motion[control] > 0 else neutral
            # A tongue that curls behind the teeth needs no reading.
            yield control, None if np.array_equal(crops_of, neutral) else crops_of


def face_camera_of(rig: Rig) -> Camera:
    """A camera whose picture is the face as a crop shows it, and `ROOM` about that.

    It goes by the rig's own face points, or by where the embedded reader sees a face in it, or
    shows all that moves.

    Raises:
        RenderError: the rig has no mesh, or no OpenGL is to be had.
        ReaderError: the reader's networks are missing or damaged.
    """
    if rig.mesh is None:
        raise RenderError(f"rig {rig.name} has no mesh to draw; choose one that has")
    camera = face_camera(rig, (SEARCHED, SEARCHED), turning=False)
    if rig.anchors is not None and anchors_of(rig).found.sum() >= LEAST_POINTS:
        at = anchor_positions(rig)[anchors_of(rig).found]
        return _close_up(camera, _around(camera.project(at)[0]))
    return _close_up(camera, _seen_face(rig, camera) or _whole())


def _close_up(camera: Camera, crop: Crop) -> Camera:
    """The camera before the middle of a crop of its picture, with a lens that shows little else.

    So only pixels that are looked at are drawn.
    """
    metres = camera.shown_height / SEARCHED
    right, down = (np.array(crop.centre) - SEARCHED / 2) * metres
    half = crop.side * ROOM * metres / 2
    size = round(NETWORK_SIZE * ROOM)
    return replace(
        camera,
        position=camera.position + np.array([right, -down, 0.0]),
        field_of_view=float(2 * np.arctan(half / camera.focus)),
        size=(size, size),
    )


def _shifted(crop: Crop, right: float, down: float, scale: float) -> Crop:
    x, y = crop.centre
    centre = (x + right * crop.side, y + down * crop.side)
    return replace(crop, centre=centre, side=crop.side * scale)


def _around(points: NDArray[np.float64]) -> Crop:
    """The crop of upright points (N, 2), as `freeavatar.foundation.crops.crop_around` makes it."""
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = (low + high) / 2
    side = max(float((high - low).max()) * MARGIN, 1.0)
    return Crop(centre=(float(x), float(y)), side=side, roll=0.0)


def _seen_face(rig: Rig, camera: Camera) -> Crop | None:
    """Where the embedded reader sees the neutral's face, or None."""
    from freeavatar.foundation.embedded_reader import EmbeddedReader

    with Renderer(rig, size=camera.size, camera=camera) as renderer:
        picture = renderer.picture(_frame(rig))
    seen = EmbeddedReader(video=False).read(Frame(picture=picture, index=0, time=0.0))
    return _around(seen.landmarks.astype(np.float64)) if seen.found else None


def _whole() -> Crop:
    return Crop(centre=(SEARCHED / 2, SEARCHED / 2), side=SEARCHED / ROOM, roll=0.0)


def _frame(rig: Rig, control: int | None = None) -> RigFrame:
    values = rig.neutral.copy()
    if control is not None:
        values[control] = rig.controls[control].maximum
    return RigFrame(index=0, time=0.0, values=values)
