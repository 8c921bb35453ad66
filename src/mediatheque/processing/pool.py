"""Processing medias in child processes that are locked up, a few at once."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import msgspec

from mediatheque.domain.errors import UnavailableError
from mediatheque.processing import verdicts
from mediatheque.processing.answers import (
    Answer,
    Defect,
    Done,
    Progress,
    Protected,
    Rejected,
    Request,
    Unable,
)
from mediatheque.processing.forks import Fork, ForkServer
from mediatheque.processing.rlimits import Limits, limits_for
from mediatheque.processing.sandbox import Protection
from mediatheque.processing.tasks import Processed, RejectedError, Task
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

OnProgress = Callable[[float], None]

_LOOK_SECONDS = 0.5
_TRIES = 2


class ProcessingPool:
    """Processes at most ``at_once`` medias at a time, each in a child process of its own.

    ``memory`` is the bytes of address space of one child. ``steps`` names the module that says
    what a child does, ``limits`` how much it may use for a media of so many bytes. Nothing is
    started before it is needed.
    """

    def __init__(
        self,
        *,
        at_once: int,
        memory: int,
        steps: str = "mediatheque.processing.steps",
        limits: Callable[[int, int], Limits] = limits_for,
    ) -> None:
        self._memory = memory
        self._steps = steps
        self._limits = limits
        self._slots = asyncio.Semaphore(at_once)
        self._starting = asyncio.Lock()
        self._server: ForkServer | None = None
        self._closed = False

    async def process(
        self, task: Task, source: Path, folder: Path, *, on_progress: OnProgress | None = None
    ) -> Processed:
        """Process the file ``source`` and write what is made of it to ``folder``.

        The child can read ``source`` and change nothing but ``folder``, so one must not lie in
        the other. ``on_progress`` is told the ratio done, which the child may have made up. When
        this is cancelled, the child is killed before it returns.

        Raises RejectedError when the file cannot be processed, UnavailableError when nothing can
        be at the moment.
        """
        request = await asyncio.to_thread(self._request, task, source, folder)
        answer = await self._ask(request, on_progress)
        match answer:
            case Done(processed):
                return await asyncio.to_thread(verdicts.checked, processed, folder, request.limits)
            case Rejected(reason):
                raise RejectedError(verdicts.sentence(reason))
            case Unable(reason):
                raise UnavailableError(verdicts.sentence(reason))
            case Defect(error, traceback):
                log.warning("file could not be processed", error=error, traceback=traceback)
                raise RejectedError(
                    f"Looking into the file failed ({verdicts.sentence(error)}). "
                    "It is kept as it is."
                )
            case _:
                raise RejectedError(verdicts.NONSENSE)

    async def protection(self) -> Protection:
        """Return what holds the children here, found out by starting one.

        Raises UnavailableError when none can be started.
        """
        with tempfile.TemporaryDirectory(prefix="mediatheque-") as folder:
            request = await asyncio.to_thread(self._request, None, Path("/dev/null"), Path(folder))
            answer = await self._ask(request, None)
        if not isinstance(answer, Protected):
            reason = answer.reason if isinstance(answer, Unable) else verdicts.NONSENSE
            raise UnavailableError(verdicts.sentence(reason))
        return answer.protection

    async def close(self) -> None:
        """Kill the children and their server; who waits for one gets UnavailableError."""
        self._closed = True
        async with self._starting:
            if self._server is not None:
                await self._server.stop()

    def _request(self, task: Task | None, source: Path, folder: Path) -> Request:
        source, folder = source.resolve(), folder.resolve()
        if source.is_relative_to(folder):
            raise ValueError(f"{source} lies in {folder}, where the child may write")
        limits = self._limits(source.stat().st_size, self._memory)
        return Request(source=str(source), folder=str(folder), limits=limits, task=task)

    async def _ask(self, request: Request, on_progress: OnProgress | None) -> Answer:
        """Let a child be forked, and return its last answer once it is over."""
        async with self._slots:
            fork = await self._fork(msgspec.json.encode(request))
            guarding = asyncio.create_task(_guard(fork, request))
            try:
                answer = await _last_answer(fork, on_progress)
                if answer is not None:
                    return answer
                status = await fork.ended()
            finally:
                guarding.cancel()
                await fork.close()
        if fork.killed_for is not None:
            raise RejectedError(fork.killed_for)
        if status is None:
            raise UnavailableError(
                "The process that looks into medias has ended. Retry the job; its errors, if any, "
                "are in the log."
            )
        raise verdicts.death(status, request.limits)

    async def _fork(self, request: bytes) -> Fork:
        try:
            for _ in range(_TRIES):
                server = await self._running()
                try:
                    return server.fork(request)
                except ConnectionError:  # it has ended just now
                    await server.stop()
        except OSError as error:
            raise UnavailableError(
                f"No process can be started to look into medias: {error.strerror}."
            ) from error
        raise UnavailableError("The process that looks into medias ends again and again.")

    async def _running(self) -> ForkServer:
        """Return the fork server; start it when there is none, or it has ended."""
        async with self._starting:
            if self._closed:
                raise UnavailableError("This worker stops and looks into no more medias.")
            if self._server is not None and not self._server.runs:
                await self._server.stop()
                self._server = None
            if self._server is None:
                self._server = await ForkServer.start(self._steps)
            return self._server


async def _last_answer(fork: Fork, on_progress: OnProgress | None) -> Answer | None:
    """Return what a child answers; None when it ends, or is killed, without an answer.

    Raises RejectedError when it answers nonsense.
    """
    async with aclosing(fork.answers()) as lines:
        async for line in lines:
            answer = verdicts.read_answer(line)
            if not isinstance(answer, Progress):
                return answer
            if on_progress is not None:
                on_progress(answer.done)
    return None


async def _guard(fork: Fork, request: Request) -> None:
    """Kill a child that takes longer, or writes more, than it may: the kernel counts neither."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + request.limits.wall
    folder = Path(request.folder)
    while (left := deadline - loop.time()) > 0:
        await asyncio.sleep(min(left, _LOOK_SECONDS))
        if await asyncio.to_thread(verdicts.space_in, folder) > request.limits.output:
            fork.kill(verdicts.too_much_output(request.limits.output))
            return
    fork.kill(verdicts.too_slow(request.limits))
