"""Fits the arguments of OSC messages to what an address takes.

Controllers differ in how they send a button: with nothing, with 1 when pressed, and many with 0
when it is let go; some write every number as a float. All that means something is read so; anything
else is refused.
"""

from collections.abc import Callable
from typing import Any

from freeavatar.bridge.sink import BridgeError

Kind = Callable[[Any], Any]
"""Returns an argument as the type it stands for, or raises ValueError, TypeError, OverflowError."""


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise TypeError
    return value


def number(value: Any) -> float:
    """A number, finite or not: the command says what it takes."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def whole(value: Any) -> int:
    """A whole number, also as a float."""
    if number(value) != int(value):
        raise ValueError
    return int(value)


def switch(value: Any) -> bool:
    """True or False, also as a number."""
    return value if isinstance(value, bool) else bool(whole(value))


def fit(given: tuple[Any, ...], *kinds: Kind, needed: int = 0) -> list[Any]:
    """The arguments as the types they stand for.

    Args:
        given: as they arrived.
        kinds: what each must be, in order.
        needed: so many must be there, the others may be left out.

    Returns:
        One value for each argument given.

    Raises:
        BridgeError: too few, too many or of another type.
    """
    if needed <= len(given) <= len(kinds):
        try:
            return [kind(value) for kind, value in zip(kinds, given, strict=False)]
        except (TypeError, ValueError, OverflowError):
            pass
    names = [kind.__name__ for kind in kinds]
    wanted = ", ".join(names[:needed] + [f"[{name}]" for name in names[needed:]]) or "nothing"
    got = ", ".join(type(value).__name__ for value in given[:4]) or "nothing"
    raise BridgeError(f"takes {wanted}; got {got}{', …' if len(given) > 4 else ''}")


def is_released(given: tuple[Any, ...]) -> bool:
    """Whether the arguments are those of a button that is let go."""
    return _is_button(given) and not given[0]


def without_press(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments without the 1 that says a button is pressed."""
    return () if _is_button(given) else given


def _is_button(given: tuple[Any, ...]) -> bool:
    # `read_osc` reads OSC's own type for a press, the impulse, as this text.
    return len(given) == 1 and given[0] in (0, 1, "impulse")
