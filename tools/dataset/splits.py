"""Who may be learned from: every person belongs to one split for good, by name.

A name says where a person comes from: ``webmorph/001``, ``legislators/000267``,
``valid/Black_M_1_Casual``. A person mixed from others is written with ``+`` between the names.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
TRAIN_SHARE, VALIDATION_SHARE = 0.80, 0.08
"""The rest, 12 %, is test."""

HELD_BACK = frozenset({"valid/Black_M_1_Casual"})
"""Always test: this head is among the rigs that people are shown."""
_FACES_SHOWN = re.compile(r"(^|/)composite__")
"""Averaged faces stand for no real person and are shown to people: never learned from."""
_PAIR = re.compile(r"(?:neutral|smiling)_front__(\d+)_\d+")


def split_of(identity: str) -> Split:
    """The split of a person, the same on every machine and in every version.

    Args:
        identity: a name as above; parts joined by ``+`` must all be of one split.

    Raises:
        ValueError: the name is empty, or a mixed person's parts are of different splits.
    """
    parts = identity.split("+")
    found = {_split_of_one(part) for part in parts}
    if len(found) > 1:
        raise ValueError(f"{identity} mixes people of different splits: {', '.join(sorted(found))}")
    return found.pop()


def of_split(identities: Iterable[str], split: Split) -> list[str]:
    """Those of one split, in the order given."""
    return [identity for identity in identities if split_of(identity) == split]


def portrait_identity(folder: str, stem: str) -> str:
    """The name of the person on a portrait.

    A neutral and a smiling picture, and the pictures of a numbered series, show one person.

    Args:
        folder: name of the collection, such as ``webmorph``.
        stem: file name without its ending.

    Source:
        File names of debruine/webmorphR.stim: neutral_front__001_03, smiling_front__001_08,
        canada__008f, lisa__lisa1, zoom__15cm, composite__f_white.
    """
    pair = _PAIR.fullmatch(stem)
    if pair:
        return f"{folder}/{pair[1]}"
    series = re.match(r"(lisa|zoom)__", stem)
    # Nobody says whether the two series show the same person, so both count as one.
    return f"{folder}/series" if series else f"{folder}/{stem}"


def _split_of_one(identity: str) -> Split:
    if not identity.strip("/ "):
        raise ValueError("a person without a name belongs to no split")
    if identity in HELD_BACK or _FACES_SHOWN.search(identity):
        return "test"
    digest = hashlib.sha256(identity.encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < TRAIN_SHARE:
        return "train"
    return "validation" if place < TRAIN_SHARE + VALIDATION_SHARE else "test"
