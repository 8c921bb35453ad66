"""The reference says what the code does."""

import re
from pathlib import Path

import msgspec
import pytest

from mediatheque.app import DOORS
from mediatheque.cli.exits import Exit
from mediatheque.config import Settings, environment_variable
from mediatheque.domain.errors import Kind
from scripts import settings_reference

DOCS = Path(__file__).parents[2] / "docs"
ERRORS = (DOCS / "reference" / "errors.md").read_text()


def rows(page: str, columns: int) -> list[list[str]]:
    """Return the cells of every table row of a page that has so many columns."""
    found = [line.strip("| ").split("|") for line in page.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in cells] for cells in found if len(cells) == columns]


def test_the_settings_are_as_the_generator_writes_them() -> None:
    assert settings_reference.PAGE.read_text() == settings_reference.render(), (
        "run python -m scripts.settings_reference"
    )


@pytest.mark.parametrize("field", msgspec.structs.fields(Settings), ids=lambda field: field.name)
def test_every_setting_has_its_variable_type_default_and_meaning(
    field: msgspec.structs.FieldInfo,
) -> None:
    (row,) = [row for row in rows(settings_reference.render(), 5) if row[0] == field.name]

    assert row[1] == environment_variable(field.name)
    assert all(row)
    assert "default" not in row[3].lower()
    if isinstance(field.default, int | str) and not isinstance(field.default, bool):
        assert row[3] == str(field.default)


def test_units_and_limits_are_told() -> None:
    types = {row[0]: row[2] for row in rows(settings_reference.render(), 5)}

    assert types["max_upload_size"] == "integer of bytes, at least 1"
    assert types["upload_url_expiry"] == "integer of seconds, at least 1, at most 604800"
    assert types["source_roots"] == "list of folders"
    assert types["durability"] == "full` or `relaxed"
    assert types["secret_key"] == "text of at least 32 characters"


def test_every_kind_of_error_is_listed_with_the_status_of_every_door() -> None:
    header = re.search(r"^\| kind \| what it means \| (.+) \|$", ERRORS, re.MULTILINE)
    assert header is not None
    columns = [column.split(", ") for column in header[1].split(" | ")]

    listed = {
        row[0]: {
            door: status for doors, status in zip(columns, row[2:], strict=True) for door in doors
        }
        for row in rows(ERRORS, 2 + len(columns))[2:]
    }

    assert listed == {
        kind: {door.name: str(door.statuses[kind]) for door in DOORS} for kind in Kind
    }


def test_every_exit_code_is_listed() -> None:
    listed = {row[0]: row[1] for row in rows(ERRORS, 3)[2:]}

    assert listed == {"0": ""} | {str(int(code)): code.name for code in Exit}


def test_links_between_pages_lead_to_files() -> None:
    for page in DOCS.rglob("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in target and not target.startswith("mailto:"):
                assert (page.parent / target).exists(), f"{page}: {target}"
