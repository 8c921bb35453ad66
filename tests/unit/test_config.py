"""Settings: from the environment and the file, converted, refused by name, masked."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mediatheque.config import (
    MASK,
    ConfigError,
    Settings,
    environment_variable,
    mask_url,
    masked,
    read_settings,
    unknown_variables,
)

SECRET = "s" * 32
# Setting: (text in the environment, value in the file, value in effect).
EVERY_SETTING: dict[str, tuple[str, Any, Any]] = {
    "data_dir": ("/srv/media", "/srv/media", Path("/srv/media")),
    "host": ("::1", "::1", "::1"),
    "port": ("8080", 8080, 8080),
    "workers": ("3", 3, 3),
    "database_url": ("postgresql://db/x", "postgresql://db/x", "postgresql://db/x"),
    "database_connections": ("7", 7, 7),
    "storage_url": ("s3://bucket/prefix", "s3://bucket/prefix", "s3://bucket/prefix"),
    "s3_endpoint": ("http://127.0.0.1:8333", "http://[::1]:8333/", None),
    "source_roots": ("/a:/b c", ["/a", "/b c"], (Path("/a"), Path("/b c"))),
    "uploads_root": ("/up", "/up", Path("/up")),
    "cors_origins": (
        "https://a.example, https://b.example",
        ["https://a.example", "https://b.example"],
        ("https://a.example", "https://b.example"),
    ),
    "durability": ("relaxed", "relaxed", "relaxed"),
    "reserved_space": ("0", 0, 0),
    "max_upload_size": ("1000", 1000, 1000),
    "upload_expiry": ("11", 11, 11),
    "upload_url_expiry": ("12", 12, 12),
    "download_url_expiry": ("13", 13, 13),
    "redirect_downloads": ("true", True, True),
    "public_url": ("https://media.example.org", "https://media.example.org", None),
    "secret_key": (SECRET, SECRET, SECRET),
    "idle_timeout": ("14", 14, 14),
    "shutdown_timeout": ("15", 15, 15),
    "job_lease": ("16", 16, 16),
    "segment_bytes": ("1000", 1000, 1000),
    "segment_seconds": ("18", 18, 18),
    "deduplicate": ("true", True, True),
    "transfers_per_worker": ("5", 5, 5),
    "transfers_at_once": ("6", 6, 6),
    "syncs_per_worker": ("7", 7, 7),
    "sync_endpoints": (
        "https://s3.example.org, http://127.0.0.1:8333",
        ["https://s3.example.org", "http://127.0.0.1:8333"],
        ("https://s3.example.org", "http://127.0.0.1:8333"),
    ),
    "sync_delete_unowned": ("true", True, True),
    "sync_delete_count": ("18", 18, 18),
    "sync_delete_percent": ("19", 19, 19),
    "recordings_quiet_after": ("60", 60, 60),
    "recordings_keep_original": ("false", False, False),
    "probe_medias": ("false", False, False),
    "meta_location": ("true", True, True),
    "processing_at_once": ("9", 9, 9),
    "processing_memory": ("600000000", 600_000_000, 600_000_000),
    "processing_max_size": ("1000", 1000, 1000),
    "processing_max_pixels": ("2000000", 2_000_000, 2_000_000),
    "janitor_schedule": ("* * * * *", "* * * * *", "* * * * *"),
    "orphan_age": ("17", 17, 17),
    "log_format": ("json", "json", "json"),
    "log_level": ("debug", "debug", "debug"),
}


def toml(folder: Path, values: dict[str, Any]) -> Path:
    file = folder / "mediatheque.toml"
    file.write_bytes(msgspec.toml.encode(values))
    return file


def test_every_setting_is_tried_below() -> None:
    assert set(EVERY_SETTING) == set(Settings.__struct_fields__)


@pytest.mark.parametrize("name", EVERY_SETTING)
def test_every_setting_is_read_from_the_environment(name: str) -> None:
    text, _, value = EVERY_SETTING[name]

    settings = read_settings({environment_variable(name): text})

    assert getattr(settings, name) == (text if value is None else value)
    assert getattr(read_settings({}), name) != getattr(settings, name)


@pytest.mark.parametrize("name", EVERY_SETTING)
def test_every_setting_is_read_from_the_file(name: str, tmp_path: Path) -> None:
    _, plain, value = EVERY_SETTING[name]
    file = toml(tmp_path, {name: plain})

    settings = read_settings({"MEDIATHEQUE_CONFIG": str(file)})

    assert getattr(settings, name) == (plain if value is None else value)


def test_the_variable_of_a_setting_is_its_name_in_capitals() -> None:
    assert environment_variable("data_dir") == "MEDIATHEQUE_DATA_DIR"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = toml(tmp_path, {"port": 1111, "workers": 2})

    settings = read_settings({"MEDIATHEQUE_PORT": "2222"}, file)

    assert (settings.port, settings.workers) == (2222, 2)


def test_an_empty_variable_is_an_unset_one(tmp_path: Path) -> None:
    file = toml(tmp_path, {"port": 1111})

    assert read_settings({"MEDIATHEQUE_PORT": "", "MEDIATHEQUE_CONFIG": ""}, file).port == 1111


def test_the_defaults_serve_on_loopback_and_survive_a_power_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/home/me/a b")

    settings = read_settings({})

    assert (settings.host, settings.port) == ("127.0.0.1", 5000)
    assert settings.durable
    assert settings.data_dir == Path("/home/me/a b/mediatheque")
    assert settings.store_url == "file:///home/me/a%20b/mediatheque/objects"
    assert settings.database_url is None
    assert settings.cors_origins == ()
    assert 1 <= settings.workers <= 4


def test_without_a_folder_for_data_the_home_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/me")

    assert read_settings({}).data_dir == Path("/home/me/.local/share/mediatheque")
    assert read_settings({"MEDIATHEQUE_DATA_DIR": "~/m"}).data_dir == Path("/home/me/m")


def test_settings_in_effect_follow_from_others() -> None:
    relative = read_settings({"MEDIATHEQUE_DATA_DIR": "data"})

    assert relative.store_url == (Path.cwd() / "data" / "objects").as_uri()
    assert read_settings({"MEDIATHEQUE_STORAGE_URL": "s3://b"}).store_url == "s3://b"
    assert not read_settings({"MEDIATHEQUE_DURABILITY": "relaxed"}).durable
    assert relative.sync_root == Path.cwd() / "data" / "uploads"
    assert read_settings({"MEDIATHEQUE_UPLOADS_ROOT": "/up"}).sync_root == Path("/up")


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("media.example", False),
    ],
)
def test_only_this_machine_reaches_a_loopback_address(host: str, *, alone: bool) -> None:
    assert read_settings({"MEDIATHEQUE_HOST": host}).on_loopback is alone


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        read_settings({}).port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("port", "x"),
        ("port", "0"),
        ("port", "65536"),
        ("port", "80.5"),
        ("workers", "0"),
        ("workers", "65"),
        ("database_connections", "0"),
        ("s3_endpoint", "127.0.0.1:8333"),
        ("s3_endpoint", "http://["),
        ("s3_endpoint", "http://key:secret@127.0.0.1"),
        ("public_url", "media.example.org"),
        ("public_url", "ftp://media.example.org"),
        ("public_url", "https://media.example.org/?x"),
        ("durability", "none"),
        ("reserved_space", "-1"),
        ("max_upload_size", "0"),
        ("upload_expiry", "0"),
        ("upload_url_expiry", "604801"),
        ("download_url_expiry", "604801"),
        ("redirect_downloads", "maybe"),
        ("secret_key", "s" * 31),
        ("idle_timeout", "1 min"),
        ("log_format", "xml"),
        ("log_level", "loud"),
        ("data_dir", "~nobody-has-this-name/x"),
    ],
)
def test_an_unusable_setting_is_refused_by_its_variable(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_settings({environment_variable(name): text})

    message = str(refused.value)
    assert message.startswith(f"{environment_variable(name)} is not usable: ")
    assert "s" * 31 not in message
    assert "key:secret" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data_dir", 5),
        ("source_roots", "/a"),
        ("source_roots", ["/a", 5]),
        ("cors_origins", "https://a.example"),
        ("port", [80]),
        ("host", {"a": 1}),
    ],
)
def test_an_unusable_setting_of_the_file_is_refused_by_its_name(
    name: str, value: object, tmp_path: Path
) -> None:
    file = toml(tmp_path, {name: value})

    with pytest.raises(ConfigError) as refused:
        read_settings({}, file)

    assert str(refused.value).startswith(f"{name} in {file} is not usable: ")


def test_an_unknown_setting_of_the_file_is_refused(tmp_path: Path) -> None:
    file = toml(tmp_path, {"prot": 80})

    with pytest.raises(ConfigError, match="there is no setting 'prot'"):
        read_settings({}, file)


@pytest.mark.parametrize("content", [b"port 80", b'host = "\xff"', b"\0"])
def test_a_file_that_is_not_toml_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(content)

    with pytest.raises(ConfigError, match=r"x\.toml is not valid TOML"):
        read_settings({}, file)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for file in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_settings({"MEDIATHEQUE_CONFIG": str(file)})


def test_variables_that_are_no_settings_are_found() -> None:
    environment = {
        "MEDIATHEQUE_PROT": "80",
        "MEDIATHEQUE_": "",
        "MEDIATHEQUE_PORT": "80",
        "MEDIATHEQUE_CONFIG": "",
        "PATH": "",
    }

    assert unknown_variables(environment) == ["MEDIATHEQUE_", "MEDIATHEQUE_PROT"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://me:pw@host:5432/db?x=1", f"postgresql://me:{MASK}@host:5432/db?x=1"),
        ("postgresql://:pw@host/db", f"postgresql://:{MASK}@host/db"),
        ("postgresql://me:p#w/x?y@host/db", f"postgresql://me:{MASK}@host/db"),
        ("postgresql://me:p@w@host/db", f"postgresql://me:{MASK}@host/db"),
        ("postgresql://me:pw@[::1]/db", f"postgresql://me:{MASK}@[::1]/db"),
        ("postgresql://me@/db?host=/s&password=pw", f"postgresql://me@/db?{MASK}"),
        ("postgresql://[", "postgresql://["),
    ],
)
def test_a_password_in_a_url_is_masked_however_it_is_written(url: str, shown: str) -> None:
    assert mask_url(url) == shown
    assert "pw" not in mask_url(url)


def test_what_is_printed_holds_no_secret_and_can_be_read_again(tmp_path: Path) -> None:
    every = {environment_variable(name): text for name, (text, _, _) in EVERY_SETTING.items()}
    settings = read_settings({**every, "MEDIATHEQUE_DATABASE_URL": "postgresql://me:hidden@db/x"})

    printed = masked(settings)

    assert set(printed) == set(EVERY_SETTING)
    assert printed["secret_key"] == MASK
    assert printed["database_url"] == f"postgresql://me:{MASK}@db/x"
    assert "hidden" not in str(printed)
    again = read_settings({}, toml(tmp_path, printed | {"secret_key": SECRET}))
    assert masked(again) == printed


def test_what_is_not_set_is_not_printed() -> None:
    assert not {"database_url", "secret_key", "public_url"} & set(masked(read_settings({})))
