"""Which parameters an avatar has, and the OSC bundles that set all of them.

An avatar asks for a value by a parameter whose address ends in ``/v2/<Name>``, whatever stands
before it (templates write ``FT/v2/…``), in one of three forms:

- float: the value itself;
- bool: on where the value is above 0.5;
- binary: bools ``<Name>1``, ``<Name>2``, ``<Name>4``… and perhaps ``<Name>Negative``. With n bits
  they hold ``floor(|x| · 2ⁿ)``, all set from 0.99999 on; a negative x is 0 where no Negative is.

``EyeTrackingActive``, ``ExpressionTrackingActive`` and ``LipTrackingActive`` say whether a face is
seen. Everything else on an avatar is left alone.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.bridge.bundles import HEADER_BYTES, BundleTemplate, Message
from freeavatar.bridge.datagrams import LARGEST
from freeavatar.rigs.spec import FloatArray

from .unified import INDEX, NAMES

ROOT = "/avatar/parameters/"
"""Where all parameters of an avatar are."""
STATUS = ("EyeTrackingActive", "ExpressionTrackingActive", "LipTrackingActive")
MOST = 2048
"""Parameters of one avatar that are sent; VRChat itself holds fewer."""
LONGEST = LARGEST - HEADER_BYTES - 64
"""UTF-8 bytes of an address that fits a bundle with its value."""
FULL = 0.99999
"""From here on all bits are set: rounding must not show 1 as 0."""
ON = 0.5
"""Above this a plain bool is on."""
_BIT = re.compile(r"(.*?)([1-9][0-9]{0,4})")
_NEGATIVE = "Negative"


@dataclass(frozen=True)
class Parameter:
    """One parameter as OSCQuery tells it."""

    address: str
    switch: bool
    """A bool; else a float."""


def everything() -> tuple[Parameter, ...]:
    """All names as floats and the status bools, for avatars that cannot be asked."""
    floats = (Parameter(f"{ROOT}v2/{name}", switch=False) for name in NAMES)
    return (*floats, *(Parameter(ROOT + name, switch=True) for name in STATUS))


@dataclass(frozen=True)
class _Part:
    """What one parameter shows of one value."""

    address: str
    value: int = 0
    """Index among `NAMES`."""
    bit: int = 0
    bits: int = 0
    signed: bool = False


class AvatarOutput:
    """The bundles that set every parameter which an avatar has and we know, refilled each frame."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        """Sort out what the avatar asks for.

        Args:
            parameters: all that the avatar has; unknown ones, repeated ones and those beyond
                `MOST` are left out.
        """
        wanted = _Wanted(parameters)
        self.addresses = tuple(p.address for p in wanted.parts)
        """What is sent, in order."""
        messages = [Message(p.address, floats=1) for p in wanted.floats]
        messages += [Message(a, switches=1) for a in self.addresses[len(messages) :]]
        self._template = BundleTemplate(messages)
        self._numbers = np.zeros(self._template.count, np.float32)
        self._floats = _indices(wanted.floats)
        self._plain = _indices(wanted.plain)
        self._negatives = _indices(wanted.negatives)
        self._bits = _indices(wanted.bits)
        self._shift = np.array([p.bit for p in wanted.bits], np.int64)
        self._size = np.array([1 << p.bits for p in wanted.bits], np.float32)
        self._signed = np.array([p.signed for p in wanted.bits], bool)

    def fill(self, values: FloatArray, *, active: bool) -> list[bytearray]:
        """The datagrams of one frame.

        Args:
            values: (N,) of `unified_values`.
            active: what the status bools say.

        Returns:
            Bundles of at most 1400 bytes; the same buffers are refilled by the next call.
        """
        numbers, at = self._numbers, 0
        for part in (
            values[self._floats],
            values[self._plain] > ON,
            values[self._negatives] < 0,
            binary(values[self._bits], self._size, self._shift, self._signed),
        ):
            numbers[at : at + len(part)] = part
            at += len(part)
        numbers[at:] = active
        return self._template.fill(numbers)


def binary(
    values: NDArray[np.floating],
    size: NDArray[np.floating],
    shift: NDArray[np.integer],
    signed: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Bits of values.

    Args:
        values: (P,) -1..1.
        size: (P,) ``2ⁿ`` of the n bits that the value has.
        shift: (P,) which bit, 0 for the parameter that ends in 1.
        signed: (P,) whether a Negative stands beside the bits.

    Returns:
        (P,) whether the bit is set.
    """
    amount = np.where(signed | (values > 0), np.abs(values), 0)
    held = np.floor(amount * size).astype(np.int64)
    return np.asarray((amount > FULL) | (held >> shift & 1 == 1))


class _Wanted:
    """Parameters by the form they have, in the order they are sent in."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self.floats: list[_Part] = []
        self.plain: list[_Part] = []
        self.negatives: list[_Part] = []
        self.status: list[_Part] = []
        bits: list[tuple[str, _Part]] = []
        for parameter in _fit(parameters):
            before, v2, name = parameter.address.rpartition("/v2/")
            if parameter.switch and parameter.address.rsplit("/", 1)[-1] in STATUS:
                self.status.append(_Part(parameter.address))
            elif v2 and name in INDEX:
                forms = self.plain if parameter.switch else self.floats
                forms.append(_Part(parameter.address, INDEX[name]))
            elif v2 and parameter.switch and name.removesuffix(_NEGATIVE) in INDEX:
                index = INDEX[name.removesuffix(_NEGATIVE)]
                self.negatives.append(_Part(parameter.address, index))
            elif v2 and parameter.switch:
                bits += _bit(parameter.address, before, name)
        self.bits = self._whole(bits)

    def _whole(self, bits: Sequence[tuple[str, _Part]]) -> list[_Part]:
        """Each bit with how many its value has, and whether a sign stands beside them."""
        count = Counter(start for start, _ in bits)
        signed = {p.address.removesuffix(_NEGATIVE) for p in self.negatives}
        return [
            _Part(p.address, p.value, p.bit, count[start], start in signed) for start, p in bits
        ]

    @property
    def parts(self) -> list[_Part]:
        return [*self.floats, *self.plain, *self.negatives, *self.bits, *self.status]


def _fit(parameters: Iterable[Parameter]) -> list[Parameter]:
    """Those that can be set, each once."""
    kept: dict[tuple[str, bool], Parameter] = {}
    for parameter in parameters:
        address = parameter.address
        if len(kept) == MOST:
            break
        if address.startswith(ROOT) and _sendable(address) and _might_be_ours(address):
            kept.setdefault((address, parameter.switch), parameter)
    return list(kept.values())


def _might_be_ours(address: str) -> bool:
    return "/v2/" in address or address.rsplit("/", 1)[-1] in STATUS


def _sendable(address: str) -> bool:
    return address.isprintable() and len(address.encode(errors="replace")) <= LONGEST


def _bit(address: str, before: str, name: str) -> list[tuple[str, _Part]]:
    """The bit a name stands for, with the address all of its value's bits begin with."""
    found = _BIT.fullmatch(name)
    if not found or found[1] not in INDEX or int(found[2]).bit_count() != 1:
        return []
    place = int(found[2]).bit_length() - 1
    return [(f"{before}/v2/{found[1]}", _Part(address, INDEX[found[1]], place))]


def _indices(parts: Sequence[_Part]) -> NDArray[np.intp]:
    return np.array([p.value for p in parts], np.intp)
