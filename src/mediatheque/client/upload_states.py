"""What is remembered of uploads that are under way, so that another run can go on with them.

One small file for each, named after what is uploaded and where to, below ``$XDG_STATE_HOME``.
Whoever uploads keeps it locked. It is written before the first byte is sent, replaced as a whole,
and removed when the upload has ended.
"""

import contextlib
import fcntl
import hashlib
import os
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from mediatheque.client.errors import ConflictError

_LIFETIME_SECONDS = 28 * 86_400
"""After which nobody is expected to go on; servers have given such uploads up long before."""


class Subject(Struct, frozen=True):
    """What is uploaded, and where to: a file as it was then, as the media that it shall become.

    ``file`` is a ``file`` URI; ``size`` in bytes; ``metadata`` describes the media, in the words of
    Upload-Metadata.
    """

    server: str
    file: str
    size: int
    modified_ns: int
    metadata: str


class PartState(Struct):
    """One upload: the bytes of the file that it takes, and the key under which it was created."""

    start: int
    size: int
    key: str


class UploadState(Struct):
    """The uploads that ``subject`` is sent as. Several become one, which has a ``key`` as well.

    ``joining``: the ids of those that do so, in order, once all their bytes have arrived.
    """

    subject: Subject
    parts: list[PartState]
    key: str
    joining: list[str] | None = None

    def is_of(self, subject: Subject) -> bool:
        """Tell whether it is of this subject, and its parts are all of that, in order."""
        end = 0
        for part in self.parts:
            if part.start != end or part.size <= 0 or not part.key:
                return False
            end += part.size
        return bool(self.key) and self.subject == subject and end == subject.size


def state_folder() -> Path:
    """Return where states are kept, which is made when it is not there. Raises OSError."""
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    # Relative ones are to be ignored, says the XDG Base Directory Specification.
    home = given if given.is_absolute() else _home() / ".local" / "state"
    home.mkdir(parents=True, exist_ok=True)
    folder = home / "mediatheque"
    for ours in (folder, folder / "uploads"):
        ours.mkdir(mode=0o700, exist_ok=True)
    return folder / "uploads"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise FileNotFoundError(f"{error} Set XDG_STATE_HOME.") from None


class StateFile:
    """The state of one upload, locked until ``close``.

    Raises OSError, and ConflictError when another upload of the same has it.
    """

    def __init__(self, subject: Subject) -> None:
        name = hashlib.sha256(msgspec.json.encode(subject)).hexdigest()[:32]
        self._path = state_folder() / f"{name}.json"
        _remove_stale(self._path.parent)
        descriptor = _lock(self._path)
        if descriptor is None:
            path = unquote(subject.file.removeprefix("file://"), errors="replace")
            raise ConflictError(f"{path} is being uploaded already, by another run.")
        self._subject = subject
        self._descriptor = descriptor
        self._closed = False
        self._saving = threading.Lock()  # a thread may be at it whose caller was interrupted

    def load(self) -> UploadState | None:
        """Return what an earlier run has left; None when that is nothing, or does not fit."""
        text = os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)
        os.utime(self._descriptor)
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            state = msgspec.json.decode(text, type=UploadState)
            return state if state.is_of(self._subject) else None
        return None

    def save(self, state: UploadState) -> None:
        """Write the state, durably. Raises OSError."""
        with self._saving:
            if self._closed:
                return
            fresh = self._path.with_suffix(f".{uuid.uuid4().hex}")
            descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # nobody else knows its name yet
                os.write(descriptor, msgspec.json.encode(state))
                os.fsync(descriptor)
                fresh.replace(self._path)
            except BaseException:
                os.close(descriptor)
                fresh.unlink(missing_ok=True)
                raise
            os.close(self._descriptor)
            self._descriptor = descriptor

    def remove(self) -> None:
        """Remember nothing of the upload."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Unlock the file; one that nothing was written to goes away."""
        with self._saving:
            self._closed = True
            if os.fstat(self._descriptor).st_size == 0:
                self.remove()
            os.close(self._descriptor)


def _lock(path: Path) -> int | None:
    """Open and lock the file at ``path``, made when it is not there; None while another has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # It may have been replaced or removed by who had it locked.
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass
        os.close(descriptor)


def _remove_stale(folder: Path) -> None:
    """Remove what nobody has gone on with for long."""
    before = time.time() - _LIFETIME_SECONDS
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # whatever it is, it is in nobody's way
            if path.stat().st_mtime < before and (descriptor := _lock(path)) is not None:
                path.unlink()
                os.close(descriptor)
