"""How long lists take on a catalog with many rows, page by page and filter by filter."""

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.bench import questions, seed, server
from tests.bench.client import Connection, connection, path_of
from tests.bench.outcome import BenchError, Latency, Outcome
from tests.bench.plan import Plan
from tests.bench.questions import Question

_WARM_UP = 5
_MEASURED = 20
_SIZE = 50
_FAR_PAGE = 5000
_NOISE = 1.5
"""A far page counts as being as fast as the first up to this factor."""


def run(plan: Plan) -> list[Outcome]:
    """Fill the catalog, then ask door 3 and door 4 over HTTP and check what they answer."""
    with server.running(plan.directory / "lists") as service:
        filters = asyncio.run(_prepare(service.data_dir, plan.rows))
        with connection(service.address) as client:
            return [
                *_first_pages(client, plan.rows),
                *(_page(client, question, 20) for question in filters),
                *_far_pages(client, plan.rows),
                *_counts(client, plan.rows),
                *_files(client, plan.rows),
            ]


async def _prepare(data_dir: Path, rows: int) -> list[Question]:
    database = await seed.connect(data_dir)
    try:
        await database.fill(rows)
        return await questions.filters(database)
    finally:
        await database.close()


def _first_pages(client: Connection, rows: int) -> list[Latency]:
    newest = Question(
        f"sort=-created_at, page 1 of {_SIZE}",
        questions.medias(sort="-created_at", page_size=_SIZE),
        min(rows, _SIZE),
    )
    whole = Question("page 1 of 1000", questions.medias(), min(rows, 1000))
    return [_page(client, whole, 100), _page(client, newest, None)]


def _far_pages(client: Connection, rows: int) -> list[Latency]:
    """Measure the first page and a far one by cursor, and the same far one by number."""
    far = min(_FAR_PAGE, rows // _SIZE)
    cursor = _walk(client, (far - 1) * _SIZE)
    by_number = questions.medias(page_number=far, page_size=_SIZE)
    if _ids(client.get_json(cursor)) != _ids(client.get_json(by_number)):
        raise BenchError(f"page {far} by cursor has other rows than page {far} by number")
    start = questions.medias(page_size=_SIZE, page_after="")
    first = _page(client, Question(f"page 1 of {_SIZE} by cursor", start, _SIZE), None)
    target = first.median * _NOISE
    return [
        first,
        _page(client, Question(f"page {far} of {_SIZE} by cursor", cursor, _SIZE), target),
        _page(client, Question(f"page {far} of {_SIZE} by number", by_number, _SIZE), None),
    ]


def _walk(client: Connection, rows: int) -> str:
    """Follow ``links.next`` over so many rows; return the path of the page of 50 after them."""
    sizes = [1000] * (rows // 1000) + [rows % 1000] * bool(rows % 1000)
    target = questions.medias(page_size=_SIZE, page_after="")
    for size in sizes:
        target = path_of(client.get_json(_sized(target, size))["links"]["next"])
    return _sized(target, _SIZE)


def _sized(target: str, size: int) -> str:
    path, _, query = target.partition("?")
    kept = [part for part in query.split("&") if not part.startswith("page%5Bsize%5D=")]
    return f"{path}?{'&'.join([*kept, urlencode({'page[size]': size})])}"


def _counts(client: Connection, rows: int) -> list[Latency]:
    target = questions.medias(count="true", page_size=1)
    counted = client.get_json(target)["meta"]["count"]
    if counted != rows:
        raise BenchError(f"count=true says {counted} of {rows} rows")
    return [_page(client, Question(f"count=true of {rows:,} rows", target, 1), 300)]


def _files(client: Connection, rows: int) -> list[Latency]:
    """Ask door 4, whose every answer carries an exact total."""
    some_file = client.get_json("/api/file")["page"][0]["name"]
    measured = []
    for what, parameters in (
        ("newest 10", {}),
        ("name= that a fifth of the rows has", {"name": "hOLIDAY"}),
        ("name= that one row has", {"name": some_file[-14:]}),
        ("tags=published", {"tags": "published"}),
    ):
        target = f"/api/file?{urlencode(parameters)}"
        total = client.get_json(target)["total"]
        if not 0 < total <= rows:
            raise BenchError(f"{target} says that there are {total} of {rows}")
        milliseconds = _time(client, target)
        measured.append(Latency(f"GET /api/file, {what}, total {total:,}", milliseconds, None))
    return measured


def _page(client: Connection, question: Question, target: float | None) -> Latency:
    rows = len(client.get_json(question.target)["data"])
    if rows != question.rows:
        raise BenchError(f"{question.target} answers {rows} rows instead of {question.rows}")
    return Latency(f"GET /medias, {question.what}", _time(client, question.target), target)


def _time(client: Connection, target: str) -> tuple[float, ...]:
    milliseconds = []
    for _ in range(_WARM_UP + _MEASURED):
        started = time.perf_counter()
        client.get(target)
        milliseconds.append((time.perf_counter() - started) * 1000)
    return tuple(milliseconds[_WARM_UP:])


def _ids(page: dict[str, Any]) -> list[str]:
    return [resource["id"] for resource in page["data"]]
