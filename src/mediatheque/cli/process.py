"""``mediatheque process``: look into a media, or make others of it."""

import sys
from typing import Annotated

from cyclopts import Parameter

from mediatheque.cli.exits import Exit
from mediatheque.cli.output import print_json, printable
from mediatheque.cli.server import DEFAULTS, Options, converse
from mediatheque.client import AsyncClient, Job
from mediatheque.client.medias import Step


def process(
    name: str,
    step: Step,
    /,
    *steps: Step,
    no_wait: Annotated[bool, Parameter(negative=(), help="Do not wait for the results.")] = False,
    options: Options = DEFAULTS,
) -> None:
    """Look into a media, or make a playable copy, thumbnails, previews, a waveform or HLS of it.

    Parameters
    ----------
    name
        The id or resource of an original.
    step
        What to do: probe, remux, thumbnail, sprite, waveform or hls.
    steps
        More of them.
    """

    async def conversation(client: AsyncClient) -> Job:
        media = await client.medias.find(name)
        job_id = await client.medias.process(media, (step, *steps))
        return await (client.jobs.find(job_id) if no_wait else client.jobs.wait(job_id))

    job = converse(options, conversation)
    if options.json:
        print_json(job)
    else:
        print(f"{job.id} {job.status}")
    if job.error and not job.live:
        sys.exit(Exit.FAILED.because(printable(job.error)))
