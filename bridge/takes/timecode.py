"""Timecode: SMPTE labels of a source's frames, and the clock of Live Link Face takes.

A label counts frames: ``HH:MM:SS:FF``, and ``HH:MM:SS;FF`` where numbers are dropped so that 29.97
and 59.94 frames a second keep step with the day. Live Link Face writes ``HH:MM:SS:FF.mmm``, frame
and thousandths of a frame since midnight. We count 60 frames a second there whatever the source's
rate, as the app does; the fraction keeps the exact time. Unreal's importer sees no rate in the file
and takes 60 when any FF is above 30, else 30, so a take whose start is free begins in the second
half of a second.

Source:
    SMPTE ST 12-1, Time and Control Code.
"""

import re
import time
from dataclasses import dataclass
from fractions import Fraction

from freeavatar.bridge.sink import BridgeError

RATE = 60
"""Frames a second that Live Link Face counts."""
DAY = 86400
NTSC = Fraction(1000, 1001)
COMMON_RATES = (
    *(Fraction(rate) for rate in (24, 25, 30, 48, 50, 60, 90, 120, 240)),
    *(rate * NTSC for rate in (24, 30, 48, 60, 120, 240)),
)
"""Frames per second that files round in many ways."""
CLOSE = 0.0004
"""A rate within this part of a common one is meant to be that; 30 and 29.97 lie 0.001 apart."""
_FIRST_FREE_FRAME = 31
_PATTERN = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})([:;])([0-9]{1,3})(\.[0-9]{1,6})?")


