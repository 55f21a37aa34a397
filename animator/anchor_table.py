"""The semantic face points that motion is carried by, as MediaPipe's 478 landmarks.

Left and right are the character's. Each row gives the landmark of the right and of the left
point; centre rows give one. The landmark numbers are those of MediaPipe's canonical face model.
"""

from dataclasses import dataclass
from typing import Literal

AnchorRegion = Literal[
    "lids", "eyes", "brows", "nose", "cheeks", "corners", "lips", "jaw", "forehead"
]


@dataclass(frozen=True, kw_only=True)
class AnchorPoint:
    """One semantic point."""

    name: str
    region: AnchorRegion
    landmark: int
    """Index among the 478 landmarks."""
    partner: int
    """Index of the mirrored point in `ANCHORS`; a centre point's own index."""


PAIRS: dict[AnchorRegion, tuple[tuple[str, int, int], ...]] = {
    "lids": (
        ("lid_upper_outer", 160, 387),
        ("lid_upper_mid", 159, 386),
        ("lid_upper_inner", 158, 385),
        ("lid_lower_outer", 144, 373),
        ("lid_lower_mid", 145, 374),
        ("lid_lower_inner", 153, 380),
    ),
    "eyes": (
        ("lid_fold_outer", 29, 259),
        ("lid_fold_mid", 27, 257),
        ("lid_fold_inner", 28, 258),
        ("under_eye_outer", 24, 254),
        ("under_eye_mid", 23, 253),
        ("under_eye_inner", 22, 252),
        ("eye_corner_outer", 33, 263),
        ("eye_corner_inner", 133, 362),
    ),
    "brows": (
        ("brow_inner_upper", 107, 336),
        ("brow_inner_lower", 55, 285),
        ("brow_inner_mid_upper", 66, 296),
        ("brow_inner_mid_lower", 65, 295),
        ("brow_mid_upper", 105, 334),
        ("brow_mid_lower", 52, 282),
        ("brow_outer_mid_upper", 63, 293),
        ("brow_outer_mid_lower", 53, 283),
        ("brow_outer_upper", 70, 300),
        ("brow_outer_lower", 46, 276),
    ),
    "nose": (
        ("nose_wing", 129, 358),
        ("nose_nostril", 98, 327),
        ("nose_side", 198, 420),
        ("nose_root_side", 193, 417),
    ),
    "cheeks": (
        ("cheek_squint_outer", 117, 346),
        ("cheek_squint_mid", 118, 347),
        ("cheek_squint_inner", 101, 330),
        ("cheek_apple", 50, 280),
        ("cheek_mid", 205, 425),
        ("cheek_puff", 207, 427),
        ("cheek_puff_outer", 187, 411),
        ("cheek_side", 147, 376),
        ("cheek_outer", 123, 352),
        ("nasolabial_upper", 203, 423),
        ("nasolabial_mid", 206, 426),
        ("mouth_side", 216, 436),
        ("mouth_side_lower", 212, 432),
    ),
    "corners": (
        ("mouth_corner", 61, 291),
        ("mouth_corner_outer", 57, 287),
    ),
    "lips": (
        ("upper_lip_edge_mid", 37, 267),
        ("upper_lip_edge_quarter", 39, 269),
        ("upper_lip_edge_far", 40, 270),
        ("upper_lip_body_mid", 72, 302),
        ("upper_lip_body_quarter", 73, 303),
        ("upper_lip_body_far", 74, 304),
        ("upper_lip_line_mid", 82, 312),
        ("upper_lip_line_quarter", 81, 311),
        ("upper_lip_line_far", 80, 310),
        ("lower_lip_line_mid", 87, 317),
        ("lower_lip_line_quarter", 178, 402),
        ("lower_lip_line_far", 88, 318),
        ("lower_lip_body_mid", 85, 315),
        ("lower_lip_body_quarter", 180, 404),
        ("lower_lip_body_far", 90, 320),
        ("lower_lip_edge_mid", 84, 314),
        ("lower_lip_edge_quarter", 181, 405),
        ("lower_lip_edge_far", 91, 321),
    ),
    "jaw": (
        ("chin_upper_side", 204, 424),
        ("chin_side", 208, 428),
        ("chin_outer", 176, 400),
        ("jaw_front", 150, 379),
        ("jaw_mid", 172, 397),
        ("jaw_angle", 58, 288),
    ),
    "forehead": (
        ("forehead_inner", 108, 337),
        ("forehead_mid", 69, 299),
    ),
}
"""Region to (name without side, right landmark, left landmark)."""

CENTRES: dict[AnchorRegion, tuple[tuple[str, int], ...]] = {
    "nose": (("nose_root", 168), ("nose_bridge", 197), ("nose_tip", 4), ("nose_base", 2)),
    "brows": (("between_brows", 9),),
    "lips": (
        ("upper_lip_edge", 0),
        ("upper_lip_body", 11),
        ("upper_lip_line", 13),
        ("lower_lip_line", 14),
        ("lower_lip_body", 16),
        ("lower_lip_edge", 17),
    ),
    "jaw": (("below_lip", 18), ("chin_upper", 200), ("chin_front", 199), ("chin", 152)),
    "forehead": (("forehead", 151),),
}
"""Region to (name, landmark)."""


def _table() -> tuple[AnchorPoint, ...]:
    rows: list[AnchorPoint] = []
    for region, pairs in PAIRS.items():
        for name, right, left in pairs:
            n = len(rows)
            for side, landmark, partner in (("right", right, n + 1), ("left", left, n)):
                rows.append(
                    AnchorPoint(
                        name=f"{name}_{side}", region=region, landmark=landmark, partner=partner
                    )
                )
    for region, centres in CENTRES.items():
        for name, landmark in centres:
            rows.append(AnchorPoint(name=name, region=region, landmark=landmark, partner=len(rows)))
    return tuple(rows)


ANCHORS = _table()
"""All points in the one order that `freeavatar.rigs.spec.Anchors` has on every rig."""
ANCHOR_NAMES = tuple(a.name for a in ANCHORS)
ANCHOR_INDEX = {name: i for i, name in enumerate(ANCHOR_NAMES)}

IRISES = (468, 473)
"""Landmarks in the middle of the right and of the left iris."""

SIDES = ("right", "left")

SLITS: tuple[tuple[str, str, str, str], ...] = (
    *(
        (
            f"lid_fold_{at}_{side}",
            f"lid_upper_{at}_{side}",
            f"lid_lower_{at}_{side}",
            f"under_eye_{at}_{side}",
        )
        for side in SIDES
        for at in ("outer", "mid", "inner")
    ),
    *(
        (
            f"upper_lip_body_{at}_{side}",
            f"upper_lip_line_{at}_{side}",
            f"lower_lip_line_{at}_{side}",
            f"lower_lip_body_{at}_{side}",
        )
        for side in SIDES
        for at in ("mid", "quarter", "far")
    ),
    ("upper_lip_body", "upper_lip_line", "lower_lip_line", "lower_lip_body"),
)
"""Above, upper margin, lower margin, below: where an eye or the mouth opens. The margins are
looked for on the way from the first point to the last."""
