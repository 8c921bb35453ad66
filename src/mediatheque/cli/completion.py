"""``mediatheque completion``: completion of commands and options in the shell."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def completion(
    shell: Literal["bash", "zsh", "fish"],
    /,
    *,
    install: Annotated[
        bool, Parameter(negative=(), help="Write it where the shell finds it instead.")
    ] = False,
) -> None:
    """Print the script that completes commands and options in a shell.

    For the name that this command was called by: mediatheque or mtq.

    Parameters
    ----------
    shell
        The shell to complete in.
    """
    from mediatheque.cli import app  # noqa: PLC0415 - it imports this module by name

    program = Path(sys.argv[0]).name
    if install:
        print(app.install_completion(shell=shell))
    else:
        print(app.generate_completion(prog_name=program, shell=shell))
