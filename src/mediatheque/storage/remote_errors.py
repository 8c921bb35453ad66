"""What obstore's errors mean to us."""

import contextlib
from collections.abc import Iterator

from obstore.exceptions import BaseError

from mediatheque.domain.errors import NotFoundError, UnavailableError


@contextlib.contextmanager
def obstore_errors(place: str, key: str) -> Iterator[None]:
    """Turn obstore's errors about the object ``key`` in the store ``place`` into ours.

    Their texts stay out of ours: they quote URLs, and Azure's carry the signature. Raises
    NotFoundError or UnavailableError.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no object {key}.") from error
    except BaseError as error:
        raise UnavailableError(
            f"{place} did not answer or refused ({type(error).__name__}). "
            "Check that it runs and that the credentials may read and write there."
        ) from error
