"""Fixtures every test may use: one broker and one warehouse process a session, names of its own a test."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from pipeline import Lab
from replays import DATA, Replays

from streams.clickhouse import Warehouse
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.warehouse_process import EmbeddedWarehouse
from streams.migrations import migrate
from streams.settings import KafkaSettings, MetricsSettings, Settings, WarehouseSettings

pytest.register_assert_rewrite("folds")

# Segments of one member are compared as well; tests/connected/test_cohorts.py says what is withheld otherwise.
EXACT = MetricsSettings(smallest_cohort=1)


def required(condition: bool, what: str) -> None:
    """Skip the test when something it needs is missing; fail it in CI, where nothing may be missing."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and in CI nothing may be")
    pytest.skip(f"{what} is missing")


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith("STREAMS_") and not name.startswith("STREAMS_TEST_"):
            monkeypatch.delenv(name)


class Broker(Protocol):
    """Something that can be reached at `bootstrap`."""

    bootstrap: str


@dataclass(frozen=True)
class OutsideBroker:
    """A broker that was there before the tests, at `bootstrap`."""

    bootstrap: str


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """The embedded broker, or the one at STREAMS_TEST_KAFKA."""
    outside = os.environ.get("STREAMS_TEST_KAFKA")
    if outside:
        yield OutsideBroker(outside)
        return
    with EmbeddedBroker() as embedded:
        yield embedded


@pytest.fixture(scope="session")
def warehouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedWarehouse]:
    """One embedded warehouse for the whole session; every test has its own databases in it."""
    with EmbeddedWarehouse(tmp_path_factory.mktemp("warehouse")) as server:
        yield server


@pytest.fixture
def names() -> str:
    """A short name nobody else uses."""
    return f"t{secrets.token_hex(4)}"


@pytest.fixture
def settings(broker: Broker, warehouse_server: EmbeddedWarehouse, names: str, tmp_path: Path) -> Settings:
    """Settings of a deployment of its own: its own topic prefix and databases, already migrated."""
    chosen = Settings(
        kafka=KafkaSettings(bootstrap=broker.bootstrap, topic_prefix=f"{names}."),
        warehouse=WarehouseSettings(url=warehouse_server.url, database=names),
        metrics=EXACT,
        data_dir=tmp_path,
    )
    warehouse = Warehouse(chosen.warehouse)
    migrate(warehouse, metrics=chosen.metrics)
    warehouse.close()
    return chosen


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[Warehouse]:
    """The warehouse of `settings`, dropped afterwards."""
    client = Warehouse(settings.warehouse)
    yield client
    client.script("DROP DATABASE IF EXISTS {db}; DROP DATABASE IF EXISTS {store}")
    client.close()


@contextmanager
def laboratory(server: EmbeddedWarehouse, directory: Path) -> Iterator[Lab]:
    """The pipeline without Kafka, on databases of its own."""
    name = f"t{secrets.token_hex(4)}"
    chosen = Settings(
        kafka=KafkaSettings(topic_prefix=f"{name}."),
        warehouse=WarehouseSettings(url=server.url, database=name),
        metrics=EXACT,
        data_dir=directory,
    )
    client = Warehouse(chosen.warehouse)
    migrate(client, metrics=chosen.metrics)
    lab = Lab(chosen, client)
    yield lab
    lab.close()
    client.script("DROP DATABASE IF EXISTS {db}; DROP DATABASE IF EXISTS {store}")
    client.close()


@pytest.fixture(scope="module")
def lab(warehouse_server: EmbeddedWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The pipeline without Kafka, on databases that the tests of one file share; each test takes a world of its own."""
    with laboratory(warehouse_server, tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="session")
def replays(warehouse_server: EmbeddedWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replays]:
    """`replays(name)` stores a public trace in a lab that all tests share, once; nothing else may be stored there."""
    required(DATA.is_dir(), f"the public data ({DATA})")
    with laboratory(warehouse_server, tmp_path_factory.mktemp("replays")) as lab:
        yield Replays(lab)
