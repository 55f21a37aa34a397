"""Rigs by name: those that ship, and those a person registered.

A registered rig is a folder in the user's data directory: rig.toml (readable, editable),
mesh.npz (arrays), the source file, and identity.safetensors (what the networks know of it, see
`freeavatar.animator.identity`). It appears whole or not at all.
"""

import difflib
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import platformdirs

from .built_in import BUILT_IN, load_built_in
from .errors import RigError
from .rig_arrays import read_arrays, write_arrays
from .rig_text import read_text, write_text
from .spec import Anchors, Mesh, Rig

FindAnchors = Callable[[Rig], Anchors | None]
Progress = Callable[[str], None]
"""Told in words what is being done."""

AlsoKeep = Callable[[Rig, Path], None]
"""Adds files of its own to the folder of a rig that is being registered."""

_TEXT, _ARRAYS = "rig.toml", "mesh.npz"
_NAME = re.compile(r"\w(?:[\w .+-]{0,62}[\w+-])?")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_NEW, _OLD = ".new-", ".old-"
_ABANDONED = 3600.0
"""Seconds after which a half-built folder was left by a process that died."""


def folder() -> Path:
    """Where registered rigs lie; need not exist yet."""
    return platformdirs.user_data_path("freeavatar", appauthor=False) / "rigs"


def names() -> tuple[str, ...]:
    """All rigs that `load` knows by name: built-in ones first, then registered ones by name."""
    return (*BUILT_IN, *registered())


def registered() -> tuple[str, ...]:
    """Names of the registered rigs, sorted."""
    root = folder()
    if not root.is_dir():
        return ()
    for aside in root.glob(f"{_OLD}*"):
        _recover(aside.name.removeprefix(_OLD))
    return tuple(sorted(p.parent.name for p in root.glob(f"*/{_TEXT}") if _allowed(p.parent.name)))


def load(name: str | Path, *, find_anchors: FindAnchors | None = None) -> Rig:
    """A rig by its name, or from a rig file without registering it.

    Args:
        name: one of `names()`, or the path of a rig file or folder of OBJ shapes.
        find_anchors: finds the face points of rigs that come without them (files).

    Raises:
        RigError: no such rig, or its files are damaged; one line that says which are known.
    """
    known = str(name)
    if known in BUILT_IN:
        return _with_anchors(load_built_in(known), find_anchors)
    if _allowed(known):
        _recover(known)
        if (folder() / known / _TEXT).is_file():
            return _read(folder() / known)
    path = Path(name)
    if path.exists():
        from .loaders.load import load_rig

        return _with_anchors(load_rig(path), find_anchors)
    raise _unknown(known)


