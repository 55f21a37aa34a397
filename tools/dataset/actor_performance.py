"""What the bundled actor does: nine seconds of speech, looks and faces, composed curve by curve.

Nobody was recorded. Neighbouring sounds run into each other by dominance: every sound pulls the
mouth toward its shape, most at its middle, and sounds that need closed lips pull hardest (Cohen and
Massaro, Modeling Coarticulation in Synthetic Visual Speech, 1993).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.tools.demo_take import VISEMES

from .ict import GAZE_PITCH, GAZE_YAW

Curve = NDArray[np.float64]
Keys = Sequence[tuple[float, float]]

RATE = 30
SECONDS = 9.0


@dataclass(frozen=True, kw_only=True)
class Performance:
    """Everything that moves, frame by frame."""

    times: Curve
    """(F,) seconds."""
    blendshapes: FloatArray
    """(F, 52) ARKit curves 0..1 in the order of `BLENDSHAPES`."""
    head: FloatArray
    """(F, 3) yaw, pitch, roll, radians, Live Link Face's signs."""
    eyes: FloatArray
    """(F, 2, 3) yaw, pitch, roll of left and right eye relative to the head, radians."""
    shift: FloatArray
    """(F, 2) of the head against the camera, right and up in the picture, metres."""


# "Hello there. Nobody filmed me, but I move like you, and I can be anybody." Viseme, seconds.
PHRASES: tuple[tuple[float, tuple[tuple[str, float], ...]], ...] = (
    (0.8, (("E", 0.1), ("nn", 0.08), ("oh", 0.2), ("TH", 0.08), ("E", 0.15), ("RR", 0.12))),
    (1.75, (("nn", 0.07), ("oh", 0.14), ("PP", 0.09), ("aa", 0.1), ("DD", 0.06), ("ih", 0.09),
            ("FF", 0.1), ("ih", 0.1), ("nn", 0.06), ("PP", 0.08), ("DD", 0.05), ("PP", 0.09),
            ("ih", 0.2))),
    (3.2, (("PP", 0.08), ("aa", 0.08), ("DD", 0.05), ("aa", 0.13), ("ih", 0.09), ("PP", 0.1),
           ("ou", 0.17), ("FF", 0.1), ("nn", 0.06), ("aa", 0.09), ("kk", 0.07), ("ih", 0.07),
           ("ou", 0.25))),
    (7.05, (("aa", 0.1), ("nn", 0.06), ("aa", 0.13), ("ih", 0.08), ("kk", 0.07), ("aa", 0.09),
            ("nn", 0.07), ("PP", 0.09), ("ih", 0.12), ("E", 0.1), ("nn", 0.06), ("ih", 0.07),
            ("PP", 0.09), ("aa", 0.14), ("DD", 0.06), ("ih", 0.2))),
)  # fmt: skip
HARD = {"PP": 5.0, "FF": 3.5, "ou": 2.0, "oh": 1.6, "sil": 0.7}
"""How hard a sound pulls the mouth toward its shape; 1 where not named."""
LOUDNESS = 1.1

