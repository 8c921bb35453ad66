"""Input that is read as it grows."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediatheque.cli.live_input import PIECE_BYTES, LiveInput, opened


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@pytest.fixture
def live(pipe: Path) -> Iterator[LiveInput]:
    with opened(str(pipe)) as opened_pipe:
        yield opened_pipe


async def test_a_file_is_cut_into_pieces(tmp_path: Path) -> None:
    content = os.urandom(PIECE_BYTES + 1)
    (tmp_path / "file").write_bytes(content)
    with opened(str(tmp_path / "file")) as live:
        pieces = [piece async for piece in live.pieces()]

    assert pieces == [content[:PIECE_BYTES], content[PIECE_BYTES:]]


async def test_what_came_into_a_pipe_since_the_last_piece_is_the_next_one(
    pipe: Path, live: LiveInput
) -> None:
    pieces = live.pieces()
    with pipe.open("wb", buffering=0) as writer:
        writer.write(b"a")
        assert await anext(pieces) == b"a"
        for _ in range(10):
            writer.write(bytes(50_000))
        assert await anext(pieces) == bytes(500_000)
    assert [piece async for piece in pieces] == []


async def test_a_pipe_that_nobody_writes_is_waited_for_until_enough_is_enough(
    live: LiveInput,
) -> None:
    live.end_within(0.02)

    assert [piece async for piece in live.pieces()] == []


async def test_what_comes_in_the_time_that_is_left_is_taken(pipe: Path, live: LiveInput) -> None:
    with pipe.open("wb", buffering=0) as writer:
        live.end_within(0.1)
        asyncio.get_running_loop().call_later(0.02, writer.write, b"last words")

        assert [piece async for piece in live.pieces()] == [b"last words"]


async def test_a_reader_that_is_cancelled_leaves_nothing_behind(live: LiveInput) -> None:
    reading = asyncio.ensure_future(anext(live.pieces()))
    await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    live.end_within(0)
    assert [piece async for piece in live.pieces()] == []


def test_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=tmp_path.name), opened(str(tmp_path)):
        raise AssertionError("it was opened")
