"""`docker-compose.yml` and its image fit this version: every setting, command, file and volume is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from typer.testing import CliRunner

from streams.cli import app
from streams.settings import Settings

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
JOBS = {"migrate", "topics"}


def settings_in_environment(model: type[BaseModel], prefix: str) -> set[str]:
    names: set[str] = set()
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names |= settings_in_environment(field.annotation, f"{prefix}{name.upper()}__")
        else:
            names.add(prefix + name.upper())
    return names


def test_the_services_are_those_of_the_design() -> None:
    assert {"kafka", "clickhouse", "migrate", "topics", "worker"} == set(SERVICES)
    assert ["migrate", "topics", "worker"] == OURS


@pytest.mark.parametrize("service", OURS)
def test_every_variable_of_ours_is_a_setting_and_its_value_is_taken(
    service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment: dict[str, str] = SERVICES[service]["environment"]
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value))

    settings = Settings()

    assert set() == set(environment) - settings_in_environment(Settings, "STREAMS_")
    assert ("kafka:19092", True, "http://clickhouse:8123", "local-only") == (
        settings.kafka.bootstrap,
        settings.kafka.idempotence,
        settings.warehouse.url,
        settings.warehouse.password.get_secret_value(),
    )


@pytest.mark.parametrize("service", OURS)
def test_every_command_of_ours_exists(service: str) -> None:
    assert 0 == CliRunner().invoke(app, [*SERVICES[service]["command"], "--help"]).exit_code


def test_who_is_waited_for_exists_and_can_say_that_it_is_ready() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if name in JOBS else "service_healthy"
            assert expected == how["condition"]
    assert set(SERVICES) - JOBS == {name for name, service in SERVICES.items() if "healthcheck" in service}


def test_what_must_survive_a_restart_is_on_a_declared_volume() -> None:
    mounted = {
        name: [volume.split(":")[0] for volume in service.get("volumes", [])] for name, service in SERVICES.items()
    }

    assert {"kafka": ["kafka"], "clickhouse": ["clickhouse"]} == {k: v for k, v in mounted.items() if v}
    assert {"kafka", "clickhouse"} == set(COMPOSE["volumes"])
    assert SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"] == SERVICES["kafka"]["volumes"][0].split(":")[1]


def test_nothing_is_published_beyond_this_machine() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert {"127.0.0.1:9092:9092", "127.0.0.1:8123:8123"} == set(published)


def test_the_worker_can_be_scaled() -> None:
    assert not {"ports", "container_name"} & set(SERVICES["worker"])


def test_kafka_and_clickhouse_agree_with_our_settings_of_them() -> None:
    kafka, clickhouse = SERVICES["kafka"]["environment"], SERVICES["clickhouse"]["environment"]
    ours = SERVICES["worker"]["environment"]

    assert f"INSIDE://{ours['STREAMS_KAFKA__BOOTSTRAP']}" in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert (ours["STREAMS_WAREHOUSE__USER"], ours["STREAMS_WAREHOUSE__PASSWORD"]) == (
        clickhouse["CLICKHOUSE_USER"],
        clickhouse["CLICKHOUSE_PASSWORD"],
    )


def test_the_kafka_of_the_tests_is_the_kafka_that_is_deployed() -> None:
    pom = (ROOT / "deploy" / "kafka" / "pom.xml").read_text()
    [tested] = re.findall(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([^<]+)<", pom)

    assert f"apache/kafka:{tested}" == SERVICES["kafka"]["image"]


def test_the_image_is_built_from_files_that_are_there_and_not_ignored() -> None:
    build = SERVICES["worker"]["build"]
    lines = (ROOT / build["context"] / build["dockerfile"]).read_text().splitlines()
    copied = [
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    ]
    ignore = (ROOT / f"{build['dockerfile']}.dockerignore").read_text().splitlines()

    assert ["pyproject.toml", "README.md", "streams", "sql"] == copied
    assert all((ROOT / name).exists() for name in copied)
    assert {f"!{name}" for name in copied} <= set(ignore)
    assert "USER streams" in lines
