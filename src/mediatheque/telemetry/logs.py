"""Structured logs: for people on a terminal, JSON lines otherwise."""

import logging
import sys

import structlog
from structlog.typing import Processor

# Without the values of variables, which can be somebody's keys.
_traceback = structlog.dev.RichTracebackFormatter(show_locals=False)


def configure_logs(log_format: str, log_level: str) -> None:
    """Send every log of this process, ours and the libraries', to standard error.

    ``log_format`` is ``auto``, ``console`` or ``json``. Values bound to the context of a request
    (its id) appear on every line that is written while it is served.
    """
    pretty = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=_traceback)]
        if pretty
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
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


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
