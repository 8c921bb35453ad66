import pytest

from mediatheque.cli.output import printable, shown_uri


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain café 日本.mov", "plain café 日本.mov"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("two\nlines\tand", "two\\nlines\\tand"),
        ("evil\u202egpj.exe", "evil\\u202egpj.exe"),
        ("byte \udcff", "byte \\udcff"),
    ],
)
def test_nothing_steers_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("file:///a%20b/c%C3%A9.mov", "/a b/cé.mov"),
        ("file:///x%FF%0A", "/x\\udcff\\n"),
        ("s3://bucket/a%20b", "s3://bucket/a%20b"),
    ],
)
def test_a_source_is_shown_as_a_path(uri: str, shown: str) -> None:
    assert shown_uri(uri) == shown
