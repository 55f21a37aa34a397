"""Take files: readers and writers."""

from .opening import FORMATS, open_take, read_take, recover

__all__ = ["FORMATS", "open_take", "read_take", "recover"]
