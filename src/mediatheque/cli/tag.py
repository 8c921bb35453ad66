"""``mediatheque tag``: add tags to a file, and remove them."""

from collections.abc import Awaitable, Callable

from cyclopts import App

from mediatheque.cli.output import print_json, printable
from mediatheque.cli.server import DEFAULTS, Options, converse
from mediatheque.client import AsyncClient, Media

app = App(name="tag", help="Add tags to a file, or remove them.")


@app.command
def add(name: str, tag: str, /, *tags: str, options: Options = DEFAULTS) -> None:
    """Add tags to those that a file has.

    Parameters
    ----------
    name
        The file's id or resource.
    tag
        A tag: 1 to 100 characters, no comma.
    tags
        More of them.
    """
    _change(name, options, lambda client, media: client.medias.add_tags(media, (tag, *tags)))


@app.command
def remove(name: str, tag: str, /, *tags: str, options: Options = DEFAULTS) -> None:
    """Remove all of these tags from a file; none when it lacks one of them.

    Parameters
    ----------
    name
        The file's id or resource.
    tag
        A tag that it has.
    tags
        More of them.
    """
    _change(name, options, lambda client, media: client.medias.remove_tags(media, (tag, *tags)))


def _change(
    name: str, options: Options, change: Callable[[AsyncClient, Media], Awaitable[None]]
) -> None:
    """Change the tags of a file, and print those that it then has."""

    async def conversation(client: AsyncClient) -> Media:
        media = await client.medias.find(name)
        await change(client, media)
        return await client.medias.find(media.id)

    media = converse(options, conversation)
    if options.json:
        print_json(media)
    else:
        print("\n".join(map(printable, media.tags)), end="\n" if media.tags else "")
