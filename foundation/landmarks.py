"""The face points our networks place, numbered as in MediaPipe's canonical face model.

They are the points that rigs are anchored by (`freeavatar.animator.anchor_table`), in the same
order, so that what is learned on rendered rigs and on puppeteered portraits is one set.
"""

_PAIRS = (
    (160, 387), (159, 386), (158, 385), (144, 373), (145, 374), (153, 380),
    (29, 259), (27, 257), (28, 258), (24, 254), (23, 253), (22, 252), (33, 263), (133, 362),
    (107, 336), (55, 285), (66, 296), (65, 295), (105, 334), (52, 282), (63, 293), (53, 283),
    (70, 300), (46, 276),
    (129, 358), (98, 327), (198, 420), (193, 417),
    (117, 346), (118, 347), (101, 330), (50, 280), (205, 425), (207, 427), (187, 411), (147, 376),
    (123, 352), (203, 423), (206, 426), (216, 436), (212, 432),
    (61, 291), (57, 287),
    (37, 267), (39, 269), (40, 270), (72, 302), (73, 303), (74, 304), (82, 312), (81, 311),
    (80, 310), (87, 317), (178, 402), (88, 318), (85, 315), (180, 404), (90, 320), (84, 314),
    (181, 405), (91, 321),
    (204, 424), (208, 428), (176, 400), (150, 379), (172, 397), (58, 288),
    (108, 337), (69, 299),
)  # fmt: skip
"""Right point, left point (of the actor)."""
_CENTRES = (168, 197, 4, 2, 9, 0, 11, 13, 14, 16, 17, 18, 200, 199, 152, 151)
_IRISES = (468, 473)

LANDMARKS: tuple[int, ...] = (*(i for pair in _PAIRS for i in pair), *_CENTRES, *_IRISES)
"""(156,) canonical numbers: 69 pairs (right, left), 16 points of the middle, the two irises."""

MIRRORED: tuple[int, ...] = (
    *(i ^ 1 for i in range(2 * len(_PAIRS))),
    *range(2 * len(_PAIRS), 2 * len(_PAIRS) + len(_CENTRES)),
    len(LANDMARKS) - 1,
    len(LANDMARKS) - 2,
)
"""(156,) where each point goes when the picture is mirrored."""


def places(*numbers: int) -> list[int]:
    """Indices among `LANDMARKS` of canonical numbers; ValueError for one that is not there."""
    return [LANDMARKS.index(n) for n in numbers]


RIGHT_EYE_CORNERS = tuple(places(33, 133))
LEFT_EYE_CORNERS = tuple(places(263, 362))
EYE_CORNERS = (*RIGHT_EYE_CORNERS, *LEFT_EYE_CORNERS)
"""Their mean is the face's place (`freeavatar.foundation.samples.Sample.place`)."""
