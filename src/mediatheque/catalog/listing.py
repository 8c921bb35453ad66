"""One page of a list as SQL."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Table,
    and_,
    false,
    literal,
    or_,
    select,
    union_all,
)

from mediatheque.domain.paging import Filter, Listing, Operator, Order, Value


def conditions(table: Table, filters: tuple[Filter, ...]) -> list[ColumnElement[bool]]:
    """Return what rows of ``table`` must fulfil to pass every filter."""
    return [_condition(table, item) for item in filters]


def page(table: Table, listing: Listing, *extra: ColumnElement[bool]) -> Select[Any]:
    """Return the rows of one page of ``table``, in order, that also fulfil ``extra``."""
    where = [*conditions(table, listing.filters), *extra]
    order = [_ordered(table, item) for item in listing.order]
    if listing.after is not None:
        stretches = _after(table, listing.order, listing.after)
        if len(stretches) > 1:
            # PostgreSQL would read all of one stretch to find out that it is followed by another.
            parts = [
                select(table).where(*where, stretch).order_by(*order).limit(listing.limit)
                for stretch in stretches
            ]
            rows = union_all(*(part.subquery().select() for part in parts)).subquery()
            in_order = [_ordered(rows, item) for item in listing.order]
            return select(rows).order_by(*in_order).limit(listing.limit)
        where.extend(stretches)
    if listing.offset == 0:
        return select(table).where(*where).order_by(*order).limit(listing.limit)
    # Rows that are only skipped are skipped in the index: their columns are never fetched.
    skipped = (select(table.c.id).where(*where).order_by(*order).limit(listing.limit)).offset(
        listing.offset
    )
    return select(table).where(table.c.id.in_(skipped)).order_by(*order)


def _condition(table: Table, item: Filter) -> ColumnElement[bool]:
    column = table.c[item.field]
    bounds = [_bound(table, item.field, value) for value in item.values]
    if not bounds:
        return false()
    if item.operator is Operator.AT_LEAST:
        return column >= bounds[0]
    if item.operator is Operator.AT_MOST:
        return column <= bounds[0]
    if len(bounds) == 1:
        return column == bounds[0]
    return column.in_(bounds)


def _bound(table: Table, field: str, value: Value) -> ColumnElement[Any]:
    """Return a value as a parameter to compare a column with.

    A parameter also for true and false: SQL has them in order, SQLAlchemy does not. Whole numbers
    are sent with all the bits that a client may write; no column need be so wide.
    """
    kind = table.c[field].type
    return literal(value, BigInteger() if isinstance(kind, Integer) else kind)


def _ordered(table: FromClause, item: Order) -> ColumnElement[Any]:
    column = table.c[item.field]
    return column.desc() if item.descending else column.asc()


def _after(
    table: Table, order: tuple[Order, ...], values: tuple[Value | None, ...]
) -> list[ColumnElement[bool]]:
    """Return what rows that come after ``values`` in ``order`` fulfil, in consecutive stretches.

    First the rows that have the same value in the first field, then those beyond it, then those
    with null in it: each is one stretch of the index on that field and the id.
    """
    alternatives: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for item, value in zip(order[1:], values[1:], strict=True):
        alternatives.append(and_(*equal, _beyond(table, item, value)))
        equal.append(_equal(table, item.field, value))
    first, value = order[0], values[0]
    stretches: list[ColumnElement[bool]] = []
    if alternatives:
        stretches.append(and_(_equal(table, first.field, value), or_(*alternatives)))
    column = table.c[first.field]
    if value is None:
        return [*stretches, column.is_not(None)] if first.descending else stretches
    bound = _bound(table, first.field, value)
    if first.descending:
        return [*stretches, column < bound]
    return [*stretches, column > bound, *([column.is_(None)] if column.nullable else [])]


def _beyond(table: Table, item: Order, value: Value | None) -> ColumnElement[bool]:
    """Return what rows fulfil whose field alone puts them after ``value``; see ``Listing``."""
    column = table.c[item.field]
    if value is None:
        return column.is_not(None) if item.descending else false()
    bound = _bound(table, item.field, value)
    if item.descending:
        return column < bound
    return or_(column > bound, column.is_(None)) if column.nullable else column > bound


def _equal(table: Table, field: str, value: Value | None) -> ColumnElement[bool]:
    column = table.c[field]
    return column.is_(None) if value is None else column == _bound(table, field, value)
