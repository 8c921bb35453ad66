"""The identity of this catalog, which its store carries too."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import identity


async def find(transaction: Transaction) -> UUID | None:
    """Return the identity of this catalog, None before it has one."""
    found: UUID | None = await transaction.scalar(select(identity.c.id))
    return found


async def ensure(transaction: Transaction, fresh: UUID) -> UUID:
    """Return the identity of this catalog; ``fresh`` becomes it when there is none yet."""
    await transaction.execute(
        insert(identity).values(single=True, id=fresh).on_conflict_do_nothing()
    )
    found: UUID = (await transaction.execute(select(identity.c.id))).scalar_one()
    return found
