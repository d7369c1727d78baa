"""Where the time goes: every step of the path in turn, in one process beside the warehouse, CPU by event.

Nothing runs side by side here, so that the steps can be told apart; CPU time is told rather than elapsed time, because
it hardly changes when something else runs on the machine.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import psutil
from aiokafka.partitioner import murmur2

from benchmarks.bench import warehouse_for
from benchmarks.events import Encoded, read
from streams.aggregates import ALL as AGGREGATES
from streams.clickhouse import Warehouse
from streams.processors import invalidations
from streams.processors.block import Batch, BatchDecoder, assemble
from streams.processors.recompute import VersionClock, coarser, recompute
from streams.processors.store import store_facts
from streams.settings import Settings
from streams.topics import ALL


@dataclass(slots=True)
class Spent:
    """CPU seconds of this process and of the warehouse, seconds elapsed, and how often."""

    here: float = 0.0
    warehouse: float = 0.0
    elapsed: float = 0.0
    times: int = 0


@dataclass
class Ledger:
    """What each step has cost."""

    warehouse: psutil.Process
    spent: dict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Account what happens inside to a step."""
        before = self.warehouse.cpu_times()
        here, started = time.process_time(), time.monotonic()
        yield
        spent, after = self.spent[name], self.warehouse.cpu_times()
        spent.here += time.process_time() - here
        spent.elapsed += time.monotonic() - started
        spent.warehouse += after.user + after.system - before.user - before.system
        spent.times += 1


class Watched:
    """A warehouse whose statements are accounted by what they do; everything else is passed on."""

    def __init__(self, warehouse: Warehouse, ledger: Ledger) -> None:
        self.inner, self.ledger, self.label = warehouse, ledger, ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def insert(self, table: str, rows: Any, settings: Any = None) -> None:
        """Insert columns."""
        with self.ledger.step(f"insert into {table.rsplit('.', 1)[-1]}"):
            self.inner.insert(table, rows, settings)

    def rows(self, sql: str, parameters: Any = None, settings: Any = None) -> Any:
        """Rows of a query."""
        with self.ledger.step("look up known ids" if "event_keys" in sql else "take a version"):
            return self.inner.rows(sql, parameters, settings)

    def arrow(self, sql: str, parameters: Any = None, settings: Any = None) -> Any:
        """Result of a query as columns."""
        with self.ledger.step("look up known ids" if "event_keys" in sql else "read columns"):
            return self.inner.arrow(sql, parameters, settings)

    def command(self, sql: str, parameters: Any = None, settings: Any = None) -> None:
        """Run a statement."""
        what = "remove vanished keys" if "is_deleted)" in sql else "recompute"
        with self.ledger.step(f"{what}: {self.label}"):
            self.inner.command(sql, parameters, settings)


@dataclass(frozen=True, slots=True)
class Record:
    """A record as a Kafka client hands it over."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def blocks(settings: Settings, events: Iterator[Encoded], rows: int) -> Iterator[list[Batch]]:
    """Events in blocks of `rows`, each one batch a partition."""
    offsets: dict[tuple[str, int], int] = defaultdict(int)
    while True:
        batches: dict[tuple[str, int], list[Record]] = defaultdict(list)
        now = time.time_ns() // 1_000_000
        for suffix, key, value in islice(events, rows):
            place = (settings.kafka.topic_prefix + suffix, (murmur2(key) & 0x7FFFFFFF) % settings.kafka.partitions)
            batches[place].append(Record(*place, offsets[place], now, key, value))
            offsets[place] += 1
        if not batches:
            return
        yield [Batch(*place, records) for place, records in batches.items()]


def measure(count: int, rows: int) -> str:
    """Store and recompute `count` events in blocks of `rows`; a table in Markdown."""
    with warehouse_for(Settings(_env_file=None)) as (settings, server, plain):
        ledger = Ledger(psutil.Process(server.pid))
        warehouse: Any = Watched(plain, ledger)
        decoder = BatchDecoder({family.topic(settings.kafka.topic_prefix): family for family in ALL}, settings.ingest)
        clock = VersionClock(warehouse)
        began = ledger.warehouse.cpu_times()
        for batches in blocks(settings, read(count), rows):
            with ledger.step("decode and columns"):
                decoded = [decoder.decode(batch, time.time_ns() // 1_000_000) for batch in batches]
            with ledger.step("one block of all families, its minutes"):
                block = assemble(decoded)
            with ledger.step("store (all statements)"):
                store_facts(warehouse, block.facts, time.time_ns())
            with ledger.step("encode invalidations"):
                for community, minutes in block.minutes.items():
                    invalidations.encode(invalidations.Invalidation(community, sorted(minutes), 1))
            for grain in ("minute", "hour", "day"):
                version = clock.take()
                for aggregate in AGGREGATES:
                    if aggregate.grain == grain:
                        warehouse.label = aggregate.name
                        recompute(warehouse, aggregate, coarser(aggregate, block.minutes), version)
        ended = ledger.warehouse.cpu_times()
    whole = ended.user + ended.system - began.user - began.system
    told = sum(spent.warehouse for name, spent in ledger.spent.items() if name != "store (all statements)")
    lines = [
        "| Step | CPU of the client, us/event | CPU of the warehouse, us/event | elapsed, us/event | times |",
        "|---|---|---|---|---|",
    ]
    for name, spent in ledger.spent.items():
        each = [f"{part / count * 1e6:.2f}" for part in (spent.here, spent.warehouse, spent.elapsed)]
        lines.append(f"| {name} | {' | '.join(each)} | {spent.times} |")
    lines.append(f"| warehouse in between (merges) | | {(whole - told) / count * 1e6:.2f} | | |")
    return "\n".join(lines)
