"""How a rig's face points come about: found by a detector, or made from the few a person gives."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeavatar.foundation.errors import ReaderError
from freeavatar.rigs.errors import RenderError

if TYPE_CHECKING:
    from freeavatar.rigs.registry import FindAnchors
    from freeavatar.rigs.spec import Anchors, Rig

log = logging.getLogger(__name__)


def anchor_finder(bundle: Path | None) -> "FindAnchors":
    """A function that finds a rig's face points, or says why it cannot and gives None.

    A rig registers without them too: it is then driven by the names of its controls.

    Args:
        bundle: landmark model that the person chose, or None for the usual places.
    """

    def find(rig: "Rig") -> Any:
        try:
            from tqdm import tqdm

            from freeavatar.animator.anchors import find_anchors
            from freeavatar.foundation.bundle import find_bundle
            from freeavatar.foundation.mediapipe_reader import landmark_finder

            landmarks_of = landmark_finder(find_bundle(bundle))
            # A few seconds in one step: a line while they last, on a terminal.
            words = f"looking for the face of {rig.name}"
            with tqdm(desc=words, bar_format="{desc} …", disable=None, leave=False):
                return find_anchors(rig, landmarks_of)
        except (ReaderError, RenderError, ImportError) as error:
            log.warning("%s: face points not looked for: %s", rig.name, error)
            log.warning("%s will be driven by the names of its controls only", rig.name)
            return None

    return find


def given_anchors(words: Sequence[str]) -> "FindAnchors":
    """A function that makes all face points of a rig from those a person gave.

    Args:
        words: of ``--anchors``, see `freeavatar.animator.given_anchors.parse_points`.

    Raises:
        RigError: the words are not understood, now; the points do not fit the rig, in the function.
    """
    from freeavatar.animator.given_anchors import anchors_from, parse_points

    points = parse_points(words)

    def find(rig: "Rig") -> "Anchors":
        return anchors_from(rig, points)

    return find
