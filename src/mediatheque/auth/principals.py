"""From the credential of a request to a Principal. Decides nothing else."""

from mediatheque.domain.access import LOCAL_OPERATOR, Principal


def resolve_principal() -> Principal:
    """Return the caller.

    There are no credentials yet: the service listens on loopback only, and whoever reaches it is
    the local operator.
    """
    return LOCAL_OPERATOR
