"""``mediatheque serve``: the service.

This process only supervises: it runs the embedded database, the web processes and one job worker.
It imports the application once, while the database starts: the other processes are forked from it,
and share that memory. So what is imported must not open connections or start threads by itself.
"""

import gc
import importlib
import ipaddress
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

from cyclopts import Parameter
from granian.constants import Interfaces, RuntimeModes
from granian.http import HTTP1Settings

from mediatheque.cli import forks
from mediatheque.cli.data_dir import embedded_database, let_end, make_data_dir, only_service
from mediatheque.cli.descriptors import connections, raise_limit
from mediatheque.cli.exits import Exit
from mediatheque.cli.job_worker import job_worker
from mediatheque.cli.web_processes import WebProcesses
from mediatheque.config import Settings, environment_variable, read_settings, unknown_variables
from mediatheque.telemetry.logs import configure_logs, get_logger

log = get_logger(__name__)

_APPLICATION = "mediatheque.app"  # by name: what fails early shall not wait for its import
_READ_BYTES = 544 << 10
"""What is read of a connection at once. A request of 1 MiB then comes in two pieces, head included.

Twice as much would take a fifth of the processor time off large uploads, and add 0.8 MB for each.
"""


def serve(
    *,
    host: Annotated[str | None, Parameter(help="Address to listen on.")] = None,
    port: Annotated[int | None, Parameter(help="TCP port to listen on.")] = None,
    data_dir: Annotated[Path | None, Parameter(help="Folder of everything that is kept.")] = None,
) -> None:
    """Serve until stopped, on http://127.0.0.1:5000 unless told otherwise."""
    for name, value in (("host", host), ("port", port), ("data_dir", data_dir)):
        if value is not None:
            # The web processes read their settings from the environment that they inherit.
            os.environ[environment_variable(name)] = str(value)
    settings = read_settings(os.environ)
    configure_logs(settings.log_format, settings.log_level)
    for name in unknown_variables(os.environ):
        log.warning("there is no such setting", variable=name)
    signal.signal(signal.SIGTERM, _stop_starting)
    let_end(settings.data_dir)
    if (reason := check_address(settings)) is not None:
        sys.exit(Exit.ADDRESS.because(reason))
    make_data_dir(settings.data_dir)
    open_files = raise_limit()
    with only_service(settings.data_dir):
        _prepare_metrics(settings.data_dir)
        importing = threading.Thread(target=_import_application, daemon=True, name="import")
        importing.start()
        with embedded_database(settings):
            importing.join()
            # A process that is still starting would inherit our handler, and never hear of a stop.
            os.register_at_fork(
                after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL)
            )
            _prepare(settings)
            with job_worker(settings):
                _serve_web(settings, open_files)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Who says it again must not kill a process that is about to end well.
        signal.signal(number, signal.SIG_IGN)
    log.info("stopped")


def _stop_starting(_signal: int, _frame: object) -> NoReturn:
    """End at once, the embedded database in good order: nothing is served yet."""
    sys.exit(0)


def check_address(settings: Settings) -> str | None:
    """Return why the address cannot be served on, None when it is a free loopback address."""
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):  # the latter of what is too long for a name
        return f"The address {settings.host} is not known here."
    family, _, _, _, address = found[0]
    if not ipaddress.ip_address(address[0]).is_loopback:
        return (
            f"Refusing to listen on {settings.host}: no authentication is configured, so "
            "everybody who reaches that address could read and delete everything. Listen on "
            "127.0.0.1 and put an authenticating proxy in front."
        )
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return (
                f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Stop "
                "what listens there, or choose another MEDIATHEQUE_PORT."
            )
    return None


def _prepare_metrics(data_dir: Path) -> None:
    """Give the web processes an empty folder to count in together."""
    folder = data_dir / "run" / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _import_application() -> None:
    """Import what the other processes share, which takes a second.

    Not what only the job worker needs: that would be part of all of them.
    """
    gc.disable()  # modules are no garbage: to look for it meanwhile takes a sixth of the time
    importlib.import_module(_APPLICATION)
    # Looking through it for garbage would touch all of it, and what is touched is not shared.
    gc.collect()
    gc.freeze()
    gc.enable()


def _prepare(settings: Settings) -> None:
    """Prepare database and store; exit as that does when it fails.

    In a process of its own: what it needs would stay in memory, and its threads and connections
    would not survive a fork.
    """

    def prepare() -> None:
        from mediatheque.cli.prepare import prepare_parts  # noqa: PLC0415 - nobody else needs it

        forks.heed_stops()
        # A Ctrl-C in the terminal is for the supervisor, which then ends this process.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        prepare_parts(settings)

    preparing = forks.CONTEXT.Process(target=prepare)
    try:
        forks.start(preparing)
        preparing.join()
    finally:
        # Who is told to stop does not wait for a store that does not answer.
        if preparing.pid is not None:
            preparing.terminate()
            preparing.join()
    if preparing.exitcode != 0:
        sys.exit(preparing.exitcode)


def _serve_web(settings: Settings, open_files: int) -> None:
    server = WebProcesses(
        f"{_APPLICATION}:create_app",
        interface=Interfaces.ASGI,
        runtime_mode=RuntimeModes.st,  # of one thread anyway; the other mode takes longer to wake
        address=settings.host,
        port=settings.port,
        workers=settings.workers,
        workers_kill_timeout=settings.shutdown_timeout,
        respawn_failed_workers=True,
        websockets=False,
        log_enabled=False,
        http1_settings=HTTP1Settings(max_buffer_size=_READ_BYTES),
        # Of connections, not of requests: those on which nothing happens count as well.
        backpressure=connections(open_files),
    )
    log.info("serving", url=f"http://{settings.host}:{settings.port}", workers=settings.workers)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    server.serve(target_loader=_load, wrap_loader=False)


def _load() -> Callable[..., Any]:
    """Return the application, in a web process.

    The server's own loader would look for it in the working directory first, and import whatever
    bears our names there.
    """
    return importlib.import_module(_APPLICATION).create_app()  # type: ignore[no-any-return]
