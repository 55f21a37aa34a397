"""Imports run one way, names are the package's own, and streaming stays lean."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("foundation", "rigs", "renderer_net", "animator", "bridge", "tools")
MAY_IMPORT: dict[str, set[str]] = {
    "foundation": set(),
    "rigs": set(),
    "renderer_net": {"rigs"},
    "animator": {"foundation", "rigs", "renderer_net"},
    "bridge": {"rigs"},
    "tools": {"foundation", "rigs", "renderer_net", "animator", "bridge"},
}


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each absolute import anywhere in a file, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            # `from freeavatar import rigs` names the folder after the word import.
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_run_one_way(folder: str) -> None:
    wrong = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        for line, name in imported(path):
            parts = name.split(".")
            if parts[0] in FOLDERS:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {name} without freeavatar.")
            if parts[0] == "freeavatar" and parts[1] not in {folder, *MAY_IMPORT[folder]}:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {folder} may not import {name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", FOLDERS)
def test_relative_imports_stay_inside_their_folder(folder: str) -> None:
    wrong = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        depth = len(path.relative_to(ROOT / folder).parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level > depth:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong, "\n".join(wrong)


def test_capturing_and_streaming_import_no_heavy_library() -> None:
    modules = (
        "freeavatar.tools.cli",
        "freeavatar.foundation.sources",
        "freeavatar.foundation.embedded_reader",
        "freeavatar.foundation.face_finder",
        "freeavatar.foundation.mediapipe_reader",
        "freeavatar.animator.performer",
        "freeavatar.bridge.targets",
        "freeavatar.bridge.takes",
    )
    script = (
        f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\n"
        "print(' '.join(sorted(h for h in ('torch', 'timm', 'pyrender', 'OpenGL') "
        "if h in sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_nothing_of_ours_unpickles() -> None:
    wrong = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for line, name in imported(path):
                if name.split(".")[0] in {"pickle", "marshal", "shelve", "dill", "joblib"}:
                    wrong.append(f"{path.relative_to(ROOT)}:{line}: {name}")
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                    value = node.value
                    if not (isinstance(value, ast.Constant) and value.value is False):
                        wrong.append(f"{path.relative_to(ROOT)}:{node.value.lineno}: allow_pickle")
    assert not wrong, "\n".join(wrong)
