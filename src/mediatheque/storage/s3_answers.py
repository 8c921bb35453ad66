"""Answers of S3 stores that can be anything, as the address of a sync's store is a client's."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitTimeoutError
from typing import TypeVar

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import TimeoutError as NoAnswerError

from mediatheque.storage.s3_errors import refusal

T = TypeVar("T")

# A page of a listing has at most 1000 keys of 3 KiB, percent-encoded.
_LONGEST = 32 << 20
_PIECE_BYTES = 1 << 20
_SECONDS = 60


def read_body(answer: BaseHTTPResponse, operation: str) -> bytes:
    """Return the body of an answer that was not preloaded. Blocks.

    Raises ClientError when it is too long, and urllib3's TimeoutError when it is too long in
    coming: a timeout of sockets allows a byte at a time, for ever.
    """
    deadline = time.monotonic() + _SECONDS
    body = bytearray()
    while piece := answer.read1(_PIECE_BYTES):
        body += piece
        if len(body) > _LONGEST:
            answer.close()
            raise refusal(operation, answer.status, b"<Code>AnswerTooLong</Code>")
        if time.monotonic() > deadline:
            answer.close()
            raise NoAnswerError
    answer.release_conn()
    return bytes(body)


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what a blocking call returns; raise urllib3's TimeoutError when that takes longer.

    It may go on then, but neither the end of a pool of threads nor that of the process waits.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - raised by who waits
            future.set_exception(error)

    threading.Thread(target=run, name="s3-look", daemon=True).start()
    try:
        return future.result(seconds)
    except WaitTimeoutError as error:
        raise NoAnswerError from error
