"""The bytes of one request on their way into an intake: whatever arrived is kept.

While bytes arrive, those so far are made durable and acknowledged beside, again and again; what is
left is at the end, also when that is a connection that broke. So a crash of this process costs no
more than came since the last time.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from mediatheque.services.held_intake import HeldIntake
from mediatheque.storage.intakes import Target

CHECKPOINT_BYTES = 4 << 20
_TICK_SECONDS = 0.5
"""Half of the time for which bytes wait at most before they are made durable and acknowledged."""


class Inflow:
    """Appends to an intake, once for each hold.

    ``ends`` tells by the size of the intake whether the hold ends with the last acknowledgement.
    ``target`` as for the store's appender.
    """

    def __init__(
        self, held: HeldIntake, *, ends: Callable[[int], bool], target: Target | None = None
    ) -> None:
        self._held = held
        self._ends = ends
        self._appender = held.begin(target=target)
        self._appending = asyncio.Lock()
        self._written = held.intake.size
        self._checkpoint = self._written + CHECKPOINT_BYTES
        self._acknowledging: asyncio.Task[None] | None = None
        self._acknowledged_at = 0.0
        self._tick: asyncio.TimerHandle | None = None
        self._waiting = False  # for the next piece
        self._given_up = False

    async def take(self, pieces: AsyncIterator[bytes]) -> None:
        """Append ``pieces``; all that arrived is acknowledged when this returns or raises.

        That is so whatever ``pieces`` raise, which is raised again, and when it is cancelled.
        Raises HoldLostError, and what the store raises: then what was acknowledged before counts.
        """
        taking = asyncio.create_task(self._take(pieces))
        try:
            await asyncio.shield(taking)
        except asyncio.CancelledError:
            # Who gives up this request does not give up its bytes.
            self._given_up = True
            if self._waiting:
                taking.cancel()
            while not taking.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([taking])
            if not taking.cancelled():
                taking.exception()  # of no interest to who has gone
            raise

    async def _take(self, pieces: AsyncIterator[bytes]) -> None:
        async with self._held.storing():
            broken = await self._append(pieces)
        if broken is not None:
            raise broken

    async def _append(self, pieces: AsyncIterator[bytes]) -> BaseException | None:
        """Append and acknowledge pieces to the last; return what ended them too early."""
        try:
            broken = await self._receive(pieces)
        finally:
            if self._tick is not None:
                self._tick.cancel()
            if self._acknowledging is not None:
                await asyncio.wait([self._acknowledging])
                self._acknowledging.exception()  # raised below, if nothing else is
        await self._acknowledged()
        await self._acknowledge(whole=True, last=True)
        return broken

    async def _receive(self, pieces: AsyncIterator[bytes]) -> BaseException | None:
        """Append pieces to the last; return what ended them too early."""
        while not self._given_up:
            self._waiting = True
            try:
                piece = await anext(pieces)
            except StopAsyncIteration:
                return None
            except BaseException as error:  # noqa: BLE001 - raised again once its bytes are kept
                return error
            finally:
                self._waiting = False
            await self._write(piece)
            del piece  # it would stay in memory for as long as the next one takes to come
        return None

    async def _write(self, piece: bytes) -> None:
        self._held.check()
        if self._has_failed():
            await self._acknowledged()
        # Only when more follows: what is left is acknowledged once, with the end of the hold.
        due = self._written >= self._checkpoint
        async with self._appending:
            await self._appender.write(piece)
        self._written += len(piece)
        if due:
            # What cannot be acknowledged as fast as it comes is waited for.
            await self._acknowledged()
            self._checkpoint = self._written + CHECKPOINT_BYTES
            self._acknowledge_beside(whole=False)
        elif self._tick is None:
            self._tick = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._when_ticking)

    def _when_ticking(self) -> None:
        """Acknowledge everything, if nothing was for a while; look again later."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._acknowledged_at >= _TICK_SECONDS:
            self._acknowledge_beside(whole=True)
        self._tick = loop.call_later(_TICK_SECONDS, self._when_ticking)

    def _acknowledge_beside(self, *, whole: bool) -> None:
        busy = self._acknowledging is not None and not self._acknowledging.done()
        # What has failed once may have left things in doubt: never tried again.
        if not busy and not self._has_failed():
            self._acknowledging = asyncio.create_task(self._acknowledge(whole=whole))

    def _has_failed(self) -> bool:
        working = self._acknowledging
        return working is not None and working.done() and working.exception() is not None

    async def _acknowledge(self, *, whole: bool, last: bool = False) -> None:
        """Acknowledge everything when ``whole``, else what can be while more is written."""
        if whole:
            async with self._appending:
                appended = await self._appender.flush()
        else:
            appended = await self._appender.checkpoint()
        if appended.size > self._held.intake.size:
            await self._held.advance(appended, last=last and self._ends(appended.size))
            self._acknowledged_at = asyncio.get_running_loop().time()

    async def _acknowledged(self) -> None:
        """Wait for what is being acknowledged; raise what went wrong with it."""
        if self._acknowledging is not None:
            await self._acknowledging
