"""The bytes of one request on their way into a resumable upload."""

from collections.abc import AsyncIterator, Callable, Mapping

from mediatheque.domain.digests import PromisedDigests
from mediatheque.domain.errors import TooLargeError
from mediatheque.domain.resumable_uploads import DigestError
from mediatheque.services.held_intake import HeldIntake


class Fitting:
    """Passes on the first ``room`` bytes of some pieces; ``exceeded`` when there are more."""

    def __init__(self, pieces: AsyncIterator[bytes], room: int) -> None:
        self._pieces = pieces
        self._room = room
        self.exceeded = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.exceeded:
            raise StopAsyncIteration
        piece = await anext(self._pieces)
        if len(piece) > self._room:
            self.exceeded = True
            piece = piece[: self._room]
            if not piece:
                raise StopAsyncIteration
        self._room -= len(piece)
        return piece


async def take_verified(
    held: HeldIntake,
    pieces: Fitting,
    digests: Mapping[str, bytes],
    *,
    ends: Callable[[int], bool],
) -> None:
    """Append bytes, all or nothing: only when they have the digests that were promised.

    ``ends`` as for ``Inflow``. Raises DigestError, TooLargeError, HoldLostError, and what the
    pieces and the store raise; then nothing of them is kept.
    """
    promised = PromisedDigests(digests)
    appended = await held.append(pieces, digests=[promised])
    if pieces.exceeded:
        raise TooLargeError(
            "The request has more bytes than the upload still takes, and a digest of all of them. "
            "Nothing of it was kept."
        )
    if promised.broken is not None:
        raise DigestError(
            f"The {promised.broken} of what arrived is not the promised one: it was damaged on "
            "its way. Nothing of this request was kept; send it again."
        )
    if appended.size > held.intake.size:
        await held.advance(appended, last=ends(appended.size))
