"""Take files: readers and writers."""

from .glb import require_mesh
from .opening import FORMATS, format_of, grid_rate, open_take, read_take, recover

__all__ = ["FORMATS", "format_of", "grid_rate", "open_take", "read_take", "recover", "require_mesh"]
