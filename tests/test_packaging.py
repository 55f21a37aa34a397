"""What a user installs is the whole package, typed, and nothing beside it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("foundation", "rigs", "renderer_net", "animator", "bridge", "tools")


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names inside a wheel built from a copy of the tracked tree."""
    out = tmp_path_factory.mktemp("wheel")
    tree = out / "tree"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, tree],
        check=True,
        capture_output=True,
    )
    with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel:
        return set(wheel.namelist())


def test_every_module_is_in_the_wheel(wheel_files: set[str]) -> None:
    modules = {
        f"freeavatar/{path.relative_to(ROOT)}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }
    assert modules <= wheel_files, sorted(modules - wheel_files)


def test_the_wheel_ships_built_in_rigs_types_and_performances(wheel_files: set[str]) -> None:
    wanted = {f"freeavatar/rigs/builtin/{name}.glb" for name in ("mannequin", "toon", "fox")}
    wanted |= {f"freeavatar/{folder}/py.typed" for folder in FOLDERS}
    wanted |= {f"freeavatar/tools/data/{n}" for n in ("demo_take.csv", "actor.mp4", "actor.csv")}
    assert wanted <= wheel_files, sorted(wanted - wheel_files)


def test_the_wheel_puts_nothing_beside_the_package(wheel_files: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_files}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"freeavatar"}
