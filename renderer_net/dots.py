"""Numbers that both ways of drawing points share."""

BEHIND = 0.006
"""In heights of the picture: how far behind the nearest a point counts a third as much."""
FULL = 0.6
"""Sum of the dots' weights in a pixel from which it counts as covered."""
GLANCING = 0.15
"""Cosine between normal and view around 0 within which a point fades as it turns away."""
LEVELS = 3
"""Coarser grids, each half as fine, that fill gaps."""
