"""``mediatheque record``: make a recording of what a file or a pipe gives, as it comes."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Annotated

from cyclopts import Parameter

from mediatheque.cli.bars import Bars
from mediatheque.cli.exits import Exit
from mediatheque.cli.live_input import LiveInput, opened
from mediatheque.cli.output import amount, print_facts, print_json, printable
from mediatheque.cli.server import DEFAULTS, Options, converse
from mediatheque.cli.units import shown_bytes, shown_seconds
from mediatheque.client import AsyncClient, ClientError, InvalidError, Recording

# Who writes into the pipe has heard Ctrl-C as well, and needs a moment for its last words.
_LAST_WORDS_SECONDS = 3.0


def record(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    no_wait: Annotated[
        bool, Parameter(negative=(), help="Print its id and leave, before it is processed.")
    ] = False,
    options: Options = DEFAULTS,
) -> None:
    """Record what a file or a pipe gives, as it comes, and tell where to play it.

    Ctrl-C ends the recording and keeps it; another one leaves it unfinished. With --json, one
    object at the end.

    Parameters
    ----------
    file
        A file of this machine, or - for standard input.
    """

    async def conversation(client: AsyncClient) -> tuple[Recording, float | None]:
        with opened(file) as live:
            recorded = await _record(client, live)
        if no_wait:
            return recorded, None
        ended = await _follow(client, recorded)
        if ended.media is None:
            return ended, None
        return ended, (await client.medias.find(ended.media)).meta.get("duration")

    recording, duration = converse(options, conversation)
    if options.json:
        print_json(recording)
    elif no_wait:
        print(recording.id)
    else:
        print_facts(_facts(recording, duration))
    _exit(recording)


async def _record(client: AsyncClient, live: LiveInput) -> Recording:
    """Send what comes until it ends, or Ctrl-C ends it; return the completed recording."""
    recording_id = await client.recordings.create()
    print(f"Recording {recording_id}. Ctrl-C ends it.", file=sys.stderr)

    def end() -> None:
        print("Ending the recording. Ctrl-C again leaves it unfinished.", file=sys.stderr)
        live.end_within(_LAST_WORDS_SECONDS)

    try:
        with _at_ctrl_c(end), Bars() as bars:
            received = await client.recordings.send(
                recording_id,
                live.pieces(),
                on_progress=lambda size: bars.show("sent", "sent", size, None),
            )
        if received.size:
            return await client.recordings.complete(recording_id)
    except (asyncio.CancelledError, ClientError, OSError):
        print(
            f"What arrived of recording {recording_id} is kept. The server completes it when "
            f"nothing has come for a while; to do it now: mediatheque recordings complete "
            f"{recording_id}",
            file=sys.stderr,
        )
        raise
    raise InvalidError("There was nothing to record: the input is empty.")


@contextlib.contextmanager
def _at_ctrl_c(act: Callable[[], None]) -> Iterator[None]:
    """Do something else at the first Ctrl-C in a block; the next one does what it always does."""
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):  # a shell that starts things in the background has it ignored
        yield
        return

    def once(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        loop.call_soon_threadsafe(act)

    signal.signal(signal.SIGINT, once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def _follow(client: AsyncClient, recording: Recording) -> Recording:
    """Return a completed recording once it is processed."""
    print(f"{shown_bytes(recording.size)} are recorded. Processing …", file=sys.stderr)
    try:
        return await client.recordings.wait(recording.id)
    except asyncio.CancelledError:
        print(f"Its processing goes on: mediatheque jobs watch {recording.job}", file=sys.stderr)
        raise


def _facts(recording: Recording, duration: float | None) -> dict[str, object]:
    """Return what a person wants to know of an ended recording."""
    facts: dict[str, object] = {
        "id": recording.id,
        "status": recording.status,
        "size": amount(recording.size),
    }
    if duration is not None:
        facts["duration"] = shown_seconds(duration)
    if recording.playable is not None:
        facts["play"] = recording.playable.url
    if recording.warning:
        facts["warning"] = recording.warning
    return facts


def _exit(recording: Recording) -> None:
    """End the command as the recording ended."""
    if recording.status == "failed":
        sys.exit(Exit.FAILED.because(printable(recording.error or "The recording failed.")))
