"""``mediatheque rm``: delete files."""

from mediatheque.cli.output import print_json
from mediatheque.cli.server import DEFAULTS, Failures, Options, converse
from mediatheque.client import AsyncClient, ClientError


def rm(name: str, /, *names: str, options: Options = DEFAULTS) -> None:
    """Delete files, with everything derived from them.

    Parameters
    ----------
    name
        Its id or resource.
    names
        More of them.
    """
    failures = Failures([name, *names])

    async def delete(client: AsyncClient) -> None:
        for each in [name, *names]:
            try:
                media = await client.medias.find(each)
                await client.medias.delete(media)
            except ClientError as error:
                failures.add(each, error)
                continue
            if options.json:
                print_json({"deleted": media.id, "resource": media.resource})

    converse(options, delete)
    failures.exit()
