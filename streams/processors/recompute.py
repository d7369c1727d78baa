"""Recomputing buckets: absolute values from what they are made of, and removal of the keys that are no longer there.

The version is the warehouse's clock, read before the facts are: of two recomputations of one bucket the one that saw
more wins, whichever is written last.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, Protocol

import numpy as np

from streams import metrics
from streams.aggregates import SECONDS, Aggregate, Buckets, Grain
from streams.aggregates.aggregate import among, in_buckets, of_communities, recompute_select
from streams.aggregates.local import LocalTime
from streams.sql_files import corrected_facts, sql_root, uncommented

# Collapsing rows of one insert costs as much as the insert, and FINAL does it anyway. Conditions on the sorting key
# choose all versions of a row or none, so they may be checked before FINAL merges rows: that costs a third. Looking for
# chains of comparisons (a < b AND b < 5) finds nothing here, and takes a tenth of the time of a small recompute.
LARGE = {
    "max_query_size": 1 << 28,
    "optimize_on_insert": 0,
    "optimize_move_to_prewhere_if_final": 1,
    "optimize_and_compare_chain": 0,
}
_UTC = LocalTime()
FIRST_BUCKETS: Mapping[Grain, int] = {"minute": 100_000, "hour": 10_000, "day": 1_000}
"""Buckets of the first statement of a recompute, by grain. How many rows it wrote tells how many the next may hold."""
MAX_BUCKETS = 100_000
MAX_ROWS = 500_000
"""Rows that a statement should write at most: its memory grows with them, but it costs as much as thousands of sparse
buckets."""
MAX_SETS = 100_000
"""The same where rows have a set of members in them: one takes as much memory as five without."""


class Warehouse(Protocol):
    """What recomputing needs of the warehouse."""

    def command(
        self, sql: str, parameters: dict[str, Any] | None = None, settings: dict[str, Any] | None = None
    ) -> int:
        """Run a statement; returns how many rows it wrote, 0 if that is not told."""

    def rows(
        self, sql: str, parameters: dict[str, Any] | None = None, settings: dict[str, Any] | None = None
    ) -> list[Any]:
        """Rows of a query."""

    def render(self, sql: str) -> str:
        """Fill in database names."""


@cache
def template(name: str) -> str:
    """Text of a file under `sql/rollups`, without its comment lines, and with `{facts}` spelled out."""
    text = uncommented((sql_root() / "rollups" / name).read_text(encoding="utf-8"))
    return text.replace("{facts}", corrected_facts())


@dataclass(slots=True)
class Size:
    """How many buckets the next statement of a recompute may hold, so that it writes no more rows than it should."""

    buckets: int
    max_rows: int = MAX_ROWS

    def learn(self, buckets: int, rows: int) -> None:
        """A statement wrote `rows` for `buckets`. At most four times as many are next: the others may be denser."""
        self.buckets = min(MAX_BUCKETS, max(1, buckets * self.max_rows // max(rows, self.max_rows // 4)))


class VersionClock:
    """Versions from one clock, the warehouse's, that never repeat or go back within this process."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self._last = 0
        self._lock = threading.Lock()

    def take(self) -> int:
        """Microseconds since the epoch. Take it before reading what is recomputed; from any thread."""
        [(now,)] = self.warehouse.rows("SELECT toUnixTimestamp64Micro(now64(6))")
        with self._lock:
            self._last = max(self._last + 1, int(now))
            return self._last


def recompute(
    warehouse: Warehouse,
    aggregate: Aggregate,
    dirty: Buckets,
    replaced: Buckets,
    version: int,
    local: LocalTime = _UTC,
) -> int:
    """Replace dirty buckets of one aggregate by what the facts (or its source) say now; returns how many.

    Keys that vanished are removed from the `replaced` ones: where facts only came, none can have. Safe to repeat.
    """
    started = time.monotonic()
    count, size = 0, Size(FIRST_BUCKETS[aggregate.grain], MAX_SETS if aggregate.sets else MAX_ROWS)
    for part in chunks(dirty, size):
        if aggregate.local:
            rows = write_local_days(warehouse, aggregate, part, version, local.of(part))
        else:
            chosen = in_buckets(aggregate.grain, aggregate.time_column, part, aggregate.source_grain)
            rows = write_rows(warehouse, aggregate, chosen, part, version)
        buckets = sum(len(starts) for starts in part.values())
        count += buckets
        size.learn(buckets, rows)
    for part in chunks(replaced, Size(FIRST_BUCKETS[aggregate.grain])):
        remove_vanished(warehouse, aggregate, in_buckets("minute", "start", part, aggregate.grain), version)
    metrics.RECOMPUTED_BUCKETS.labels(aggregate.name).inc(count)
    metrics.RECOMPUTE_SECONDS.labels(aggregate.name).observe(time.monotonic() - started)
    return count


