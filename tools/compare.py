"""freeavatar compare: how differently two faces look, in one number and in blendshapes."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from .arguments import whole_number

if TYPE_CHECKING:
    from freeavatar.foundation.embedded_reader import EmbeddedReader
    from freeavatar.foundation.expression import Expression

SHOWN = 8
"""Blendshapes listed at most."""
LEAST = 0.05
"""Difference of a blendshape below which it is not worth a line."""

EPILOG = """\
examples:
  freeavatar compare neutral.jpg smiling.jpg
  freeavatar compare actor.jpg avatar.png --json

The distance is that of the two expressions, whoever shows them: 0 is the same, 2 the opposite.
Of a video the first frame with a face is taken.
"""


def add_verb(verbs: Any) -> None:
    """Add ``compare`` to the command line."""
    p = verbs.add_parser(
        "compare",
        help="tell how different the expressions of two pictures are",
        description="Print the distance of two expressions and the blendshapes that differ most.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("a", metavar="A", help="picture")
    p.add_argument("b", metavar="B", help="picture")
    p.add_argument(
        "--face",
        type=whole_number(1, 99),
        metavar="N",
        help="the N-th face from the left in both (default: the largest)",
    )
    p.add_argument("--json", action="store_true", help="all figures, for scripts")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    import numpy as np

    from freeavatar.foundation.embedded_reader import EmbeddedReader
    from freeavatar.foundation.expression import BLENDSHAPES

    reader = EmbeddedReader(args.face, video=False)
    a, b = first_face(reader, args.a), first_face(reader, args.b)
    if a.embedding is None or b.embedding is None:
        raise TypeError("the embedded reader gave no embedding")
    distance = float(np.linalg.norm(a.embedding.astype(float) - b.embedding.astype(float)))
    change = b.blendshapes - a.blendshapes
    if args.json:
        shapes = {
            name: {"a": round(float(x), 4), "b": round(float(y), 4)}
            for name, x, y in zip(BLENDSHAPES, a.blendshapes, b.blendshapes, strict=True)
        }
        figures = {"a": args.a, "b": args.b, "distance": round(distance, 4), "blendshapes": shapes}
        print(json.dumps(figures))
        return 0
    print(f"distance {distance:.3f}")
    order = [i for i in np.argsort(-np.abs(change), kind="stable") if abs(change[i]) >= LEAST]
    if order:
        print(f"{'blendshape':<20}{'A':>7}{'B':>7}{'B - A':>8}")
    for i in order[:SHOWN]:
        print(
            f"{BLENDSHAPES[i]:<20}{a.blendshapes[i]:>7.2f}{b.blendshapes[i]:>7.2f}{change[i]:>+8.2f}"
        )
    return 0


def first_face(reader: "EmbeddedReader", path: str) -> "Expression":
    """The expression in a picture, or in the first frame of a video that shows a face.

    Raises:
        SourceError: it cannot be read, or there is no (such) face.
    """
    from freeavatar.foundation.errors import SourceError
    from freeavatar.foundation.sources import open_source

    reader.most_faces = 0
    with open_source(path) as source:
        for frame in source:
            expression = reader.read(frame)
            if expression.found:
                return expression
    if reader.most_faces:
        raise SourceError(f"{path}: never more than {reader.most_faces} faces at once")
    raise SourceError(f"{path}: no face was found; is it lit, upright and in the picture?")
