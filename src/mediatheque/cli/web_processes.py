"""The web processes: as many as the settings say, whatever becomes of them."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from granian.server.mp import MPServer

from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

_SOON_SECONDS = 5.0
_PAUSE_SECONDS = 1.0


class WebProcesses(MPServer):
    """A server that starts another web process for each that ends, for as long as it runs.

    The library's own gives up, and the whole service ends, when one ends twice within seconds. But
    what kills it may be a client that comes back, or the lack of memory: then the others go on,
    and it is tried again, at most once in a second.
    """

    _respawned_at = -_SOON_SECONDS

    def _respawn_workers(
        self,
        workers: Sequence[int],
        spawn_target: Callable[..., Any],
        target_loader: Callable[..., Any],
        delay: float = 0,
    ) -> None:
        again = time.monotonic() - self._respawned_at < _SOON_SECONDS
        log.warning("web process ended, another one is started", count=len(workers), again=again)
        if again:
            time.sleep(_PAUSE_SECONDS)
        super()._respawn_workers(workers, spawn_target, target_loader, delay)
        self._respawned_at = time.monotonic()
        self.respawned_wrks.clear()  # by which it would find that it has to give up
