"""The fox's controls: plain names from several conventions, and what its ears mean."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from scipy.spatial.transform import Rotation

from .fox_fur import EAR_BASE
from .sculpt_fields import Array, bump, near, smoothstep, vector
from .sculpt_motion import Motion, push
from .sculpt_rig import Recipe


def jaw_open(m: Motion) -> Array:
    """The lower half of the muzzle drops."""
    s = m.above
    along = 0.26 - 0.5 * s + 0.24 * s * s
    fade = np.where(s > 0, near(m.attribute("mouth"), 0.22), near(m.attribute("mouth"), 0.95))
    reach = smoothstep(m.at[:, 2], 0.000, 0.050)
    inside = 1.0 - 0.10 * m.attribute("inside")
    weight = along * np.where(
        m.attribute("within") > 0, 1.0, fade * reach * inside * m.attribute("skin")
    )
    return m.jaw(27.0, weight)


def smile(m: Motion) -> Array:
    """One corner drawn back and up, the cheek and its ruff with it."""
    w = m.around_mouth(0.30) * smoothstep(m.at[:, 0], 0.008, 0.030)
    lips = m.slid(push(6.0, 13.0, -10.0, w), 0.9)
    cheek = bump(m.at, vector(46, -14, 38), vector(18, 14, 20)) * m.off_lids
    ruff = m.attribute("ruff") * (m.assembly.vertices[:, 0] > 0)
    return (
        lips
        + push(2.5, 5.0, 2.5, cheek * m.attribute("skin"))
        + push(1.0, 3.5, 0.0, ruff)
        + m.shut(0.28, upper=0.0)
    )


def frown(m: Motion) -> Array:
    """Corners down."""
    w = m.around_mouth(0.28) * smoothstep(m.at[:, 0], 0.008, 0.030)
    return m.both(m.slid(push(0.0, -11.0, 3.0, w), 0.9))


def snarl(m: Motion) -> Array:
    """Upper lips up over the canines, muzzle wrinkled."""
    side = np.exp(-(((np.abs(m.at[:, 0]) - 0.017) / 0.010) ** 2)) * smoothstep(
        m.at[:, 2], 0.05, 0.085
    )
    lip = m.around_mouth(0.20) * smoothstep(m.above, 0.0, 0.25) * side
    out = push(0.0, 8.5, 0.0, lip)
    out += push(1.8, 0.0, 0.0, lip * m.side)
    folded = m.folded
    skin = m.attribute("skin") * m.off_lids * smoothstep(m.attribute("mouth"), 0.1, 0.5)
    wrinkle = bump(folded, vector(9, 3, 82), vector(8, 8, 12)) * skin
    nose = bump(folded, vector(0, -17, 124), vector(18, 14, 14)) * m.attribute("skin")
    brow = m.brow((18, 44), (18, 18))
    return (
        out
        + push(0.0, 3.5, -1.0, wrinkle)
        + push(0.0, 2.2, -0.5, nose)
        + m.both(m.slid(push(-1.0, -4.0, 0.0, brow)))
    )


def whistle(m: Motion) -> Array:
    """Corners drawn forward, lips pushed into a small round hole under the nose."""
    teeth = m.attribute("within") * (m.attribute("tongue") == 0)
    w = np.maximum(m.around_mouth(0.26), teeth)
    back = smoothstep(m.at[:, 2], 0.112, 0.060)
    s = m.above
    front = near(m.at[:, 0], 0.0110) * smoothstep(m.at[:, 2], 0.085, 0.110)
    out = push(0.0, -1.0, 17.0, w * back)
    out[:, 0] -= m.at[:, 0] * np.where(teeth > 0, 0.30, 0.27 * w * back)
    lips = m.around_mouth(0.12) * front
    out += push(0.0, -6.5, 0.0, lips * np.maximum(-s, 0.0))
    out += push(0.0, 2.0, 0.0, lips * np.maximum(s, 0.0))
    # The front teeth draw back, so that the hole is dark.
    hidden = push(0.0, 5.0, -6.0, teeth * (s > 0)) + push(0.0, 0.0, -11.0, teeth * (s < 0))
    return out + hidden + push(0.0, 0.0, 6.0, m.around_mouth(0.18) * front)


def blink(m: Motion) -> Array:
    """Lids shut."""
    return m.shut() + m.slid(push(0.0, -1.5, 0.0, m.brow((36, 46), (24, 14))))


def eye_wide(m: Motion) -> Array:
    """Both eyes wide open."""
    return m.both(m.shut(-0.28, upper=1.0, lower=0.7))


def squint(m: Motion) -> Array:
    """Both eyes narrowed, mostly from below: lowered upper lids would look angry in a laugh."""
    cheek = (
        bump(m.folded, vector(40, -10, 56), vector(18, 10, 20)) * m.off_lids * m.attribute("skin")
    )
    return m.both(m.shut(0.6, upper=0.3, lower=1.35)) + push(0.0, 4.5, 2.0, cheek)


def brow_up(m: Motion) -> Array:
    """Both brows up."""
    ears = m.both(_ear(m, -6.0, 4.0))
    return (
        m.both(m.slid(push(1.0, 15.0, 0.0, m.brow((30, 49), (26, 19)))) + m.shut(-0.06, lower=0.0))
        + ears
    )


def brow_down(m: Motion) -> Array:
    """Both brows down and together."""
    inner = push(-3.5, -7.5, 0.0, m.brow((18, 45), (18, 18)))
    outer = push(0.0, -2.0, 0.0, m.brow((42, 47), (14, 14)))
    above_fur = push(0.0, 0.8, 1.8, m.attribute("brow") * (m.at[:, 0] > 0))
    return m.both(m.slid(inner + outer) + above_fur + m.shut(0.16, lower=0.0))


def tongue_out(m: Motion) -> Array:
    """The tongue hangs over the lower lip."""
    t = m.attribute("tongue")
    s = m.above
    lips = m.around_mouth(0.12) * near(m.at[:, 0], 0.016) * smoothstep(m.at[:, 2], 0.075, 0.105)
    out = push(0.0, 5.0, 42.0, t) - push(0.0, 24.0, 0.0, t**4)
    return out + push(0.0, -7.5, 0.0, lips * np.maximum(-s, 0.0))


def cheek_puff(m: Motion) -> Array:
    """Cheeks and the sides of the muzzle blown up."""
    cheek = bump(m.folded, vector(40, -26, 46), vector(20, 18, 24)) * m.off_lids
    cheek = cheek * smoothstep(m.attribute("mouth"), 0.02, 0.2) * m.attribute("skin")
    ruff = m.attribute("ruff")
    return (
        push(15.0, 0.0, 0.0, cheek * m.side)
        + push(0.0, 0.0, 6.0, cheek)
        + push(8.0, 0.0, 0.0, ruff * m.side)
    )


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


def _meaning(**values: float) -> Mapping[str, float]:
    """Names that end in Sides stand for the left and the right shape."""
    out: dict[str, float] = {}
    for name, value in values.items():
        if name.endswith("Sides"):
            out |= {name.replace("Sides", "Left"): value, name.replace("Sides", "Right"): value}
        else:
            out[name] = value
    return MappingProxyType(out)


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "jawOpen": Recipe(shape=jaw_open, region="jaw", hub=_meaning(jawOpen=1.0)),
        "smile_L": Recipe(
            shape=smile, region="mouth", twin="smile_R", hub=_meaning(mouthSmileLeft=1.0)
        ),
        "frown": Recipe(shape=frown, region="mouth", hub=_meaning(mouthFrownSides=1.0)),
        "snarl": Recipe(
            shape=snarl, region="nose", hub=_meaning(noseSneerSides=1.0, mouthUpperUpSides=0.6)
        ),
        "whistle": Recipe(
            shape=whistle, region="mouth", hub=_meaning(mouthPucker=1.0, mouthFunnel=0.6)
        ),
        "blink_L": Recipe(
            shape=blink, region="eyes", twin="blink_R", hub=_meaning(eyeBlinkLeft=1.0)
        ),
        "eyeWide": Recipe(shape=eye_wide, region="eyes", hub=_meaning(eyeWideSides=1.0)),
        "squint": Recipe(shape=squint, region="eyes", hub=_meaning(eyeSquintSides=1.0)),
        "browUp": Recipe(
            shape=brow_up, region="brows", hub=_meaning(browInnerUp=1.0, browOuterUpSides=1.0)
        ),
        "browDown": Recipe(shape=brow_down, region="brows", hub=_meaning(browDownSides=1.0)),
        "tongueOut": Recipe(shape=tongue_out, region="tongue", hub=_meaning(tongueOut=1.0)),
        "cheekPuff": Recipe(shape=cheek_puff, region="cheeks", hub=_meaning(cheekPuff=1.0)),
        "earsPerk": Recipe(
            shape=ears_perk, region="other", hub=_meaning(browInnerUp=0.6, eyeWideSides=0.5)
        ),
        "earsBack": Recipe(
            shape=ears_back, region="other", hub=_meaning(browDownSides=0.6, noseSneerSides=0.5)
        ),
    }
)
"""What the fox can do; of pairs the left one. fox.hub.toml repeats what names cannot say."""
