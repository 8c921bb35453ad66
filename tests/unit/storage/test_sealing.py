"""Keys at rest: readable by the service alone, for the purpose they were given for."""

import pytest

from mediatheque.domain.errors import ConflictError
from mediatheque.storage.s3_keys import S3Keys
from mediatheque.storage.sealing import Sealer

KEYS = S3Keys("canary-access", "canary-secret/+é")
CONTEXT = b"sync:http://127.0.0.1:9000/videos"


def test_what_was_sealed_is_opened_again() -> None:
    sealed = Sealer(b"secret").seal(KEYS, CONTEXT)

    assert Sealer(b"secret").open(sealed, CONTEXT) == KEYS


def test_nothing_of_the_keys_is_seen_in_what_is_sealed_nor_that_two_are_equal() -> None:
    first, second = (Sealer(b"secret").seal(KEYS, CONTEXT) for _ in range(2))

    assert first != second
    assert first[:12] != second[:12]
    assert b"canary" not in first


@pytest.mark.parametrize(
    ("secret", "context"), [(b"other", CONTEXT), (b"secret", CONTEXT + b"x"), (b"secret", b"")]
)
def test_another_secret_or_context_opens_nothing(secret: bytes, context: bytes) -> None:
    sealed = Sealer(b"secret").seal(KEYS, CONTEXT)

    with pytest.raises(ConflictError, match="Give them again"):
        Sealer(secret).open(sealed, context)


def test_what_was_changed_or_cut_is_not_opened() -> None:
    sealed = Sealer(b"secret").seal(KEYS, CONTEXT)
    changed = [
        sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        for place in range(len(sealed))
    ]
    cut = [sealed[:length] for length in range(len(sealed))]

    for each in [*changed, *cut]:
        with pytest.raises(ConflictError):
            Sealer(b"secret").open(each, CONTEXT)


def test_no_error_and_no_representation_shows_keys() -> None:
    sealer = Sealer(b"canary of the service")
    sealed = sealer.seal(KEYS, CONTEXT)

    with pytest.raises(ConflictError) as caught:
        sealer.open(sealed, b"other")

    shown = f"{KEYS!r} {KEYS} {sealer!r} {caught.value!r} {caught.value.__context__!r}"
    assert "canary" not in shown
