"""freeavatar rig: list, show, register, check, export and remove rigs."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeavatar.rigs.errors import RenderError

from .face_points import anchor_finder
from .rig_export import add_export
from .rig_register import add_register

if TYPE_CHECKING:
    from freeavatar.rigs.check import Report
    from freeavatar.rigs.spec import Control, Rig

EPILOG = """\
examples:
  freeavatar rig list
  freeavatar rig register hero.glb                  under its file's name
  freeavatar rig register shapes/ --name hero       a folder: one neutral .obj and one per shape
  freeavatar rig show hero --out hero.png           every control at its maximum, one picture
  freeavatar rig check hero --strict                exit 1 on any warning
  freeavatar rig export hero --rigmapper hero.json  its mapping from ARKit's curves, for Unreal
  freeavatar rig remove hero
"""
SHOW_EPILOG = """\
examples:
  freeavatar rig show mannequin                     writes mannequin.png
  freeavatar rig show hero --out sheets/hero.png
  freeavatar rig show hero.glb --front front.png    its face points, to read off or to check
"""
CHECK_EPILOG = """\
examples:
  freeavatar rig check hero
  freeavatar rig check downloads/head.glb --strict
  freeavatar rig check hero --json
"""


def add_verb(verbs: Any) -> None:
    """Add ``rig`` and its own verbs to the command line."""
    p = verbs.add_parser(
        "rig",
        help="list, show, register, check, export and remove rigs",
        description="Look after rigs: the built-in ones and your own.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = p.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add(inner, "list", _list, "name every rig", "")
    show = _add(inner, "show", _show, "draw every control of a rig, list them", SHOW_EPILOG)
    show.add_argument("name", metavar="NAME", help="of a rig, or a rig file")
    show.add_argument("--out", type=Path, metavar="FILE.png", help="default: NAME.png here")
    show.add_argument(
        "--front",
        type=Path,
        metavar="FILE.png",
        help="instead: the neutral, large, with pixels marked and the face points it has",
    )
    add_register(inner, _add)
    check = _add(inner, "check", _check, "say what was found in a rig", CHECK_EPILOG)
    check.add_argument("name", metavar="NAME|FILE", help="of a rig, or a rig file")
    check.add_argument("--strict", action="store_true", help="exit 1 if there is any warning")
    check.add_argument("--mediapipe-bundle", type=Path, metavar="FILE", help="landmark model")
    add_export(inner, _add)
    remove = _add(inner, "remove", _remove, "forget a registered rig, delete its copy", "")
    remove.add_argument("name", metavar="NAME")


def _add(
    inner: Any, verb: str, run: Callable[[argparse.Namespace], int], text: str, epilog: str
) -> argparse.ArgumentParser:
    p: argparse.ArgumentParser = inner.add_parser(
        verb,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=epilog
        or f"example:\n  freeavatar rig {verb}{' hero' if verb == 'remove' else ''}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--json", action="store_true", help="print a summary for scripts")
    p.set_defaults(run=run)
    return p


def _list(args: argparse.Namespace) -> int:
    from freeavatar.rigs import registry

    rows = [_row(name) for name in registry.names()]
    if args.json:
        print(json.dumps({"rigs": rows, "folder": str(registry.folder())}, indent=1))
        return 0
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        print(f"{row['name']:<{width}}  {row['about']}")
    print(f"\nRegistered rigs lie in {registry.folder()}", file=sys.stderr)
    return 0


def _row(name: str) -> dict[str, Any]:
    """One rig of the list; a damaged one is listed with what is wrong."""
    from freeavatar.rigs import registry
    from freeavatar.rigs.built_in import BUILT_IN
    from freeavatar.rigs.errors import RigError

    built_in = name in BUILT_IN
    try:
        rig = registry.load(name)
    except RigError as error:
        return {"name": name, "built_in": built_in, "error": str(error), "about": str(error)}
    about = f"{len(rig.controls)} controls, " + (
        f"{len(rig.mesh.vertices):,} vertices" if rig.mesh else "no mesh"
    )
    origin = "built-in" if built_in else rig.source
    return {
        "name": name,
        "built_in": built_in,
        "controls": len(rig.controls),
        "vertices": len(rig.mesh.vertices) if rig.mesh else 0,
        "face_points": _face_points(rig),
        "source": origin,
        "about": f"{about}, {origin}",
    }


def _face_points(rig: "Rig") -> int:
    return int(rig.anchors.found.sum()) if rig.anchors is not None else 0


def _show(args: argparse.Namespace) -> int:
    from freeavatar.rigs import registry

    rig = registry.load(args.name)
    if args.front is not None:
        return _show_front(rig, args.front, as_json=args.json)
    out: Path | None = None
    if rig.mesh is not None:
        out = args.out or Path(f"{rig.name}.png")
        _write_sheet(rig, out)
    if args.json:
        summary = {
            "rig": rig.name,
            "picture": str(out) if out else None,
            "controls": [_control_fields(c) for c in rig.controls],
        }
        print(json.dumps(summary, indent=1, ensure_ascii=False))
        return 0
    print("\n".join(_table(rig)))
    if out is None:
        print(f"{rig.name} has no mesh, so there is nothing to draw.", file=sys.stderr)
    else:
        print(f"Every control at its maximum: {out}", file=sys.stderr)
    return 0


def _show_front(rig: "Rig", out: Path, *, as_json: bool) -> int:
    from .front_view import front_view

    _check_picture_name(out)
    view = front_view(rig)
    out.parent.mkdir(parents=True, exist_ok=True)
    view.save(out)
    if as_json:
        summary = {"rig": rig.name, "picture": str(out), "face_points": _face_points(rig)}
        print(json.dumps(summary, ensure_ascii=False))
    else:
        print(f"The front of {rig.name}: {out}", file=sys.stderr)
    return 0


def _check_picture_name(out: Path) -> None:
    if out.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise RenderError(f"{out}: a rig's picture is a .png, .jpg or .webp file")


def _write_sheet(rig: "Rig", out: Path) -> None:
    from tqdm import tqdm

    from freeavatar.rigs.contact_sheet import contact_sheet

    _check_picture_name(out)
    cells = len(rig.controls) + 1
    with tqdm(total=cells, desc=f"drawing {rig.name}", disable=None, leave=False, delay=1.0) as bar:

        def drawn() -> None:
            bar.update()

        sheet = contact_sheet(rig, progress=drawn)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)


def _control_fields(control: "Control") -> dict[str, Any]:
    return {
        "name": control.name,
        "range": [control.minimum, control.maximum],
        "region": control.region,
        "side": control.side,
        "convention": control.convention,
        "arkit": dict(control.hub),
    }


def _table(rig: "Rig") -> list[str]:
    """Controls in columns: name, range, region, side, what it stands for in ARKit."""
    rows = [("control", "range", "region", "side", "ARKit")]
    for c in rig.controls:
        hub = ", ".join(f"{n} {v:g}" if v != 1 else n for n, v in c.hub.items())
        rows.append((c.name, f"{c.minimum:g}..{c.maximum:g}", c.region, c.side, hub or "-"))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip()
        for row in rows
    ]


def _check(args: argparse.Namespace) -> int:
    from freeavatar.rigs import registry
    from freeavatar.rigs.check import check

    named = args.name in registry.names()
    finder = None if named else anchor_finder(args.mediapipe_bundle)
    report: Report = check(registry.load(args.name, find_anchors=finder))
    if args.json:
        print(json.dumps(report.to_dict(), indent=1, ensure_ascii=False))
    else:
        print("\n".join(report.lines()))
    return 1 if args.strict and report.warnings else 0


def _remove(args: argparse.Namespace) -> int:
    from freeavatar.rigs import registry

    registry.remove(args.name)
    if args.json:
        print(json.dumps({"removed": args.name}))
    else:
        print(f"Removed {args.name}.", file=sys.stderr)
    return 0
