"""Where OSC messages go: names as parts of an address, and the template all addresses follow.

Names travel percent-encoded as in URLs: OSC keeps ``space # * , / ? [ ] { }`` for patterns and
allows only ASCII. `urllib.parse.unquote` gives the name back. A control called head, eyes, time or
found is sent with its first letter encoded (``%68ead``).
"""

import re
from urllib.parse import quote

from .sink import BridgeError

DEFAULT_TEMPLATE = "/freeavatar/{rig}/{control}"
RESERVED = ("head", "eyes", "time", "found")
"""What a frame says besides its controls; they take the place of ``{control}``."""
_UNTOUCHED = "".join(chr(c) for c in range(33, 127) if chr(c) not in "#*,/?[]{}%")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def address_part(name: str) -> str:
    """A control's or rig's name as one part of an OSC address."""
    if name in RESERVED:
        return f"%{ord(name[0]):02X}{name[1:]}"
    return quote(name, safe=_UNTOUCHED)


def fill_template(template: str, rig: str, part: str) -> str:
    """One address.

    Args:
        template: as `read_template` gives it.
        rig: the rig's name.
        part: what takes the place of ``{control}``, as `address_part` gives it.
    """
    names = {"rig": address_part(rig), "control": part}
    return _PLACEHOLDER.sub(lambda found: names[found[1]], template)


def read_template(address: str) -> str:
    """Check an address template from a person; a slash is put in front where it lacks one.

    Args:
        address: text with ``{control}`` and, where rigs are told apart, ``{rig}``.

    Raises:
        BridgeError: it has no ``{control}``, another placeholder, an empty part, or a character
            that OSC addresses cannot have.
    """
    if "{control}" not in address:
        raise BridgeError(
            f"the address {address!r} needs {{control}} where the control's name belongs, "
            f"as in {DEFAULT_TEMPLATE}"
        )
    return _checked(address, ("rig", "control"))


def prefix_template(prefix: str) -> str:
    """The template whose addresses are a prefix from a person, a slash and the name.

    Args:
        prefix: text that may hold ``{rig}``; empty: the default.

    Raises:
        BridgeError: as for `read_template`; ``{control}`` belongs into an address.
    """
    prefix = prefix.rstrip("/")
    if "{control}" in prefix:
        raise BridgeError(f"a prefix ends before {{control}}; write ?address={prefix}")
    return f"{_checked(prefix, ('rig',))}/{{control}}" if prefix else DEFAULT_TEMPLATE


def _checked(text: str, known: tuple[str, ...]) -> str:
    template = text if text.startswith("/") else f"/{text}"
    for name in _PLACEHOLDER.findall(template):
        if name not in known:
            able = " and ".join(f"{{{k}}}" for k in known)
            raise BridgeError(f"unknown placeholder {{{name}}} in {template}; there is {able}")
    literal = _PLACEHOLDER.sub("x", template)
    wrong = next((c for c in literal if not 33 <= ord(c) < 127 or c in "#*,?[]{}"), "")
    if wrong:
        raise BridgeError(f"{wrong!r} cannot be part of an OSC address")
    if "" in literal.split("/")[1:]:
        raise BridgeError(f"the address {template} has an empty part; write one / between parts")
    return template
