"""Rows that a statement is given, to insert or to join with."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import TableValuedAlias, column, func, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine


def given_rows(**columns: tuple[TypeEngine[Any], Sequence[Any]]) -> TableValuedAlias:
    """Return rows by the types and values of their columns, sent as one array for each column."""
    arrays = [literal(list(values), ARRAY(kind)) for kind, values in columns.values()]
    named = [column(name, kind) for name, (kind, _) in columns.items()]
    return func.unnest(*arrays).table_valued(*named).render_derived()
