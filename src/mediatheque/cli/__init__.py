"""The command line.

Exit codes: 0 done; 2 a setting or argument is wrong; 3 the data directory cannot be used; 4 the
address cannot be listened on; 5 the database does not answer or does not fit; 6 the store does
not answer. Of the commands for users: 7 no server answers; 8 there is no such thing; 9 the server
refuses; 10 it failed, for some of several things at least; 130 interrupted.
"""

import os
import sys

from cyclopts import App

from mediatheque import __version__
from mediatheque.cli.exits import Exit
from mediatheque.config import ConfigError

app = App(
    name="mediatheque",
    help="Receive media, keep it safely in any object store, and give it back.",
    version=__version__,
)
# By name, so that a command imports only what it needs; the help of the list is said here.
app.command("mediatheque.cli.serve:serve", help="Run the service until stopped.")
app.command("mediatheque.cli.worker:worker", help="Run jobs, beside the service's own worker.")
app.command("mediatheque.cli.prepare:prepare", help="Make the database, check the store, exit.")
app.command("mediatheque.cli.doctor:doctor", help="Check everything that a start needs.")
app.command("mediatheque.cli.config:config", help="Print the settings in effect.")
app.command("mediatheque.cli.janitor:janitor", help="Remove leftovers now.")
# What users do. These speak HTTP with a server, and open neither the database nor the store.
for verb in (
    "upload",
    "ls",
    "info",
    "get",
    "rm",
    "process",
    "record",
    "transfer",
    "sync",
    "completion",
):
    app.command(f"mediatheque.cli.{verb}:{verb}")
for noun in ("tag", "recordings", "jobs", "schedules"):
    app.command(f"mediatheque.cli.{noun}:app", name=noun)


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    # A fifth of the start of a command would be httpx importing its own command line, with
    # colours and all. What stands here as None is not there to import, and httpx does without.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    if sys.argv[1:] in ([], ["-h"], ["--help"]):
        app.resolved_commands()  # the list shows the first line of each one's help
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except ConfigError as error:
        sys.exit(Exit.SETTINGS.because(str(error)))
    except BrokenPipeError:
        # Who reads the output has seen enough, as `head` does. Nothing is left to flush into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
