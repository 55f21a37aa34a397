"""Numbers that both ways of drawing points share, and the sizes of what the network takes in."""

MAPS = 9
"""Colour (3, sRGB over the background), normal (3), depth, coverage, how much of it is filled."""
COVERAGE = 7
"""Place of the coverage among the maps."""
LIGHT, CODE = 8, 16
"""Numbers that say the light, and those that say what is particular to one rig."""

BEHIND = 0.006
"""In heights of the picture: how far behind the nearest a point counts a third as much."""
FULL = 0.6
"""Sum of the dots' weights in a pixel from which it counts as covered."""
GLANCING = 0.15
"""Cosine between normal and view around 0 within which a point fades as it turns away."""
LEVELS = 3
"""Coarser grids, each half as fine, that fill gaps."""
