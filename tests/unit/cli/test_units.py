import pytest

from mediatheque.cli.units import parse_bytes, shown_bytes, shown_seconds


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("4096", 4096),
        ("10MB", 10_000_000),
        ("10m", 10_000_000),
        ("1.5 GiB", 1_610_612_736),
        ("500k", 500_000),
        ("1KiB", 1024),
        ("2Ti", 2 << 40),
    ],
)
def test_an_amount_is_read_with_its_unit(text: str, amount: int) -> None:
    assert parse_bytes(text) == amount


@pytest.mark.parametrize(
    "text", ["", "MB", "-1", "1e9", "ten", "1.MB", "1i", "1iB", "10 PB", "nan"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="10MB"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (52_428_800, "52.4 MB"), (3e15, "3000.0 TB")],
)
def test_an_amount_is_shown_with_a_decimal_unit(amount: float, text: str) -> None:
    assert shown_bytes(amount) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (61, "1:01"), (3661, "1:01:01")])
def test_a_duration_is_shown_as_a_clock_does(seconds: float, text: str) -> None:
    assert shown_seconds(seconds) == text
