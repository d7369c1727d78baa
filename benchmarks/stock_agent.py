"""A stock Faust worker, as its documentation teaches: one agent over the event topics, `take`, insert, next.

Given the benefit of the doubt wherever there was a choice: plain dicts instead of Faust Records, orjson, Arrow blocks
instead of rows, the insert in a thread, no acknowledgement subtleties, and settings that avoid Faust's slow start. The
columns are those of our `events` table, `version` and `event_key` included. Aggregates are kept in one of two ways, by
STOCK_AGGREGATES:

- `views`: materialised views add every insert up (AggregatingMergeTree), the usual ClickHouse way and the cheapest. A
  batch that is delivered twice is counted twice: this is what our pipeline must not do.
- `recompute`: after every batch the buckets it touched are recomputed with our statements.
"""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import faust
import numpy as np
import orjson
import pyarrow as pa
import xxhash

from benchmarks.bench import ACTIVITY
from benchmarks.stock_views import EVENTS
from streams.clickhouse import Warehouse
from streams.processors.facts import COLUMNS, LOW, versions
from streams.processors.recompute import VersionClock, coarser, recompute
from streams.settings import Settings
from streams.topics import ALL

READY = "ready"
BATCH, WITHIN_S = 10_000, 1.0

EPOCH_MS = pa.timestamp("ms", "UTC")
RENAMED = {
    column: (family.name, field)
    for family in ALL
    for field, column in family.columns.items()
    if field != column and field != "items"
}
"""Columns named otherwise than their field: (family, field)."""


def to_table(events: list[dict[str, Any]]) -> pa.Table:
    """Columns of `events`, one list a column over all families."""
    columns: dict[str, Any] = {"type": pa.array([event["type"] for event in events], LOW)}
    for column, kind in COLUMNS.items():
        family, field = RENAMED.get(column, ("", column))
        empty: Any = [] if pa.types.is_list(kind) else "" if kind in (LOW, pa.string()) else 0
        if column == "amount":
            columns[column] = pa.array([event.get("amount", "0") for event in events]).cast(kind)
        elif family:
            values = [event.get(field, empty) if event["type"] == family else empty for event in events]
            columns[column] = pa.array(values, kind)
        else:
            columns[column] = pa.array([event.get(field, empty) for event in events], kind)
    columns["actor_kind"] = pa.array([event.get("actor_kind", "human") for event in events], LOW)
    items = [event.get("items", []) for event in events]
    prices = [[item.get("unit_price", "0") for item in row] for row in items]
    columns["item_product_id"] = pa.array(
        [[item["product_id"] for item in row] for row in items], pa.list_(pa.string())
    )
    columns["item_quantity"] = pa.array([[item["quantity"] for item in row] for row in items], pa.list_(pa.uint32()))
    columns["item_unit_price"] = pa.array(prices, pa.list_(pa.string())).cast(pa.list_(pa.decimal128(18, 4)))
    times = np.array([event["occurred_at"][:-1] for event in events], "datetime64[ms]").astype(np.int64)
    digest = xxhash.xxh3_64_intdigest
    keys = [digest(f"{event['community_id']}\0{event['event_id']}".encode()) for event in events]
    contents = np.array([digest(orjson.dumps(event)) for event in events], np.uint64)
    columns |= {
        "occurred_at": pa.array(times).cast(EPOCH_MS),
        "event_time": pa.array(times).cast(EPOCH_MS),
        "minute": pa.array(times // 60_000 * 60).cast(pa.timestamp("s", "UTC")),
        "received_at": pa.array(np.full(len(events), time.time_ns() // 1_000_000)).cast(EPOCH_MS),
        "clock_skewed": pa.array(np.zeros(len(events), np.uint8)),
        "event_key": pa.array(np.array(keys, np.uint64)),
        "version": pa.array(versions(np.zeros(len(events), np.int64), contents)),
    }
    # Not null: nulls would double what the engine spends on an insert.
    return pa.table(
        list(columns.values()), pa.schema([pa.field(name, each.type, nullable=False) for name, each in columns.items()])
    )


def touched(facts: pa.Table) -> dict[str, set[int]]:
    """Community -> minutes of some facts."""
    minutes: dict[str, set[int]] = defaultdict(set)
    for community, minute in zip(
        facts["community_id"].to_pylist(), np.asarray(facts["minute"].cast(pa.int64())).tolist(), strict=True
    ):
        minutes[community].add(minute)
    return minutes


def build(settings: Settings) -> faust.App:
    """The app and its agent."""
    warehouse = Warehouse(settings.warehouse)
    recomputing = os.environ["STOCK_AGGREGATES"] == "recompute"
    table = "{store}.events" if recomputing else EVENTS
    clock = VersionClock(warehouse)
    app = faust.App(
        f"{settings.kafka.topic_prefix}stock",
        broker=f"kafka://{settings.kafka.bootstrap}",
        broker_session_timeout=10,
        broker_heartbeat_interval=2,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=settings.ingest.fetch_bytes,
        stream_buffer_maxsize=16_384,
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        store="memory://",
        web_enabled=False,
    )
    topic = app.topic(*[family.topic(settings.kafka.topic_prefix) for family in ALL], value_serializer="json")

    def store(events: list[dict[str, Any]]) -> None:
        facts = to_table(events)
        warehouse.insert(table, facts)
        if recomputing:
            version, minutes = clock.take(), touched(facts)
            for aggregate in ACTIVITY:
                recompute(warehouse, aggregate, coarser(aggregate, minutes), {}, version)

    @app.agent(topic)
    async def agent(stream: faust.StreamT) -> AsyncIterator[None]:
        async for events in stream.take(BATCH, within=WITHIN_S):
            try:
                await asyncio.to_thread(store, events)
            except Exception:
                traceback.print_exc()
                os._exit(1)  # Faust would go on without the batch; a measurement must not
            yield

    @app.on_partitions_assigned.connect
    async def assigned(*_: Any, **__: Any) -> None:
        print(READY, flush=True)

    return app


if __name__ == "__main__":
    faust.Worker(build(Settings()), loglevel="WARNING", quiet=True, redirect_stdouts=False).execute_from_commandline()
