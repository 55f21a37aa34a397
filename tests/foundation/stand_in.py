"""A face that a few lines of arithmetic can read, and the network and detector that read it.

The face is a red disc (right eye) and a green one (left eye) on a dark ground; how blue the ground
is, is its expression. So following, turning and losing a face are tested without trained weights,
through real ONNX.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from freeavatar.foundation.landmarks import LANDMARKS, LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS

METRES = 0.2
"""That the crop of every stand-in face spans."""
WIDE, HIGH = 2.0, 2.6
"""Box of the points, in distances of the eyes."""


def points() -> NDArray[np.float64]:
    """(156, 2) face points; eyes at (-0.5, 0) and (0.5, 0), y down."""
    out = np.random.default_rng(0).uniform((-WIDE / 2, -0.8), (WIDE / 2, HIGH - 0.8), (156, 2))
    out[0], out[1] = (-WIDE / 2, -0.8), (WIDE / 2, HIGH - 0.8)
    out[list(RIGHT_EYE_CORNERS)] = [(-0.6, 0), (-0.4, 0)]
    out[list(LEFT_EYE_CORNERS)] = [(0.6, 0), (0.4, 0)]
    return out


def draw(
    picture: NDArray[np.uint8],
    middle: tuple[float, float],
    *,
    eyes: float = 60.0,
    roll: float = 0.0,
    blue: int = 40,
    bright: int = 255,
) -> NDArray[np.uint8]:
    """Paint a face: ``middle`` between its eyes, ``eyes`` pixels apart, turned clockwise.

    Eyes less than 128 ``bright`` are seen by the network, unsurely below 90, not by the detector.
    """
    half = np.array([np.cos(roll), np.sin(roll)]) * eyes / 2
    ground = tuple(round(16 * (v - 0.5)) for v in middle)
    cv2.circle(picture, ground, round(16 * 2.2 * eyes), (0, 0, blue), -1, cv2.LINE_AA, 4)
    for side, colour in ((-1, (bright, 0, blue)), (1, (0, bright, blue))):
        place = tuple(round(16 * float(v - 0.5)) for v in np.array(middle) + side * half)
        cv2.circle(picture, place, round(16 * 0.2 * eyes), colour, -1, cv2.LINE_AA, 4)
    return picture


def blank(width: int = 640, height: int = 480) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 20, np.uint8)


def room() -> NDArray[np.uint8]:
    """A picture without a face whose ground shows that the camera has not moved."""
    grey = np.random.default_rng(7).integers(0, 110, (6, 8, 1)).astype(np.uint8)
    return np.kron(grey, np.ones((80, 80, 3), np.uint8))


class BlobFinder:
    """Finds the red and green discs; counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = self.large = 0
        self.score = 0.9

    def find(self, picture: NDArray[np.uint8]) -> list[Any]:
        self.calls += 1
        step = max(max(picture.shape) // 1000, 1)
        reds, greens = (
            [step * middle for middle in _discs(picture[::step, ::step], channel)]
            for channel in (0, 1)
        )
        out = []
        for red in reds:
            if not greens:
                break
            green = min(greens, key=lambda g: float(np.hypot(*(g - red))))
            far, middle = float(np.hypot(*(green - red))), (red + green) / 2
            # Rough on purpose, as a detector's box is.
            low, high = middle - far * np.array([1.2, 1.0]), middle + far * np.array([1.0, 2.0])
            out.append(Hit(np.concatenate([low, high]), np.stack([red, green, middle]), self.score))
        return out

    def find_large(self, picture: NDArray[np.uint8]) -> list[Any]:
        self.large += 1
        return self.find(picture)


class Hit:
    def __init__(self, box: NDArray[Any], points: NDArray[Any], score: float = 0.9) -> None:
        self.box, self.points = box.astype(np.float32), points.astype(np.float32)
        self.score = score


def _discs(picture: NDArray[np.uint8], channel: int) -> list[NDArray[np.float64]]:
    others = [c for c in (0, 1) if c != channel]
    mask = (picture[..., channel] > 128) & (picture[..., others].max(axis=-1) < 100)
    count, _, _, middles = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return [np.asarray(middles[i]) + 0.5 for i in range(1, count)]


def write_network(path: Path, *, kind: str | None = "expression/1", drop: str = "") -> Path:
    """The stand-in expression network; ``drop`` leaves one output out."""
    graph = _Graph()
    crop = graph.add("Cast", "crop", to=TensorProto.FLOAT)
    disc = {}
    for name, channel, other in (("red", 0, 1), ("green", 1, 0)):
        own = graph.add("Gather", crop, graph.number(channel, np.int64), axis=3)
        rest = graph.add("Gather", crop, graph.number(other, np.int64), axis=3)
        weight = graph.add("Relu", graph.minus(graph.minus(own, rest), 60.0))
        total = graph.add("ReduceSum", weight, graph.number([1, 2], np.int64), keepdims=0)
        middle = []
        for axis in (1, 2):
            places = (np.arange(128, dtype=np.float32) + 0.5) / 128
            ramp = places.reshape(1, 1, 128) if axis == 2 else places.reshape(1, 128, 1)
            moment = graph.add(
                "ReduceSum",
                graph.add("Mul", weight, graph.number(ramp)),
                graph.number([1, 2], np.int64),
                keepdims=0,
            )
            middle.append(graph.add("Div", moment, graph.plus(total, 1e-3)))
        row, column = (graph.add("Unsqueeze", m, graph.number([1], np.int64)) for m in middle)
        # A full disc is some 20 pixels across and 195 levels bright beyond the threshold.
        seen = graph.add("Mul", total, graph.number(np.float32(1 / (195 * 60))))
        disc[name] = (graph.add("Concat", column, row, axis=1), seen)
    (red, saw_red), (green, saw_green) = disc["red"], disc["green"]
    between = graph.add("Mul", graph.add("Add", red, green), graph.number(np.float32(0.5)))
    along = graph.add("Sub", green, red)
    # landmarks = middle + a * (dx, dy) + b * (-dy, dx), a matrix product over (dx, dy).
    a, b = points().T.astype(np.float32)
    mix = np.stack([np.stack([a, b], -1), np.stack([-b, a], -1)])  # (2 from, 156, 2 to)
    shape = graph.number([-1, 156, 2], np.int64)
    moved = graph.add(
        "Reshape", graph.add("MatMul", along, graph.number(mix.reshape(2, 312))), shape
    )
    graph.out(
        "landmarks", "Add", moved, graph.add("Unsqueeze", between, graph.number([1], np.int64))
    )
    least = graph.add("Min", saw_red, saw_green)
    graph.out("confidence", "Min", least, graph.number(np.float32(1.0)))
    blue = graph.add("Gather", crop, graph.number(2, np.int64), axis=3)
    level = graph.add("ReduceMean", blue, graph.number([1, 2], np.int64), keepdims=0)
    column = graph.add("Unsqueeze", level, graph.number([1], np.int64))
    graph.out("blendshapes", "Mul", column, graph.number(np.full((1, 52), 1 / 255, np.float32)))
    rows = graph.add("Mul", column, graph.number(np.zeros((1, 1), np.float32)))
    metres = graph.plus(rows, METRES)
    graph.out("place", "Concat", between, metres, axis=1)
    for name, value in (
        ("eyes", np.array([[0.1, -0.2], [0.1, -0.2]])),
        ("head", np.eye(3)),
        ("embedding", np.eye(64)[0]),
        ("tokens", np.zeros((64, 192))),
    ):
        flat = graph.add("Add", rows, graph.number(value.reshape(1, -1).astype(np.float32)))
        graph.out(name, "Reshape", flat, graph.number([-1, *value.shape], np.int64))
    onnx.save(graph.model(kind, drop), path)
    return path


OUTPUTS = {
    "blendshapes": (52,),
    "eyes": (2, 2),
    "head": (3, 3),
    "place": (3,),
    "landmarks": (len(LANDMARKS), 2),
    "confidence": (),
    "embedding": (64,),
    "tokens": (64, 192),
}


class _Graph:
    """Collects nodes; names are counted."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: str, **settings: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **settings))
        return name

    def out(self, name: str, kind: str, *inputs: str, **settings: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [name], **settings))

    def number(self, value: Any, kind: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def minus(self, value: str, other: str | float) -> str:
        return self.add("Sub", value, other if isinstance(other, str) else self.number(other))

    def plus(self, value: str, constant: float) -> str:
        return self.add("Add", value, self.number(constant))

    def model(self, kind: str | None, drop: str) -> Any:
        crop = helper.make_tensor_value_info("crop", TensorProto.UINT8, ["N", 128, 128, 3])
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])
            for name, shape in OUTPUTS.items()
            if name != drop
        ]
        graph = helper.make_graph(self.nodes, "stand-in", [crop], outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        model.ir_version = 10
        if kind is not None:
            helper.set_model_props(model, {"kind": kind})
        return model