def source_path(name: str) -> Path | None:
    """The file a rig came from: GLB or VRM, for exports that add to it.

    Returns:
        None for rigs without a mesh or without such a file.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if _allowed(name) and (folder() / name).is_dir():
        return next(iter(sorted((folder() / name).glob("source.*"))), None)
    path = Path(name)
    return path if path.is_file() and path.suffix.lower() in (".glb", ".vrm") else None


def register(
    path: Path,
    name: str | None = None,
    *,
    force: bool = False,
    find_anchors: FindAnchors | None = None,
    also_keep: AlsoKeep | None = None,
    progress: Progress = lambda _: None,
) -> Rig:
    """Read a rig file, find its face points and keep the result under a name.

    The folder is built aside and moved into place at the end, so an error or a kill leaves what
    was there before.

    Args:
        path: .glb, .gltf, .vrm or a folder of .obj shapes.
        name: to register under; made from the file's name where None.
        force: replace a registered rig of this name.
        find_anchors: locates the face points; None leaves the rig to be driven by names.
        also_keep: given the rig as it will be loaded, and the folder before it is moved into place.
        progress: told what is being done.

    Returns:
        The rig as `load` will give it.

    Raises:
        RigError: the file cannot be read, the name is taken or cannot be a folder's name.
    """
    path = Path(path)
    name = check_name(name) if name is not None else name_from(path)
    root = folder()
    if name in BUILT_IN:
        raise RigError(f"{name} is a built-in rig: register under another name with --name")
    _recover(name)
    if (root / name).exists() and not force:
        raise RigError(f"a rig named {name} is registered already: --force replaces it")
    from .loaders.load import load_rig

    progress(f"reading {path.name}")
    rig = load_rig(path, name)
    if find_anchors is not None and rig.mesh is not None:
        progress("finding face points")
        rig = replace(rig, anchors=find_anchors(rig))
    progress("writing")
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    fresh = Path(tempfile.mkdtemp(prefix=_NEW, dir=root))
    try:
        _write(rig, fresh)
        _keep_source(rig, path, fresh)
        fresh.chmod(0o755)
        loaded = replace(_read(fresh), name=name)
        if also_keep is not None:
            also_keep(loaded, fresh)
        _move_in(fresh, root / name, force)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return loaded


def remove(name: str) -> None:
    """Forget a registered rig and delete its folder.

    Raises:
        RigError: the rig is built in or not registered.
    """
    if name in BUILT_IN:
        raise RigError(f"{name} is a built-in rig and cannot be removed")
    if _allowed(name):
        _recover(name)
    if not _allowed(name) or not (folder() / name).is_dir():
        raise _unknown(name, registered())
    # What a killed replacement left would otherwise come back as this rig.
    shutil.rmtree(folder() / f"{_OLD}{name}", ignore_errors=True)
    aside = folder() / f"{_NEW}removed-{os.getpid()}-{name}"
    (folder() / name).rename(aside)
    shutil.rmtree(aside)


def check_name(name: str) -> str:
    """The name, if a folder may be called so.

    Raises:
        RigError: it holds a path, starts with a dot, is too long or reserved by some system.
    """
    if not _allowed(name):
        raise RigError(
            f"{name!r} cannot be a rig's name: use up to 64 letters, digits, spaces and . _ + -, "
            "beginning with a letter or digit"
        )
    return name


def name_from(path: Path) -> str:
    """A rig name made from a file's: what cannot stand in one becomes a dash.

    Raises:
        RigError: nothing usable is left.
    """
    resolved = path.resolve()
    stem = resolved.name if resolved.is_dir() else resolved.stem
    name = re.sub(r"[^\w .+-]+", "-", stem).lstrip(" .+-").rstrip(" .")[:64].rstrip(" .")
    return check_name(name)


def _allowed(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and not _RESERVED.fullmatch(name)


def _unknown(name: str, known: tuple[str, ...] | None = None) -> RigError:
    among = names() if known is None else known
    close = difflib.get_close_matches(name, among, 1, 0.5)
    hint = f", did you mean {close[0]}?" if close else "."
    return RigError(f"no rig named {name}{hint} Known: {', '.join(among) or 'none'}")


def _with_anchors(rig: Rig, find_anchors: FindAnchors | None) -> Rig:
    if find_anchors is None or rig.mesh is None or rig.anchors is not None:
        return rig
    return replace(rig, anchors=find_anchors(rig))


def _write(rig: Rig, where: Path) -> None:
    write_text(rig, where / _TEXT)
    write_arrays(where / _ARRAYS, rig.names, rig.mesh, rig.anchors)


def _read(where: Path) -> Rig:
    fields = read_text(where / _TEXT)
    stored, mesh, anchors = read_arrays(where / _ARRAYS)
    order = _order(where, tuple(c.name for c in fields["controls"]), stored)
    if mesh is not None and order != list(range(len(stored))):
        mesh = _reordered(mesh, order)
    return Rig(**{**fields, "name": where.name}, mesh=mesh, anchors=anchors)


def _order(where: Path, wanted: tuple[str, ...], stored: tuple[str, ...]) -> list[int]:
    """Position in the stored displacements of each control that rig.toml lists."""
    place = {name: i for i, name in enumerate(stored)}
    for name in wanted:
        if name not in place:
            close = difflib.get_close_matches(name, stored, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise RigError(f"{where / _TEXT}: control {name!r}: name is not in the mesh{hint}")
    return [place[name] for name in wanted]


def _reordered(mesh: Mesh, order: list[int]) -> Mesh:
    """The mesh with only these controls, in this order."""
    return replace(mesh, deltas=mesh.deltas[order])


def _keep_source(rig: Rig, path: Path, where: Path) -> None:
    """Copy the file, or write what other formats hold as one GLB."""
    suffix = path.suffix.lower()
    if path.is_file() and suffix in (".glb", ".vrm"):
        copy = where / f"source{suffix}"
        shutil.copyfile(path, copy)
        if hashlib.sha256(copy.read_bytes()).hexdigest() != rig.source_sha256:
            raise RigError(f"{path} changed while it was being read: register it again")
    elif rig.mesh is not None:
        from .gltf.writer import write_glb

        write_glb(rig, where / "source.glb")


def _move_in(fresh: Path, place: Path, force: bool) -> None:
    """Put a finished folder in place; the replaced one steps aside until that has worked."""
    aside = place.with_name(f"{_OLD}{place.name}")
    if force and place.exists():
        shutil.rmtree(aside, ignore_errors=True)
        place.rename(aside)
    try:
        fresh.rename(place)
    except OSError as error:
        if aside.exists() and not place.exists():
            aside.rename(place)
        raise RigError(
            f"a rig named {place.name} is registered already ({error.strerror})"
        ) from None
    shutil.rmtree(aside, ignore_errors=True)


def _recover(name: str) -> None:
    """Bring back a rig whose replacement was killed between its two renames."""
    aside, place = folder() / f"{_OLD}{name}", folder() / name
    if aside.is_dir() and not place.exists():
        aside.rename(place)


def _sweep(root: Path) -> None:
    """Delete what processes that died left half-built."""
    for left in root.glob(f"{_NEW}*"):
        if time.time() - left.stat().st_mtime > _ABANDONED:
            shutil.rmtree(left, ignore_errors=True)
