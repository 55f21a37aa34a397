"""Opens a rig file by its suffix."""

import hashlib
import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import cast

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.fields import plain
from freeavatar.rigs.spec import Rig

# Import paths, so that naming the formats loads none of their readers.
LOADERS = MappingProxyType(
    {
        ".glb": "freeavatar.rigs.loaders.gltf:load",
        ".gltf": "freeavatar.rigs.loaders.gltf:load",
        ".vrm": "freeavatar.rigs.loaders.vrm:load",
        "folder": "freeavatar.rigs.loaders.obj:load",
    }
)


def load_rig(path: Path, name: str | None = None) -> Rig:
    """Read a rig from a .glb, .gltf or .vrm file, or from a folder of .obj shapes.

    Args:
        path: of the file or folder.
        name: of the rig; the file's name without its suffix where None.

    Raises:
        RigError: the file is missing, damaged or of another kind; one line names the file.
    """
    path = Path(path)
    kind = "folder" if path.is_dir() else path.suffix.lower()
    if kind not in LOADERS:
        known = ", ".join(k for k in LOADERS if k != "folder")
        raise RigError(f"{path.name}: a rig is a file ending in {known} or a folder of .obj shapes")
    if not path.exists():
        raise RigError(f"{path}: no such file")
    module, function = LOADERS[kind].split(":")
    load = cast(Callable[[Path, str], Rig], getattr(importlib.import_module(module), function))
    try:
        rig = load(path, name or path.stem)
    except RigError:
        raise
    except (ArithmeticError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as e:
        # Damage that no check named. The reader must never fall over a file.
        detail = plain(f"{type(e).__name__}: {e}", 120)
        raise RigError(f"{path.name} is damaged and cannot be read ({detail})") from e
    return replace(rig, source=path.name, source_sha256=source_hash(path))


def source_hash(path: Path) -> str:
    """sha256 of a file, or of a folder's .obj, .mtl and picture files with their names."""
    total = hashlib.sha256()
    if path.is_dir():
        for part in sorted(p for p in path.iterdir() if p.is_file()):
            total.update(part.name.encode() + b"\0" + hashlib.sha256(part.read_bytes()).digest())
    else:
        total.update(path.read_bytes())
    return total.hexdigest()
