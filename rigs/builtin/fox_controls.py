"""The fox's controls: plain names from several conventions, and what its ears mean."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from scipy.spatial.transform import Rotation

from ..spec import Control, Region, Side
from .fox_fur import EAR_BASE
from .sculpt_fields import Array, bump, near, smoothstep, vector
from .sculpt_motion import Motion, push

Shape = Callable[[Motion], Array]


def _fold(at: Array) -> Array:
    return np.column_stack([np.abs(at[:, 0]), at[:, 1:]])


def _side(m: Motion) -> Array:
    return np.asarray(np.tanh(m.at[:, 0] / 0.004))


def jaw_open(m: Motion) -> Array:
    """The lower half of the muzzle drops."""
    s = m.above
    along = 0.26 - 0.5 * s + 0.24 * s * s
    fade = np.where(s > 0, near(m.attribute("mouth"), 0.22), near(m.attribute("mouth"), 0.95))
    reach = smoothstep(m.at[:, 2], 0.000, 0.050)
    inside = 1.0 - 0.10 * m.attribute("inside")
    weight = along * np.where(m.attribute("within") > 0, 1.0, fade * reach * inside * m.attribute("skin"))
    return m.jaw(27.0, weight)


def smile(m: Motion) -> Array:
    """One corner drawn back and up, the cheek and its ruff with it."""
    w = m.around_mouth(0.30) * smoothstep(m.at[:, 0], 0.008, 0.030)
    lips = m.slid(push(5.0, 10.0, -9.0, w), 0.9)
    cheek = bump(m.at, vector(46, -14, 38), vector(18, 14, 20)) * _off_lids(m)
    ruff = m.attribute("ruff") * (m.assembly.vertices[:, 0] > 0)
    return lips + push(2.5, 5.0, 2.5, cheek * m.attribute("skin")) + push(1.0, 3.5, 0.0, ruff) + m.shut(0.28, upper=0.0)


def _off_lids(m: Motion) -> Array:
    return 1.0 - smoothstep(m.attribute("lid"), 0.0, 0.6)


def frown(m: Motion) -> Array:
    """Corners down."""
    w = m.around_mouth(0.28) * smoothstep(m.at[:, 0], 0.008, 0.030)
    return m.both(m.slid(push(0.0, -9.0, 2.0, w), 0.9))


def snarl(m: Motion) -> Array:
    """Upper lips up over the canines, muzzle wrinkled."""
    side = np.exp(-(((np.abs(m.at[:, 0]) - 0.017) / 0.010) ** 2)) * smoothstep(m.at[:, 2], 0.05, 0.085)
    lip = m.around_mouth(0.20) * smoothstep(m.above, 0.0, 0.25) * side
    out = push(0.0, 8.5, 0.0, lip)
    out += push(1.8, 0.0, 0.0, lip * _side(m))
    folded = _fold(m.at)
    skin = m.attribute("skin") * _off_lids(m) * smoothstep(m.attribute("mouth"), 0.1, 0.5)
    wrinkle = bump(folded, vector(9, 3, 82), vector(8, 8, 12)) * skin
    nose = bump(folded, vector(0, -17, 124), vector(18, 14, 14)) * m.attribute("skin")
    brow = _brow(m, (18, 44), (18, 18))
    return out + push(0.0, 3.5, -1.0, wrinkle) + push(0.0, 2.2, -0.5, nose) + m.both(m.slid(push(-1.0, -4.0, 0.0, brow)))


def whistle(m: Motion) -> Array:
    """Lips drawn forward into a small round hole under the nose."""
    teeth = m.attribute("within") * (m.attribute("tongue") == 0)
    w = np.maximum(m.around_mouth(0.24), teeth)
    back = smoothstep(m.at[:, 2], 0.115, 0.055)
    s = m.above
    front = near(m.at[:, 0], 0.012) * smoothstep(m.at[:, 2], 0.085, 0.110)
    out = push(0.0, 0.0, 12.0, w * back)
    out[:, 0] -= 0.22 * m.at[:, 0] * w * back
    lips = m.around_mouth(0.11) * front
    out += push(0.0, -7.5, 0.0, lips * np.maximum(-s, 0.0)) + push(0.0, 1.5, 0.0, lips * np.maximum(s, 0.0))
    return out + push(0.0, 0.0, 5.0, m.around_mouth(0.16) * front) 


def blink(m: Motion) -> Array:
    """Lids shut."""
    return m.shut() + m.slid(push(0.0, -1.5, 0.0, _brow(m, (36, 46), (24, 14))))


def eye_wide(m: Motion) -> Array:
    """Both eyes wide open."""
    return m.both(m.shut(-0.28, upper=1.0, lower=0.7))


def squint(m: Motion) -> Array:
    """Both eyes narrowed."""
    cheek = bump(_fold(m.at), vector(40, -10, 56), vector(18, 10, 20)) * _off_lids(m) * m.attribute("skin")
    return m.both(m.shut(0.6, upper=0.6, lower=1.2)) + push(0.0, 3.0, 1.5, cheek)


def _brow(m: Motion, centre: tuple[float, float], size: tuple[float, float]) -> Array:
    at = m.at * 1000.0
    far = ((at[:, 0] - centre[0]) / size[0]) ** 2 + ((at[:, 1] - centre[1]) / size[1]) ** 2
    front = smoothstep(at[:, 2], 15.0, 40.0) * m.attribute("skin")
    return np.asarray(np.exp(-far) * front * _off_lids(m))


def brow_up(m: Motion) -> Array:
    """Both brows up."""
    ears = m.both(_ear(m, -6.0, 4.0))
    return m.both(m.slid(push(1.0, 11.0, 0.0, _brow(m, (30, 48), (26, 18)))) + m.shut(-0.06, lower=0.0)) + ears


def brow_down(m: Motion) -> Array:
    """Both brows down and together."""
    inner = push(-3.5, -9.5, 0.0, _brow(m, (18, 45), (18, 18)))
    outer = push(0.0, -2.0, 0.0, _brow(m, (42, 47), (14, 14)))
    return m.both(m.slid(inner + outer) + m.shut(0.16, lower=0.0))


def tongue_out(m: Motion) -> Array:
    """The tongue hangs over the lower lip."""
    t = m.attribute("tongue")
    s = m.above
    lips = m.around_mouth(0.12) * near(m.at[:, 0], 0.016) * smoothstep(m.at[:, 2], 0.075, 0.105)
    out = push(0.0, 5.0, 42.0, t) - push(0.0, 24.0, 0.0, t**4)
    return out + push(0.0, -7.5, 0.0, lips * np.maximum(-s, 0.0))


def cheek_puff(m: Motion) -> Array:
    """Cheeks and the sides of the muzzle blown up."""
    cheek = bump(_fold(m.at), vector(40, -26, 46), vector(20, 18, 24)) * _off_lids(m)
    cheek = cheek * smoothstep(m.attribute("mouth"), 0.02, 0.2) * m.attribute("skin")
    ruff = m.attribute("ruff")
    return push(10.0, 0.0, 0.0, cheek * _side(m)) + push(0.0, 0.0, 6.0, cheek) + push(5.0, 1.0, 0.0, ruff * _side(m))


def _ear(m: Motion, back: float, out: float) -> Array:
    """The left ear turned about its base, degrees backward and outward."""
    w = m.attribute("ear") * (m.assembly.vertices[:, 0] > 0)
    turn = Rotation.from_euler("xz", [-back, -out], degrees=True).as_matrix()
    local = m.assembly.vertices - EAR_BASE
    return np.asarray((local @ turn.T - local) * w[:, None])


def ears_perk(m: Motion) -> Array:
    """Ears forward and upright, a little longer."""
    w = m.attribute("ear") * (m.assembly.vertices[:, 0] > 0)
    return m.both(_ear(m, -14.0, -9.0) + push(-1.0, 7.0, 2.0, w))


def ears_back(m: Motion) -> Array:
    """Ears laid back and out."""
    return m.both(_ear(m, 44.0, 32.0))


# name: (shape, name of the mirrored control or "", region, meaning in ARKit's names)
CONTROLS: Mapping[str, tuple[Shape, str, Region, Mapping[str, float]]] = MappingProxyType(
    {
        "jawOpen": (jaw_open, "", "jaw", {"jawOpen": 1.0}),
        "smile_L": (smile, "smile_R", "mouth", {"mouthSmileLeft": 1.0}),
        "frown": (frown, "", "mouth", {"mouthFrownLeft": 1.0, "mouthFrownRight": 1.0}),
        "snarl": (
            snarl,
            "",
            "nose",
            {
                "noseSneerLeft": 1.0,
                "noseSneerRight": 1.0,
                "mouthUpperUpLeft": 0.6,
                "mouthUpperUpRight": 0.6,
            },
        ),
        "whistle": (whistle, "", "mouth", {"mouthPucker": 1.0, "mouthFunnel": 0.6}),
        "blink_L": (blink, "blink_R", "eyes", {"eyeBlinkLeft": 1.0}),
        "eyeWide": (eye_wide, "", "eyes", {"eyeWideLeft": 1.0, "eyeWideRight": 1.0}),
        "squint": (squint, "", "eyes", {"eyeSquintLeft": 1.0, "eyeSquintRight": 1.0}),
        "browUp": (
            brow_up,
            "",
            "brows",
            {"browInnerUp": 1.0, "browOuterUpLeft": 1.0, "browOuterUpRight": 1.0},
        ),
        "browDown": (brow_down, "", "brows", {"browDownLeft": 1.0, "browDownRight": 1.0}),
        "tongueOut": (tongue_out, "", "tongue", {"tongueOut": 1.0}),
        "cheekPuff": (cheek_puff, "", "cheeks", {"cheekPuff": 1.0}),
        "earsPerk": (
            ears_perk,
            "",
            "other",
            {"browInnerUp": 0.6, "eyeWideLeft": 0.5, "eyeWideRight": 0.5},
        ),
        "earsBack": (
            ears_back,
            "",
            "other",
            {
                "browDownLeft": 0.6,
                "browDownRight": 0.6,
                "noseSneerLeft": 0.5,
                "noseSneerRight": 0.5,
            },
        ),
    }
)


def controls_and_deltas(m: Motion) -> tuple[tuple[Control, ...], Array]:
    """All controls with their (K, V, 3) displacements; paired ones are exact mirror images."""
    controls, deltas = [], []
    for name, (shape, twin, region, hub) in CONTROLS.items():
        moved = shape(m)
        side: Side = "left" if twin else "centre"
        if not twin:
            moved = 0.5 * (moved + m.assembly.mirrored(moved))
        controls.append(Control(name=name, region=region, side=side, hub=MappingProxyType(dict(hub))))
        deltas.append(moved)
        if twin:
            other = {k.replace("Left", "Right"): v for k, v in hub.items()}
            controls.append(Control(name=twin, region=region, side="right", hub=MappingProxyType(other)))
            deltas.append(m.assembly.mirrored(moved))
    return tuple(controls), np.stack(deltas)
