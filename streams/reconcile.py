"""Proof on the running system: every aggregate computed again from raw facts and held against what is stored."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from streams.aggregates import ALL, SECONDS, Aggregate
from streams.aggregates.aggregate import in_range, recompute_select
from streams.clickhouse import Warehouse
from streams.processors.recompute import VersionClock, replace_where, template
from streams.processors.store import Version, remove_losers
from streams.settings import Settings

Moment = datetime | None

DAY = SECONDS["day"]
SLICE_DAYS = 31
"""One statement covers so many days: bounds its memory, however long the history is."""

MAX_DIFFERENCES = 10_000
"""Differences of one aggregate and slice that are listed; a broken range is told apart from a broken row well before."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not what the facts say. `aggregate` is a table's name, or `events` for an event that lives twice.

    `stored` is None for a row that is missing, `recomputed` is None for one that should not be there. Sets of members
    are shown by their size; they are compared by their elements.
    """

    aggregate: str
    key: dict[str, Any]
    stored: dict[str, Any] | None
    recomputed: dict[str, Any] | None


def reconcile(
    warehouse: Warehouse, start: Moment = None, end: Moment = None, settle_s: float = 3.0
) -> list[Difference]:
    """Differences between the stored aggregates and the facts of `[start, end)`, widened to whole buckets.

    What differs is looked at again after `settle_s` seconds, and only what has not changed in between is reported: on a
    running pipeline a bucket may be a moment behind its facts. `start` and `end` are aware; None means all there is.
    """
    found = _differences(warehouse, start, end)
    if found and settle_s:
        time.sleep(settle_s)
        again = {_identity(difference) for difference in _differences(warehouse, start, end)}
        found = [difference for difference in found if _identity(difference) in again]
    return found


def restate(
    settings: Settings, warehouse: Warehouse, start: Moment = None, end: Moment = None, communities: Sequence[str] = ()
) -> int:
    """Recompute every bucket of `[start, end)` from the facts, smaller grains first; returns how many are stored now.

    Also leaves one live row of each event of the range. Safe beside running workers and safe to repeat: of two
    recomputations of one bucket the one that saw more wins.
    """
    clock = VersionClock(warehouse)
    for low, high in slices(warehouse, start, end):
        _repair_events(warehouse, low, high, communities)
    count = 0
    for aggregate in ALL:
        version = clock.take()
        for low, high in slices(warehouse, start, end):
            target = in_range("start", *_whole_buckets(aggregate, low, high), communities)
            source = in_range(aggregate.time_column, *_whole_buckets(aggregate, low, high), communities)
            replace_where(warehouse, aggregate, source, target, version)
            [(stored,)] = warehouse.rows(
                f"SELECT uniqExact(community_id, start) FROM {{store}}.{aggregate.name} FINAL WHERE {target}"
            )
            count += int(stored)
    return count


def slices(warehouse: Warehouse, start: Moment, end: Moment) -> Iterator[tuple[int, int]]:
    """The range cut into slices of whole days, epoch seconds; only where there are facts or aggregates."""
    low, high = _extent(warehouse)
    if start is not None:
        low = max(low, int(start.timestamp()))
    if end is not None:
        high = min(high, int(end.timestamp()))
    low -= low % DAY if start is None else 0
    while low < high:
        upper = min(high, low - low % DAY + SLICE_DAYS * DAY)
        yield low, upper
        low = upper


def _extent(warehouse: Warehouse) -> tuple[int, int]:
    """First and last moment of anything stored, epoch seconds, half-open."""
    parts = ["SELECT min(minute) AS first, max(minute) + 60 AS last, count() AS rows FROM {store}.events"]
    parts += [
        f"SELECT min(start), max(start) + {SECONDS[aggregate.grain]}, count() FROM {{store}}.{aggregate.name}"
        for aggregate in ALL
    ]
    [(low, high)] = warehouse.rows(
        "SELECT toUnixTimestamp(min(first)), toUnixTimestamp(max(last)) FROM ("
        + " UNION ALL ".join(parts)
        + ") WHERE rows > 0"
    )
    return int(low), int(high)


def _whole_buckets(aggregate: Aggregate, low: int, high: int) -> tuple[int, int]:
    size = SECONDS[aggregate.grain]
    return low - low % size, high + -high % size


def _differences(warehouse: Warehouse, start: Moment, end: Moment) -> list[Difference]:
    found: list[Difference] = []
    for low, high in slices(warehouse, start, end):
        found += _living_twice(warehouse, low, high)
        for aggregate in ALL:
            found += _compare(warehouse, aggregate, *_whole_buckets(aggregate, low, high))
    unique = {_identity(difference): difference for difference in found}
    return list(unique.values())


def _identity(difference: Difference) -> str:
    return repr((difference.aggregate, difference.key, difference.stored, difference.recomputed))


def _compare(warehouse: Warehouse, aggregate: Aggregate, low: int, high: int) -> Iterator[Difference]:
    keys = ", ".join(aggregate.keys)
    facts = recompute_select(
        warehouse.render(template(aggregate.facts_sql)), aggregate, in_range("minute", low, high), from_facts=True
    )
    stored = (
        f"SELECT {keys}, {', '.join(aggregate.measures)}, 1 AS here FROM {{store}}.{aggregate.name} FINAL "
        f"WHERE {in_range('start', low, high)}"
    )
    equal = " AND ".join(_equal(aggregate, measure) for measure in aggregate.measures)
    shown = ", ".join(
        f"{_shown(aggregate, side, measure)} AS {side}_{measure}"
        for side in ("f", "s")
        for measure in aggregate.measures
    )
    rows = warehouse.query(
        f"SELECT {keys}, f.here AS f_here, s.here AS s_here, {shown} "
        f"FROM (SELECT *, 1 AS here FROM ({facts})) AS f FULL OUTER JOIN ({stored}) AS s USING ({keys}) "
        f"WHERE NOT (f_here = 1 AND s_here = 1 AND {equal}) ORDER BY {keys} LIMIT {MAX_DIFFERENCES}"
    )
    for row in rows:
        sides = {
            side: {measure: row[f"{side}_{measure}"] for measure in aggregate.measures} if row[f"{side}_here"] else None
            for side in ("f", "s")
        }
        yield Difference(aggregate.name, {key: row[key] for key in aggregate.keys}, sides["s"], sides["f"])


def _equal(aggregate: Aggregate, measure: str) -> str:
    if measure not in aggregate.sets:
        return f"f.{measure} = s.{measure}"
    united = f"arrayReduce('uniqExactMerge', [f.{measure}, s.{measure}])"
    return f"{united} = finalizeAggregation(f.{measure}) AND {united} = finalizeAggregation(s.{measure})"


def _shown(aggregate: Aggregate, side: str, measure: str) -> str:
    return f"finalizeAggregation({side}.{measure})" if measure in aggregate.sets else f"{side}.{measure}"


def _living_twice(warehouse: Warehouse, low: int, high: int) -> Iterator[Difference]:
    """Events of the range that have more than one live row, anywhere."""
    rows = warehouse.query(
        "SELECT community_id, event_id, count() AS live FROM {store}.events FINAL "
        f"WHERE {in_range('minute', low, high)} GROUP BY community_id, event_id HAVING live > 1 LIMIT {MAX_DIFFERENCES}"
    )
    for row in rows:
        key = {"community_id": row["community_id"], "event_id": row["event_id"]}
        yield Difference("events", key, {"live": row["live"]}, {"live": 1})


def _repair_events(warehouse: Warehouse, low: int, high: int, communities: Sequence[str]) -> None:
    rows = warehouse.rows(
        "SELECT community_id, event_id, groupArray((toUnixTimestamp(minute), version)) AS places FROM {store}.events FINAL "
        f"WHERE {in_range('minute', low, high, communities)} GROUP BY community_id, event_id HAVING length(places) > 1"
    )
    remove_losers(
        warehouse,
        [[Version(community, event_id, *place) for place in places] for community, event_id, places in rows],
    )


def moment(text: str) -> datetime:
    """An aware UTC datetime from ISO text; a text without a zone means UTC. Raises ValueError."""
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
