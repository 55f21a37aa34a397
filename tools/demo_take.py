"""Writes the bundled demo take: a ten-second performance composed here, curve by curve.

``python -m freeavatar.tools.demo_take tools/data/demo_take.csv``. Nobody was recorded: speech comes
from a phrase spelled in visemes, the rest from keyed poses. The result is a Live Link Face CSV, so
it enters ``freeavatar drive`` by the door an iPhone take uses.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from freeavatar.bridge.takes import open_take
from freeavatar.rigs import registry
from freeavatar.rigs.spec import Rig, RigFrame

RATE = 60
SECONDS = 10.0

VISEMES: dict[str, dict[str, float]] = {
    "sil": {},
    "PP": {"mouthPressLeft": 0.45, "mouthPressRight": 0.45, "mouthRollLower": 0.3,
           "mouthRollUpper": 0.25, "mouthClose": 0.05, "jawOpen": 0.06},
    "FF": {"jawOpen": 0.1, "mouthRollLower": 0.55, "mouthUpperUpLeft": 0.25,
           "mouthUpperUpRight": 0.25},
    "TH": {"jawOpen": 0.18, "tongueOut": 0.12, "mouthLowerDownLeft": 0.15,
           "mouthLowerDownRight": 0.15},
    "DD": {"jawOpen": 0.15, "mouthUpperUpLeft": 0.12, "mouthUpperUpRight": 0.12,
           "mouthLowerDownLeft": 0.2, "mouthLowerDownRight": 0.2},
    "kk": {"jawOpen": 0.2, "mouthStretchLeft": 0.12, "mouthStretchRight": 0.12},
    "SS": {"jawOpen": 0.06, "mouthStretchLeft": 0.3, "mouthStretchRight": 0.3,
           "mouthLowerDownLeft": 0.2, "mouthLowerDownRight": 0.2},
    "nn": {"jawOpen": 0.14, "mouthUpperUpLeft": 0.1, "mouthUpperUpRight": 0.1},
    "RR": {"jawOpen": 0.14, "mouthFunnel": 0.4},
    "aa": {"jawOpen": 0.5, "mouthLowerDownLeft": 0.15, "mouthLowerDownRight": 0.15,
           "mouthUpperUpLeft": 0.1, "mouthUpperUpRight": 0.1},
    "E": {"jawOpen": 0.3, "mouthSmileLeft": 0.25, "mouthSmileRight": 0.25,
          "mouthStretchLeft": 0.1, "mouthStretchRight": 0.1},
    "ih": {"jawOpen": 0.18, "mouthSmileLeft": 0.3, "mouthSmileRight": 0.3,
           "mouthStretchLeft": 0.1, "mouthStretchRight": 0.1},
    "oh": {"jawOpen": 0.35, "mouthFunnel": 0.55, "mouthPucker": 0.15},
    "ou": {"jawOpen": 0.12, "mouthPucker": 0.7, "mouthFunnel": 0.25},
}  # fmt: skip
"""Mouth of each Oculus viseme in ARKit curves, amplitudes of relaxed speech."""

# "Hello there! I can be whoever you want me to be." — viseme and seconds it lasts.
PHRASE: tuple[tuple[str, float], ...] = (
    ("sil", 0.9), ("E", 0.11), ("nn", 0.08), ("oh", 0.2), ("TH", 0.08), ("E", 0.14), ("RR", 0.1),
    ("sil", 0.5), ("aa", 0.14), ("ih", 0.09), ("kk", 0.07), ("aa", 0.11), ("nn", 0.07),
    ("PP", 0.09), ("ih", 0.16), ("ou", 0.14), ("E", 0.1), ("FF", 0.1), ("RR", 0.1), ("ou", 0.16),
    ("oh", 0.12), ("aa", 0.14), ("nn", 0.06), ("DD", 0.07), ("PP", 0.1), ("ih", 0.12),
    ("DD", 0.06), ("ou", 0.1), ("PP", 0.09), ("ih", 0.22), ("sil", 0.3),
)  # fmt: skip

# Keyed curves: name -> (time, value) pairs; eased between keys, never overshooting.
KEYS: dict[str, Sequence[tuple[float, float]]] = {
    "mouthSmileLeft": ((0, 0), (0.4, 0.1), (0.9, 0.35), (1.6, 0.15), (4.2, 0.1), (4.8, 0.75),
                       (5.5, 0.7), (5.9, 0.1), (8.6, 0), (9.2, 0.35), (10, 0.1)),
    "mouthSmileRight": ((0, 0), (0.4, 0.1), (0.9, 0.35), (1.6, 0.15), (4.2, 0.1), (4.8, 0.75),
                        (5.4, 0.35), (5.9, 0.05), (8.6, 0), (9.2, 0.35), (10, 0.1)),
    "cheekSquintLeft": ((0, 0), (4.2, 0), (4.8, 0.6), (5.5, 0.6), (5.9, 0), (10, 0)),
    "cheekSquintRight": ((0, 0), (4.2, 0), (4.8, 0.55), (5.4, 0.2), (5.9, 0), (10, 0)),
    "browInnerUp": ((0, 0), (0.6, 0), (0.95, 0.55), (1.5, 0.1), (3.0, 0.1), (3.3, 0.45), (3.8, 0),
                    (6.1, 0), (6.5, 0.75), (7.1, 0.7), (7.4, 0), (10, 0)),
    "browOuterUpLeft": ((0, 0), (0.6, 0), (0.95, 0.5), (1.5, 0), (3.0, 0), (3.3, 0.4), (3.8, 0),
                        (6.1, 0), (6.5, 0.65), (7.1, 0.6), (7.4, 0), (8.9, 0), (9.2, 0.7),
                        (9.6, 0), (10, 0)),
    "browOuterUpRight": ((0, 0), (0.6, 0), (0.95, 0.5), (1.5, 0), (3.0, 0), (3.3, 0.4), (3.8, 0),
                         (6.1, 0), (6.5, 0.65), (7.1, 0.6), (7.4, 0), (10, 0)),
    "browDownLeft": ((0, 0), (7.3, 0), (7.6, 0.8), (8.4, 0.8), (8.7, 0), (10, 0)),
    "browDownRight": ((0, 0), (7.3, 0), (7.6, 0.8), (8.4, 0.8), (8.8, 0), (9.2, 0.3), (9.6, 0),
                      (10, 0)),
    "noseSneerLeft": ((0, 0), (7.4, 0), (7.7, 0.65), (8.3, 0.6), (8.7, 0), (10, 0)),
    "noseSneerRight": ((0, 0), (7.4, 0), (7.7, 0.65), (8.3, 0.6), (8.7, 0), (10, 0)),
    "mouthFrownLeft": ((0, 0), (7.4, 0), (7.8, 0.55), (8.3, 0.5), (8.7, 0), (10, 0)),
    "mouthFrownRight": ((0, 0), (7.4, 0), (7.8, 0.55), (8.3, 0.5), (8.7, 0), (10, 0)),
    "eyeWideLeft": ((0, 0), (6.2, 0), (6.5, 0.75), (7.1, 0.7), (7.3, 0), (10, 0)),
    "eyeWideRight": ((0, 0), (6.2, 0), (6.5, 0.75), (7.1, 0.7), (7.3, 0), (10, 0)),
    "eyeSquintLeft": ((0, 0), (7.4, 0), (7.7, 0.5), (8.3, 0.5), (8.6, 0), (10, 0)),
    "eyeSquintRight": ((0, 0), (7.4, 0), (7.7, 0.5), (8.3, 0.5), (8.6, 0), (10, 0)),
    "jawOpen": ((0, 0), (6.2, 0), (6.55, 0.55), (7.1, 0.5), (7.35, 0), (8.75, 0), (8.95, 0.3),
                (9.25, 0.28), (9.4, 0), (10, 0)),
    "tongueOut": ((0, 0), (8.75, 0), (8.98, 0.9), (9.2, 0.85), (9.38, 0), (10, 0)),
    "cheekPuff": ((0, 0), (5.8, 0), (5.98, 0.6), (6.12, 0.55), (6.25, 0), (10, 0)),
    "HeadYaw": ((0, 0), (1.0, 0.04), (1.8, -0.12), (2.8, -0.3), (3.6, 0.1), (4.5, 0.3), (5.4, 0.1),
                (6.5, 0), (7.7, -0.08), (8.8, 0.12), (10, 0)),
    "HeadPitch": ((0, 0), (0.7, -0.05), (1.0, 0.1), (1.4, 0), (2.6, 0.05), (4.6, -0.06),
                  (6.5, -0.12), (7.7, 0.14), (8.9, 0), (10, 0)),
    "HeadRoll": ((0, 0), (1.2, 0.06), (2.8, -0.06), (4.6, 0.12), (6.5, 0), (8.9, -0.12), (10, 0)),
    "Gaze": ((0, 0), (1.9, 0), (2.05, 0.25), (2.9, 0.28), (3.05, -0.1), (4.1, -0.2), (4.25, 0),
             (7.4, 0), (7.5, 0.05), (8.8, 0.05), (8.9, -0.15), (9.5, 0), (10, 0)),
    "GazePitch": ((0, 0), (2.0, 0), (2.15, 0.12), (3.0, 0), (6.2, 0), (6.4, -0.1), (7.2, 0),
                  (10, 0)),
}  # fmt: skip

BLINKS = (0.55, 1.85, 3.02, 4.22, 5.95, 7.32, 8.68, 9.62)
WINK = (5.15, 0.22)
GAZE_LIMIT = np.radians(30.0)


def compose() -> tuple[tuple[str, ...], list[RigFrame]]:
    """The demo performance.

    Returns:
        Names of the 52 ARKit curves and the frames at `RATE` per second for `SECONDS`.
    """
    rig = registry.load("arkit")
    times = np.arange(int(SECONDS * RATE)) / RATE
    curves = _speech(times)
    for name, keys in KEYS.items():
        curves[name] = curves.get(name, 0.0) + _keyed(keys, times)
    _blink(curves, times)
    gaze = np.stack([curves.pop("Gaze"), curves.pop("GazePitch")], axis=1)
    head = np.stack([curves.pop(f"Head{axis}") for axis in ("Yaw", "Pitch", "Roll")], axis=1)
    _look(curves, gaze)
    return rig.names, _frames(rig, times, curves, head, gaze)


def _keyed(keys: Sequence[tuple[float, float]], times: NDArray[np.float64]) -> NDArray[np.float64]:
    at, values = zip(*keys, strict=True)
    return np.asarray(PchipInterpolator(at, values)(times))


def _speech(times: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Viseme targets, blurred over 45 ms so that neighbours run into each other as in speech."""
    ends = np.cumsum([length for _, length in PHRASE])
    spoken = np.searchsorted(ends, times, side="right")
    curves = {name: np.zeros_like(times) for mouth in VISEMES.values() for name in mouth}
    for position, (viseme, _) in enumerate(PHRASE):
        for name, value in VISEMES[viseme].items():
            curves[name][spoken == position] = value
    reach = np.arange(-9, 10) / RATE
    kernel = np.exp(-0.5 * (reach / 0.045) ** 2)
    kernel /= kernel.sum()
    return {name: np.convolve(curve, kernel, mode="same") for name, curve in curves.items()}


