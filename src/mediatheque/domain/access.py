"""Who asks, and what they may do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a service method: a name and a role, as they are recorded on what is made."""

    name: str
    role: str


LOCAL_OPERATOR = Principal(name="local", role="operator")
"""The caller while authentication is off, which is only possible on a loopback address."""


def may_see_everything(principal: Principal) -> bool:
    """Tell whether queries for this caller span all owners. Operators see everything."""
    return principal.role == "operator"
