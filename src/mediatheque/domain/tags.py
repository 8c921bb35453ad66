"""Tags: short labels that people put on a media. A media has a set of them."""

import unicodedata
from collections.abc import Iterable

from mediatheque.domain.errors import InvalidError

MAX_LENGTH = 100
MAX_TAGS = 100


def check_tags(tags: Iterable[str], *, field: str = "tags") -> tuple[str, ...]:
    """Return the tags without repetitions, in their order.

    Raises InvalidError for one that is empty, longer than 100 characters, or holds a comma
    (lists of tags are written with commas) or a control character, and for more than 100 tags.
    """
    unique = tuple(dict.fromkeys(tags))
    for tag in unique:
        if not tag.strip():
            raise InvalidError("A tag must not be empty.", field=field)
        if len(tag) > MAX_LENGTH:
            raise InvalidError(f"A tag has at most {MAX_LENGTH} characters.", field=field)
        if "," in tag or any(unicodedata.category(c) in {"Cc", "Cs"} for c in tag):
            raise InvalidError(
                f"The tag {tag!r} holds a comma or a control character; use others.", field=field
            )
    if len(unique) > MAX_TAGS:
        raise InvalidError(f"A media has at most {MAX_TAGS} tags.", field=field)
    return unique
