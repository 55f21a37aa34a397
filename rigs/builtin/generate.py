"""Makes the built-in rigs' files: ``python -m freeavatar.rigs.builtin.generate [NAME ...]``."""

import argparse
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from freeavatar.rigs.gltf.writer import write_glb
from freeavatar.rigs.spec import Rig

BUILDERS: Mapping[str, str] = MappingProxyType(
    {
        "mannequin": "freeavatar.rigs.builtin.mannequin:build",
        "toon": "freeavatar.rigs.builtin.toon:build",
        "fox": "freeavatar.rigs.builtin.fox:build",
    }
)
"""Import path of each rig's builder, so that one rig's generator does not load the others."""


def build(name: str) -> Rig:
    """Make a built-in rig from its code.

    Raises:
        KeyError: no such rig.
    """
    module, function = BUILDERS[name].split(":")
    builder: Callable[[], Rig] = getattr(import_module(module), function)
    return builder()


def main(arguments: list[str] | None = None) -> int:
    """Write ``NAME.glb`` beside this file for the rigs named, or for all."""
    parser = argparse.ArgumentParser(description="make the files of the built-in rigs")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BUILDERS))
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    chosen = parser.parse_args(arguments)
    unknown = [n for n in chosen.names if n not in BUILDERS]
    if unknown:
        parser.error(f"no built-in rig {unknown[0]}; known: {', '.join(BUILDERS)}")
    for name in chosen.names or BUILDERS:
        path = chosen.folder / f"{name}.glb"
        write_glb(build(name), path)
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
