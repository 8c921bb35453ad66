"""Progress bars on standard error, for people who watch."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Set
from types import TracebackType
from typing import TYPE_CHECKING

from mediatheque.cli.output import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_NAME_LENGTH = 40


class Bars:
    """One bar for each thing under way, with its rate and the time that is left.

    Shows nothing when standard error is no terminal.
    """

    def __init__(self) -> None:
        self._progress = _progress() if sys.stderr.isatty() else None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    @contextlib.contextmanager
    def of(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """Give what shows the progress of one thing, in bytes done and in all, for a block."""
        key = f"{name} {len(self._tasks)}"
        try:
            yield lambda done, total: self.show(key, name, done, total)
        finally:
            self.keep(self._tasks.keys() - {key})

    def show(self, key: str, name: str, done: int, total: int | None) -> None:
        """Show how far a thing is, in bytes; ``total`` None when that is not known yet."""
        if self._progress is None:
            return
        task = self._tasks.get(key)
        if task is None:
            self._tasks[key] = self._progress.add_task(_short(name), total=total, completed=done)
        else:
            self._progress.update(task, description=_short(name), completed=done, total=total)

    def keep(self, keys: Set[str]) -> None:
        """Take away the bars of all other things."""
        for key in self._tasks.keys() - keys:
            task = self._tasks.pop(key)
            if self._progress is not None:
                self._progress.remove_task(task)

    def say(self, text: str) -> None:
        """Print a line on standard error, above the bars."""
        if self._progress is None:
            print(printable(text), file=sys.stderr)
        else:
            from rich.text import Text  # noqa: PLC0415 - as below

            self._progress.console.print(Text(printable(text)), soft_wrap=True)


def _progress() -> "Progress":
    # To import it takes longer than many a command, and most are not watched.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _short(name: str) -> str:
    """Return the end of a name, which tells more than its beginning."""
    shown = printable(name)
    return shown if len(shown) <= _NAME_LENGTH else "…" + shown[1 - _NAME_LENGTH :]
