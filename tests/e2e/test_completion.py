"""Completion in the shell."""

import subprocess
from pathlib import Path

import pytest

from tests.support.service import COMMAND


def run(*arguments: str, home: Path) -> str:
    done = subprocess.run(
        arguments,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is printed for bash: it takes seconds, as every command is imported."""
    home = tmp_path_factory.mktemp("home")
    script = run(str(COMMAND), "completion", "bash", home=home)
    assert list(home.iterdir()) == []
    return script


def check_words(script: str) -> None:
    for word in (
        "serve",
        "upload",
        "transfer",
        "sync",
        "schedules",
        "jobs",
        "cancel",
        "tag",
        "remove",
    ):
        assert word in script


def test_the_script_for_bash_knows_every_command(bash_script: str) -> None:
    check_words(bash_script)


def test_the_script_for_zsh_knows_every_command_by_the_other_name(tmp_path: Path) -> None:
    script = run(str(COMMAND.with_name("mtq")), "completion", "zsh", home=tmp_path)

    check_words(script)
    assert script.startswith("#compdef mtq\n")
    assert "mediatheque" not in script.split()
    assert list(tmp_path.iterdir()) == []


def test_the_script_for_fish_knows_every_command(tmp_path: Path) -> None:
    script = run(str(COMMAND), "completion", "fish", home=tmp_path)

    check_words(script)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("mediatheque upl", {"upload"}),
        ("mediatheque tag ", {"add", "remove"}),
        ("mediatheque get --", {"--output", "--force", "--server", "--json"}),
    ],
)
def test_bash_completes_commands_and_options(
    bash_script: str, words: str, offered: set[str], tmp_path: Path
) -> None:
    (tmp_path / "script").write_text(bash_script)
    typed = words.split(" ")
    line = " ".join(f"'{word}'" for word in typed)
    code = (
        f"source ./script; COMP_WORDS=({line}); COMP_CWORD={len(typed) - 1}; "
        "complete -p mediatheque >&2; _mediatheque; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    found = run("bash", "-c", f"cd {tmp_path} && {code}", home=tmp_path).split()

    assert offered <= set(found)


def test_it_is_installed_where_the_shell_finds_it(tmp_path: Path) -> None:
    printed = run(str(COMMAND), "completion", "bash", "--install", home=tmp_path)
    installed = Path(printed.strip())

    assert installed.is_relative_to(tmp_path)
    assert "_mediatheque" in installed.read_text()