def _blink(curves: dict[str, NDArray[np.float64]], times: NDArray[np.float64]) -> None:
    """Blinks close in 70 ms and open in 150 ms; one wink of the left eye."""
    lids = np.zeros_like(times)
    for start in BLINKS:
        lids = np.maximum(lids, np.interp(times - start, [0, 0.07, 0.1, 0.25], [0, 1, 1, 0]))
    start, hold = WINK
    wink = np.interp(times - start, [0, 0.1, 0.1 + hold, 0.35 + hold], [0, 1, 1, 0])
    curves["eyeBlinkRight"] = lids
    curves["eyeBlinkLeft"] = np.maximum(lids, wink)


def _look(curves: dict[str, NDArray[np.float64]], gaze: NDArray[np.float64]) -> None:
    """The lid curves that go with the eyes' rotation; yaw + is toward the actor's right."""
    yaw, pitch = gaze.T / GAZE_LIMIT
    curves["eyeLookInLeft"] = curves["eyeLookOutRight"] = np.maximum(yaw, 0)
    curves["eyeLookOutLeft"] = curves["eyeLookInRight"] = np.maximum(-yaw, 0)
    for side in ("Left", "Right"):
        curves[f"eyeLookDown{side}"] = np.maximum(pitch, 0)
        curves[f"eyeLookUp{side}"] = np.maximum(-pitch, 0)


def _frames(
    rig: Rig,
    times: NDArray[np.float64],
    curves: dict[str, NDArray[np.float64]],
    head: NDArray[np.float64],
    gaze: NDArray[np.float64],
) -> list[RigFrame]:
    unknown = set(curves) - set(rig.names)
    if unknown:
        raise ValueError(f"not ARKit curves: {', '.join(sorted(unknown))}")
    still = np.zeros_like(times)
    values = np.stack([curves.get(name, still) for name in rig.names], axis=1)
    values = np.clip(values, 0, 1).astype(np.float32)
    eyes = np.zeros((len(times), 2, 3), np.float32)
    eyes[:, :, :2] = gaze[:, None]
    return [
        RigFrame(index=i, time=t, values=values[i], head=head[i].astype(np.float32), eyes=eyes[i])
        for i, t in enumerate(times)
    ]


def main() -> None:
    """Write the take to the path given."""
    _, frames = compose()
    sink = open_take(Path(sys.argv[1]), registry.load("arkit"), rate=RATE, subject="demo")
    for frame in frames:
        sink.send(frame)
    sink.close()


if __name__ == "__main__":
    main()
