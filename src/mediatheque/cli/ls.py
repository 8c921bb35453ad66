"""``mediatheque ls``: list files."""

from typing import Annotated

from cyclopts import Parameter

from mediatheque.cli.output import Rows, amount, moment, print_json
from mediatheque.cli.server import DEFAULTS, Limit, Options, converse
from mediatheque.client import AsyncClient, Media


def ls(
    *,
    name: Annotated[str, Parameter(help="Part of the file's name, in any case.")] = "",
    tag: Annotated[
        tuple[str, ...],
        Parameter(negative=(), show_default=False, help="A tag that it has; may be repeated."),
    ] = (),
    type_: Annotated[
        str | None,
        Parameter(name="--type", help="Media type: image/png, or image for all pictures."),
    ] = None,
    sort: Annotated[
        str,
        Parameter(
            help="Field to sort by, with - before it for descending: created_at, filename, size.",
            allow_leading_hyphen=True,
        ),
    ] = "-created_at",
    limit: Limit = None,
    all_: Annotated[
        bool, Parameter(name="--all", negative=(), help="Also what is derived from files.")
    ] = False,
    options: Options = DEFAULTS,
) -> None:
    """List files, newest first.

    With --json, one object a line.
    """
    filters: dict[str, str] = {} if all_ else {"key": ""}
    family = ""
    if type_ is not None and "/" in type_:
        filters["mime_type"] = type_
    elif type_ is not None:
        family = f"{type_}/"

    async def show(client: AsyncClient) -> None:
        rows = Rows("id", "size", "uploaded", "type", "name", "tags", right=("size",))
        # The server does not filter by family, so the limit is for what passes here.
        found = client.medias.list(
            name=name, tags=tag, filters=filters, sort=sort, limit=None if family else limit
        )
        number = 0
        async for media in found:
            if number == limit:
                break
            if not media.mime_type.startswith(family):
                continue
            number += 1
            if options.json:
                print_json(media)
            else:
                rows.add(*_cells(media))
        rows.flush()

    converse(options, show)


def _cells(media: Media) -> tuple[str, ...]:
    name = f"{media.filename} ({media.key})" if media.key else media.filename
    return (
        media.id,
        amount(media.size),
        moment(media.created_at),
        media.mime_type,
        name,
        ",".join(media.tags),
    )
