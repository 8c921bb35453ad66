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


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_knows_every_command(shell: str, tmp_path: Path) -> None:
    script = run(str(COMMAND), "completion", shell, home=tmp_path)

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
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("mediatheque upl", {"upload"}),
        ("mediatheque tag ", {"add", "remove"}),
        ("mediatheque get --", {"--output", "--force", "--server", "--json"}),
    ],
)
def test_bash_completes_commands_and_options(words: str, offered: set[str], tmp_path: Path) -> None:
    script = run(str(COMMAND), "completion", "bash", home=tmp_path)
    (tmp_path / "script").write_text(script)
    typed = words.split(" ")
    line = " ".join(f"'{word}'" for word in typed)
    code = (
        f"source ./script; COMP_WORDS=({line}); COMP_CWORD={len(typed) - 1}; "
        "complete -p mediatheque >&2; _mediatheque; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    found = run("bash", "-c", f"cd {tmp_path} && {code}", home=tmp_path).split()

    assert offered <= set(found)


def test_the_other_name_of_the_command_is_completed_as_itself(tmp_path: Path) -> None:
    script = run(str(COMMAND.with_name("mtq")), "completion", "bash", home=tmp_path)

    assert "-F _mtq mtq" in script


def test_it_is_installed_where_the_shell_finds_it(tmp_path: Path) -> None:
    printed = run(str(COMMAND), "completion", "bash", "--install", home=tmp_path)
    installed = Path(printed.strip())

    assert installed.is_relative_to(tmp_path)
    assert "_mediatheque" in installed.read_text()
