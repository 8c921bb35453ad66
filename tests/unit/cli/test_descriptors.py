"""How many connections a process takes that may open so many files."""

import resource

import pytest

from mediatheque.cli.descriptors import connections, raise_limit


@pytest.mark.parametrize(
    ("limit", "taken"), [(65_536, 8192), (4000, 1872), (1024, 384), (256, 64), (20, 64)]
)
def test_each_connection_may_need_a_file_as_well(limit: int, taken: int) -> None:
    assert connections(limit) == taken


@pytest.mark.parametrize(
    ("limits", "raised"),
    [
        ((1024, 524_288), 65_536),
        ((1024, 4096), 4096),
        ((256, resource.RLIM_INFINITY), 65_536),
        ((100_000, 200_000), 65_536),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 65_536),
    ],
)
def test_a_limit_is_raised_as_far_as_it_may_be_and_never_lowered(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], raised: int
) -> None:
    now = [limits]
    monkeypatch.setattr(resource, "getrlimit", lambda _: now[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: now.append(wanted))

    assert raise_limit() == raised
    assert now in ([limits], [limits, (raised, limits[1])])


def test_what_the_system_refuses_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_resource: int, _limits: tuple[int, int]) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_limit() == 256
