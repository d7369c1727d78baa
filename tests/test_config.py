"""Settings: which source wins, what is said about origins, and that secrets stay secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.config import (
    ConfigError,
    Setting,
    environment_name,
    explain,
    load,
    names,
    to_environment,
    unknown_environment,
)
from streams.settings import Settings


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without `.env` and TOML, and an environment without our names."""
    monkeypatch.chdir(tmp_path)
    for name in names():
        monkeypatch.delenv(environment_name(name.split(".")), raising=False)
    return tmp_path


def setting(name: str, file: Path | None = None, overrides: tuple[str, ...] = ()) -> Setting:
    return next(one for one in explain(file, overrides) if one.name == name)


def test_without_any_source_every_setting_is_a_default() -> None:
    assert {"default"} == {one.origin for one in explain()}
    assert Settings().model_dump() == load().model_dump()


def test_a_flag_wins_over_the_environment_over_dotenv_over_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("streams.toml").write_text('[kafka]\nbootstrap = "toml:1"\n')
    assert ("toml:1", "streams.toml") == shown("kafka.bootstrap")
    Path(".env").write_text("STREAMS_KAFKA__BOOTSTRAP=dotenv:1\n")
    assert ("dotenv:1", ".env") == shown("kafka.bootstrap")
    monkeypatch.setenv("STREAMS_KAFKA__BOOTSTRAP", "env:1")
    assert ("env:1", "env STREAMS_KAFKA__BOOTSTRAP") == shown("kafka.bootstrap")
    one = setting("kafka.bootstrap", overrides=("kafka.bootstrap=flag:1",))
    assert ("flag:1", "flag --set kafka.bootstrap") == (one.shown, one.origin)
    assert "flag:1" == load(None, ("kafka.bootstrap=flag:1",)).kafka.bootstrap


def shown(name: str) -> tuple[str, str]:
    one = setting(name)
    return one.shown, one.origin


def test_one_section_may_come_from_several_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("streams.toml").write_text("[kafka]\npartitions = 9\n")
    monkeypatch.setenv("STREAMS_KAFKA__TOPIC_PREFIX", "x.")
    settings = load(None, ("kafka.bootstrap=flag:1",))
    assert ("flag:1", "x.", 9) == (settings.kafka.bootstrap, settings.kafka.topic_prefix, settings.kafka.partitions)


def test_the_file_of_config_replaces_the_one_of_the_directory(tmp_path: Path) -> None:
    Path("streams.toml").write_text('log_level = "error"\n[kafka]\npartitions = 9\n')
    other = tmp_path / "other.toml"
    other.write_text("[kafka]\npartitions = 3\n")
    assert (3, "info") == (load(other).kafka.partitions, load(other).log_level)
    assert str(other) == setting("kafka.partitions", other).origin


def test_a_section_given_as_json_in_the_environment_is_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMS_KAFKA", '{"partitions": 5}')
    assert ("5", "env STREAMS_KAFKA") == shown("kafka.partitions")


def test_names_of_others_in_dotenv_do_not_disturb() -> None:
    Path(".env").write_text("COMPOSE_PROJECT_NAME=x\nSTREAMS_KAFKA__PARTITIONS=6\n")
    assert 6 == load().kafka.partitions


def test_lists_are_written_with_commas_or_as_json() -> None:
    assert ("rollup",) == load(None, ("worker.roles=rollup",)).worker.roles
    assert ("rollup", "ingest") == load(None, ("worker.roles=rollup, ingest",)).worker.roles
    assert ("rollup",) == load(None, ('worker.roles=["rollup"]',)).worker.roles


@pytest.mark.parametrize("name", ["kafka.sasl_password", "warehouse.password"])
def test_a_secret_is_never_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(environment_name(name.split(".")), "hunter2")
    assert "********" == setting(name).shown
    assert "hunter2" not in repr(explain())
    assert "hunter2" not in repr(load())


def test_a_password_inside_a_url_is_not_shown() -> None:
    assert (
        "https://********@ch:8443"
        == setting("warehouse.url", overrides=("warehouse.url=https://me:hunter2@ch:8443",)).shown
    )


def test_a_secret_is_not_repeated_by_the_error_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("streams.toml").write_text("[kafka]\nsasl_password = 17171717\n")
    with pytest.raises(ConfigError) as raised:
        load()
    assert "17171717" not in str(raised.value)
    assert "kafka.sasl_password (from streams.toml)" in str(raised.value)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("kafka.bootstrap", "it has no '='"),
        ("kafka.bootstrp=x", "there is no setting of this name"),
        (
            "kafka.partitions=many",
            "kafka.partitions (from flag --set kafka.partitions): Input should be a valid integer",
        ),
        ("kafka.partitions=0", "greater than or equal to 1"),
        ("warehouse.database=No-Good", "warehouse.database"),
        ("worker.roles=ingest,cook", "'ingest' or 'rollup'"),
        ('worker.roles=["ingest"', "worker.roles"),
    ],
)
def test_a_wrong_flag_is_refused_with_its_reason(override: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(None, (override,))
    assert sentence in str(raised.value)


def test_a_mistyped_name_is_answered_with_the_likely_one() -> None:
    with pytest.raises(ConfigError) as raised:
        load(None, ("kafka.bootstrp=x",))
    assert "did you mean --set kafka.bootstrap=... ?" == raised.value.next


def test_a_mistyped_name_in_the_environment_is_refused_with_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMS_KAFKA__BOOTSTRP", "x")
    with pytest.raises(ConfigError, match=r"kafka\.bootstrp .*did you mean kafka\.bootstrap"):
        load()


def test_a_value_that_is_no_json_where_json_is_needed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMS_KAFKA", "{")
    with pytest.raises(ConfigError, match="kafka"):
        load()


def test_a_broken_or_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[kafka\n")
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        load(broken)


def test_the_environment_of_a_child_gives_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("streams.toml").write_text('[kafka]\nbootstrap = "toml:1"\n')
    settings = load(
        None,
        (
            "kafka.sasl_password=p w",
            "worker.roles=rollup",
            "kafka.idempotence=true",
            "data_dir=/d",
            "ingest.linger_s=0.125",
        ),
    )
    for name, value in to_environment(settings).items():
        monkeypatch.setenv(name, value)
    Path("streams.toml").write_text('[kafka]\nbootstrap = "changed:1"\n')
    assert settings.model_dump() == load().model_dump()


def test_names_that_set_nothing_are_found() -> None:
    environment = {
        "STREAMS_KAFKA__BOOTSTRAP": "x",
        "STREAMS_KAFKA": "{}",
        "STREAMS_TEST_KAFKA": "x",
        "STREAMS_BOOTSTRAP": "x",
        "OTHER": "x",
    }
    assert ["STREAMS_BOOTSTRAP"] == unknown_environment(environment)


def test_every_setting_is_listed_once_and_in_order() -> None:
    dumped = json.loads(Settings().model_dump_json())
    expected = [
        f"{section}.{name}" if isinstance(dumped[section], dict) else section
        for section in dumped
        for name in (dumped[section] if isinstance(dumped[section], dict) else [section])
    ]
    assert expected == [one.name for one in explain()]
