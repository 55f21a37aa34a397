"""Where frames come from: video files, image folders, webcams."""

from .opening import open_source
from .source import Source

__all__ = ["Source", "open_source"]
