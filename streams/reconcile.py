"""Proof on the running system: every aggregate computed again from raw facts and held against what is stored."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import numpy as np

from streams.aggregates import ALL, SECONDS, Aggregate
from streams.aggregates.aggregate import in_range, recompute_select
from streams.aggregates.local import LocalTime
from streams.clickhouse import Warehouse
from streams.processors.corrections import corrected_differences, rewrite_corrected
from streams.processors.recompute import VersionClock, Way, remove_vanished, template, ways, write_rows
from streams.processors.store import Version, key_list, remove_losers
from streams.processors.zones import local_time
from streams.settings import Settings

Moment = datetime | None

DAY = SECONDS["day"]
SLICE_DAYS = 31
SLICE_ROWS = 2_000_000
"""One statement covers so many days, or more of them with so many rows at the most: this bounds its memory."""

KEYS_AT_ONCE = 5_000_000
"""Events whose rows are counted in one statement: bounds its memory."""

KEYS_SHOWN = 10_000
"""Events that live more than once and are looked up in one statement."""

END_OF_TIME = (1 << 32) - 1
"""The last second that a bucket can start in."""

FORGOTTEN_AFTER_DAYS = 400
"""As the TTL of `text` in the table of facts."""

MAX_DIFFERENCES = 10_000
"""Differences of one aggregate and slice that are listed; a broken range is told from a broken row well before."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not what the facts say. `aggregate` is a table's name, or `events` for an event that lives twice.

    The tables of corrections (who is who, who counts) are always held whole, whatever the range.

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
    remove_losers(warehouse, _living_twice(warehouse, start, end, communities))
    rewrite_corrected(warehouse, communities, clock.take())
    count = 0
    for aggregate in ALL:
        version = clock.take()
        local = local_time(warehouse)
        for low, high in slices(warehouse, start, end):
            whole = _whole_buckets(aggregate, low, high)
            target = in_range("start", *whole, aggregate.grain, communities)
            if aggregate.local:
                for way in ways(aggregate, local, whole[0] - DAY, whole[1] + DAY):
                    where = f"{_in_local_days(way, *whole, communities)} AND {way.whose}"
                    write_rows(warehouse, aggregate, where, communities, version, way)
            else:
                source = in_range(aggregate.time_column, *whole, aggregate.source_grain, communities)
                write_rows(warehouse, aggregate, source, communities, version)
            remove_vanished(warehouse, aggregate, target, version)
            [(stored,)] = warehouse.rows(
                f"SELECT uniqExact(community_id, start) FROM {{store}}.{aggregate.name} FINAL WHERE {target}"
            )
            count += int(stored)
    return count


def slices(warehouse: Warehouse, start: Moment, end: Moment) -> Iterator[tuple[int, int]]:
    """The range cut into slices of whole days, epoch seconds, that hold everything that is stored of it.

    A slice is `SLICE_DAYS` long or has at most `SLICE_ROWS`: sparse years take few statements, busy ones little room.
    """
    size = SLICE_DAYS * DAY
    tables = [("events", "minute"), *((aggregate.name, "start") for aggregate in ALL)]
    counts = warehouse.rows(
        "SELECT number, sum(rows) FROM ("
        + " UNION ALL ".join(
            f"SELECT intDiv(toUnixTimestamp({column}), {size}) AS number, count() AS rows "
            f"FROM {{store}}.{table} GROUP BY number"
            for table, column in tables
        )
        + ") GROUP BY number ORDER BY number"
    )
    while counts:
        last, rows = 0, counts[0][1]
        while last + 1 < len(counts) and rows + counts[last + 1][1] <= SLICE_ROWS:
            last += 1
            rows += counts[last][1]
        low, high = _clipped(counts[0][0] * size, (counts[last][0] + 1) * size, start, end)
        counts = counts[last + 1 :]
        if low < high:
            yield low, high


def _clipped(low: int, high: int, start: Moment, end: Moment) -> tuple[int, int]:
    """A range of epoch seconds, cut to `[start, end)`."""
    if start is not None:
        low = max(low, int(start.timestamp()))
    if end is not None:
        high = min(high, int(end.timestamp()))
    return low, high


def _whole_buckets(aggregate: Aggregate, low: int, high: int) -> tuple[int, int]:
    size = SECONDS[aggregate.grain]
    low, high = low - low % size, high + -high % size
    # The local days of a range begin and end up to a day before or after it.
    return (low - size, high + size) if aggregate.local else (low, high)


def _in_local_days(way: Way, low: int, high: int, communities: Sequence[str] = ()) -> str:
    """SQL predicate of the moments whose local day is in a range."""
    range_of_day = f"{way.day} >= toDateTime({low}, 'UTC') AND {way.day} < toDateTime({high}, 'UTC')"
    return f"{in_range(way.column, low - DAY, high + DAY, way.stored, communities)} AND {range_of_day}"


