"""Fixtures shared by all tests."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

if importlib.util.find_spec("torch") is not None:
    # Triton and Mesa each bring an LLVM; the process dies where Triton's comes second.
    import torch._dynamo  # noqa: F401

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

OPTIONAL = "(optional)"
"""Part of the reason of skipped tests whose receiver need not be there, such as Blender."""
SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Test clips, rigs and curves that are not part of the repository."""
    if not SHARED.is_dir():
        pytest.skip("../shared/data is absent: clips and rigs for this test are not shipped")
    return SHARED


@pytest.fixture(scope="session")
def stand_in() -> ModuleType:
    """Painted faces and the small networks that read them."""
    from .foundation import stand_in as module

    return module


@pytest.fixture
def user_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty XDG data and cache folders, so that no test sees or touches the user's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything should be present (continuous integration) a skipped test is a failure,
    but for those whose receiver is optional."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("FREEAVATAR_NO_SKIPS") and SHARED.is_dir() and reporter:
        every = reporter.stats.get("skipped", [])
        skipped = [report for report in every if OPTIONAL not in str(report.longrepr)]
        if skipped and session.exitstatus == pytest.ExitCode.OK:
            reporter.write_line(f"{len(skipped)} skipped although ../shared/data is there")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
