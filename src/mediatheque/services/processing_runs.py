"""Running the processing of medias that are in the catalog already."""

from uuid import UUID

from mediatheque.catalog import medias
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import NotFoundError
from mediatheque.domain.media import Media
from mediatheque.domain.processing import Step
from mediatheque.processing.tasks import RejectedError
from mediatheque.services.derivation import Deriver, Share
from mediatheque.services.job_runs import JobFailedError, JobRun, patiently


class ProcessingRunner:
    """Does the work of processing jobs: a few steps with each of some medias."""

    def __init__(self, database: Database, deriver: Deriver) -> None:
        self._database = database
        self._deriver = deriver

    async def run(self, run: JobRun) -> None:
        """Process each media; go on behind those that an earlier run ended with.

        A media that cannot be processed says so in its ``meta``. Raises JobFailedError at the end
        when there was one, and what the store raises.
        """
        ids = [UUID(text) for text in run.arguments["medias"]]
        steps = [Step(text) for text in run.arguments["steps"]]
        state = run.checkpoint or {"done": 0, "failures": []}
        failures: list[str] = list(state["failures"])
        for done in range(state["done"], len(ids)):
            run.check()
            share = Share(done / len(ids), 1 / len(ids))
            failure = await self._process(run, ids[done], steps, share)
            if failure is not None:
                failures.append(failure)
            await run.save(
                progress=(done + 1) / len(ids),
                checkpoint={"done": done + 1, "failures": failures},
            )
        if failures:
            raise JobFailedError(_sentence(failures, len(ids)))

    async def _process(
        self, run: JobRun, media_id: UUID, steps: list[Step], share: Share
    ) -> str | None:
        """Process one media; return why it could not be, None when it was or is gone."""
        media = await self._find(media_id)
        if media is None:
            return None
        try:
            derivation = await self._deriver.derive(run, media, steps, share=share)
        except RejectedError as error:
            await self._record_failure(run, media, error.detail)
            return f"{media.filename}: {error.detail}"

        async def record() -> list[str]:
            async with self._database.begin() as transaction:
                await run.still_holds(transaction)
                return await self._deriver.record_in(transaction, derivation)

        try:
            replaced = await patiently(record)
        except NotFoundError:
            await self._deriver.discard(derivation)
            return None
        except BaseException:
            await self._deriver.discard(derivation)
            raise
        await self._deriver.delete_objects(replaced)
        reasons = derivation.processed.failures.values()
        return f"{media.filename}: {' '.join(reasons)}" if reasons else None

    async def _find(self, media_id: UUID) -> Media | None:
        async with self._database.read() as connection:
            return await medias.find(connection, media_id, owner=None)

    async def _record_failure(self, run: JobRun, media: Media, reason: str) -> None:
        async def record() -> None:
            async with self._database.begin() as transaction:
                await run.still_holds(transaction)
                await medias.learn(
                    transaction, media.id, meta={"error": reason}, mime_type=media.mime_type
                )

        await patiently(record)


def _sentence(failures: list[str], total: int) -> str:
    if total == 1:
        return failures[0]
    return f"{len(failures)} of {total} medias could not be processed. The first: {failures[0]}"