def _differences(warehouse: Warehouse, start: Moment, end: Moment) -> list[Difference]:
    found = [Difference(*each) for each in islice(corrected_differences(warehouse), MAX_DIFFERENCES)]
    for places in islice(_living_twice(warehouse, start, end), MAX_DIFFERENCES):
        key = {"community_id": places[0].community_id, "event_id": places[0].event_id}
        found.append(Difference("events", key, {"live": len(places)}, {"live": 1}))
    local = local_time(warehouse)
    for low, high in slices(warehouse, start, end):
        for aggregate in ALL:
            found += _compare(warehouse, aggregate, *_whole_buckets(aggregate, low, high), local)
    unique = {_identity(difference): difference for difference in found}
    return list(unique.values())


def _identity(difference: Difference) -> str:
    return repr((difference.aggregate, difference.key, difference.stored, difference.recomputed))


def _compare(warehouse: Warehouse, aggregate: Aggregate, low: int, high: int, local: LocalTime) -> Iterator[Difference]:
    keys = ", ".join(aggregate.keys)
    where, day = in_range("minute", low, high, "minute"), ""
    if aggregate.local:
        [way] = ways(aggregate, local, low - DAY, high + DAY, only_facts=True)
        where, day = _in_local_days(way, low, high), way.day
    sql = warehouse.render(template(aggregate.facts_sql))
    facts = recompute_select(sql, aggregate, where, from_facts=True, bucket=day)
    stored = (
        f"SELECT {keys}, {', '.join(aggregate.measures)}, 1 AS here FROM {{store}}.{aggregate.name} FINAL "
        f"WHERE {in_range('start', low, high, aggregate.grain)}"
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
        f"WHERE NOT (f_here = 1 AND s_here = 1 AND {equal}) AND {_told(aggregate, low, high)} "
        f"ORDER BY {keys} LIMIT {MAX_DIFFERENCES}"
    )
    for row in rows:
        sides = {
            side: {measure: row[f"{side}_{measure}"] for measure in aggregate.measures} if row[f"{side}_here"] else None
            for side in ("f", "s")
        }
        yield Difference(aggregate.name, {key: row[key] for key in aggregate.keys}, sides["s"], sides["f"])


def _told(aggregate: Aggregate, low: int, high: int) -> str:
    """SQL that is false for what facts no longer tell: rows read from texts, in hours of which one is forgotten."""
    if not aggregate.of_text:
        return "1"
    return (
        f"NOT (kind IN {aggregate.of_text} AND (community_id, start) IN ("
        "SELECT community_id, toStartOfHour(minute) FROM {store}.events "
        f"WHERE {in_range('minute', low, high, 'minute')} AND type = 'message' AND text = '' "
        f"AND ingested_at < now64(3) - INTERVAL {FORGOTTEN_AFTER_DAYS} DAY))"
    )


def _equal(aggregate: Aggregate, measure: str) -> str:
    if measure not in aggregate.sets:
        return f"f.{measure} = s.{measure}"
    united = f"arrayReduce('uniqExactMerge', [f.{measure}, s.{measure}])"
    return f"{united} = finalizeAggregation(f.{measure}) AND {united} = finalizeAggregation(s.{measure})"


def _shown(aggregate: Aggregate, side: str, measure: str) -> str:
    return f"finalizeAggregation({side}.{measure})" if measure in aggregate.sets else f"{side}.{measure}"


def _living_twice(
    warehouse: Warehouse, start: Moment, end: Moment, communities: Sequence[str] = ()
) -> Iterator[list[Version]]:
    """The live rows of each event of the range that has more than one, wherever in time the others are."""
    chosen = in_range("minute", *_clipped(0, END_OF_TIME, start, end), "minute", communities)
    [(count,)] = warehouse.rows(f"SELECT count() FROM {{store}}.events WHERE {chosen}")
    turns = 1 + count // KEYS_AT_ONCE
    for turn in range(turns):
        some = f"event_key % {turns} = {turn}"
        keys = warehouse.rows(
            f"SELECT event_key FROM {{store}}.events FINAL WHERE {some} "
            f"AND event_key IN (SELECT event_key FROM {{store}}.events WHERE {chosen} AND {some}) "
            "GROUP BY event_key HAVING count() > 1"
        )
        for first in range(0, len(keys), KEYS_SHOWN):
            part = np.array([key for (key,) in keys[first : first + KEYS_SHOWN]], np.uint64)
            lives = warehouse.rows(
                "SELECT community_id, event_id, groupArray((toUnixTimestamp(minute), version)) AS places "
                f"FROM {{store}}.events FINAL WHERE event_key IN ({key_list(part)}) "
                "GROUP BY community_id, event_id HAVING length(places) > 1"
            )
            for community, event_id, places in lives:
                yield [Version(community, event_id, *place) for place in places]


def moment(text: str) -> datetime:
    """An aware UTC datetime from ISO text; a text without a zone means UTC. Raises ValueError."""
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
