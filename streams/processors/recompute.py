"""Recomputing buckets: absolute values from what they are made of, and removal of the keys that are no longer there.

The version is the warehouse's clock, read before the facts are: of two recomputations of one bucket the one that saw
more wins, whichever is written last.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from streams import metrics
from streams.aggregates import Aggregate, Buckets
from streams.aggregates.aggregate import in_buckets, recompute_select
from streams.migrations import corrected_facts, sql_root, uncommented

# Collapsing rows of one insert costs as much as the insert, and FINAL does it anyway. Conditions on the sorting key
# choose all versions of a row or none, so they may be checked before FINAL merges rows: that costs a third.
LARGE = {"max_query_size": 1 << 28, "optimize_on_insert": 0, "optimize_move_to_prewhere_if_final": 1}
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
    """Text of a file under `sql/rollups`, without its comment lines, and with `{facts}` spelled out."""
    text = uncommented((sql_root() / "rollups" / name).read_text(encoding="utf-8"))
    return text.replace("{facts}", corrected_facts())


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
        chosen = in_buckets(aggregate.grain, aggregate.time_column, part, aggregate.source_grain)
        write_rows(warehouse, aggregate, chosen, part, version)
    for part in chunks(replaced, MAX_BUCKETS):
        remove_vanished(warehouse, aggregate, in_buckets("minute", "start", part, aggregate.grain), version)
    metrics.RECOMPUTED_BUCKETS.labels(aggregate.name).inc(count)
    metrics.RECOMPUTE_SECONDS.labels(aggregate.name).observe(time.monotonic() - started)
    return count


def write_rows(
    warehouse: Warehouse, aggregate: Aggregate, source_where: str, communities: Iterable[str], version: int
) -> None:
    """Write what is computed from the source rows that `source_where` chooses: whole buckets, or they would shrink.

    `communities` are those the rows may be of; none means any.
    """
    columns = ", ".join((*aggregate.keys, *aggregate.measures))
    select = recompute_select(warehouse.render(template(aggregate.rollup_sql)), aggregate, source_where, communities)
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
    """The same buckets in parts of about `size`, cut by time: it leads the keys, so no part reads another's rows."""
    ordered = {community: np.sort(np.fromiter(starts, np.int64)) for community, starts in buckets.items()}
    total = sum(len(starts) for starts in ordered.values())
    if not total:
        return
    everything = np.sort(np.concatenate(list(ordered.values())))
    # Each part begins at the first bucket of its first moment; many communities at one moment stay together.
    cuts = [*np.unique(everything[::size]).tolist(), int(everything[-1]) + 1]
    for low, high in pairwise(cuts):
        part = {
            community: starts[slice(*np.searchsorted(starts, (low, high)))].tolist()
            for community, starts in ordered.items()
        }
        yield {community: starts for community, starts in part.items() if starts}


def coarser(aggregate: Aggregate, buckets: Mapping[str, Iterable[int]]) -> dict[str, set[int]]:
    """The buckets of an aggregate's grain that contain the given ones."""
    return {community: {aggregate.start_of(start) for start in starts} for community, starts in buckets.items()}
