"""What it costs to record who names whom: the same facts inserted with and without it, and the look-ups of a rollup."""

from __future__ import annotations

import time
from typing import Any

import psutil

from benchmarks.bench import warehouse_for
from benchmarks.events import read
from benchmarks.steps import blocks
from streams.aggregates import ALL as AGGREGATES
from streams.clickhouse import Warehouse
from streams.processors.block import BatchDecoder, assemble
from streams.processors.known import KnownKeys
from streams.processors.recompute import VersionClock, recompute
from streams.processors.references import naming_minutes
from streams.processors.store import PLAIN, store_facts
from streams.settings import Settings
from streams.topics import ALL


def copy_tables(warehouse: Warehouse, store: str) -> None:
    """Two more tables of facts: one plain, and one whose inserts are recorded as those of `events` are."""
    [(select,)] = warehouse.rows(
        "SELECT as_select FROM system.tables WHERE database = {d:String} AND name = 'references_of_events'",
        {"d": store},
    )
    warehouse.script("CREATE TABLE {store}.events_plain AS {store}.events")
    warehouse.script("CREATE TABLE {store}.events_recorded AS {store}.events")
    warehouse.script("CREATE TABLE {store}.recorded AS {store}.references")
    recorded = select.replace(f"{store}.events", f"{store}.events_recorded")
    warehouse.command(f"CREATE MATERIALIZED VIEW {{store}}.recording TO {{store}}.recorded AS {recorded}")


def measure(count: int, rows: int) -> str:
    """Store `count` events in blocks of `rows`, each block with or without recording in turn; a table in Markdown."""
    spent: dict[str, list[float]] = {}
    events: dict[str, int] = {}
    with warehouse_for(Settings(_env_file=None)) as (settings, server, warehouse):
        process = psutil.Process(server.pid)

        def timed(name: str, number: int, work: Any) -> Any:
            before, started = process.cpu_times(), time.perf_counter()
            result = work()
            took, after = time.perf_counter() - started, process.cpu_times()
            cpu = after.user + after.system - before.user - before.system
            total = spent.setdefault(name, [0.0, 0.0])
            total[0] += cpu
            total[1] += took
            events[name] = events.get(name, 0) + number
            return result

        decoder = BatchDecoder({family.topic(settings.kafka.topic_prefix): family for family in ALL}, settings.ingest)
        clock, known = VersionClock(warehouse), KnownKeys(settings.ingest.known_ids_mib << 20)
        copy_tables(warehouse, settings.warehouse.store)
        [ties] = [aggregate for aggregate in AGGREGATES if aggregate.name == "tie_minute"]
        for number, batches in enumerate(blocks(settings, read(count), rows)):
            block = assemble([decoder.decode(batch, time.time_ns() // 1_000_000) for batch in batches])
            facts = block.facts
            assert facts is not None

            def without(facts: Any = facts) -> None:
                warehouse.insert("{store}.events_plain", facts, PLAIN)

            def recording(facts: Any = facts) -> None:
                warehouse.insert("{store}.events_recorded", facts, PLAIN)

            # In turn, because the one that goes second finds warm caches.
            steps = [("insert without recording", without), ("insert, recording who is named", recording)]
            for name, work in steps if number % 2 else reversed(steps):
                timed(name, facts.num_rows, work)
            stored = store_facts(warehouse, facts, time.time_ns(), known)
            timed(
                "look up who names what came",
                facts.num_rows,
                lambda block=block, stored=stored: naming_minutes(warehouse, block.minutes, stored.replaced),
            )
            timed(
                "recompute tie_minute",
                facts.num_rows,
                lambda block=block: recompute(warehouse, ties, block.minutes, {}, clock.take()),
            )
        sizes = warehouse.rows(
            "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND database = {d:String} "
            "AND table IN ('references', 'awaited', 'tie_minute') GROUP BY table ORDER BY table",
            {"d": settings.warehouse.store},
        )
    lines = ["| Step | warehouse CPU us/event | elapsed us/event |", "| --- | --- | --- |"]
    for name, (cpu, took) in spent.items():
        lines.append(f"| {name} | {cpu / events[name] * 1e6:.2f} | {took / events[name] * 1e6:.2f} |")
    shown = ", ".join(f"{table} {number:,} rows, {size / count:.1f} bytes an event" for table, number, size in sizes)
    return "\n".join(lines) + f"\n\nStored: {shown}."
