"""The built-in cartoon character: a kid with artist-named controls that follow no convention."""

from freeavatar.rigs.spec import Rig

from .sculpt_fields import vector
from .sculpt_motion import Motion
from .sculpt_pieces import assemble
from .sculpt_rig import finished
from .toon_controls import RECIPES
from .toon_hair import clothes, drawstrings, hair
from .toon_paint import looks
from .toon_shape import EYE, HINGE, brows, ears, eyes, face, surface, teeth, tongue

NECK = vector(0, -92, -10)
"""Where the head turns."""


def build() -> Rig:
    """The cartoon character; the same arrays every time."""
    skin = face()
    pieces = [skin, eyes(), brows(), ears(), teeth(True), teeth(False), tongue()]
    pieces += [*hair(), *clothes(), *drawstrings()]
    look = looks(skin)
    whole = assemble(pieces, tuple(look))
    motion = Motion(assembly=whole, field=surface, eye=EYE, hinge=HINGE)
    return finished("toon", motion, RECIPES, look, NECK)
