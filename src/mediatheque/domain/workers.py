"""Workers: processes that run jobs."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Worker:
    """One that runs jobs, ``running`` of them now; ``warning`` is what to know of it, a sentence.

    ``seen_at`` is when it last gave a sign of life.
    """

    id: UUID
    name: str
    warning: str | None
    started_at: datetime
    seen_at: datetime
    running: int

    @property
    def host(self) -> str:
        """The machine it runs on, as far as its name tells: ``worker host:pid``."""
        return self.name.removeprefix("worker ").rpartition(":")[0] or self.name
