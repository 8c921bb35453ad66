"""What a request of door 2 gives: in its query, in a form, or in a JSON object.

Keys of stores come this way. No error repeats what it does not know the meaning of.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import aclosing

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.syncs import DEFAULT_BUCKET, DEFAULT_REGION, LONGEST_WAIT, SyncOptions
from mediatheque.doors.http.bodies import SMALL_BODY, BodyReader, parse_json
from mediatheque.doors.http.multipart import FilePart, read_form
from mediatheque.doors.http.requests import AnyRequest, media_type, parse_pairs, parse_whole_number
from mediatheque.services.sync_requests import SyncRequest
from mediatheque.storage.s3_keys import S3Keys

Values = Mapping[str, object]
"""Parameters by name: text, or what a JSON object had. Those without a value are left out."""

LONGEST_ANSWER_WAIT = 300
"""Seconds that ``Prefer: wait`` can ask for, at most."""

_MOST_SYNC = 2**63 - 1
_KEYS = frozenset({"access_key", "secret_key"})
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}")
_SECONDS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,9})?")
_PLACE = re.compile(r"[0-9]-[0-9]{1,18}")
_WHOLE = re.compile(r"-?[0-9]+")
_FLAGS: Mapping[str, bool] = {"0": False, "1": True, "false": False, "true": True}


async def read_values(
    request: AnyRequest, known: Collection[str], bodies: BodyReader | None = None
) -> Values:
    """Return the parameters of a request: of its query, and with ``bodies`` of its body as well.

    Raises InvalidError for one that is not among ``known``, and for one that comes twice.
    """
    pairs: list[tuple[str, object]] = list(parse_pairs(request.scope["query_string"]))
    if bodies is not None:
        pairs += await _body_pairs(request, bodies)
    names = [name for name, _ in pairs]
    for name in names:
        if name not in known:
            raise _unknown(name, known, secretive=not _KEYS.isdisjoint(names))
        if names.count(name) > 1:
            raise InvalidError(f"{name} is given twice.", field=name)
    return {name: value for name, value in pairs if value is not None and value != ""}


def parse_sync(values: Values) -> SyncRequest:
    """Return the sync that is asked for. Raises InvalidError."""
    return SyncRequest(
        source=_text(values, "source") or "",
        dest=_text(values, "dest") or DEFAULT_BUCKET,
        storage_url=_text(values, "storage_url"),
        keys=_keys(values),
        options=SyncOptions(
            wait=_seconds(values, "wait"),
            dry_run=parse_flag(values, "dry_run"),
            verify=parse_flag(values, "verify"),
            force=parse_flag(values, "force"),
            backup_prefix=_text(values, "backup_prefix"),
            watch=parse_flag(values, "watch"),
            as_planned=_number(values, "as_planned"),
            region=_text(values, "region") or DEFAULT_REGION,
        ),
    )


def parse_cron(values: Values) -> str:
    """Return the cron expression. Raises InvalidError."""
    cron = _text(values, "cron")
    if cron is None:
        raise InvalidError("cron is missing: five fields, as in '17 * * * *'.", field="cron")
    return cron


def parse_number(values: Values) -> int:
    """Return the id of a sync, whether there is such a sync or not. Raises InvalidError."""
    number = _number(values, "id")
    if number is None:
        raise InvalidError("The id of a sync is missing, as in ?id=7.", field="id")
    return number


def whole_number(text: str) -> int | None:
    """Return the number that a text writes, None when it writes none.

    One with so many digits that nothing has it is as good as another.
    """
    return int(text[:40]) if _WHOLE.fullmatch(text) else None


def parse_flag(values: Values, name: str) -> bool:
    """Return whether the parameter ``name`` is set. Raises InvalidError."""
    value = values.get(name, False)
    if isinstance(value, str):
        value = _FLAGS.get(value)
    if not isinstance(value, int) or value not in {0, 1}:
        raise InvalidError(f"{name} must be 0, 1, true or false.", field=name)
    return bool(value)


def parse_choice(values: Values, name: str, choices: Collection[str]) -> str | None:
    """Return the parameter ``name``, one of ``choices``; None without it. Raises InvalidError."""
    text = _text(values, name)
    if text is not None and text not in choices:
        raise InvalidError(f"{name} is one of {', '.join(choices)}.", field=name)
    return text


def parse_limit(values: Values, *, most: int, default: int | None = None) -> int:
    """Return how many entries a page may have, by default ``default`` or else ``most``.

    Raises InvalidError.
    """
    text = _text(values, "limit")
    if text is None:
        return most if default is None else default
    return parse_whole_number(text, field="limit", least=1, most=most)


def parse_after_sync(values: Values) -> int | None:
    """Return the id after which a page of syncs begins; None: the first. Raises InvalidError."""
    text = _text(values, "after")
    if text is None:
        return None
    return parse_whole_number(text, field="after", least=1, most=_MOST_SYNC)


def parse_after(values: Values) -> tuple[int, int] | None:
    """Return the rank and position after which a page of operations begins; None: the first.

    Raises InvalidError.
    """
    text = _text(values, "after")
    if text is None:
        return None
    if not _PLACE.fullmatch(text):
        raise InvalidError("after must be as the next of an earlier page has it.", field="after")
    rank, _, position = text.partition("-")
    return int(rank), int(position)


def parse_preferred_wait(fields: Iterable[str]) -> int | None:
    """Return the seconds that ``Prefer: wait=N`` asks for (RFC 7240, section 4.3), at most 300.

    None when no wait is preferred. What cannot be understood is ignored, as the RFC has it, and
    of a preference that is stated more than once the first counts.
    """
    for preference in ",".join(fields).split(","):
        name, _, rest = preference.partition("=")
        if name.strip().lower() == "wait":
            text = rest.partition(";")[0].strip().strip('"')
            if not (text.isascii() and text.isdigit()):
                return None
            return min(int(text[:9]), LONGEST_ANSWER_WAIT)
    return None


async def _body_pairs(request: AnyRequest, bodies: BodyReader) -> list[tuple[str, object]]:
    kind = media_type(request)
    if kind == _MULTIPART:
        async with aclosing(bodies.pieces(request, limit=SMALL_BODY)) as pieces:
            form = await read_form(
                request.headers.get("content-type"),
                pieces,
                file_fields=frozenset(),
                on_file=_refuse_file,
            )
        return list(form.fields.items())
    body = (await bodies.read_all(request)).strip()
    if not body:
        return []
    # ``curl -d`` calls everything a form.
    if kind == _FORM and not body.startswith(b"{"):
        return list(parse_pairs(body))
    if kind in {"", _FORM, "application/json"}:
        value = parse_json(body)
        if not isinstance(value, dict):
            raise InvalidError("The body must be a JSON object.")
        return list(value.items())
    raise InvalidError(
        "The body must be a form or a JSON object, with a Content-Type that says so.",
        field="Content-Type",
    )


async def _refuse_file(_part: FilePart) -> None:
    raise InvalidError("A sync takes no files.")


def _unknown(name: str, known: Collection[str], *, secretive: bool) -> InvalidError:
    """Return the error for a parameter that there is not.

    Its name is repeated only where it cannot be a piece of a key that was not percent-encoded.
    """
    what = "One of the parameters is not known"
    if _WORD.fullmatch(name) and not secretive:
        what = f"There is no parameter {name!r}"
    return InvalidError(f"{what}; known are {', '.join(sorted(known))}.")


def _keys(values: Values) -> S3Keys | None:
    access_key, secret_key = _text(values, "access_key"), _text(values, "secret_key")
    if access_key is None and secret_key is None:
        return None
    if access_key is None or secret_key is None:
        missing = "access_key" if access_key is None else "secret_key"
        raise InvalidError(
            f"access_key and secret_key belong together; {missing} is missing.", field=missing
        )
    return S3Keys(access_key, secret_key)


def _text(values: Values, name: str) -> str | None:
    value = values.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidError(f"{name} must be a text.", field=name)
    return value


def _number(values: Values, name: str) -> int | None:
    """Return the number of a sync; None without the parameter."""
    given = values.get(name)
    if given is None:
        return None
    number = whole_number(given) if isinstance(given, str) else given
    if not isinstance(number, int) or isinstance(number, bool):
        raise InvalidError(f"{name} must be a whole number, such as 7.", field=name)
    return number


def _seconds(values: Values, name: str) -> float:
    value = values.get(name, 0.0)
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidError(
            f"{name} must be a number of seconds from 0 to {LONGEST_WAIT}.", field=name
        )
    return float(value)