KEYS: Mapping[str, Keys] = {
    "mouthSmileLeft": ((0.5, 0), (0.9, 0.25), (1.5, 0.12), (2.8, 0.05), (4.35, 0.05), (4.7, 0.85),
                       (5.15, 0.8), (5.55, 0.1), (6.0, 0), (8.2, 0), (8.55, 0.42), (9, 0.3)),
    "mouthSmileRight": ((0.5, 0), (0.9, 0.2), (1.5, 0.1), (2.8, 0.04), (4.38, 0.04), (4.74, 0.76),
                        (5.15, 0.72), (5.5, 0.08), (6.0, 0), (8.2, 0), (8.58, 0.36), (9, 0.26)),
    "cheekSquintLeft": ((4.4, 0), (4.75, 0.5), (5.15, 0.48), (5.5, 0), (8.3, 0), (8.6, 0.2),
                        (9, 0.15)),
    "cheekSquintRight": ((4.4, 0), (4.78, 0.44), (5.15, 0.42), (5.5, 0), (8.3, 0), (8.62, 0.18),
                         (9, 0.12)),
    "eyeSquintLeft": ((4.4, 0), (4.75, 0.3), (5.15, 0.28), (5.5, 0), (5.7, 0), (5.95, 0.35),
                      (6.4, 0.3), (6.6, 0)),
    "eyeSquintRight": ((4.4, 0), (4.75, 0.28), (5.15, 0.26), (5.5, 0), (5.7, 0), (5.95, 0.38),
                       (6.4, 0.33), (6.6, 0)),
    "browInnerUp": ((0.65, 0), (0.95, 0.45), (1.35, 0.08), (1.8, 0.05), (2.0, 0.3), (2.5, 0.05),
                    (3.6, 0.1), (3.85, 0.4), (4.3, 0), (6.5, 0), (6.72, 0.6), (7.05, 0.5),
                    (7.4, 0.05), (7.7, 0.25), (8.1, 0)),
    "browOuterUpLeft": ((0.65, 0), (0.95, 0.45), (1.35, 0), (3.6, 0.05), (3.85, 0.35), (4.3, 0),
                        (6.5, 0), (6.72, 0.65), (7.05, 0.5), (7.4, 0), (7.7, 0.35), (8.1, 0)),
    "browOuterUpRight": ((0.65, 0), (0.95, 0.4), (1.35, 0), (3.6, 0.05), (3.85, 0.2), (4.3, 0),
                         (6.5, 0), (6.72, 0.6), (7.05, 0.45), (7.4, 0), (7.7, 0.1), (8.1, 0)),
    "browDownLeft": ((5.55, 0), (5.85, 0.7), (6.35, 0.65), (6.6, 0)),
    "browDownRight": ((5.55, 0), (5.85, 0.75), (6.35, 0.7), (6.6, 0)),
    "noseSneerLeft": ((5.65, 0), (5.95, 0.35), (6.3, 0.3), (6.5, 0)),
    "noseSneerRight": ((5.65, 0), (5.95, 0.45), (6.3, 0.4), (6.5, 0)),
    "mouthFrownLeft": ((5.6, 0), (5.95, 0.65), (6.35, 0.6), (6.6, 0)),
    "mouthFrownRight": ((5.6, 0), (5.95, 0.7), (6.35, 0.65), (6.6, 0)),
    "mouthShrugLower": ((5.6, 0), (5.95, 0.3), (6.35, 0.25), (6.6, 0)),
    "mouthPressLeft": ((5.5, 0), (5.9, 0.25), (6.35, 0.2), (6.6, 0)),
    "mouthPressRight": ((5.5, 0), (5.9, 0.25), (6.35, 0.2), (6.6, 0)),
    "eyeWideLeft": ((6.5, 0), (6.7, 0.6), (6.95, 0.5), (7.2, 0)),
    "eyeWideRight": ((6.5, 0), (6.7, 0.6), (6.95, 0.5), (7.2, 0)),
    "jawOpen": ((4.45, 0), (4.75, 0.1), (5.15, 0.08), (5.5, 0), (6.55, 0), (6.75, 0.22),
                (6.95, 0.12), (7.05, 0)),
    "mouthUpperUpLeft": ((4.45, 0), (4.75, 0.16), (5.15, 0.14), (5.5, 0)),
    "mouthUpperUpRight": ((4.45, 0), (4.75, 0.14), (5.15, 0.12), (5.5, 0)),
}  # fmt: skip

