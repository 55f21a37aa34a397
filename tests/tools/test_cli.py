"""Help reads like a good tool's, starts quickly, and every verb gives examples."""

import subprocess
import sys
import time

import pytest

VERBS = (
    "drive", "live", "service", "rig", "render", "listen", "embed", "compare", "eval", "bench",
    "load",
)  # fmt: skip


def help_of(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "freeavatar.tools", *words, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_names_every_verb_and_comes_quickly() -> None:
    help_of()
    started = time.monotonic()
    text = help_of()
    assert time.monotonic() - started < 3.0
    for verb in VERBS:
        assert f"\n    {verb} " in text, text


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_examples(verb: str) -> None:
    assert f"freeavatar {verb}" in help_of(verb).split("examples:")[1]


@pytest.mark.parametrize("action", ["list", "show", "register", "check", "remove"])
def test_rig_has_its_actions(action: str) -> None:
    assert f"freeavatar rig {action}" in help_of("rig", action)


def test_an_unknown_verb_is_a_usage_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "freeavatar.tools", "fly"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "fly" in done.stderr
