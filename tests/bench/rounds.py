"""Contenders in turns."""

from collections.abc import Callable, Mapping

from tests.bench.outcome import Comparison
from tests.bench.probe import Usage

Contender = Callable[[], Usage]


def compare(
    what: str,
    ours: Contender,
    peer: Contender | None,
    *,
    peer_name: str,
    rounds: int,
    target_ratio: float,
) -> Comparison:
    """Run ours, peer, ours, peer, …; a first turn of each only warms up and is not counted."""
    contenders = {"ours": ours} if peer is None else {"ours": ours, "peer": peer}
    runs = take_turns(contenders, rounds)
    return Comparison(
        what=what,
        peer_name=peer_name,
        ours=runs["ours"],
        peer=runs.get("peer", ()),
        target_ratio=target_ratio,
    )


def take_turns(contenders: Mapping[str, Contender], rounds: int) -> dict[str, tuple[Usage, ...]]:
    """Run a, b, c, a, b, c, …; a first turn of each only warms up and is not counted."""
    for contender in contenders.values():
        contender()
    turns = [[contender() for contender in contenders.values()] for _ in range(rounds)]
    return dict(zip(contenders, zip(*turns, strict=True), strict=True))
