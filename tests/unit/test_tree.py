"""The shape of the tree: small modules, no empty rooms."""

from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "mediatheque"
MODULES = sorted(SOURCE.rglob("*.py"))
LONG = 400
TOO_LONG = 600
# Modules that may have more than LONG lines, each with the reason why it is not split.
REASONS: dict[str, str] = {
    "catalog/tables.py": "One list of columns, to be held against the migrations.",
    "config.py": "Every setting stands beside its description, and all of them in one struct.",
}


def lines(module: Path) -> int:
    return len(module.read_text().splitlines())


def named(module: Path) -> str:
    return module.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_a_module_is_short_or_has_a_reason(module: Path) -> None:
    assert lines(module) <= TOO_LONG
    assert lines(module) <= LONG or REASONS.get(named(module))


def test_no_reason_is_left_over() -> None:
    assert set(REASONS) == {named(module) for module in MODULES if lines(module) > LONG}


def test_no_folder_is_without_modules() -> None:
    for folder in SOURCE.rglob("*"):
        made = {"__pycache__", "built"} & {*folder.relative_to(SOURCE).parts}
        if folder.is_dir() and not made:
            assert any(module.is_relative_to(folder) for module in MODULES), folder


def test_every_module_says_what_it_is() -> None:
    for module in MODULES:
        assert module.read_text().startswith('"""'), module
