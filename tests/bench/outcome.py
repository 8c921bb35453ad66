"""What a benchmark finds out: one kind of outcome for each kind of question."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.probe import Usage


class BenchError(Exception):
    """The run is worth nothing: bytes differ, an answer is wrong, or a server does not start."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same work done by us and by a peer in turns; the target bounds the ratio of times.

    ``peer`` is empty when the peer's program is missing on this machine.
    """

    what: str
    peer_name: str
    ours: tuple[Usage, ...]
    peer: tuple[Usage, ...]
    target_ratio: float

    @property
    def ratio(self) -> float | None:
        """Our median time over the peer's, or None when the peer was not measured."""
        return median_wall(self.ours) / median_wall(self.peer) if self.peer else None

    @property
    def ratio_of_minima(self) -> float | None:
        """Our best time over the peer's best, or None when the peer was not measured."""
        return min_wall(self.ours) / min_wall(self.peer) if self.peer else None

    @property
    def met(self) -> bool | None:
        """Whether the median ratio keeps the target; None when the peer was not measured."""
        return None if self.ratio is None else self.ratio <= self.target_ratio


@dataclass(frozen=True, slots=True)
class Memory:
    """What our processes held, database aside, before and at the worst moment of some work."""

    what: str
    idle_rss_bytes: int
    usage: Usage
    target_bytes: int

    @property
    def met(self) -> bool:
        """Whether the peak of resident memory stayed below the target."""
        return self.usage.peak_rss_bytes < self.target_bytes


@dataclass(frozen=True, slots=True)
class Latency:
    """How long warm requests took, one after the other on one connection."""

    what: str
    milliseconds: tuple[float, ...]
    target_milliseconds: float | None

    @property
    def median(self) -> float:
        """Median time in milliseconds."""
        return statistics.median(self.milliseconds)

    @property
    def p95(self) -> float:
        """95th percentile in milliseconds."""
        return percentile(self.milliseconds, 95)

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the target; None when the row has no target."""
        return None if self.target_milliseconds is None else self.median < self.target_milliseconds


@dataclass(frozen=True, slots=True)
class Rate:
    """Answers per second under a constant number of connections."""

    what: str
    generator: str
    per_second: tuple[float, ...]
    p99_milliseconds: tuple[float, ...]
    target_per_second: float

    @property
    def median(self) -> float:
        """Median of the rounds, in answers per second."""
        return statistics.median(self.per_second)

    @property
    def met(self) -> bool:
        """Whether the median reaches the target."""
        return self.median >= self.target_per_second


@dataclass(frozen=True, slots=True)
class Figure:
    """One number about ``subject`` (a table of its own), taken once or several times.

    ``unit`` as it is written behind the number, ``at_most`` and ``at_least`` in the same unit.
    """

    subject: str
    what: str
    unit: str
    values: tuple[float, ...]
    at_most: float | None = None
    at_least: float | None = None

    @property
    def median(self) -> float:
        """Median of the values."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the target; None when there is none."""
        if self.at_least is not None:
            return self.median >= self.at_least
        return None if self.at_most is None else self.median <= self.at_most


@dataclass(frozen=True, slots=True)
class Bound:
    """A target of a race: ``value`` is None when nothing could be compared."""

    what: str
    value: float | None
    at_most: float

    @property
    def met(self) -> bool | None:
        """Whether the value keeps the target; None when there is no value."""
        return None if self.value is None else self.value <= self.at_most


@dataclass(frozen=True, slots=True)
class Race:
    """The same work done by several in turns: what each of them used, and what we wanted."""

    what: str
    runs: Mapping[str, tuple[Usage, ...]]
    bounds: tuple[Bound, ...]

    @property
    def met(self) -> bool | None:
        """Whether every target that could be judged was kept; None when there was none."""
        judged = [bound.met for bound in self.bounds if bound.met is not None]
        return all(judged) if judged else None


Outcome = Comparison | Memory | Latency | Rate | Figure | Race


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that so many percent of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def median_wall(runs: Sequence[Usage]) -> float:
    """Median wall time in seconds."""
    return statistics.median(run.wall_seconds for run in runs)


def median_cpu(runs: Sequence[Usage]) -> float:
    """Median processor time in seconds."""
    return statistics.median(run.cpu_seconds for run in runs)


def min_wall(runs: Sequence[Usage]) -> float:
    """Shortest wall time in seconds."""
    return min(run.wall_seconds for run in runs)
