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
from streams.processors.known import KnownKeys
from streams.processors.recompute import VersionClock, coarser, recompute
from streams.processors.store import store_facts
from streams.settings import Settings
from streams.topics import ALL

PARTS = 5
STORE = "store (all statements)"


@dataclass(slots=True)
class Spent:
    """CPU seconds of this process and of the warehouse (the latter in each fifth of the events), and how often."""

    here: float = 0.0
    warehouse: list[float] = field(default_factory=lambda: [0.0] * PARTS)
    times: int = 0


@dataclass
class Ledger:
    """What each step has cost."""

    warehouse: psutil.Process
    part: int = 0
    spent: dict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Account what happens inside to a step."""
        before, here = self.cpu(), time.process_time()
        yield
        spent = self.spent[name]
        spent.here += time.process_time() - here
        spent.warehouse[self.part] += self.cpu() - before
        spent.times += 1

    def cpu(self) -> float:
        """CPU seconds of the warehouse until now."""
        times = self.warehouse.cpu_times()
        return float(times.user + times.system)


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
        known = KnownKeys(settings.ingest.known_ids_mib << 20)
        whole = [0.0] * PARTS
        done, before = 0, ledger.cpu()
        for batches in blocks(settings, read(count), rows):
            ledger.part = min(PARTS - 1, done * PARTS // count)
            with ledger.step("decode and columns"):
                decoded = [decoder.decode(batch, time.time_ns() // 1_000_000) for batch in batches]
            with ledger.step("one block of all families, its minutes"):
                block = assemble(decoded)
            with ledger.step(STORE):
                stored = store_facts(warehouse, block.facts, time.time_ns(), known)
            with ledger.step("encode invalidations"):
                for community, minutes in block.minutes.items():
                    for part in invalidations.of_minutes(community, minutes, (), 1):
                        invalidations.encode(part)
            for grain in ("minute", "hour", "day"):
                version = clock.take()
                for aggregate in AGGREGATES:
                    if aggregate.grain == grain:
                        warehouse.label = aggregate.name
                        replaced = coarser(aggregate, stored.replaced)
                        recompute(warehouse, aggregate, coarser(aggregate, block.minutes), replaced, version)
            done += block.records
            now = ledger.cpu()
            whole[ledger.part] += now - before
            before = now
    spent = dict(ledger.spent)
    merges = Spent()
    told = [each.warehouse for name, each in spent.items() if name != STORE]
    merges.warehouse = [all_of - sum(parts) for all_of, parts in zip(whole, zip(*told, strict=True), strict=True)]
    spent["in the background, merging"] = merges
    inner = ("insert into", "look up")  # parts of storing
    everything = Spent(sum(each.here for name, each in spent.items() if not name.startswith(inner)), whole)
    spent["**together**"] = everything
    return report(spent, count)


def report(spent: dict[str, Spent], count: int) -> str:
    """A table in Markdown, microseconds by event."""
    lines = [
        "| Step | client CPU us/event | warehouse CPU us/event | in the first fifth | in the last fifth | times |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, each in spent.items():
        first, last = each.warehouse[0] * PARTS, each.warehouse[-1] * PARTS
        shown = [f"{part / count * 1e6:.2f}" for part in (each.here, sum(each.warehouse), first, last)]
        lines.append(f"| {name} | {' | '.join(shown)} | {each.times or ''} |")
    return "\n".join(lines)