HEAD: Mapping[str, Keys] = {
    "yaw": ((0.6, 0), (1.1, -0.04), (1.9, 0.07), (2.6, -0.05), (3.3, 0.06), (4.1, 0.01),
            (4.7, 0.04), (5.2, 0.06), (5.65, 0.29), (6.2, 0.27), (6.7, 0.02), (7.3, -0.16),
            (8.0, -0.05), (8.5, 0.02), (9, 0)),
    "pitch": ((0.5, 0), (0.75, -0.03), (0.98, 0.07), (1.35, 0), (1.95, 0.03), (2.5, -0.02),
              (3.8, 0.05), (4.3, 0), (4.75, -0.05), (5.2, -0.02), (5.9, 0.06), (6.3, 0.05),
              (6.72, -0.09), (7.1, -0.04), (7.7, 0.02), (8.08, 0), (8.28, 0.13), (8.5, -0.01),
              (8.7, 0.09), (9, 0)),
    "roll": ((0.7, 0), (1.2, 0.03), (2.1, -0.03), (3.0, 0.02), (4.2, 0), (4.75, 0.08), (5.2, 0.06),
             (5.7, -0.03), (6.5, -0.02), (7.2, 0.03), (8.2, 0), (9, 0.02)),
}  # fmt: skip
LOOK: tuple[tuple[float, float, float], ...] = (
    (0.0, 0.0, 0.0), (1.55, 0.05, 0.02), (1.95, -0.12, 0.05), (2.5, 0.0, 0.0), (3.05, 0.2, -0.1),
    (3.5, 0.0, 0.0), (5.3, 0.42, 0.04), (5.62, 0.12, 0.02), (6.42, -0.02, -0.03), (7.0, 0.0, 0.0),
    (7.2, -0.28, 0.1), (7.75, 0.0, 0.0),
)  # fmt: skip
"""Where the eyes jump to: time, yaw and pitch relative to the head (before they hold the camera
against the head's own sway)."""
BLINKS: tuple[tuple[float, float], ...] = (
    (0.42, 1.0), (2.42, 1.0), (4.2, 0.95), (5.32, 1.0), (6.44, 1.0), (7.78, 1.0), (8.72, 1.0),
)  # fmt: skip
"""Start in seconds and how far the lids close."""
CLOSING, SHUT, OPENING = 0.075, 0.03, 0.13


def perform() -> Performance:
    """The actor's performance, always the same."""
    times = np.arange(round(SECONDS * RATE)) / RATE
    chance = np.random.default_rng(9)
    curves = speech(times)
    for name, keys in KEYS.items():
        curves[name] = curves.get(name, 0.0) + keyed(keys, times)
    _restless(curves, times, chance)
    head = np.stack([keyed(HEAD[axis], times) for axis in ("yaw", "pitch", "roll")], axis=1)
    head += _sway(times, (0.006, 0.005, 0.004), chance)
    gaze = _gaze(times, head, chance)
    _blink(curves, times)
    _look(curves, gaze)
    still = np.zeros_like(times)
    shapes = np.stack([np.clip(curves.get(name, still), 0, 1) for name in BLENDSHAPES], axis=1)
    eyes = np.zeros((len(times), 2, 3), np.float32)
    eyes[:, :, :2] = gaze[:, None]
    return Performance(
        times=times,
        blendshapes=shapes.astype(np.float32),
        head=head.astype(np.float32),
        eyes=eyes,
        shift=_breath(times, chance).astype(np.float32),
    )


def keyed(keys: Keys, times: Curve) -> Curve:
    """A curve eased between (time, value) keys, never overshooting, held outside them."""
    at, values = (np.asarray(v, np.float64) for v in zip(*keys, strict=True))
    return np.asarray(PchipInterpolator(at, values)(np.clip(times, at[0], at[-1])))


def speech(times: Curve) -> dict[str, Curve]:
    """The mouth's curves of `PHRASES`."""
    sounds = _sounds(float(times[-1]))
    fine = np.arange(0, times[-1] + 0.1, 0.005)
    pull = np.stack([_pull(fine, *sound) for sound in sounds])
    pull /= pull.sum(axis=0)
    names = sorted({name for mouth in VISEMES.values() for name in mouth})
    curves = {}
    for name in names:
        targets = np.array([VISEMES[viseme].get(name, 0.0) for viseme, _, _ in sounds])
        curve = gaussian_filter1d(targets @ pull * LOUDNESS, 0.018 / 0.005)
        curves[name] = np.interp(times, fine, curve)
    # However far the jaw still hangs from its neighbours, closed lips meet.
    shut = np.array([viseme == "PP" for viseme, _, _ in sounds]) @ pull
    shut = np.interp(times, fine, gaussian_filter1d(shut, 0.012 / 0.005))
    curves["mouthClose"] = curves["jawOpen"] * np.clip(1.15 * shut, 0, 1)
    return curves


def _sounds(end: float) -> list[tuple[str, float, float]]:
    """Viseme, middle and length of every sound; silences fill the gaps."""
    out = []
    now = 0.0
    for start, phrase in (*PHRASES, (end + 0.2, ())):
        # The mouth is at rest until shortly before it speaks.
        steps = max(round((start - now) / 0.1), 1)
        length = (start - now) / steps
        out += [("sil", now + (i + 0.5) * length, length) for i in range(steps)]
        now = start
        for viseme, seconds in phrase:
            out.append((viseme, now + seconds / 2, seconds))
            now += seconds
    return out


