"""The whole path: from a pre-filled topic to every activity aggregate being queryable."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import ACTIVITY, Result, scrape, warehouse_for, worker_for
from benchmarks.meter import Meter
from benchmarks.views import merge_quiet
from streams.aggregates import ALL
from streams.clickhouse import Warehouse
from streams.embedded.broker import EmbeddedBroker
from streams.processors.settled import wait_until_settled
from streams.settings import Settings

TIMEOUT_S = 900.0
POLL_S = 0.1
STORED_POLL_S = 0.5
"""Counting what is stored takes ten milliseconds of the warehouse."""
PARTS = 5
"""A run is also told in parts: each ends when so many more of its facts are stored."""
SETTLED_POLL_S = 0.25
"""Each look asks the broker about every partition."""
LAST = tuple(aggregate.name for aggregate in ACTIVITY if aggregate.grain == "day")
"""The aggregates that are complete last: days are made of hours, hours of minutes."""
CORRECTIONS = ("member_standing", "hidden_events")
"""What decides which facts count."""


def total(warehouse: Warehouse, table: str) -> int:
    """Events of an aggregate over everything."""
    return int(warehouse.rows(f"SELECT sum(events) FROM {{store}}.{table} FINAL WHERE is_deleted = 0")[0][0])


def facts(warehouse: Warehouse) -> int:
    """Live facts."""
    return int(warehouse.rows("SELECT count() FROM {store}.events FINAL")[0][0])


def stored(warehouse: Warehouse) -> int:
    """Rows of the facts table, duplicates not yet merged included: cheap enough to ask often."""
    return int(warehouse.rows("SELECT count() FROM {store}.events")[0][0])


def expected(warehouse: Warehouse) -> int:
    """How many facts the numbers must count: all but what moderation hid or erased, as the view of them says."""
    return int(warehouse.rows("SELECT count() FROM {db}.events")[0][0])


class Completeness:
    """Whether the days hold what they must, once all facts are stored.

    Counting takes CPU that others lack: days only when their tables have changed, facts only when a correction came.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.seen: dict[str, int] = {}
        self.counted = -1

    def reached(self) -> bool:
        """Ask, when there is a reason to."""
        rows = dict(
            self.warehouse.rows(
                "SELECT name, total_rows FROM system.tables "
                "WHERE database = {store:String} AND name IN {names:Array(String)}",
                {"store": self.warehouse.settings.store, "names": [*LAST, *CORRECTIONS]},
            )
        )
        before, self.seen = self.seen, rows
        if rows == before:
            return False
        if any(rows[table] != before.get(table) for table in CORRECTIONS):
            self.counted = expected(self.warehouse)
        return all(total(self.warehouse, table) == self.counted for table in LAST)


def wait_for(done: Callable[[], bool], timeout_s: float, what: str, poll_s: float = POLL_S) -> None:
    """Raise TimeoutError when `done` does not become true."""
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} after {timeout_s:g} s")
        time.sleep(poll_s)


def measure(
    broker: EmbeddedBroker,
    settings: Settings,
    events: int,
    *,
    merging: bool = False,
    then: Callable[[Settings, Warehouse], None] | None = None,
    log: Path | None = None,
) -> Result:
    """Run a worker over filled topics until everything holds `events`.

    `merging` also measures what it costs to merge it all; `then` runs on what is left behind.
    """
    with warehouse_for(settings) as (settings, server, warehouse):
        with worker_for(settings, log) as worker:
            pids = {"worker": worker.pid, "warehouse": server.pid, "broker": broker.pid}
            with Meter(pids) as meter:
                started = time.monotonic()

                def running(done: bool) -> bool:
                    worker.check()
                    return done

                def holds(facts: int) -> Callable[[], bool]:
                    return lambda: running(stored(warehouse) >= facts)

                wait_for(holds(1), 60.0, "nothing is stored")
                first = time.monotonic() - started
                laps = []
                for part in range(1, PARTS + 1):
                    wait_for(holds(events * part // PARTS), TIMEOUT_S, "facts are missing", STORED_POLL_S)
                    laps.append(meter.lap())
                ingested = time.monotonic() - started
                complete = Completeness(warehouse)
                wait_for(lambda: running(complete.reached()), TIMEOUT_S, f"{' and '.join(LAST)} are not complete")
                meter.mark()
                wait_until_settled(settings, 600.0, poll_s=SETTLED_POLL_S)
                settled = time.monotonic() - started
                laps.append(meter.lap())
                whole, tail = meter.so_far(), scrape(settings)
        check(warehouse, events)
        with Meter({"warehouse": server.pid}) as merge:
            if merging:
                merge_quiet(warehouse)
        if then:
            then(settings, warehouse)

    def of(name: str, labels: str = "") -> float:
        return tail.get((name, labels), 0.0)

    recomputed = []
    for aggregate in ALL:
        label = f'aggregate="{aggregate.name}"'
        buckets, times, took = (
            of("streams_recomputed_buckets_total", label),
            of("streams_recompute_seconds_count", label),
            of("streams_recompute_seconds_sum", label),
        )
        recomputed.append(f"{aggregate.name} {buckets:,.0f} in {times:.0f} times, {took:.1f} s")
    return Result(
        "community-streams",
        events,
        meter.seconds,
        {name: cost.cpu_s / events * 1e6 for name, cost in meter.costs.items()},
        {name: cost.peak_rss / 2**20 for name, cost in meter.costs.items()},
        {
            "first block after s": round(first, 2),
            "all facts after s": round(ingested, 2),
            "everything after s": round(settled, 2),
            "storing s": round(of("streams_insert_seconds_sum"), 1),
            "blocks": int(of("streams_block_rows_count")),
            "buckets recomputed": "; ".join(recomputed),
        },
        settled,
        {name: cost.cpu_s / events * 1e6 for name, cost in whole.costs.items()},
        {name: cost.peak_rss / 2**20 for name, cost in whole.costs.items()},
        meter.piece_us,
        whole.piece_us,
        merge.costs["warehouse"].cpu_s / events * 1e6,
        merge.piece_us,
        laps,
    )


def check(warehouse: Warehouse, events: int) -> None:
    """Raise AssertionError unless facts and every aggregate hold what they must: a fast wrong number is no result."""
    counted = expected(warehouse)
    held = {aggregate.name: total(warehouse, aggregate.name) for aggregate in ACTIVITY}
    wrong = {name: count for name, count in held.items() if count != counted}
    if wrong or facts(warehouse) != events:
        raise AssertionError(
            f"{events:,} events were published and {facts(warehouse):,} stored; {counted:,} count, "
            f"but these tables hold others: {wrong}"
        )
