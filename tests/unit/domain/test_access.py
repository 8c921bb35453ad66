"""Whose rows a caller may see."""

from mediatheque.auth.principals import resolve_principal
from mediatheque.domain.access import LOCAL_OPERATOR, Principal, owner_scope


def test_operators_see_everything_and_others_their_own() -> None:
    assert owner_scope(Principal("root", "operator")) is None
    assert owner_scope(Principal("alice", "member")) == "alice"
    assert owner_scope(Principal("operator", "")) == "operator"


def test_without_authentication_the_caller_is_the_local_operator() -> None:
    assert resolve_principal() is LOCAL_OPERATOR
    assert owner_scope(resolve_principal()) is None
