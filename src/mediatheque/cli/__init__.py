"""The command line.

Exit codes: 0 done; 2 a setting or argument is wrong; 3 the data directory cannot be used; 4 the
address cannot be listened on; 5 the database does not answer or does not fit; 6 the store does
not answer.
"""

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
app.command("mediatheque.cli.config:config", help="Print the settings in effect.")
app.command("mediatheque.cli.janitor:janitor", help="Remove leftovers now.")


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    try:
        app()
    except ConfigError as error:
        sys.exit(Exit.SETTINGS.because(str(error)))
