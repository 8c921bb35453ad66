"""When something that failed is tried again, and after how long."""

import asyncio
import random
import time

from mediatheque.client.errors import (
    ClientError,
    ConnectionLostError,
    ServerUnreachableError,
    UnavailableError,
)

_FIRST_DELAY = 0.2
_LONGEST_DELAY = 10.0
_LOCKED = 423

RETRYABLE = (ConnectionLostError, ServerUnreachableError, UnavailableError)
"""Errors after which the same request may go well."""


class Retries:
    """The attempts at one thing: ever longer pauses, until ``patience`` seconds are over.

    The patience counts from the first failure after something went well. A server that says that it
    is still at work on the same thing, such as making one object of many gigabytes, takes none: it
    lets go by itself.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._failures = 0
        self._deadline = 0.0

    @property
    def failed_before(self) -> bool:
        """Whether an earlier attempt failed."""
        return self._failures > 0

    def progressed(self) -> None:
        """Begin to count anew: something went well."""
        self._failures = 0

    async def pause_after(self, error: ClientError) -> None:
        """Sleep before the next attempt, as long as the server asked for if it did.

        Raises ``error`` when the patience does not last so long.
        """
        now = time.monotonic()
        if error.status == _LOCKED:
            self._failures = 0
        if self._failures == 0:
            self._deadline = now + self._patience
        # Random, so that clients that failed together do not come back together.
        delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2**self._failures) * random.uniform(0.5, 1)  # noqa: S311 - no secret
        delay = max(delay, error.retry_after or 0.0)
        self._failures += 1
        if now + delay > self._deadline and error.status != _LOCKED:
            raise error
        await asyncio.sleep(delay)