def _pull(times: Curve, viseme: str, middle: float, length: float) -> Curve:
    away = np.abs(times - middle) / (0.42 * length + 0.022)
    return np.asarray(HARD.get(viseme, 1.0) * np.exp(-(away**1.6)) + 1e-9)


def _blink(curves: dict[str, Curve], times: Curve) -> None:
    """Lids fall fast, rest, and rise slowly; the left a touch later than the right."""
    for side, late in (("Left", 0.006), ("Right", 0.0)):
        lids = np.zeros_like(times)
        for start, depth in BLINKS:
            since = times - start - late
            down = _ease(since / CLOSING)
            up = _ease((since - CLOSING - SHUT) / OPENING)
            lids = np.maximum(lids, depth * (down - up))
        curves[f"eyeBlink{side}"] = np.maximum(lids, curves.get(f"eyeBlink{side}", 0.0))
        # Wide or narrowed lids give way while they are shut.
        for name in (f"eyeWide{side}", f"eyeSquint{side}"):
            curves[name] = curves[name] * (1 - lids)


def _ease(share: Curve) -> Curve:
    x = np.clip(share, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))


def _gaze(times: Curve, head: Curve, chance: np.random.Generator) -> Curve:
    """(F, 2) yaw and pitch: jumps of 50 ms between `LOOK`, small jumps in between, and a steady
    eye while the head sways."""
    at, jump = list(times[:1] * 0), [np.zeros(2)]
    for index, (start, yaw, pitch) in enumerate(LOOK):
        end = LOOK[index + 1][0] if index + 1 < len(LOOK) else SECONDS
        for moment in np.arange(start, end - 0.25, 0.55):
            small = 0 if moment == start else chance.normal(0, 0.014, 2)
            at.append(moment)
            jump.append(np.array([yaw, pitch]) + small)
    gaze = np.zeros((len(times), 2))
    for moment, before, after in zip(at[1:], jump[:-1], jump[1:], strict=True):
        gaze += _ease((times - moment) / 0.05)[:, None] * (after - before)
    # Turned far, the eyes follow the head; near the middle they hold the camera.
    held = np.clip(head[:, :2], -0.12, 0.12)
    return np.asarray(gaze - held)


def _look(curves: dict[str, Curve], gaze: Curve) -> None:
    """The lid curves that go with the eyes' rotation; yaw + is toward the actor's right."""
    yaw, pitch = gaze[:, 0] / GAZE_YAW, gaze[:, 1] / GAZE_PITCH
    curves["eyeLookInLeft"] = curves["eyeLookOutRight"] = np.maximum(yaw, 0)
    curves["eyeLookOutLeft"] = curves["eyeLookInRight"] = np.maximum(-yaw, 0)
    for side in ("Left", "Right"):
        curves[f"eyeLookDown{side}"] = np.maximum(pitch, 0)
        curves[f"eyeLookUp{side}"] = np.maximum(-pitch, 0)


def _restless(curves: dict[str, Curve], times: Curve, chance: np.random.Generator) -> None:
    """A living face is never quite still; the first half second is, so that it shows a neutral."""
    awake = _ease((times - 0.5) / 0.4)
    for name in ("browInnerUp", "browDownLeft", "browDownRight", "mouthPressLeft",
                 "mouthPressRight", "mouthLeft", "mouthRight", "mouthShrugUpper",
                 "cheekSquintLeft", "cheekSquintRight"):  # fmt: skip
        drift = gaussian_filter1d(chance.normal(size=len(times)), 9) * 3
        curves[name] = curves.get(name, 0.0) + 0.02 * np.maximum(drift, 0) * awake


def _sway(times: Curve, sizes: Sequence[float], chance: np.random.Generator) -> Curve:
    """Slow drift of the head's angles, radians."""
    drift = gaussian_filter1d(chance.normal(size=(len(times), len(sizes))), 10, axis=0)
    return np.asarray(drift / drift.std(axis=0) * sizes)


def _breath(times: Curve, chance: np.random.Generator) -> Curve:
    """Metres right and up: breathing every four seconds, and a little shifting of weight."""
    rise = 0.0012 * np.sin(2 * np.pi * times / 4.0)
    drift = _sway(times, (0.0015, 0.0006), chance)
    return np.asarray(drift + np.stack([np.zeros_like(times), rise], axis=1))
