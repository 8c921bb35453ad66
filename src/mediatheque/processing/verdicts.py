"""Judging what an untrusted child answered, what it left behind, and how it ended."""

import contextlib
import os
import re
import signal
import stat
from pathlib import Path
from typing import Any

import msgspec

from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.processing import DERIVED, media_kind
from mediatheque.processing.answers import Answer, decode_answer
from mediatheque.processing.rlimits import Limits
from mediatheque.processing.tasks import Processed, RejectedError

NONSENSE = (
    "What came of looking into the file makes no sense; it may have been made to do harm. "
    "It is kept as it is."
)
"""The sentence for answers that only a child would give that is not ours any more."""

_LONGEST_SENTENCE = 500
_MOST_WARNINGS = 20
_LARGEST_META = 64 << 10
_DEEPEST = 8
_INODE_BYTES = 4096
# What ``meta`` says that does not come from looking into the file.
_OF_OTHERS = {"source", "error", "upload"}
# PostgreSQL keeps no text with a NUL.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_MEDIA_TYPE = re.compile(r"(video|audio|image)/[a-z0-9][a-z0-9.+-]{0,60}")


def read_answer(line: bytes) -> Answer:
    """Return the answer that a line is. Raises RejectedError when it is none."""
    if _NUL.search(line):
        raise RejectedError(NONSENSE)
    try:
        return decode_answer(line)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RejectedError(NONSENSE) from error


def sentence(text: str) -> str:
    """Return a text of a child as one line that can be shown to people."""
    printable = "".join(c if c.isprintable() else " " for c in text[:_LONGEST_SENTENCE])
    return " ".join(printable.split())


def checked(processed: Processed, folder: Path, limits: Limits) -> Processed:
    """Return the result of a child that is over, unless it cannot be believed.

    Its files have names of ``DERIVED`` and are regular files in ``folder`` that have no other
    name elsewhere. Raises RejectedError.
    """
    meta = _checked_meta(processed.meta)
    if len(set(processed.files)) < len(processed.files):
        raise RejectedError(NONSENSE)
    if sum(_size_of(name, folder) for name in processed.files) > limits.output:
        raise RejectedError(too_much_output(limits.output))
    failures = {step: sentence(reason) for step, reason in processed.failures.items()}
    return msgspec.structs.replace(processed, meta=meta, failures=failures)


def _checked_meta(meta: dict[str, Any]) -> dict[str, Any]:
    media_type, warnings = meta.get("mime_type", "video/webm"), meta.get("warnings", [])
    if not (isinstance(media_type, str) and _MEDIA_TYPE.fullmatch(media_type)):
        raise RejectedError(NONSENSE)
    # Of a kind that is not processed, a browser may do what it says: an SVG is a program.
    if media_kind(media_type) is None or not _OF_OTHERS.isdisjoint(meta):
        raise RejectedError(NONSENSE)
    if not isinstance(warnings, list) or not all(isinstance(text, str) for text in warnings):
        raise RejectedError(NONSENSE)
    if not _is_shallow(meta, _DEEPEST) or len(msgspec.json.encode(meta)) > _LARGEST_META:
        raise RejectedError(NONSENSE)
    said = [sentence(text) for text in warnings[:_MOST_WARNINGS]]
    return meta | {"warnings": said} if said else meta


def _is_shallow(value: Any, levels: int) -> bool:
    """Return whether ``value`` nests so few levels that nobody who encodes it gets into trouble."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in value)


def _size_of(name: str, folder: Path) -> int:
    if name not in DERIVED:
        raise RejectedError(NONSENSE)
    try:
        found = (folder / name).lstat()
    except OSError as error:
        raise RejectedError(NONSENSE) from error
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise RejectedError(NONSENSE)
    return found.st_size


def space_in(folder: Path) -> int:
    """Return how many bytes of the disk the files in a folder take, as far as it can be seen.

    An empty one takes some, too: a disk has only so many places for files.
    """
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # the child renamed or removed it meanwhile
                total += entry.stat(follow_symlinks=False).st_blocks * 512 + _INODE_BYTES
    return total


def too_slow(limits: Limits) -> str:
    """Say that a child took longer than its ``wall`` allows."""
    return (
        f"Looking into the file took longer than the {limits.wall} seconds allowed for its size; "
        "it is damaged, or made to do harm. It is kept as it is."
    )


def too_much_output(limit: int) -> str:
    """Say that a child wrote more than its ``file_size`` or its ``output`` allows."""
    return (
        f"More is made of the file than the {limit} bytes allowed for its size; "
        "it is damaged, or made to do harm. It is kept as it is."
    )


def death(status: int, limits: Limits) -> RejectedError | UnavailableError:
    """Return why a child ended without an answer, by its wait status."""
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGKILL:
        return UnavailableError(
            "The system killed the process that looked into the file, most likely because the "
            "machine ran out of memory. Retry its job when less is going on."
        )
    return RejectedError(_fault_in_file(code, limits))


def _fault_in_file(code: int, limits: Limits) -> str:
    if code == -signal.SIGXCPU:
        return (
            f"Looking into the file takes more than the {limits.cpu} seconds of computing allowed "
            "for its size; it is damaged, or made to do harm. It is kept as it is."
        )
    if code == -signal.SIGXFSZ:
        return too_much_output(limits.file_size)
    if code < 0:
        return (
            f"The file makes its decoder crash ({signal.strsignal(-code)}); it is damaged, or made "
            "to do harm. It is kept as it is."
        )
    return NONSENSE
