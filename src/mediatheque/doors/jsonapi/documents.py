"""What documents of every collection have in common."""

from typing import Protocol

from msgspec import Struct

from mediatheque.domain.paging import encode_cursor
from mediatheque.doors.jsonapi.query import Query

MEDIA_TYPE = "application/vnd.api+json"


class Links(Struct, frozen=True):
    """Addresses of other pages; null where there is none, or it is not known."""

    first: str | None
    prev: str | None
    next: str | None
    last: str | None


class Found(Protocol):
    """One page as a service returns it."""

    @property
    def more(self) -> bool:
        """Whether another page follows."""

    @property
    def count(self) -> int | None:
        """How many resources there are in all, when it was asked for."""


def page_meta(found: Found) -> dict[str, int | bool]:
    """Return the ``meta`` of a page: empty unless a count was asked for."""
    return {} if found.count is None else {"count": found.count, "more": found.more}


def page_links(query: Query, found: Found, base: str, last: object | None) -> Links:
    """Return the addresses of other pages. ``last`` is the last thing on this one."""
    if query.number is None:
        order = query.listing.order
        follows = last is not None and found.more
        cursor = (
            encode_cursor(order, tuple(getattr(last, item.field) for item in order))
            if follows
            else None
        )
        return Links(
            first=query.link(base, after=""),
            prev=None,
            next=query.link(base, after=cursor) if cursor else None,
            last=None,
        )
    number, size = query.number, query.listing.limit
    last_number = None if found.count is None else max(1, -(-found.count // size))
    return Links(
        first=query.link(base, number=1),
        prev=query.link(base, number=number - 1) if number > 1 else None,
        next=query.link(base, number=number + 1) if found.more else None,
        last=query.link(base, number=last_number) if last_number else None,
    )
