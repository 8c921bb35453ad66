"""Structured logs: for people on a terminal, JSON lines otherwise."""

import contextlib
import json
import logging
import os
import sys
import threading
from contextvars import ContextVar
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the request that is served: it is on every line that is written meanwhile."""

# Without the values of variables, which can be somebody's keys.
_traceback = structlog.dev.RichTracebackFormatter(show_locals=False)
_PLAIN = ("event", "level", "logger", "timestamp", "request_id")
_encoder = json.JSONEncoder(default=repr)  # to make one for every line takes longer than the line


def configure_logs(log_format: str, log_level: str) -> None:
    """Send every log of this process, ours and the libraries', to standard error.

    ``log_format`` is ``auto``, ``console`` or ``json``.
    """
    pretty = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=_traceback)]
        if pretty
        else [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_as_json),
        ]
    )
    stream = sys.stderr
    # Ours do not pass through the library of the others, which takes several times as long: there
    # is a line for every request.
    structlog.configure(
        processors=[*shared, *renderers],
        logger_factory=lambda name="": _Lines(stream, name),
        wrapper_class=structlog.make_filtering_bound_logger(log_level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(log_level.upper())
    # Their debug output would show signed URLs and statements with their values, or tells nothing.
    for library in ("alembic", "botocore", "boto3", "urllib3", "sqlalchemy", "asyncio"):
        logging.getLogger(library).setLevel(logging.WARNING)


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def add_request_id(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Put the request's id on a line; a structlog processor."""
    request_id = REQUEST_ID.get()
    if request_id is not None:
        event["request_id"] = request_id
    return event


class _Lines:
    """Writes the lines of the module ``name`` to a stream, whole and one after the other.

    Unlike those of the library it leaves no lock to a process that is forked meanwhile.
    """

    lock = threading.Lock()

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self.name = name

    def msg(self, line: str) -> None:
        """Write a line, if that can be done: nobody's request shall fail because of it."""
        with contextlib.suppress(OSError, ValueError), _Lines.lock:
            self._stream.write(f"{line}\n")
            self._stream.flush()

    debug = info = warning = error = critical = msg


def _unlock_in_child() -> None:
    _Lines.lock = threading.Lock()


os.register_at_fork(after_in_child=_unlock_in_child)


def _as_json(line: Any, **_: Any) -> str:
    try:
        return _encoder.encode(line)
    except Exception as error:  # noqa: BLE001 - nobody's request shall fail because of it
        plain = {name: str(line[name]) for name in _PLAIN if name in line}
        return _encoder.encode({**plain, "unreadable": type(error).__name__})
