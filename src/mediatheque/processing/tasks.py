"""What a child process is asked to do with one media, and what it answers."""

from typing import Any

from msgspec import Struct

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.processing import Kind, Step


class Task(Struct, frozen=True, kw_only=True):
    """What to do with one file. ``kind`` is what it seems to be by its first bytes.

    ``location``: let the answer tell where a photo was taken.
    """

    kind: Kind
    steps: tuple[Step, ...]
    max_pixels: int
    location: bool = False


class Processed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found out and made of one file.

    ``meta`` is what the media's ``meta`` shows; see the reference of it. ``files`` are names of
    finished files in the output folder, each one of ``domain.processing.DERIVED``. ``failures``
    tells for each step that failed why, in a sentence for people; the others were done, or had
    nothing to do.
    """

    meta: dict[str, Any]
    files: tuple[str, ...] = ()
    failures: dict[Step, str] = {}


class RejectedError(InvalidError):
    """The file is not what can be processed: garbage, an unknown format, too large, too hungry.

    The sentence says which, for people. Trying again cannot help.
    """
