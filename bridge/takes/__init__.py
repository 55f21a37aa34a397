"""Take files: readers and writers."""

from .opening import FORMATS, grid_rate, open_take, read_take, recover

__all__ = ["FORMATS", "grid_rate", "open_take", "read_take", "recover"]
