"""One page of a list as SQL."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, false, literal, or_, select

from mediatheque.domain.paging import Filter, Listing, Operator, Order, Value


def conditions(table: Table, filters: tuple[Filter, ...]) -> list[ColumnElement[bool]]:
    """Return what rows of ``table`` must fulfil to pass every filter."""
    return [_condition(table, item) for item in filters]


def page(table: Table, listing: Listing, *extra: ColumnElement[bool]) -> Select[Any]:
    """Return the rows of one page of ``table``, in order, that also fulfil ``extra``."""
    where = [*conditions(table, listing.filters), *extra]
    if listing.after is not None:
        where.append(_after(table, listing.order, listing.after))
    order = [_ordered(table, item) for item in listing.order]
    if listing.offset == 0:
        return select(table).where(*where).order_by(*order).limit(listing.limit)
    # Rows that are only skipped are skipped in the index: their columns are never fetched.
    chosen = (select(table.c.id).where(*where).order_by(*order).limit(listing.limit)).offset(
        listing.offset
    )
    return select(table).where(table.c.id.in_(chosen)).order_by(*order)


def _condition(table: Table, item: Filter) -> ColumnElement[bool]:
    column = table.c[item.field]
    if not item.values:
        return false()
    if item.operator is Operator.AT_LEAST:
        return column >= item.values[0]
    if item.operator is Operator.AT_MOST:
        return column <= item.values[0]
    if len(item.values) == 1:
        return column == item.values[0]
    return column.in_(item.values)


def _ordered(table: Table, item: Order) -> ColumnElement[Any]:
    column = table.c[item.field]
    return column.desc() if item.descending else column.asc()


def _after(
    table: Table, order: tuple[Order, ...], values: tuple[Value, ...]
) -> ColumnElement[bool]:
    """Return what rows that come after ``values`` in ``order`` fulfil.

    The first field also bounds the scan on its own, so that the index is entered where the page
    begins: PostgreSQL does not see that through the alternatives.
    """
    alternatives: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    bounds = [
        # A bound parameter also for true and false: SQL has them in order, SQLAlchemy does not.
        literal(value, table.c[item.field].type)
        for item, value in zip(order, values, strict=True)
    ]
    for item, value in zip(order, bounds, strict=True):
        column = table.c[item.field]
        beyond = column < value if item.descending else column > value
        alternatives.append(and_(*equal, beyond))
        equal.append(column == value)
    first = table.c[order[0].field]
    bound = first <= bounds[0] if order[0].descending else first >= bounds[0]
    return and_(bound, or_(*alternatives)) if len(order) > 1 else alternatives[0]
