"""What is asked of a long list, with what the answer must hold."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from tests.bench.listed import Listed
from tests.bench.seed import Database

_RANGE_FRACTIONS = (0.1, 0.99, 0.9999)
_PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Question:
    """One request for a list; ``rows`` is how many the page must have."""

    what: str
    target: str
    rows: int


def page(listed: Listed, **parameters: object) -> str:
    """Return the path of a page; ``page_size`` stands for ``page[size]`` and so on."""
    named = {
        name.replace("page_", "page[") + "]" if name.startswith("page_") else name: value
        for name, value in parameters.items()
    }
    return f"{listed.path}?{urlencode(named)}"


async def filters(database: Database) -> list[Question]:
    """Return a question for the commonest and the rarest value of every declared filter.

    Range filters are asked for most of the rows, for one in a hundred and one in ten thousand.
    """
    equal = [question async for question in _equal(database)]
    ranges = [question async for question in _ranges(database)]
    return [*equal, *ranges, await _several(database)]


async def _equal(database: Database) -> AsyncIterator[Question]:
    for column in database.listed.filters:
        for value, rows in await database.values(column):
            yield _question(database.listed, f"filter[{column}]", value, rows)


async def _ranges(database: Database) -> AsyncIterator[Question]:
    for column in database.listed.ranges:
        for value in dict.fromkeys(await database.quantiles(column, _RANGE_FRACTIONS)):
            rows = await database.count(f"{column} >= $1", value)
            yield _question(database.listed, f"filter[{column}__gte]", value, rows)


async def _several(database: Database) -> Question:
    column = database.listed.several
    chosen = await database.values(column)
    values = ",".join(value for value, _ in chosen)
    rows = sum(rows for _, rows in chosen)
    return _question(database.listed, f"filter[{column}__in]", values, rows)


def _question(listed: Listed, name: str, value: Any, rows: int) -> Question:
    target = f"{listed.path}?{urlencode({name: _written(value), 'page[size]': _PAGE_SIZE})}"
    return Question(f"{name}, {rows:,} rows match", target, min(rows, _PAGE_SIZE))


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)
