"""Where frames come from: video files, image folders, webcams."""

from .opening import camera_number, check_range, open_source
from .source import Source

__all__ = ["Source", "camera_number", "check_range", "open_source"]
