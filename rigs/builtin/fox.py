"""The built-in fox: an animal's head, controls with plain names, ears that join in."""

from freeavatar.rigs.spec import Rig

from .fox_controls import RECIPES
from .fox_fur import body, ears, tufts
from .fox_paint import looks
from .fox_shape import EYE, HINGE, eyes, face, nose, surface, teeth, tongue
from .sculpt_fields import vector
from .sculpt_motion import Motion
from .sculpt_pieces import assemble
from .sculpt_rig import finished

NECK = vector(0, -60, -22)
"""Where the head turns."""


def build() -> Rig:
    """The fox; the same arrays every time."""
    skin = face()
    pieces = [skin, eyes(), nose(), *teeth(), tongue(), ears(), *tufts(), *body()]
    look = looks(skin)
    whole = assemble(pieces, tuple(look))
    motion = Motion(assembly=whole, field=surface, eye=EYE, hinge=HINGE)
    return finished("fox", motion, RECIPES, look, NECK)
