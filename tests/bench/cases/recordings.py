"""Recordings: chunks of many at once, and how soon a finished one can be played."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench import disk, films, server
from tests.bench.client import Connection, connection
from tests.bench.machine import Address
from tests.bench.outcome import BenchError, Figure, Outcome, percentile
from tests.bench.plan import Plan
from tests.bench.recorders import Take, as_fast_as_they_can, once_a_second
from tests.bench.source import Slice, random_source

_RECORDERS = 50
_CHUNK = 256 << 10
_CHUNKS = 257
"""Different ones. A prime, so that no two recorders send the same one at the same time."""
_FULL_SPEED = f"{_RECORDERS} recorders, {_CHUNK >> 10} KiB chunks at full speed"
_EVERY_SECOND = f"{_RECORDERS} recorders, a {_CHUNK >> 10} KiB chunk a second each"
_SECONDS = 20
_DISK_SECONDS = 5
_LEAST_SHARE = 0.6
_MOST_MILLISECONDS = 250.0
_MOST_GROWTH = 1.1
"""Resident memory counts as flat up to this factor."""

_FILM_SECONDS = 12
_FILMS = 10
_PLAYABLE_SECONDS = 0.5
_LOOK_SECONDS = 0.005
_PATIENCE_SECONDS = 60


def run(plan: Plan) -> list[Outcome]:
    """Record with the service as shipped, beside what the disk gives to one process."""
    directory = plan.directory / "recordings"
    with (
        random_source(plan.directory, _CHUNKS * _CHUNK) as source,
        server.running(directory) as service,
    ):
        chunks = [source.cut(number * _CHUNK, _CHUNK) for number in range(_CHUNKS)]
        as_fast_as_they_can(service, chunks, count=_RECORDERS, seconds=_SECONDS // 4)
        alone, takes = [], []
        for _ in range(plan.rounds):
            alone.append(_alone(directory / "alone", chunks))
            takes.append(as_fast_as_they_can(service, chunks, count=_RECORDERS, seconds=_SECONDS))
        paced = [
            once_a_second(service, chunks, count=_RECORDERS, seconds=_SECONDS)
            for _ in range(plan.rounds)
        ]
        playable = _playable(service.address, directory)
    shares = [
        take.megabytes_per_second / max(rates) for take, rates in zip(takes, alone, strict=True)
    ]
    files_in_turns = f"One process, one fsync per chunk, {_RECORDERS} files in turns"
    return [
        *_figures(_FULL_SPEED, takes),
        Figure(
            _FULL_SPEED,
            "Memory, last third of the time over the first",
            "times",
            tuple(take.growth for take in takes),
            at_most=_MOST_GROWTH,
        ),
        Figure(
            _FULL_SPEED,
            "One process, one fsync per chunk, one file",
            "MB/s",
            tuple(one for one, _ in alone),
        ),
        Figure(_FULL_SPEED, files_in_turns, "MB/s", tuple(several for _, several in alone)),
        Figure(
            _FULL_SPEED,
            "All recorders over the faster of these",
            "times",
            tuple(shares),
            at_least=_LEAST_SHARE,
        ),
        *_figures(_EVERY_SECOND, paced),
        Figure(
            "Finished recordings",
            f"{_FILM_SECONDS} s of film, from complete_job to complete",
            "s",
            tuple(playable),
            at_most=_PLAYABLE_SECONDS,
        ),
    ]


def _alone(directory: Path, chunks: Sequence[Slice]) -> tuple[float, float]:
    """Return the MB/s of one process that appends to one file, and to as many as recorders."""
    one, several = (
        disk.megabytes_per_second(directory, chunks, files=files, seconds=_DISK_SECONDS)
        for files in (1, _RECORDERS)
    )
    return one, several


def _figures(subject: str, takes: Sequence[Take]) -> list[Figure]:
    """Return what is told of both kinds of recorders."""

    def figure(
        what: str, unit: str, value: Callable[[Take], float], at_most: float | None = None
    ) -> Figure:
        return Figure(subject, what, unit, tuple(value(take) for take in takes), at_most)

    def within(percent: int) -> Callable[[Take], float]:
        return lambda take: percentile(take.milliseconds, percent)

    return [
        figure("All recorders together", "MB/s", lambda take: take.megabytes_per_second),
        figure("Half of the chunks acknowledged within", "ms", within(50)),
        figure("99 % acknowledged within", "ms", within(99), _MOST_MILLISECONDS),
        figure("All acknowledged within", "ms", within(100)),
        figure(
            "Processors, with the database",
            "cores",
            lambda take: take.usage.cpu_seconds / take.usage.wall_seconds,
        ),
        figure("Peak RSS without the database", "MB", lambda take: take.usage.peak_rss_bytes / 1e6),
    ]


def _playable(address: Address, directory: Path) -> list[float]:
    """Return for recordings of a film, one after the other, how soon each could be played."""
    film = films.camera(_FILM_SECONDS)
    with connection(address) as client:
        _complete_one(client, film, directory)
        return [_complete_one(client, film, directory) for _ in range(_FILMS)]


def _complete_one(client: Connection, film: bytes, directory: Path) -> float:
    """Record a film in a chunk per second and complete it; return the seconds that this took."""
    video_id = client.post_json("/create/", {})["video_id"]
    step = -(-len(film) // _FILM_SECONDS)
    for start in range(0, len(film), step):
        client.post(f"/add_data/{video_id}/", film[start : start + step])
    started = time.perf_counter()
    client.post_json(f"/complete_job/{video_id}/", {})
    while (found := client.get_json(f"/check_status/{video_id}/")) == {"status": "processing"}:
        if time.perf_counter() - started > _PATIENCE_SECONDS:
            raise BenchError(f"recording {video_id} was not processed in {_PATIENCE_SECONDS} s")
        time.sleep(_LOOK_SECONDS)
    taken = time.perf_counter() - started
    if found != {"status": "complete"}:
        raise BenchError(f"recording {video_id}: {found}")
    [name] = client.get_json(f"/video/{video_id}/")["completed_videos"]
    played = directory / "played.webm"
    played.write_bytes(client.get(f"/video/{video_id}/{name}"))
    films.check_playable(played, _FILM_SECONDS)
    return taken
