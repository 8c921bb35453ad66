"""How long lists take on a catalog with many rows, page by page and filter by filter."""

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from mediatheque.domain.paging import Order, encode_cursor
from tests.bench import questions, seed, server
from tests.bench.client import Connection, connection, path_of
from tests.bench.listed import JOBS, MEDIAS, Listed
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
        filters = asyncio.run(_prepare(service.data_dir, MEDIAS, plan.rows))
        filters += asyncio.run(_prepare(service.data_dir, JOBS, plan.rows))
        with connection(service.address) as client:
            return [
                *_first_pages(client, plan.rows),
                *(_page(client, question, 20) for question in filters),
                *_far_pages(client, plan.rows),
                *_orders(client, JOBS, plan.rows),
                *_counts(client, MEDIAS, plan.rows),
                *_counts(client, JOBS, plan.rows),
                *_files(client, plan.rows),
            ]


async def _prepare(data_dir: Path, listed: Listed, rows: int) -> list[Question]:
    database = await seed.connect(data_dir, listed)
    try:
        await database.fill(rows)
        return await questions.filters(database)
    finally:
        await database.close()


def _first_pages(client: Connection, rows: int) -> list[Latency]:
    newest = Question(
        f"sort=-created_at, page 1 of {_SIZE}",
        questions.page(MEDIAS, sort="-created_at", page_size=_SIZE),
        min(rows, _SIZE),
    )
    whole = Question("page 1 of 1000", questions.page(MEDIAS), min(rows, 1000))
    return [_page(client, whole, 100), _page(client, newest, None)]


def _far_pages(client: Connection, rows: int) -> list[Latency]:
    """Measure the first page and a far one by cursor, and the same far one by number."""
    far = min(_FAR_PAGE, rows // _SIZE)
    cursor = _walk(client, (far - 1) * _SIZE)
    by_number = questions.page(MEDIAS, page_number=far, page_size=_SIZE)
    if _ids(client.get_json(cursor)) != _ids(client.get_json(by_number)):
        raise BenchError(f"page {far} by cursor has other rows than page {far} by number")
    start = questions.page(MEDIAS, page_size=_SIZE, page_after="")
    first = _page(client, Question(f"page 1 of {_SIZE} by cursor", start, _SIZE), None)
    target = first.median * _NOISE
    return [
        first,
        _page(client, Question(f"page {far} of {_SIZE} by cursor", cursor, _SIZE), target),
        _page(client, Question(f"page {far} of {_SIZE} by number", by_number, _SIZE), None),
    ]


def _orders(client: Connection, listed: Listed, rows: int) -> list[Latency]:
    """Measure the first page of every order, and by cursor the one in the middle of the list."""
    measured = []
    for field in listed.filters:
        for sort in (field, f"-{field}"):
            first = questions.page(listed, sort=sort, page_size=_SIZE, page_after="")
            # One row alone, far away by number: what follows it is the page by cursor.
            single = questions.page(listed, sort=sort, page_size=1, page_number=rows // 2)
            last = client.get_json(single)["data"][0]
            cursor = _cursor(sort, last)
            middle = questions.page(listed, sort=sort, page_size=_SIZE, page_after=cursor)
            by_number = questions.page(listed, sort=sort, page_size=1, page_number=rows // 2 + 1)
            if _ids(client.get_json(middle))[:1] != _ids(client.get_json(by_number)):
                raise BenchError(f"the page in the middle of sort={sort} begins elsewhere")
            for what, target in (("page 1", first), ("the page in the middle", middle)):
                question = Question(f"sort={sort}, {what} of {_SIZE} by cursor", target, _SIZE)
                measured.append(_page(client, question, 20))
    return measured


def _cursor(sort: str, record: dict[str, Any]) -> str:
    """Return the cursor that ``links.next`` of a page which ends with this resource holds."""
    descending = sort.startswith("-")
    fields = list(dict.fromkeys((sort.removeprefix("-"), "id")))
    values = [record["id"] if name == "id" else record["attributes"][name] for name in fields]
    order = tuple(Order(name, descending) for name in fields)
    return encode_cursor(order, tuple(values))


def _walk(client: Connection, rows: int) -> str:
    """Follow ``links.next`` over so many rows; return the path of the page of 50 after them."""
    sizes = [1000] * (rows // 1000) + [rows % 1000] * bool(rows % 1000)
    target = questions.page(MEDIAS, page_size=_SIZE, page_after="")
    for size in sizes:
        target = path_of(client.get_json(_sized(target, size))["links"]["next"])
    return _sized(target, _SIZE)


def _sized(target: str, size: int) -> str:
    path, _, query = target.partition("?")
    kept = [part for part in query.split("&") if not part.startswith("page%5Bsize%5D=")]
    return f"{path}?{'&'.join([*kept, urlencode({'page[size]': size})])}"


def _counts(client: Connection, listed: Listed, rows: int) -> list[Latency]:
    target = questions.page(listed, count="true", page_size=1)
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
    path = question.target.partition("?")[0]
    return Latency(f"GET {path}, {question.what}", _time(client, question.target), target)


def _time(client: Connection, target: str) -> tuple[float, ...]:
    milliseconds = []
    for _ in range(_WARM_UP + _MEASURED):
        started = time.perf_counter()
        client.get(target)
        milliseconds.append((time.perf_counter() - started) * 1000)
    return tuple(milliseconds[_WARM_UP:])


def _ids(page: dict[str, Any]) -> list[str]:
    return [resource["id"] for resource in page["data"]]
