"""Types of the command line's numbers: what is wrong is said as a usage error."""

import argparse
import math
import re
from collections.abc import Callable
from fractions import Fraction

READER_NAMES = ("auto", "embedded", "averaged", "combined", "mediapipe")
"""Keys of `freeavatar.foundation.readers.READERS`, here so that --help loads none of it."""


def number(low: float, high: float) -> Callable[[str], float]:
    """Type of an argument that is a number from ``low`` to ``high``."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number {_limits(low, high)}")
        return value

    return parse


def whole_number(low: int, high: float) -> Callable[[str], int]:
    """Type of an argument that is a whole number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {_limits(low, high)}")
        return value

    return parse


def frame_rate(text: str) -> Fraction:
    """Frames per second: 24, 29.97 (which stands for 30000/1001) or 60000/1001."""
    from freeavatar.bridge.takes.timecode import exact_rate

    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6}|/[1-9][0-9]{0,5})?", text):
        rate = Fraction(text)
        if 1 <= rate <= 240:
            return exact_rate(rate)
    raise argparse.ArgumentTypeError(
        f"{text!r} is no frame rate from 1 to 240, such as 24, 29.97 or 60000/1001"
    )


def time_range(text: str) -> tuple[float, float]:
    """START-END, seconds."""
    try:
        start, end = (float(part) for part in text.split("-"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not START-END in seconds") from None
    if not 0.0 <= start < end < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: END must come after START")
    return start, end


def _limits(low: float, high: float) -> str:
    return f"from {low:g} up" if math.isinf(high) else f"between {low:g} and {high:g}"
