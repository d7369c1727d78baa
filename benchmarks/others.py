"""What we compare with, each a process of its own on the same broker, with a fresh warehouse: stock Faust, bare."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from benchmarks import stock_views
from benchmarks.bench import WORKER_START_S, Result, warehouse_for
from benchmarks.meter import Meter
from benchmarks.path import LAST, stored, total, wait_for
from streams.clickhouse import Warehouse
from streams.config import to_environment
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.child import Child
from streams.settings import Settings

READY = "ready\n"
Aggregates = Literal["views", "recompute"]


@contextmanager
def started(name: str, settings: Settings, argv: Sequence[str], more: Mapping[str, str]) -> Iterator[Child]:
    """A child from the moment it says that it is ready to fetch."""
    log = settings.data_dir / f"{name}.log"
    child = Child(name, [sys.executable, *argv], log, env={**to_environment(settings), **more})
    try:
        deadline = time.monotonic() + WORKER_START_S
        while READY not in log.read_text():
            child.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is not ready after {WORKER_START_S:g} s:\n{child.log_tail()}")
            time.sleep(0.005)
        yield child
    finally:
        child.stop()


def measure_bare(broker: EmbeddedBroker, settings: Settings, events: int, timeout_s: float = 900.0) -> Result:
    """A bare consumer, until its rows can be queried."""
    with (
        warehouse_for(settings) as (settings, server, warehouse),
        started("bare", settings, ["-m", "benchmarks.bare_consumer", str(events)], {}) as child,
        Meter({"consumer": child.pid, "warehouse": server.pid, "broker": broker.pid}) as meter,
    ):

        def done() -> bool:
            child.check()
            return stored(warehouse) >= events

        wait_for(done, timeout_s, "rows are missing")
        meter.mark()
    return result("bare consumer", events, meter)


def measure_stock(
    broker: EmbeddedBroker, settings: Settings, events: int, aggregates: Aggregates, timeout_s: float = 900.0
) -> Result:
    """A stock Faust agent, until facts and aggregates can be queried."""
    with warehouse_for(settings) as (settings, server, warehouse):
        if aggregates == "views":
            stock_views.create(warehouse)
        more = {"STOCK_AGGREGATES": aggregates}
        with (
            started("stock", settings, ["-m", "benchmarks.stock_agent", "worker", "--without-web"], more) as child,
            Meter({"agent": child.pid, "warehouse": server.pid, "broker": broker.pid}) as meter,
        ):

            def done() -> bool:
                child.check()
                return min(stock_total(warehouse, table, aggregates) for table in LAST) >= events

            wait_for(done, timeout_s, "events are missing")
            meter.mark()
    return result(f"stock Faust agent, {aggregates}", events, meter)


def stock_total(warehouse: Warehouse, table: str, aggregates: Aggregates) -> int:
    """Events of one of the stock agent's aggregates."""
    if aggregates == "recompute":
        return total(warehouse, table)
    return int(warehouse.rows(f"SELECT sum(events) FROM {{store}}.stock_{table}")[0][0])


def result(name: str, events: int, meter: Meter) -> Result:
    """What the meter saw, by event."""
    return Result(
        name,
        events,
        meter.seconds,
        {process: cost.cpu_s / events * 1e6 for process, cost in meter.costs.items()},
        {process: cost.peak_rss / 2**20 for process, cost in meter.costs.items()},
    )
