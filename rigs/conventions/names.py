"""Reading control names: words, side, and what many names of a rig share."""

import re
from collections import Counter
from collections.abc import Sequence, Set

from freeavatar.rigs.spec import Region, Side

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+|[▲□∧]")
_LEFT = frozenset({"l", "left", "lt", "lft", "左"})
_RIGHT = frozenset({"r", "right", "rt", "rgt", "右"})
_COPY_NUMBER = re.compile(r"[._]\d{1,3}$")
_LEADING_SIDE = re.compile(r"(?:LL?|RR?)(?=[a-z])")
_MIRROR = str.maketrans("LR", "RL")
_CUT_AFTER = re.compile(r"[._:|/\- ]")

MOST_SHARED = 12
"""Shared beginnings, and endings, that are tried; more would only cost time."""

_REGION_WORDS: tuple[tuple[Region, tuple[str, ...]], ...] = (
    ("gaze", ("look", "gaze", "pupil", "iris")),
    ("tongue", ("tongue", "curl", "舌")),
    ("brows", ("brow", "forehead", "眉")),
    ("eyes", ("blink", "wink", "squint", "eye", "lid", "lash", "目", "まばたき", "ウィンク")),
    ("nose", ("nose", "nostril", "nasal", "sneer", "鼻")),
    ("cheeks", ("cheek", "puff", "blush", "頬")),
    ("jaw", ("jaw", "chin", "chew", "顎")),
    ("mouth", ("mouth", "lip", "viseme", "smile", "frown", "kiss", "grin", "teeth", "talk",
               "pucker", "funnel", "shout", "口")),
    ("emotion", ("angry", "anger", "happy", "happiness", "sad", "sadness", "joy", "sorrow",
                 "surprise", "surprised", "fear", "disgust", "relaxed", "emotion", "mood")),
)  # fmt: skip


def words(name: str) -> list[str]:
    """The words of a name in lower case: eyeBlink_L gives eye, blink, l; AU01 gives au, 1."""
    return [
        w.lstrip("0") or "0" if w.isascii() and w.isdigit() else w.lower()
        for w in _WORD.findall(name)
    ]


def _side_of(word: str) -> Side | None:
    return "left" if word in _LEFT else "right" if word in _RIGHT else None


def keys(name: str) -> list[str]:
    """Spelling-independent forms of a name, the likeliest first.

    A word for a side may stand anywhere; each reading takes one such word out (the last first,
    as in eyeLookLeft_L) and puts it behind a bar: "eyelookleft|left".
    """
    parts = words(name)
    found = []
    for i in reversed(range(len(parts))):
        side = _side_of(parts[i])
        if side and len(parts) > 1:
            found.append("".join(parts[:i] + parts[i + 1 :]) + "|" + side)
    found.append("".join(parts) + "|")
    for tail, side in (("left", "left"), ("right", "right")):
        squashed = "".join(parts)
        if squashed.endswith(tail) and squashed != tail:
            found.append(f"{squashed.removesuffix(tail)}|{side}")
    return list(dict.fromkeys(found))


def separate_sides(names: Sequence[str]) -> list[str]:
    """Write Rsmile as R_smile where the rig has Lsmile too; other names stay as they are.

    A leading capital is a side only if its mirror image exists, else Lips would be a left "ips".
    A doubled one is the outer half: RRbrow becomes R_outer_brow. Prefixes do not hide the letter.
    """
    have = set(names)
    return [_separated(name, have) for name in names]


def _separated(name: str, have: Set[str]) -> str:
    cut = max((m.end() for m in _CUT_AFTER.finditer(name[:-2])), default=0)
    for start in sorted({0, cut, name.find(".") + 1}, reverse=True):
        found = _LEADING_SIDE.match(name, start)
        if found is None:
            continue
        letters = found.group()
        mirrored = letters.translate(_MIRROR)
        if name[:start] + mirrored + name[found.end() :] in have:
            outer = "outer_" if len(letters) == 2 else ""
            return f"{name[:start]}{letters[0]}_{outer}{name[found.end() :]}"
    return name


def shared_ends(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Beginnings and endings that several names share, longest first.

    Args:
        names: all control names of a rig.

    Returns:
        Beginnings that end in a separator, and endings that start with one, each on at least
        three names and a fifth of them.
    """
    least = max(3, len(names) // 5)
    begins: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for name in names:
        cuts = [m.end() for m in _CUT_AFTER.finditer(name)]
        begins.update(name[:c] for c in cuts if c < len(name))
        ends.update(name[c - 1 :] for c in cuts if c > 1)
    common_begins = [b for b, n in begins.most_common(MOST_SHARED) if n >= least]
    sided = {"." + s for s in ("l", "r")} | {"_" + s for s in ("l", "r", "left", "right")}
    common_ends = [
        e for e, n in ends.most_common(MOST_SHARED) if n >= least and e.lower() not in sided
    ]
    return (
        sorted(common_begins, key=len, reverse=True),
        sorted(common_ends, key=len, reverse=True),
    )


def readings(name: str, begins: Sequence[str], ends: Sequence[str]) -> list[str]:
    """The name itself, then the name without what it shares with others, shorter and shorter."""
    whole = [name, _COPY_NUMBER.sub("", name)]
    for text in list(whole):
        for begin in begins:
            if text.startswith(begin) and len(text) > len(begin):
                whole.append(text[len(begin) :])
    for text in list(whole):
        for end in ends:
            if text.endswith(end) and len(text) > len(end):
                whole.append(text[: -len(end)])
    last = re.split(r"[:|/]", name)[-1]
    return list(dict.fromkeys([*whole, last]))


def guess_region(name: str) -> Region:
    """Part of the face that a name's words speak of, "other" if none."""
    parts = words(name)
    for region, known in _REGION_WORDS:
        for k in known:
            if any(k == p or (len(k) > 2 and k in p) or (len(k) == 1 and k in p) for p in parts):
                return region
    return "other"


def guess_side(name: str) -> Side:
    """Side of the face a name's words speak of.

    A jaw, mouth or gaze that goes left is a movement of the middle, not a control of the left
    side, so jawLeft is "centre" and eyeLookLeft_R is "right".
    """
    parts = words(name)
    sides = [s for p in parts if (s := _side_of(p))]
    if not sides:
        squashed = "".join(parts)
        for tail in ("left", "right"):
            if squashed.endswith(tail) and squashed != tail:
                return _middle_or("left" if tail == "left" else "right", squashed[: -len(tail)])
        return "centre"
    if len(sides) > 1:
        return sides[-1] if parts[-1] in ("l", "r") else sides[0]
    return _middle_or(sides[0], "".join(p for p in parts if not _side_of(p)))


def _middle_or(side: Side, stem: str) -> Side:
    """Centre for stems that only move to a side; the upper and lower lip as halves of a mouth."""
    moves = (
        "jaw",
        "mouth",
        "mouthupper",
        "mouthlower",
        "lips",
        "head",
        "tongue",
        "neck",
        "jawsideways",
    )
    looks = stem.endswith(("look", "eyes")) or stem in ("tonguetwist", "tonguecurl", "look")
    return "centre" if stem in moves or looks else side