def write_rows(
    warehouse: Warehouse,
    aggregate: Aggregate,
    source_where: str,
    communities: Iterable[str],
    version: int,
    way: Way | None = None,
) -> int:
    """Write what is computed from the source rows that `source_where` chooses: whole buckets, or they would shrink.

    `communities` are those the rows may be of; none means any. `way` says how, where days are local. Returns how many
    rows were written.
    """
    columns = ", ".join((*aggregate.keys, *aggregate.measures))
    from_facts, bucket = (way.from_facts, way.day) if way else (False, "")
    sql = template(aggregate.facts_sql if from_facts else aggregate.rollup_sql)
    select = recompute_select(
        warehouse.render(sql), aggregate, source_where, communities, from_facts=from_facts, bucket=bucket
    )
    return warehouse.command(
        f"INSERT INTO {table_of(warehouse, aggregate)} ({columns}, version) "
        f"SELECT {columns}, {version} FROM ({select})",
        settings=LARGE,
    )


def write_local_days(warehouse: Warehouse, aggregate: Aggregate, days: Buckets, version: int, local: LocalTime) -> int:
    """Write local days of the communities of `local`, each from the hours of UTC that it has a part in.

    Returns how many rows were written.
    """
    hours = local.hours_of(days)
    low = min(min(starts) for starts in hours.values())
    high = max(max(starts) for starts in hours.values()) + SECONDS["hour"]
    rows = 0
    for way in ways(aggregate, local, low, high):
        # The key begins with hours of facts, and with days of hours.
        grain: Grain = "hour" if way.stored == "minute" else "day"
        size = SECONDS[grain]
        near = {community: sorted({at - at % size for at in starts}) for community, starts in hours.items()}
        where = f"{in_buckets(grain, way.column, near, way.stored)} AND {among(way.day, days)} AND {way.whose}"
        rows += write_rows(warehouse, aggregate, where, days, version, way)
    return rows


class Way(NamedTuple):
    """One of the ways in which local days are computed."""

    from_facts: bool
    whose: str
    """SQL predicate of the communities it is for."""
    column: str
    """Column of the time."""
    stored: Grain
    """Grain of the rows it is computed from."""
    day: str
    """SQL of the day that column is in."""


def ways(aggregate: Aggregate, local: LocalTime, low: int, high: int, only_facts: bool = False) -> Iterator[Way]:
    """How the local days of `[low, high)` are computed: from hours, but from facts where an hour has two days in it."""
    broken = "1" if only_facts or aggregate.source is None else local.broken_hours(low, high)
    if broken != "1":
        column = aggregate.time_column
        whose = "1" if broken == "0" else f"NOT {broken}"
        yield Way(False, whose, column, aggregate.source_grain, local.day(column, low, high))
    if broken != "0":
        yield Way(True, broken, "minute", "minute", local.day("minute", low, high))


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


def chunks(buckets: Buckets, size: Size) -> Iterator[dict[str, list[int]]]:
    """The same buckets in parts of about `size`, cut by time: it leads the keys, so no part reads another's rows."""
    ordered = {
        community: np.sort(starts if isinstance(starts, np.ndarray) else np.fromiter(starts, np.int64))
        for community, starts in buckets.items()
    }
    everything = np.sort(np.concatenate([*ordered.values(), np.empty(0, np.int64)]))
    begin = 0
    while begin < len(everything):
        # A part ends with the last bucket of its last moment: many communities at one moment stay together.
        last = everything[min(begin + size.buckets, len(everything)) - 1]
        part = {
            community: starts[slice(*np.searchsorted(starts, (everything[begin], last + 1)))].tolist()
            for community, starts in ordered.items()
        }
        yield {community: starts for community, starts in part.items() if starts}
        begin = int(np.searchsorted(everything, last, "right"))


def every_bucket(warehouse: Warehouse, aggregate: Aggregate, communities: Collection[str]) -> dict[str, set[int]]:
    """Every bucket of some communities that an aggregate can have a row in."""
    rows = warehouse.rows(
        f"SELECT community_id, groupUniqArray(toUnixTimestamp(start)) FROM {{store}}.activity_{aggregate.grain} "
        f"WHERE {of_communities(communities)} GROUP BY community_id"
    )
    # A local day lies within two or three of UTC, whatever the zone is now and was before.
    beside = (-1, 0, 1) if aggregate.local else (0,)
    size = SECONDS[aggregate.grain]
    return {community: {start + step * size for start in starts for step in beside} for community, starts in rows}


def coarser(aggregate: Aggregate, buckets: Mapping[str, Iterable[int]]) -> dict[str, set[int]]:
    """The buckets of an aggregate's grain that contain the given ones."""
    return {community: {aggregate.start_of(start) for start in starts} for community, starts in buckets.items()}
