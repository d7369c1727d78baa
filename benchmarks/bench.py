"""One measurement's surroundings: settings of its own, a warehouse of its own, and the worker as a child process."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.meter import Lap
from streams.aggregates import ALL
from streams.clickhouse import Warehouse
from streams.config import to_environment
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.child import Child, free_port
from streams.embedded.warehouse_process import EmbeddedWarehouse
from streams.kafka_topics import apply_topics
from streams.migrations import migrate
from streams.settings import KafkaSettings, Settings, WarehouseSettings, WorkerSettings

WORKER_START_S = 90.0
ACTIVITY = tuple(aggregate for aggregate in ALL if not aggregate.deferred)
"""What every measurement waits for: the activity of communities and members. Stock agents keep nothing else."""


@dataclass(frozen=True)
class Result:
    """What one measured run of some events took; CPU and memory by process."""

    name: str
    events: int
    seconds: float
    cpu_us: dict[str, float]
    """CPU microseconds an event, by process."""
    peak_mib: dict[str, float]
    notes: dict[str, Any] = field(default_factory=dict)
    settled_s: float = 0.0
    """How long it took until nothing at all was left to do, ties and signs included."""
    settled_cpu_us: dict[str, float] = field(default_factory=dict)
    """CPU until then."""
    settled_peak_mib: dict[str, float] = field(default_factory=dict)
    piece_us: float = 0.0
    """What a fixed piece of work has cost beside it, until the activity was complete."""
    settled_piece_us: float = 0.0
    merging_cpu_us: float = 0.0
    """CPU of merging everything after that, as ten minutes of quiet do."""
    merging_piece_us: float = 0.0
    """What a fixed piece of work has cost beside that."""
    laps: list[Lap] = field(default_factory=list)
    """Each fifth of the facts being stored, and what came after that."""

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"rate": self.rate}

    def line(self) -> str:
        """One line for people."""
        cpu = ", ".join(f"{name} {us:.1f}" for name, us in self.cpu_us.items())
        rss = ", ".join(f"{name} {mib:.0f}" for name, mib in self.peak_mib.items())
        notes = "".join(f"; {key} {value}" for key, value in self.notes.items())
        return (
            f"{self.name}: {self.events:,} events in {self.seconds:.1f} s = {self.rate:,.0f} events/s; "
            f"CPU us/event: {cpu}; peak MiB: {rss}{notes}"
        )


def settings_for(broker: EmbeddedBroker, prefix: str, partitions: int) -> Settings:
    """Settings as a deployment has them by default, but for addresses and names."""
    return Settings(
        _env_file=None,
        kafka=KafkaSettings(bootstrap=broker.bootstrap, topic_prefix=prefix, partitions=partitions),
        warehouse=WarehouseSettings(database="bench"),
        worker=WorkerSettings(port=free_port()),
        log_format="json",
    )


@contextmanager
def warehouse_for(settings: Settings) -> Iterator[tuple[Settings, EmbeddedWarehouse, Warehouse]]:
    """A fresh embedded warehouse with the migrated schema; its files are removed afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="streams-bench-"))
    try:
        with EmbeddedWarehouse(directory) as server:
            settings = settings.model_copy(
                update={
                    "warehouse": settings.warehouse.model_copy(update={"url": server.url}),
                    "data_dir": directory,
                }
            )
            client = Warehouse(settings.warehouse)
            try:
                migrate(client)
                yield settings, server, client
            finally:
                client.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def create_topics(settings: Settings) -> None:
    """The topics of the contract, with the partitions the settings say."""
    apply_topics(settings.kafka, settings.ingest.max_record_bytes)


@contextmanager
def worker_for(settings: Settings, log: Path | None = None) -> Iterator[Child]:
    """The worker as `streams worker` runs it, from the moment its partitions are assigned."""
    log = log or settings.data_dir / "worker.log"
    log.unlink(missing_ok=True)
    worker = Child("worker", [sys.executable, "-m", "streams", "worker"], log, env=to_environment(settings))
    try:
        deadline = time.monotonic() + WORKER_START_S
        while '"partitions assigned"' not in log.read_text():
            worker.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the worker has no partitions after {WORKER_START_S:g} s:\n{worker.log_tail()}")
            time.sleep(0.005)
        yield worker
    finally:
        worker.stop()


def scrape(settings: Settings) -> dict[tuple[str, str], float]:
    """The worker's metrics by name and labels."""
    url = f"http://{settings.worker.host}:{settings.worker.port}/metrics"
    with urllib.request.urlopen(url, timeout=30) as answer:
        text = answer.read().decode()
    found = re.findall(r"^(\w+)(?:\{([^\n]*)\})? ([-+.\w]+)$", text, re.MULTILINE)
    return {(name, labels): float(value) for name, labels, value in found}
