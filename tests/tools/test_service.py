"""The unit is what systemd reads back word for word; only files of ours are replaced or removed."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from freeavatar.bridge.sink import BridgeError
from freeavatar.tools.cli import build_parser, main
from freeavatar.tools.service import MARK, escaped, program, unit_text

GOLDEN = """\
# Written by freeavatar service; it replaces this file when run again.
[Unit]
Description=FreeAvatar live performance
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/opt/face/bin/freeavatar live 0 --rig "my hero" --to \
livelink://10.0.0.7:11111?subject=Anna%%20K --session /home/anna/s.json
WorkingDirectory=/home/anna/100%% show
Environment=PYTHONUNBUFFERED=1
Restart=always
RestartSec=2
# Wrong arguments stay wrong; an interrupted run has kept its takes.
RestartPreventExitStatus=2
SuccessExitStatus=130
KillSignal=SIGTERM
KillMode=mixed
TimeoutStopSec=20

[Install]
WantedBy=default.target
"""

ODD = (
    *("plain", "two words", " edges ", "", ";", "50%", "%h", "%%", "$HOME", "${HOME}", "a$$b"),
    *('say "hi"', "it's", "back\\slash", "end\\", "\\n", "tab\there", "two\nlines", "\x1b[2J\x7f"),
    *("#no comment", "-", "--", "*?[a]", "~", "!x", "@", "ü", "顔", "\u2028", "\u00a0", "a=b|c&d"),
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and a folder to be in."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "show 1").mkdir()
    monkeypatch.chdir(tmp_path / "show 1")
    return tmp_path


def systemd(unit: Path) -> str:
    """What systemd says of a unit it has read; fails when it complains."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed (optional)")
    command = [analyze, "verify", "--user", "--man=no", str(unit)]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(unit.parent)}
    plain = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    said = plain.stdout + plain.stderr
    if "Failed to initialize manager" in said:
        pytest.skip(f"systemd-analyze cannot run here: {said.strip()} (optional)")
    assert (plain.returncode, said) == (0, "")
    environment["SYSTEMD_LOG_LEVEL"] = "debug"
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60)
    return (done.stdout + done.stderr).decode()


def words_of(dump: str) -> list[str]:
    """The command line of systemd's dump, which quotes as shells do with escapes of C."""
    (line,) = re.findall(r"^\t+Command Line: (.*)$", dump, re.MULTILINE)
    words = re.findall(r'"((?:[^"\\]|\\.)*)"|([^ ]+)', line)
    plain = [re.sub(r"\\([$`])", r"\1", quoted or bare) for quoted, bare in words]
    return [w.encode("latin-1", "backslashreplace").decode("unicode_escape") for w in plain]


