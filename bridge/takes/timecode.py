"""Live Link Face timecode: ``HH:MM:SS:FF.mmm``, frame and thousandths of a frame since midnight.

We count 60 frames a second whatever the source's rate, as the app does; the fraction keeps the
exact time. Unreal's importer sees no rate in the file and takes 60 when any FF is above 30, else
30, so a take whose start is free begins in the second half of a second.
"""

import re
import time

from freeavatar.bridge.sink import BridgeError

RATE = 60
DAY = 86400
_FIRST_FREE_FRAME = 31
_PATTERN = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,3})(\.\d{1,6})?")


def seconds_of(timecode: str, rate: float) -> float:
    """Seconds since midnight.

    Args:
        timecode: ``HH:MM:SS:FF`` or ``HH:MM:SS:FF.mmm``; ``;`` before FF (drop frame) is read too.
        rate: frames per second that FF counts.

    Raises:
        BridgeError: it is no timecode.
    """
    match = _PATTERN.fullmatch(timecode.strip())
    if not match:
        raise BridgeError(f"{timecode!r} is no timecode; one looks like 13:05:09:31.250")
    hours, minutes, seconds, frame = (int(part) for part in match.groups()[:4])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise BridgeError(f"{timecode!r} is no time of a day")
    return hours * 3600 + minutes * 60 + seconds + (frame + float(match[5] or 0)) / rate


def frame_of(timecode: str) -> int:
    """FF of a timecode that `seconds_of` accepts."""
    match = _PATTERN.fullmatch(timecode.strip())
    return int(match[4]) if match else 0


def timecode_at(seconds: float) -> str:
    """Seconds since midnight as ``HH:MM:SS:FF.mmm`` at 60 a second, wrapping after 24 hours."""
    thousandths = round(seconds * RATE * 1000) % (DAY * RATE * 1000)
    whole, fraction = divmod(thousandths, 1000)
    clock, frame = divmod(whole, RATE)
    return f"{clock // 3600:02d}:{clock // 60 % 60:02d}:{clock % 60:02d}:{frame:02d}.{fraction:03d}"


def start_of(timecode: str, rate: float) -> float:
    """Seconds since midnight at which a take begins.

    Args:
        timecode: of the source's first frame; with a fraction FF counts 60 a second (Live Link
            Face's own), without one it counts frames of the source. Empty: now.
        rate: frames per second of the source.

    Raises:
        BridgeError: it is no timecode.
    """
    if timecode:
        return seconds_of(timecode, RATE if "." in timecode else max(1, round(rate)))
    now = time.localtime()
    whole = now.tm_hour * 3600 + now.tm_min * 60 + min(now.tm_sec, 59)
    return whole + _FIRST_FREE_FRAME / RATE
