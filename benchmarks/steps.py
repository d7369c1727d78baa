"""Where the time goes: every step of the path in turn, in one process beside the warehouse, CPU by event.

Nothing runs side by side here, so that the steps can be told apart; CPU time is told rather than elapsed time, because
it hardly changes when something else runs on the machine. Only the events of some windows are accounted: `growth` tells
what the same number of new events costs on little history and on ten times as much.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import psutil
from aiokafka.partitioner import murmur2

from benchmarks.bench import warehouse_for
from benchmarks.events import Encoded, read
from streams.aggregates import ALL as AGGREGATES
from streams.clickhouse import Warehouse
from streams.processors import invalidations
from streams.processors.block import Batch, BatchDecoder, Record, assemble
from streams.processors.known import KnownKeys
from streams.processors.recompute import VersionClock, coarser, recompute
from streams.processors.references import naming_minutes
from streams.processors.stages import GRAINS
from streams.processors.store import store_facts
from streams.settings import Settings
from streams.topics import ALL

STORE = "store (all statements)"
MERGES = "in the background, merging"
ALL_STEPS = "**together**"


@dataclass(slots=True)
class Spent:
    """CPU seconds of this process and of the warehouse in one window, and how often."""

    here: float = 0.0
    warehouse: float = 0.0
    times: int = 0


Steps = dict[str, Spent]
"""What each step has cost in one window."""


@dataclass
class Ledger:
    """What each step has cost; `steps` is None outside the windows."""

    warehouse: psutil.Process
    steps: Steps | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Account what happens inside to a step."""
        before, here = self.cpu(), time.process_time()
        yield
        if self.steps is not None:
            spent = self.steps[name]
            spent.here += time.process_time() - here
            spent.warehouse += self.cpu() - before
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
        with self.ledger.step("take a version" if "now64" in sql else "look up who names what came"):
            return self.inner.rows(sql, parameters, settings)

    def arrow(self, sql: str, parameters: Any = None, settings: Any = None) -> Any:
        """Result of a query as columns."""
        with self.ledger.step("look up known ids" if "event_keys" in sql else "read columns"):
            return self.inner.arrow(sql, parameters, settings)

    def command(self, sql: str, parameters: Any = None, settings: Any = None) -> int:
        """Run a statement."""
        what = "remove vanished keys" if "1 AS is_deleted" in sql else "recompute"
        with self.ledger.step(f"{what}: {self.label}"):
            return int(self.inner.command(sql, parameters, settings))


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


def measure(windows: Sequence[range], rows: int) -> list[Steps]:
    """Store and recompute events in blocks of `rows`; what each window has cost: numbers of events, whole blocks."""
    found: list[Steps] = [defaultdict(Spent) for _ in windows]
    with warehouse_for(Settings(_env_file=None)) as (settings, server, plain):
        ledger = Ledger(psutil.Process(server.pid))
        warehouse: Any = Watched(plain, ledger)
        decoder = BatchDecoder({family.topic(settings.kafka.topic_prefix): family for family in ALL}, settings.ingest)
        clock = VersionClock(warehouse)
        known = KnownKeys(settings.ingest.known_ids_mib << 20)
        done, before = 0, ledger.cpu()
        for batches in blocks(settings, read(windows[-1].stop), rows):
            [ledger.steps] = [steps for steps, window in zip(found, windows, strict=True) if done in window] or [None]
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
            naming = naming_minutes(warehouse, block.minutes, stored.replaced)
            dirty = {name: {*starts, *naming.get(name, ())} for name, starts in block.minutes.items()}
            for aggregate in sorted(AGGREGATES, key=lambda each: (each.deferred, GRAINS.index(each.grain))):
                warehouse.label = aggregate.name
                minutes = dirty if aggregate.deferred else block.minutes
                replaced = coarser(aggregate, stored.replaced)
                recompute(warehouse, aggregate, coarser(aggregate, minutes), replaced, clock.take())
            done += block.records
            now = ledger.cpu()
            if ledger.steps is not None:
                told = sum(
                    each.warehouse for name, each in ledger.steps.items() if name not in (STORE, MERGES, ALL_STEPS)
                )
                ledger.steps[ALL_STEPS].warehouse += now - before
                ledger.steps[MERGES].warehouse = ledger.steps[ALL_STEPS].warehouse - told
            before = now
    for steps in found:
        inner = ("insert into", "look up known")  # parts of storing
        steps[ALL_STEPS].here = sum(each.here for name, each in steps.items() if not name.startswith(inner))
    return found


def costs(count: int, rows: int) -> str:
    """Every step of `count` events from nothing: a table in Markdown, microseconds by event."""
    [steps] = measure([range(count)], rows)
    lines = ["| Step | client CPU us/event | warehouse CPU us/event | times |", "| --- | --- | --- | --- |"]
    for name, each in in_order(steps):
        lines.append(
            f"| {name} | {each.here / count * 1e6:.2f} | {each.warehouse / count * 1e6:.2f} | {each.times or ''} |"
        )
    return "\n".join(lines)


def growth(count: int, fresh: int, rows: int) -> str:
    """What `fresh` new events cost after a tenth of `count` events and after all: a table in Markdown."""
    few = count // 10 // rows * rows
    little, much = measure([range(few, few + fresh), range(count, count + fresh)], rows)
    lines = [
        f"| Warehouse CPU us by new event | after {few:,} | after {count:,} | ratio |",
        "| --- | --- | --- | --- |",
    ]
    for name, each in in_order(little):
        one, other = each.warehouse / fresh * 1e6, much[name].warehouse / fresh * 1e6
        if max(one, other) < 0.05:
            continue  # a step of this process alone
        lines.append(f"| {name} | {one:.2f} | {other:.2f} | {f'{other / one:.2f}' if one >= 0.2 else ''} |")
    return "\n".join(lines)


def in_order(steps: Steps) -> list[tuple[str, Spent]]:
    """Steps as they were first taken; what is about all of them last."""
    return sorted(steps.items(), key=lambda step: (step[0] == ALL_STEPS, step[0] == MERGES))
