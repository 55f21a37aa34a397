"""The cartoon character's controls, named by an artist: no convention knows them."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from .sculpt_fields import Array, bump, near, smoothstep, vector
from .sculpt_motion import Motion, push
from .sculpt_rig import Recipe


def chomp(m: Motion) -> Array:
    """The jaw drops; the corners come along a third of the way."""
    s = m.above
    reach = smoothstep(m.at[:, 2], -0.010, 0.060)
    along = 0.33 - 0.5 * s + 0.17 * s * s
    fade = np.where(s > 0, near(m.attribute("mouth"), 0.75), near(m.attribute("mouth"), 3.2))
    inside = 1.0 - 0.10 * m.attribute("inside")
    weight = np.maximum(along * fade * reach * inside * m.attribute("skin"), m.attribute("lower"))
    narrow = m.around_mouth(0.5) * (1.0 - np.abs(s)) * np.sign(m.at[:, 0])
    raised = m.around_mouth(0.3) * np.maximum(s, 0.0)
    return m.jaw(24.0, weight) + push(-3.0, 0.0, 0.0, narrow) + push(0.0, 2.0, 0.5, raised)


def zip_it(m: Motion) -> Array:
    """Lips pressed and rolled in."""
    w = m.around_mouth(0.36)
    height = m.at[:, 1] + 0.063
    flat = np.zeros_like(m.at)
    flat[:, 1] = -0.55 * height * w * (m.attribute("inside") == 0)
    return flat + push(0.0, 0.0, -3.6, m.around_mouth(0.22)) + _corners(m, 1.5, -1.0, -1.0)


def _corners(m: Motion, x: float, y: float, z: float, width: float = 0.75) -> Array:
    """Both corners of the mouth, mirrored."""
    return m.both(_corner(m, x, y, z, width))


def _corner(m: Motion, x: float, y: float, z: float, width: float = 0.75) -> Array:
    lateral = smoothstep(m.at[:, 0], 0.000, 0.027)
    return push(x, y, z, m.around_mouth(width) * lateral)


def grin(m: Motion) -> Array:
    """One corner up and out, the cheek over it lifted, the lower lid with it."""
    lateral = smoothstep(m.at[:, 0], 0.000, 0.030)
    w = m.around_mouth(0.85)
    lips = push(12.5, 0.0, -3.0, w * lateral) + push(0.0, 13.0, 0.0, w * lateral**1.9)
    half = m.around_mouth(0.32) * smoothstep(m.at[:, 0], -0.030, 0.030)
    part = push(0.0, 2.6, 0.0, half * np.maximum(m.above, 0.0))
    part += push(0.0, -2.4, 0.0, half * np.maximum(-m.above, 0.0))
    cheek = bump(m.at, vector(50, -38, 66), vector(20, 15, 40)) * _off_lips(m)
    moved = m.slid(lips + part, 0.9)
    return moved + push(1.5, 5.0, 4.5, cheek) + m.shut(0.30, upper=0.0)


def _off_lips(m: Motion) -> Array:
    """(V,) skin away from lips and lids."""
    return smoothstep(m.attribute("mouth"), 0.15, 0.6) * m.attribute("skin") * m.off_lids


def glum(m: Motion) -> Array:
    """Corners down, lower lip and chin pushed up."""
    corners = _corners(m, 1.0, -11.0, -1.0, 0.7)
    pout = m.around_mouth(0.35) * near(m.at[:, 0], 0.016)
    chin = bump(m.at, vector(0, -88, 86), vector(20, 10, 30)) * _off_lips(m)
    return m.slid(corners, 0.9) + push(0.0, 2.6, 1.2, pout) + push(0.0, 3.0, 2.5, chin)


def stretchy(m: Motion) -> Array:
    """Both corners straight out, lips thinned."""
    w = m.around_mouth(0.3)
    thin = np.zeros_like(m.at)
    thin[:, 1] = -0.25 * (m.at[:, 1] + 0.063) * w
    return m.slid(_corners(m, 14.0, 0.0, -2.0, 0.8), 0.9) + thin


def oo_face(m: Motion) -> Array:
    """Lips rounded forward around a small hole."""
    w = m.around_mouth(0.55)
    s = m.above
    lips = m.around_mouth(0.30)
    narrow = np.zeros_like(m.at)
    narrow[:, 0] = -0.60 * m.at[:, 0] * w
    narrow[:, 1] = -0.0045 * np.minimum(np.abs(m.at[:, 0]) / 0.029, 1.0) ** 2 * w
    opened = push(0.0, 5.6, 0.0, lips * np.maximum(s, 0.0)) - push(
        0.0, 6.0, 0.0, lips * np.maximum(-s, 0.0)
    )
    # The teeth draw back: a dark round hole reads, a white one does not.
    hidden = push(0.0, 5.0, -5.0, m.attribute("upper")) - push(0.0, 7.0, 5.0, m.attribute("lower"))
    return narrow + opened + hidden + push(0.0, 0.0, 8.5, m.around_mouth(0.42))


def yuck(m: Motion) -> Array:
    """Upper lip hooked up beside the nose, nostrils wide, nose wrinkled."""
    side = np.exp(-(((np.abs(m.at[:, 0]) - 0.014) / 0.010) ** 2))
    lip = m.around_mouth(0.42) * np.clip(m.above * 1.4, 0.0, 1.0) * side
    wing = bump(m.folded, vector(11, -34, 98), vector(8, 9, 14)) * m.off_lids
    wrinkle = bump(m.folded, vector(15, -16, 84), vector(8, 10, 20)) * _off_lips(m)
    flare = push(2.2, 0.0, 0.0, wing * np.sign(m.at[:, 0]))
    skin = m.attribute("skin")[:, None]
    inner = m.brow((20, 38), (18, 16))
    brows = m.slid(m.both(push(-1.0, -3.5, 0.0, inner)), 1.0)
    return (
        push(0.0, 7.5, 1.5, lip)
        + (flare + push(0.0, 3.8, 0.0, wing) + push(0.0, 2.5, 1.8, wrinkle)) * skin
        + brows
        + m.both(m.shut(0.25, upper=0.4))
    )


def bleh(m: Motion) -> Array:
    """Tongue out over a lowered lower lip."""
    lips = m.around_mouth(0.34)
    s = m.above
    opened = push(0.0, 2.5, 0.5, lips * np.maximum(s, 0.0)) - push(
        0.0, 9.5, -2.0, lips * np.maximum(-s, 0.0)
    )
    t = m.attribute("tongue")
    out = push(0.0, 5.5, 31.0, t) - push(0.0, 15.0, 0.0, t**4)
    return opened + out - push(0.0, 9.0, 2.0, m.attribute("lower") * (t == 0))


def chipmunk(m: Motion) -> Array:
    """Cheeks blown up, lips drawn together."""
    cheek = bump(m.folded, vector(48, -58, 62), vector(21, 19, 36)) * _off_lips(m)
    top = bump(m.folded, vector(0, -48, 98), vector(16, 6, 24)) * m.attribute("skin")
    out = push(11.0, 0.0, 0.0, cheek * m.side) + push(0.0, -1.0, 7.5, cheek)
    narrow = np.zeros_like(m.at)
    narrow[:, 0] = -0.14 * m.at[:, 0] * m.around_mouth(0.4)
    lips = push(0.0, 0.0, 2.0, top) + push(0.0, 0.0, 2.0, m.around_mouth(0.3))
    return np.asarray(out + narrow + lips)


def peepers_shut(m: Motion) -> Array:
    """Blink."""
    brow = m.brow((39, 38), (28, 16))
    return m.shut() + m.slid(push(0.0, -1.2, 0.0, brow))


def peepers_pop(m: Motion) -> Array:
    """Lids wide open."""
    return m.shut(-0.30, upper=0.85, lower=0.75)


def suspicious(m: Motion) -> Array:
    """Both eyes narrowed from below."""
    cheek = bump(m.folded, vector(44, -32, 74), vector(22, 11, 36)) * _off_lips(m)
    brow = m.brow((34, 38), (28, 16))
    lids = m.both(m.shut(0.62, upper=0.62, lower=1.25))
    return lids + push(0.0, 3.5, 2.0, cheek) + m.both(m.slid(push(-0.5, -2.5, 0.0, brow)))


def hoist(m: Motion) -> Array:
    """One brow up."""
    return m.slid(push(0.5, 15.0, 0.0, m.brow((38, 42), (30, 22)))) + m.shut(-0.07, lower=0.0)


def scowl(m: Motion) -> Array:
    """One brow down and toward the nose."""
    down = push(-4.5, -11.0, 0.0, m.brow((19, 38), (20, 19)))
    outer = push(-1.0, -3.5, 0.0, m.brow((50, 40), (18, 17)))
    knit = bump(m.at, vector(10, 26, 92), vector(7, 9, 20)) * m.of_left(0, 8) * m.off_lids
    return (
        m.slid(down + outer)
        + push(0.0, 0.0, 2.2, knit * m.attribute("skin"))
        + m.shut(0.14, lower=0.0)
    )


def worry(m: Motion) -> Array:
    """Inner ends of both brows up and together, outer ends down."""
    inner = push(-3.0, 13.0, 0.0, m.brow((16, 40), (17, 20)))
    outer = push(0.0, -5.0, 0.0, m.brow((58, 38), (16, 16)))
    return m.both(m.slid(inner + outer))


def gnash_top(m: Motion) -> Array:
    """Upper lip raised off the teeth."""
    w = m.around_mouth(0.36) * np.maximum(m.above, 0.0) ** 0.7
    return push(0.0, 7.5, 1.5, w)


def gnash_low(m: Motion) -> Array:
    """Lower lip pulled down off the teeth."""
    w = m.around_mouth(0.38) * np.maximum(-m.above, 0.0) ** 0.7
    return push(0.0, -8.5, 1.0, w)


def sidle(m: Motion) -> Array:
    """The whole mouth to the character's left."""
    w = m.around_mouth(0.95)
    return m.slid(push(13.0, 0.0, 0.0, w), 0.9)


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "chomp": Recipe(shape=chomp, region="jaw"),
        "zip_it": Recipe(shape=zip_it, region="mouth"),
        "grin_a": Recipe(shape=grin, region="mouth", twin="grin_b"),
        "glum": Recipe(shape=glum, region="mouth"),
        "stretchy": Recipe(shape=stretchy, region="mouth"),
        "oo_face": Recipe(shape=oo_face, region="mouth"),
        "yuck": Recipe(shape=yuck, region="nose"),
        "bleh": Recipe(shape=bleh, region="tongue"),
        "chipmunk": Recipe(shape=chipmunk, region="cheeks"),
        "peepers_shut_1": Recipe(shape=peepers_shut, region="eyes", twin="peepers_shut_2"),
        "peepers_pop_1": Recipe(shape=peepers_pop, region="eyes", twin="peepers_pop_2"),
        "suspicious": Recipe(shape=suspicious, region="eyes"),
        "hoist_one": Recipe(shape=hoist, region="brows", twin="hoist_two"),
        "scowl_one": Recipe(shape=scowl, region="brows", twin="scowl_two"),
        "worry": Recipe(shape=worry, region="brows"),
        "gnash_top": Recipe(shape=gnash_top, region="mouth"),
        "gnash_low": Recipe(shape=gnash_low, region="mouth"),
        "sidle_a": Recipe(shape=sidle, region="mouth", twin="sidle_b"),
    }
)
"""What the character can do; of pairs the left one."""
