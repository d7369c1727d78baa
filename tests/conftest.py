"""Fixtures every test may use: one broker and one warehouse process a session, names of its own a test."""

from __future__ import annotations

import gc
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from databases import Databases
from pipeline import Lab
from replays import DATA, Replays
from schedule import Units, place

from streams.clickhouse import Warehouse
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.warehouse_process import EmbeddedWarehouse
from streams.settings import KafkaSettings, MetricsSettings, Settings

pytest.register_assert_rewrite("folds")

# Segments of one member are compared as well; tests/connected/test_cohorts.py says what is withheld otherwise.
EXACT = MetricsSettings(smallest_cohort=1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest first; on a broker that was there before, only what speaks to a broker."""
    if os.environ.get("STREAMS_TEST_KAFKA"):
        asks = {item for item in items if "broker" in getattr(item, "fixturenames", ())}
        silent = [item for item in items if item not in asks and not item.get_closest_marker("apache_kafka")]
        config.hook.pytest_deselected(items=silent)
        items[:] = [item for item in items if item not in silent]
    items.sort(key=lambda item: place(item.nodeid))


def pytest_collection_finish() -> None:
    """Look for garbage less often: folds of real traces are millions of objects, and were a twentieth of the time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Units | None:
    """Test processes take units; see `schedule`."""
    return Units(config, log) if config.getoption("dist") == "loadfile" else None


def required(condition: bool, what: str) -> None:
    """Skip the test when something it needs is missing; fail it in CI, where nothing may be missing."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and in CI nothing may be")
    pytest.skip(f"{what} is missing")


def outside(variable: str) -> str:
    """What `make test-kafka` says of its broker by this variable; skips without such a broker: CI runs it as well."""
    if not os.environ.get("STREAMS_TEST_KAFKA"):
        pytest.skip("make test-kafka runs it: the embedded broker asks nobody who they are")
    said = os.environ.get(variable, "")
    required(bool(said), variable)
    return said


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


@pytest.fixture(scope="session")
def databases(warehouse_server: EmbeddedWarehouse) -> Databases:
    """Databases for one test at a time, already migrated."""
    return Databases(warehouse_server, EXACT)


@pytest.fixture
def warehouse(databases: Databases) -> Iterator[Warehouse]:
    """Databases of its own."""
    with databases.lend() as client:
        yield client


@pytest.fixture
def settings(broker: Broker, warehouse: Warehouse, names: str, tmp_path: Path) -> Settings:
    """Settings of a deployment of its own: its own topic prefix, and the databases of `warehouse`."""
    return Settings(
        kafka=KafkaSettings(bootstrap=broker.bootstrap, topic_prefix=f"{names}."),
        warehouse=warehouse.settings,
        metrics=EXACT,
        data_dir=tmp_path,
    )


@contextmanager
def laboratory(databases: Databases, directory: Path) -> Iterator[Lab]:
    """The pipeline without Kafka, on databases of its own."""
    with databases.lend() as client:
        chosen = Settings(
            kafka=KafkaSettings(topic_prefix=f"{client.settings.database}."),
            warehouse=client.settings,
            metrics=EXACT,
            data_dir=directory,
        )
        lab = Lab(chosen, client)
        yield lab
        lab.close()


@pytest.fixture(scope="module")
def lab(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The pipeline without Kafka, on databases that the tests of one file share; each test takes a world of its own."""
    with laboratory(databases, tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="session")
def replays(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replays]:
    """`replays(name)` stores a public trace in a lab that all tests share, once; nothing else may be stored there."""
    required(DATA.is_dir(), f"the public data ({DATA})")
    with laboratory(databases, tmp_path_factory.mktemp("replays")) as lab:
        yield Replays(lab)
