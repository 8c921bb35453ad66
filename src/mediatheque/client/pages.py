"""Lists that come in pages, each with the address of the next one."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit

from mediatheque.client.answers import decode
from mediatheque.client.connection import Connection

_PAGE_SIZE = 500

_Item_co = TypeVar("_Item_co", covariant=True)


class Page(Protocol[_Item_co]):
    """What a list answers with."""

    @property
    def items(self) -> Sequence[_Item_co]:
        """What this page holds."""
        ...

    @property
    def next(self) -> str | None:
        """Address of the next page; None after the last."""
        ...


async def every_item(
    connection: Connection,
    path: str,
    params: Mapping[str, str],
    kind: type[Page[_Item_co]],
    *,
    limit: int | None,
) -> AsyncIterator[_Item_co]:
    """Yield the items of a list, at most ``limit``, page by page as they are needed."""
    size = _PAGE_SIZE if limit is None else min(_PAGE_SIZE, limit)
    query = [*params.items(), ("limit", str(size))]
    left = limit
    while query and left != 0:
        page = decode(await connection.request("GET", path, params=query), kind)
        for item in page.items[:left]:
            yield item
        left = None if left is None else max(0, left - len(page.items))
        # Only the query: behind a proxy the address of the link may be another.
        query = parse_qsl(urlsplit(page.next or "").query)
