"""Who asks, and what they may do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a service method: a name and a role, as they are recorded on what is made."""

    name: str
    role: str


LOCAL_OPERATOR = Principal(name="local", role="operator")
"""The caller while authentication is off, which is only possible on a loopback address."""


def owner_scope(principal: Principal) -> str | None:
    """Return whose rows this caller may see; None means everybody's. Operators see everything."""
    return None if principal.role == "operator" else principal.name
