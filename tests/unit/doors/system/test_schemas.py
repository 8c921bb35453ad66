"""The settings in effect, as operators see them."""

from pathlib import Path

import msgspec

from mediatheque.config import Settings, masked
from mediatheque.doors.system.schemas import settings_in_effect


def shown(settings: Settings) -> dict[str, str | None]:
    return {one.name: one.value for one in settings_in_effect(settings)}


def test_every_setting_is_shown_with_its_variable_and_meaning() -> None:
    found = settings_in_effect(Settings())

    assert [one.name for one in found] == list(Settings.__struct_fields__)
    assert all(one.variable == f"MEDIATHEQUE_{one.name.upper()}" for one in found)
    assert all(len(one.about) > 10 for one in found)
    assert all(one.is_default for one in found)


def test_secrets_and_passwords_are_masked() -> None:
    settings = Settings(
        secret_key="s" * 40,
        database_url="postgresql://me:word@db/x?password=again",
        storage_url="s3://me:word@bucket/x",
    )

    found = shown(settings)

    assert found["secret_key"] == "********"
    assert found["database_url"] == "postgresql://me:********@db/x?********"
    assert found["storage_url"] == "s3://me:********@bucket/x"
    assert "s" * 40 not in repr(settings_in_effect(settings))


def test_values_are_shown_as_they_would_be_written() -> None:
    found = shown(Settings(source_roots=(Path("/a"), Path("/b c")), port=80, deduplicate=True))

    assert found["source_roots"] == "/a, /b c"
    assert found["port"] == "80"
    assert found["deduplicate"] == "true"
    assert found["public_url"] is None
    assert found["cors_origins"] == ""


def test_what_was_changed_is_no_default() -> None:
    changed = {
        one.name
        for one in settings_in_effect(Settings(port=80, data_dir=Path("/x")))
        if not one.is_default
    }

    assert changed == {"port", "data_dir"}


def test_nothing_is_shown_that_printing_the_settings_would_not_show() -> None:
    settings = Settings(secret_key="s" * 40, sync_endpoints=("http://127.0.0.1:8333",))
    printed = msgspec.toml.encode(masked(settings)).decode()

    for one in settings_in_effect(settings):
        for part in (one.value or "").split(", "):
            assert part in printed
