"""Recomputing buckets: absolute values from what they are made of, and removal of the keys that are no longer there.

The version is the warehouse's clock, read before the facts are: of two recomputations of one bucket the one that saw
more wins, whichever is written last.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Protocol

from streams import metrics
from streams.aggregates import Aggregate, Buckets
from streams.aggregates.aggregate import in_buckets, recompute_select
from streams.migrations import sql_root

# Collapsing rows of one insert costs as much as the insert, and FINAL does it anyway.
LARGE = {"max_query_size": 1 << 28, "optimize_on_insert": 0}
MAX_BUCKETS = 100_000
"""Buckets of one statement."""


class Warehouse(Protocol):
    """What recomputing needs of the warehouse."""

    def command(
        self, sql: str, parameters: dict[str, Any] | None = None, settings: dict[str, Any] | None = None
    ) -> None:
        """Run a statement."""

    def rows(
        self, sql: str, parameters: dict[str, Any] | None = None, settings: dict[str, Any] | None = None
    ) -> list[Any]:
        """Rows of a query."""

    def render(self, sql: str) -> str:
        """Fill in database names."""


@cache
def template(name: str) -> str:
    """Text of a file under `sql/rollups`, without its comment lines."""
    text = (sql_root() / "rollups" / name).read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


class VersionClock:
    """Versions from one clock, the warehouse's, that never repeat or go back within this process."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self._last = 0

    def take(self) -> int:
        """Microseconds since the epoch. Take it before reading what is recomputed."""
        [(now,)] = self.warehouse.rows("SELECT toUnixTimestamp64Micro(now64(6))")
        self._last = max(self._last + 1, int(now))
        return self._last


def recompute(warehouse: Warehouse, aggregate: Aggregate, dirty: Buckets, replaced: Buckets, version: int) -> int:
    """Replace dirty buckets of one aggregate by what the facts (or its source) say now; returns how many.

    Keys that vanished are removed from the `replaced` ones: where facts only came, none can have. Safe to repeat.
    """
    started = time.monotonic()
    count = 0
    for part in chunks(dirty, MAX_BUCKETS):
        count += sum(len(starts) for starts in part.values())
        write_rows(warehouse, aggregate, in_buckets(aggregate.grain, aggregate.time_column, part), version)
    for part in chunks(replaced, MAX_BUCKETS):
        remove_vanished(warehouse, aggregate, in_buckets("minute", "start", part), version)
    metrics.RECOMPUTED_BUCKETS.labels(aggregate.name).inc(count)
    metrics.RECOMPUTE_SECONDS.labels(aggregate.name).observe(time.monotonic() - started)
    return count


def write_rows(warehouse: Warehouse, aggregate: Aggregate, source_where: str, version: int) -> None:
    """Write what is computed from the source rows that `source_where` chooses: whole buckets, or they would shrink."""
    columns = ", ".join((*aggregate.keys, *aggregate.measures))
    select = recompute_select(warehouse.render(template(aggregate.rollup_sql)), aggregate, source_where)
    warehouse.command(
        f"INSERT INTO {table_of(warehouse, aggregate)} ({columns}, version) "
        f"SELECT {columns}, {version} FROM ({select})",
        settings=LARGE,
    )


def remove_vanished(warehouse: Warehouse, aggregate: Aggregate, where: str, version: int) -> None:
    """Remove what still has an older version in buckets just written: its key is no longer in the facts."""
    # Only keys are read, because measures (sets of members) are most of a row. The column is qualified because a plain
    # `version` would mean the new one, which has the same name in the SELECT.
    keys, table = ", ".join(aggregate.keys), table_of(warehouse, aggregate)
    warehouse.command(
        f"INSERT INTO {table} ({keys}, version, is_deleted) SELECT {keys}, {version} AS version, 1 AS is_deleted "
        f"FROM {table} AS stored FINAL WHERE {where} AND stored.version < {version}",
        settings=LARGE,
    )


def table_of(warehouse: Warehouse, aggregate: Aggregate) -> str:
    """Qualified name of an aggregate's table."""
    return warehouse.render(f"{{store}}.{aggregate.name}")


def chunks(buckets: Buckets, size: int) -> Iterator[dict[str, list[int]]]:
    """The same buckets in parts of at most `size`."""
    part: dict[str, list[int]] = {}
    room = size
    for community, starts in buckets.items():
        ordered = sorted(starts)
        while ordered:
            part[community] = ordered[:room]
            ordered = ordered[room:]
            room -= len(part[community])
            if room == 0:
                yield part
                part, room = {}, size
    if part:
        yield part


def coarser(aggregate: Aggregate, buckets: Mapping[str, Iterable[int]]) -> dict[str, set[int]]:
    """The buckets of an aggregate's grain that contain the given ones."""
    return {community: {aggregate.start_of(start) for start in starts} for community, starts in buckets.items()}
