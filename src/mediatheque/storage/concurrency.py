"""How many requests to one store are under way at once: as many as it sustains."""

import contextlib
import threading
from collections.abc import Callable, Iterator


class Concurrency:
    """Slots for the requests of one process to one store, whose number follows its answers.

    Additive increase, multiplicative decrease, as TCP does it (RFC 5681): a round of requests
    that succeed while every slot is taken adds one slot; a request that fails with an error for
    which ``is_trouble`` is true halves them. What had begun before they were halved tells of the
    same trouble and does not count again.
    """

    def __init__(
        self,
        is_trouble: Callable[[Exception], bool],
        *,
        start: int = 8,
        least: int = 2,
        most: int = 32,
    ) -> None:
        self._is_trouble = is_trouble
        self._least = least
        self._most = most
        self._limit = float(start)
        self._taken = 0
        self._halvings = 0
        self._freed = threading.Condition()

    @property
    def limit(self) -> int:
        """How many requests may be under way now."""
        return int(self._limit)

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot for one request; blocks until there is one. Learns from how it ends."""
        with self._freed:
            self._freed.wait_for(lambda: self._taken < self.limit)
            self._taken += 1
            halvings = self._halvings
        try:
            yield
        except Exception as error:
            if self._is_trouble(error):
                self._shrink(halvings)
            raise
        else:
            self._grow()
        finally:
            with self._freed:
                self._taken -= 1
                self._freed.notify_all()

    def _grow(self) -> None:
        with self._freed:
            if self._taken >= self.limit:
                self._limit = min(self._limit + 1 / self._limit, self._most)

    def _shrink(self, halvings: int) -> None:
        with self._freed:
            if halvings == self._halvings:
                self._limit = max(self._limit / 2, self._least)
                self._halvings += 1
