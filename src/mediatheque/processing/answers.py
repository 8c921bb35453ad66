"""What is said between the pool, its fork server and their children: lines of JSON."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.json import Decoder

from mediatheque.processing.rlimits import Limits
from mediatheque.processing.sandbox import Protection
from mediatheque.processing.tasks import Processed, Task


class Request(Struct, frozen=True, kw_only=True):
    """What a child is to do; without a ``task`` only to say how it is protected."""

    source: str
    folder: str
    limits: Limits
    task: Task | None


class Progress(Struct, frozen=True, tag=True):
    """How much is done, from 0 to 1."""

    done: Annotated[float, Meta(ge=0, le=1)]


class Protected(Struct, frozen=True, tag=True):
    """The answer to a request without a task."""

    protection: Protection


class Done(Struct, frozen=True, tag=True):
    """The file was processed."""

    processed: Processed


class Rejected(Struct, frozen=True, tag=True):
    """The file cannot be processed, and never will be."""

    reason: str


class Unable(Struct, frozen=True, tag=True):
    """The file could not be processed here and now, for no fault of its own."""

    reason: str


class Defect(Struct, frozen=True, tag=True):
    """Something that nobody foresaw, with Python's traceback."""

    error: str
    traceback: str


Answer = Progress | Protected | Done | Rejected | Unable | Defect
"""A line that a child sends: any number of ``Progress``, then one of the others."""

_requests = Decoder(Request)
_answers: Decoder[Answer] = Decoder(Answer)


def decode_request(line: bytes) -> Request:
    """Read a request. Raises ``msgspec.DecodeError``."""
    return _requests.decode(line)


def decode_answer(line: bytes) -> Answer:
    """Read an answer, which may be anything. Raises ``msgspec.DecodeError`` or RecursionError."""
    return _answers.decode(line)