def parsed(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser


def test_a_unit_is_this_text() -> None:
    live = ["0", "--rig", "my hero", "--to", "livelink://10.0.0.7:11111?subject=Anna%20K"]
    text = unit_text(
        ["/opt/face/bin/freeavatar"],
        live,
        folder=Path("/home/anna/100% show"),
        session=Path("/home/anna/s.json"),
    )
    # One word of the golden text has a sign that asks for quotes.
    assert text == GOLDEN.replace(
        "livelink://10.0.0.7:11111?subject=Anna%%20K",
        '"livelink://10.0.0.7:11111?subject=Anna%%20K"',
    )
    assert parsed(text)["Service"]["KillSignal"] == "SIGTERM"


def test_a_session_of_ones_own_is_left_as_it_is() -> None:
    for live in (["0", "--session", "x"], ["0", "--session=x"]):
        text = unit_text(["/f"], live, folder=Path("/"), session=Path("/other"))
        words = shlex.split(parsed(text)["Service"]["ExecStart"])
        assert words == ["/f", "live", *live]


def test_systemd_reads_every_word_back(tmp_path: Path) -> None:
    folder = tmp_path / "50% of $HOME"
    folder.mkdir()
    start = folder / "free avatar"
    start.write_text("#!/bin/sh\n")
    start.chmod(0o755)
    unit = tmp_path / "odd.service"
    session = folder / "s.json"
    unit.write_text(unit_text([str(start)], list(ODD), folder=folder, session=session))
    dump = systemd(unit)
    first, *rest = words_of(dump)
    assert first == str(start)
    # Variables are replaced when the command is run, $$ by a single sign.
    read = [word.replace("$$", "$") for word in rest]
    assert read == ["live", *ODD, "--session", str(session)]
    assert f"WorkingDirectory: {folder}\n" in dump
    for setting in ("KillMode: mixed", "KillSignal: SIGTERM", "Restart: always", "Type: exec"):
        assert re.search(rf"\b{setting}\b", dump), setting


@pytest.mark.parametrize("word", ["plain", "/a/b.c", "osc://127.0.0.1:9000", "[::1]:9001", "a=b"])
def test_plain_words_stay_plain(word: str) -> None:
    assert escaped(word) == word


def test_the_verb_prints_a_unit_that_live_and_systemd_understand(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--name", "stage-left", "--", "0", "--to", "osc://127.0.0.1:9000", "--loop"]
    assert main(["service", *arguments]) == 0
    text = capsys.readouterr().out
    assert text.startswith(MARK)
    service = parsed(text)["Service"]
    assert service["WorkingDirectory"] == str(home / "show 1")
    assert service["Restart"] == "always"
    words = shlex.split(service["ExecStart"])
    start = program()
    assert words[: len(start)] == start
    assert Path(start[0]).is_absolute() and os.access(start[0], os.X_OK)
    args = build_parser().parse_args(words[len(start) :])
    assert (args.input, args.to, args.loop) == ("0", ["osc://127.0.0.1:9000"], True)
    assert args.session == home / "state" / "freeavatar" / "stage-left.json"
    unit = home / "stage-left.service"
    unit.write_text(text)
    assert words_of(systemd(unit)) == words
    assert not (home / ".config").exists()


def test_a_unit_is_installed_replaced_and_removed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = home / ".config" / "systemd" / "user" / "freeavatar.service"
    assert main(["service", "--install", "--", "0"]) == 0
    said = capsys.readouterr().out
    assert "systemctl --user enable --now freeavatar.service" in said.splitlines()
    assert str(unit) in said
    assert "live 0 --session" in unit.read_text()
    assert (home / "state" / "freeavatar").is_dir()
    assert main(["service", "--install", "--session", "here.json", "--", "1"]) == 0
    assert f'"{home / "show 1" / "here.json"}"' in unit.read_text()
    assert sorted(p.name for p in unit.parent.iterdir()) == ["freeavatar.service"]

    wanted = unit.parent / "default.target.wants" / unit.name
    wanted.parent.mkdir()
    wanted.symlink_to(unit)
    capsys.readouterr()
    assert main(["service", "--remove"]) == 0
    assert "systemctl --user stop freeavatar.service" in capsys.readouterr().out.splitlines()
    assert not unit.exists()
    assert not wanted.is_symlink()
    assert main(["service", "--remove"]) == 1
    assert "is not there" in capsys.readouterr().err


@pytest.mark.parametrize("action", [["--install"], ["--remove"]])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_unit_of_another_hand_is_left_alone(
    home: Path, capsys: pytest.CaptureFixture[str], action: list[str], kind: str
) -> None:
    folder = home / ".config" / "systemd" / "user"
    folder.mkdir(parents=True)
    unit = folder / "pipewire.service"
    if kind == "file":
        unit.write_text("[Service]\n")
    else:
        (home / "elsewhere").write_text(MARK)
        unit.symlink_to(home / "elsewhere")
    assert main(["service", *action, "--name", "pipewire", "--", "0"]) == 1
    assert "was not written by freeavatar service" in capsys.readouterr().err
    assert unit.is_symlink() == (kind == "link")
    assert unit.read_text() == ("[Service]\n" if kind == "file" else MARK)


def test_the_config_folder_is_the_one_that_is_set(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "elsewhere"))
    assert main(["service", "--install", "--", "0"]) == 0
    assert (home / "elsewhere" / "systemd" / "user" / "freeavatar.service").is_file()
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert main(["service", "--install", "--", "0"]) == 0
    assert (home / ".config" / "systemd" / "user" / "freeavatar.service").is_file()
    assert not Path("relative").exists()


@pytest.mark.parametrize("name", ["", "../x", "a b", ".hidden", "x@", "a.service", "a/b", "x" * 65])
def test_bad_names_are_usage_errors(
    home: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["service", "--name", name, "--", "0"])
    assert left.value.code == 2
    assert "cannot name a unit" in capsys.readouterr().err


def test_arguments_that_live_refuses_are_refused_now(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["service", "--install", "--", "0", "--smoth", "0.2"])
    assert left.value.code == 2
    assert "--smoth" in capsys.readouterr().err
    assert main(["service", "--install"]) == 1
    assert "behind --" in capsys.readouterr().err
    assert not (home / ".config").exists()


@pytest.mark.parametrize("folder", ["/two\nlines", "/end ", "/end\\", "/\udcff"])
def test_folders_that_cannot_stand_in_a_unit_are_refused(folder: str) -> None:
    with pytest.raises(BridgeError, match="cannot stand in a unit"):
        unit_text(["/f"], ["0"], folder=Path(folder), session=Path("/s"))


@pytest.mark.parametrize("path", ["/it's", '/"x"', "/a\\b", "/a\nb"])
def test_programs_that_systemd_does_not_run_are_refused(path: str) -> None:
    with pytest.raises(BridgeError, match="systemd runs no program"):
        escaped(path, program=True)


def test_words_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(BridgeError, match="not UTF-8"):
        escaped("a\udcff")
