"""How fast bytes may leave: a limit that all threads of a transfer share."""

import threading
import time

_BURST_SECONDS = 0.1  # how long a silence may be made up for
_STEPS_PER_SECOND = 8
_SMALLEST_STEP = 4 << 10
_LOOK_SECONDS = 0.1  # how often a waiting thread looks whether it shall stop


class SendingStoppedError(Exception):
    """The caller asked to stop. What is needed to continue was left in place."""


class Pace:
    """A token bucket: ``limit`` bytes per second on average, or None for no limit.

    The limit may be changed while threads wait, and holds for them at once. Thread-safe.
    """

    def __init__(self, limit: float | None = None) -> None:
        self._limit = limit
        self._tokens = 0.0  # in bytes; below zero what was let through on credit
        self._refilled = time.monotonic()
        self._changed = threading.Condition()

    @property
    def limit(self) -> float | None:
        """The limit in bytes per second, above zero, or None."""
        return self._limit

    @limit.setter
    def limit(self, limit: float | None) -> None:
        with self._changed:
            self._refill()
            self._limit = limit
            self._changed.notify_all()

    def step(self, most: int) -> int:
        """Return how many bytes, at most ``most``, to wait for at once, so that they flow evenly.

        Without a limit that is ``most``, else an eighth of a second's worth.
        """
        limit = self._limit
        if limit is None:
            return most
        return min(most, max(_SMALLEST_STEP, int(limit / _STEPS_PER_SECOND)))

    def wait(self, count: int, stop: threading.Event) -> None:
        """Return when ``count`` bytes may be sent. Raises SendingStoppedError once ``stop`` is set.

        Whoever finds the bucket not empty takes all he asks for, and the next ones wait until it
        is paid: so ``count`` may be larger than the bucket.
        """
        with self._changed:
            while not stop.is_set():
                missing = self._missing_seconds()
                if missing <= 0:
                    self._tokens -= count
                    return
                self._changed.wait(min(missing, _LOOK_SECONDS))
        raise SendingStoppedError

    def _missing_seconds(self) -> float:
        self._refill()
        return 0.0 if self._limit is None else -self._tokens / self._limit

    def _refill(self) -> None:
        now = time.monotonic()
        if self._limit is None:
            self._tokens = 0.0
        else:
            gained = self._limit * (now - self._refilled)
            self._tokens = min(self._tokens + gained, self._limit * _BURST_SECONDS)
        self._refilled = now


UNLIMITED = Pace()
"""For bytes that nobody slows down. Its limit is never changed."""