@dataclass(frozen=True)
class Counting:
    """How frames are numbered.

    Args:
        frames: numbers in a counted second.
        ntsc: the counted second lasts 1.001 seconds.
        drop: ``;``, numbers are left out at the start of every minute but each tenth.
    """

    frames: int
    ntsc: bool = False
    drop: bool = False

    @classmethod
    def of(cls, rate: float | Fraction, *, drop: bool) -> "Counting":
        """The counting of a source's frames.

        Args:
            rate: frames per second; 29.97 stands for 30000/1001.
            drop: whether numbers are dropped.

        Raises:
            BridgeError: numbers are never dropped at this rate.
        """
        exact = exact_rate(rate)
        ntsc = exact.denominator == NTSC.denominator
        frames = max(1, round(exact))
        if drop and not (ntsc and frames % 30 == 0):
            raise BridgeError(
                f"drop-frame timecode (;) counts 29.97 or 59.94 frames a second, not "
                f"{float(rate):.5g}; write HH:MM:SS:FF"
            )
        return cls(frames, ntsc, drop)

    @property
    def rate(self) -> Fraction:
        """Frames per second."""
        return self.frames * NTSC if self.ntsc else Fraction(self.frames)

    @property
    def dropped(self) -> int:
        """Numbers left out in a minute that leaves any out."""
        return self.frames // 15 if self.drop else 0

    @property
    def day(self) -> int:
        """Frames until the numbers begin again."""
        return 144 * self._ten_minutes

    @property
    def _ten_minutes(self) -> int:
        return 600 * self.frames - 9 * self.dropped

    def label(self, number: int) -> str:
        """``HH:MM:SS:FF`` (``;FF`` where numbers are dropped) of the frame ``number`` after
        midnight, wrapping after 24 hours."""
        tens, rest = divmod(number % self.day, self._ten_minutes)
        minutes = max(0, (rest - self.dropped) // (60 * self.frames - self.dropped))
        rest += self.dropped * minutes
        clock, frame = divmod(600 * self.frames * tens + rest, self.frames)
        mark = ";" if self.drop else ":"
        return f"{_clock_text(clock)}{mark}{frame:02d}"

    def number(self, timecode: str) -> int:
        """Frames from midnight to a label.

        Raises:
            BridgeError: it is none of this counting.
        """
        clock, frame, _ = _parts(timecode)
        if frame >= self.frames:
            raise BridgeError(
                f"{timecode!r} is no timecode at {float(self.rate):.5g} frames a second: "
                f"FF goes from 00 to {self.frames - 1:02d}"
            )
        minutes = clock // 60
        if frame < self.dropped and clock % 60 == 0 and minutes % 10:
            raise BridgeError(
                f"{timecode!r} is no timecode: drop-frame counting leaves this number out; the "
                f"minute begins with {_clock_text(clock)};{self.dropped:02d}"
            )
        return clock * self.frames + frame - self.dropped * (minutes - minutes // 10)


def exact_rate(rate: float | Fraction) -> Fraction:
    """Frames per second as a fraction; near a common rate that one: 29.97 is 30000/1001."""
    given = float(rate)
    closest = min(COMMON_RATES, key=lambda common: abs(float(common) - given))
    if abs(float(closest) - given) < CLOSE * closest:
        return closest
    return Fraction(rate).limit_denominator(1001)


def check_timecode(timecode: str, rate: float | Fraction) -> None:
    """Refuse what is no label of a source with ``rate`` frames per second.

    Raises:
        BridgeError: one line that says what is wrong with it.
    """
    _start(timecode, rate)


def timecode_after(timecode: str, rate: float | Fraction, seconds: float) -> str:
    """Label of the frame shown some time after another.

    Args:
        timecode: ``HH:MM:SS:FF``, ``HH:MM:SS;FF``, or Live Link Face's ``HH:MM:SS:FF.mmm``.
        rate: frames per second of the source, which FF counts.
        seconds: after it.

    Raises:
        BridgeError: it is no timecode.
    """
    counting, number = _start(timecode, rate)
    if counting is None:
        return timecode_at(number / RATE + seconds)
    return counting.label(int(number + _frames(counting, seconds)))


class LiveLinkClock:
    """Live Link Face timecodes of a take's frames.

    The first frame has the source's label; from there true time passes, so that a take keeps step
    with its sound also at 29.97 frames a second.

    Args:
        timecode: of the source's time 0; with a fraction FF counts 60 a second (Live Link Face's
            own), without one it counts frames of the source. Empty: the first frame is now.
        rate: frames per second of the source.

    Raises:
        BridgeError: it is no timecode.
    """

    def __init__(self, timecode: str, rate: float | Fraction) -> None:
        self._label = _start(timecode, rate) if timecode else None
        self._begin = _now()
        self._first: float | None = None

    def at(self, time: float) -> str:
        """Timecode of a frame ``time`` seconds after the source's time 0."""
        if self._first is None:
            self._first = time
            if self._label is not None:
                self._begin = _shown_at(*self._label, time)
        return timecode_at(self._begin + time - self._first)


def seconds_of(timecode: str, rate: float) -> float:
    """Seconds since midnight of a Live Link Face timecode.

    Args:
        timecode: ``HH:MM:SS:FF`` or ``HH:MM:SS:FF.mmm``; ``;`` before FF is read too.
        rate: frames per second that FF counts, 30 or 60.

    Raises:
        BridgeError: it is no timecode.
    """
    clock, frame, fraction = _parts(timecode)
    if frame >= RATE:
        raise BridgeError(f"{timecode!r} is no timecode: FF goes from 00 to {RATE - 1}")
    return clock + (frame + fraction) / rate


def frame_of(timecode: str) -> int:
    """FF of a timecode that `seconds_of` accepts."""
    return _parts(timecode)[1]


def timecode_at(seconds: float) -> str:
    """Seconds since midnight as ``HH:MM:SS:FF.mmm`` at 60 a second, wrapping after 24 hours."""
    thousandths = round(seconds * RATE * 1000) % (DAY * RATE * 1000)
    whole, fraction = divmod(thousandths, 1000)
    clock, frame = divmod(whole, RATE)
    return f"{_clock_text(clock)}:{frame:02d}.{fraction:03d}"


def _clock_text(clock: int) -> str:
    return f"{clock // 3600:02d}:{clock // 60 % 60:02d}:{clock % 60:02d}"


def _parts(timecode: str) -> tuple[int, int, float]:
    """Whole seconds since midnight, FF, and the fraction of a frame."""
    match = _PATTERN.fullmatch(timecode.strip())
    if not match:
        raise BridgeError(f"{timecode!r} is no timecode; one looks like 13:05:09:21")
    hours, minutes, seconds = (int(part) for part in match.groups()[:3])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise BridgeError(f"{timecode!r} is no time of a day")
    return hours * 3600 + minutes * 60 + seconds, int(match[5]), float(match[6] or 0)


def _start(timecode: str, rate: float | Fraction) -> tuple[Counting | None, float]:
    """How a label counts (None: Live Link Face's clock), and frames from midnight to it."""
    if "." in timecode:
        return None, seconds_of(timecode, RATE) * RATE
    counting = Counting.of(rate, drop=";" in timecode)
    return counting, counting.number(timecode)


def _frames(counting: Counting, seconds: float) -> float:
    # Millionths of a frame are rounding of the times, and would show the label before.
    return round(seconds * float(counting.rate), 6)


def _shown_at(counting: Counting | None, number: float, seconds: float) -> float:
    """Seconds since midnight that Live Link Face's clock shows."""
    if counting is None:
        return number / RATE + seconds
    whole, part = divmod(number + _frames(counting, seconds), 1)
    clock, frame, _ = _parts(counting.label(int(whole)))
    return clock + (frame + part) / counting.frames


def _now() -> float:
    now = time.localtime()
    whole = now.tm_hour * 3600 + now.tm_min * 60 + min(now.tm_sec, 59)
    return whole + _FIRST_FREE_FRAME / RATE
