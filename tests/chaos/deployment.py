"""A broker and a warehouse of the harness's own, and pipelines on them that do not meet: lanes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from streams.clickhouse import Warehouse
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.warehouse_process import EmbeddedWarehouse
from streams.kafka_topics import apply_topics
from streams.migrations import migrate_tables
from streams.processors.settled import wait_until_settled
from streams.publisher import RawProducer
from streams.settings import (
    IngestSettings,
    KafkaSettings,
    RollupSettings,
    Settings,
    WarehouseSettings,
    WorkerSettings,
)
from streams.topics import by_name

from .traffic import Record, Traffic
from .verdict import Verdict, judge
from .workers import WorkerProcess, Zygote

STILL_S = 0.3
"""How long workers make no step before one looks whether anything is left for them."""


class Deployment:
    """Context manager: the processes behind some lanes. Everything it started is dead when it ends."""

    def __init__(self, broker: str = "", keep: bool = False) -> None:
        self.outside = broker
        self.keep = keep
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Deployment:
        with contextlib.ExitStack() as stack:
            self.directory = Path(tempfile.mkdtemp(prefix="streams-chaos-"))
            if not self.keep:
                stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
            self.broker = None if self.outside else stack.enter_context(EmbeddedBroker())
            self.bootstrap = self.broker.bootstrap if self.broker else self.outside
            self.warehouse = EmbeddedWarehouse(self.directory / "warehouse").start()
            stack.callback(self._end_warehouse)
            self.zygote = stack.enter_context(Zygote(self.directory))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _end_warehouse(self) -> None:
        self.warehouse.kill()

    @contextlib.contextmanager
    def warehouse_paused(self) -> Iterable[None]:  # type: ignore[misc]
        """Stop the warehouse process (SIGSTOP) for the time of a block."""
        pid = self.warehouse.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextlib.contextmanager
    def broker_paused(self) -> Iterable[None]:  # type: ignore[misc]
        """Stop the broker process (SIGSTOP) for the time of a block."""
        assert self.broker is not None, "an outside broker is not ours to stop"
        pid = self.broker.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextlib.contextmanager
    def warehouse_killed(self) -> Iterable[None]:  # type: ignore[misc]
        """Kill the warehouse (SIGKILL), and start it again on the same directory and port after a block."""
        port = int(self.warehouse.url.rpartition(":")[2])
        self.warehouse.kill()
        try:
            yield
        finally:
            self.warehouse = EmbeddedWarehouse(self.directory / "warehouse", port).start()


class Lane:
    """Context manager: one pipeline with its own topics, group and databases, and its workers."""

    def __init__(self, deployment: Deployment, name: str, **changes: object) -> None:
        """`changes` are settings by section and name, such as `kafka__partitions=1`."""
        self.deployment = deployment
        self.name = name
        self.settings = lane_settings(deployment, name, changes)
        self.workers: list[WorkerProcess] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Lane:
        with contextlib.ExitStack() as stack:
            self.warehouse = Warehouse(self.settings.warehouse)
            stack.callback(self.warehouse.close)
            migrate_tables(self.warehouse)
            apply_topics(self.settings.kafka)
            self._producer = RawProducer(self.settings.kafka, linger_ms=0, compression=None)
            stack.callback(self._close_producer)
            stack.callback(self.kill_all)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _close_producer(self) -> None:
        with contextlib.suppress(Exception):  # a failed run must show its own error
            self._producer.close()

    def start(self, mutant: str = "", plan: object = None, settings: Settings | None = None) -> WorkerProcess:
        """Start a worker."""
        worker = self.deployment.zygote.start(self.name, settings or self.settings, mutant, plan)  # type: ignore[arg-type]
        self.workers.append(worker)
        return worker

    def kill_all(self) -> None:
        """kill -9 of every worker that still runs."""
        for worker in self.workers:
            if worker.alive:
                worker.kill()

    def publish(self, records: Iterable[Record]) -> None:
        """Publish, and wait until the broker has them."""
        prefix = self.settings.kafka.topic_prefix
        for record in records:
            self._producer.send(by_name[record.family].topic(prefix), record.value, record.key)
        self._producer.flush()

    def settle(self, timeout_s: float = 120.0) -> None:
        """Wait until the pipeline has nothing left to do; a worker that gave up is started again, as in production."""
        deadline = time.monotonic() + timeout_s
        while True:
            self.rest(deadline)
            try:
                wait_until_settled(self.settings, timeout_s=5.0, poll_s=0.2)
                return
            except TimeoutError as error:
                if time.monotonic() > deadline:
                    tails = "\n".join(f"--- {worker.name}\n{worker.log_tail()}" for worker in self.workers[-2:])
                    raise TimeoutError(f"lane {self.name}: {error}\nits last workers' logs end:\n{tails}") from error
            if not any(worker.alive for worker in self.workers):
                self.start()

    def rest(self, deadline: float) -> None:
        """Wait while workers do things: to look at offsets costs a hundred times what it costs to look at marks."""
        done, before = self.steps(), -1
        while done != before and time.monotonic() < deadline:
            time.sleep(STILL_S)
            done, before = self.steps(), done

    def steps(self) -> int:
        """Steps that all workers have made."""
        return sum(sum(worker.seen().times.values()) for worker in self.workers)

    def judge(self, published: Traffic) -> Verdict:
        """Hold everything against the fold of what was published."""
        return judge(self.settings, self.warehouse, published)


def lane_settings(deployment: Deployment, name: str, changes: dict[str, object]) -> Settings:
    """Small blocks and quick coalescing, so that a short life passes through every step of the path."""
    values: dict[str, dict[str, object]] = {
        "kafka": {
            "bootstrap": deployment.bootstrap,
            "topic_prefix": f"{name}.",
            "session_timeout_s": 6.0 if deployment.outside else 1.0,  # Apache Kafka takes no less than 6
            "commit_interval_s": 0.15,
            "partitions": 2,
        },
        "warehouse": {"url": deployment.warehouse.url, "database": name},
        "ingest": {"max_rows": 250, "linger_s": 0.02},
        "rollup": {
            "minute_s": 0.1,
            "corrections_s": 0.3,
            "hour_s": 0.4,
            "day_s": 0.8,
            "deferred_s": 1.0,
            "duty": 1.0,
            "deferred_duty": 1.0,
        },
        "worker": {"port": 0},
    }
    for key, value in changes.items():
        section, _, field = key.partition("__")
        values[section][field] = value
    return Settings(
        kafka=KafkaSettings.model_validate(values["kafka"]),
        warehouse=WarehouseSettings.model_validate(values["warehouse"]),
        ingest=IngestSettings.model_validate(values["ingest"]),
        rollup=RollupSettings.model_validate(values["rollup"]),
        worker=WorkerSettings.model_validate(values["worker"]),
        data_dir=deployment.directory,
    )
