"""Requests to an S3 store that must not be sent late: what they are based on may not hold then."""

import contextlib
import threading
import time
from collections.abc import Iterator

from mediatheque.storage.mirrors import TooLateError

_own = threading.local()


@contextlib.contextmanager
def sent_before(moment: float | None) -> Iterator[None]:
    """Let requests of this thread raise TooLateError from ``moment`` on, by the monotonic clock.

    Those of clients that call ``check_in_time`` before they send. None: send them at any time.
    """
    _own.moment = moment
    try:
        yield
    finally:
        _own.moment = None


def check_in_time(**_: object) -> None:
    """Raise TooLateError when this thread must not send any more; a handler of botocore."""
    moment = getattr(_own, "moment", None)
    if moment is not None and time.monotonic() >= moment:
        raise TooLateError("The process stood still, or the store was in trouble for too long.")
