"""Storing a block of facts so that each event has one live row, whatever came before and whenever it came.

The key of `events` collapses an event that arrives again in its own minute. An event that arrives again with another
time would live in two minutes: `event_keys` finds it, and the version that loses is removed from its minute.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streams.aggregates.aggregate import json_literal
from streams.processors.facts import UInt64s, key_of, minutes_of
from streams.processors.known import KnownKeys

LARGE = {"max_query_size": 1 << 28}
FEW_KEYS = 5_000
FOUND = pa.schema(
    {"event_key": pa.uint64(), "minutes": pa.list_(pa.uint32()), "first": pa.uint64(), "last": pa.uint64()}
)
# Collapsing rows of one insert costs twice the insert itself, and FINAL does it anyway.
PLAIN = {"optimize_on_insert": 0}


class Storage(Protocol):
    """What storing needs of the warehouse."""

    def command(
        self, sql: str, parameters: dict[str, Any] | None = None, settings: dict[str, Any] | None = None
    ) -> int:
        """Run a statement; returns how many rows it wrote, 0 if that is not told."""

    def insert(self, table: str, rows: pa.Table, settings: Mapping[str, Any] | None = None) -> None:
        """Insert columns."""

    def rows(
        self, sql: str, parameters: dict[str, Any] | None = None, settings: dict[str, Any] | None = None
    ) -> list[Any]:
        """Rows of a query."""

    def arrow(
        self, sql: str, parameters: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
    ) -> pa.Table:
        """The same as columns."""

    def render(self, sql: str) -> str:
        """Fill in database names."""


@dataclass(slots=True)
class Stored:
    """What came of a block: which rows brought a new event, and where facts were replaced.

    `replaced` maps communities to minutes, the block's own or others, in which a fact took another's place or left.
    """

    new: np.ndarray[Any, np.dtype[np.bool_]]
    replaced: dict[str, set[int]]
    replacing: np.ndarray[Any, np.dtype[np.bool_]]
    """Rows whose event was stored before, or has another version in the block."""
    moved: int = 0


class Version(NamedTuple):
    """A live row of an event in one minute."""

    community_id: str
    event_id: str
    minute: int
    version: int


def store_facts(warehouse: Storage, facts: pa.Table, block_id: int, known_keys: KnownKeys) -> Stored:
    """Insert facts, count duplicates, and leave one live row of every event that lives in several minutes.

    `block_id` grows with time: an id that an earlier block brought is a duplicate. `known_keys` tells which ids need
    not be asked for. Safe to repeat at any point.
    """
    keys = np.asarray(facts["event_key"])
    unique, first_rows, position, times = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    warehouse.insert(warehouse.render("{store}.events"), facts, settings=PLAIN)
    block = pa.array(np.full(len(keys), block_id, np.uint64))
    seen = pa.table(
        {"event_key": facts["event_key"], "minute": facts["minute"], "first_block": block, "last_block": block}
    )
    warehouse.insert(warehouse.render("{store}.event_keys"), seen, settings=PLAIN)
    # Looked up after the insert: of two writers that bring one event at the same time, at least the later sees both.
    known_keys.refresh(warehouse, block_id)
    known = look_up(warehouse, unique[known_keys.may_hold(unique) | (times > 1)], block_id)
    stored_before = np.asarray(known["event_key"], np.uint64)
    first, last = np.asarray(known["first"]), np.asarray(known["last"])
    new = np.zeros(len(keys), np.bool_)
    new[first_rows[~np.isin(unique, stored_before[first < block_id])]] = True
    # A block with a greater id may have been stored before this one, whose worker was paused or had to wait.
    elsewhere = np.isin(unique, stored_before[(first < block_id) | (last > block_id)])
    versions = np.asarray(facts["version"])
    replacing = elsewhere[position] | (versions != versions[first_rows][position])
    stored = Stored(new, minutes_of(facts.filter(pa.array(replacing))) if replacing.any() else {}, replacing)
    several = pc.greater(pc.list_value_length(known["minutes"]), 1)
    moved = dict(
        zip(known["event_key"].filter(several).to_pylist(), known["minutes"].filter(several).to_pylist(), strict=True)
    )
    if moved:
        settle_moved(warehouse, facts, moved, stored)
    known_keys.add(unique)
    return stored


def look_up(warehouse: Storage, keys: UInt64s, block_id: int) -> pa.Table:
    """Of some keys those that another block brought as well, or that were stored in several minutes.

    Columns `event_key`, `minutes` (starts, epoch s), `first` and `last` (ids of blocks).
    """
    if not len(keys):
        return FOUND.empty_table()
    return warehouse.arrow(
        warehouse.render("""
            SELECT event_key, groupUniqArray(toUnixTimestamp(minute)) AS minutes,
                min(first_block) AS first, max(last_block) AS last
            FROM {store}.event_keys
            WHERE event_key IN (""")
        + key_list(keys)
        + f") GROUP BY event_key HAVING first < {block_id} OR last > {block_id} OR length(minutes) > 1",
        settings=LARGE,
    )


def key_list(keys: UInt64s) -> str:
    """SQL for a set of keys: literals while they are few, else one literal that packs them all.

    The sub-query that unpacks them costs 60 ms, whatever the number of keys; parsing a literal a key costs memory.
    """
    if len(keys) <= FEW_KEYS:
        return ",".join(map(str, keys.tolist()))
    packed = base64.b64encode(np.ascontiguousarray(keys, "<u8").tobytes()).decode()
    return (
        f"SELECT reinterpretAsUInt64(substring(base64Decode('{packed}'), number * 8 + 1, 8)) FROM numbers({len(keys)})"
    )


def settle_moved(warehouse: Storage, facts: pa.Table, moved: dict[int, list[int]], stored: Stored) -> None:
    """Leave one version alive of each event that was stored in several minutes; mark all its minutes changed."""
    keys = np.asarray(facts["event_key"])
    positions = np.flatnonzero(np.isin(keys, np.fromiter(moved, np.uint64, len(moved))))
    rows = facts.select(["event_key", "community_id", "event_id"]).take(pa.array(positions)).to_pylist()
    wanted = {(row["community_id"], row["event_id"]): moved[row["event_key"]] for row in rows}
    for (community, _), minutes in wanted.items():
        stored.replaced.setdefault(community, set()).update(minutes)
    places = [(community, minute, event_id) for (community, event_id), minutes in wanted.items() for minute in minutes]
    literal = json_literal(places)
    alive: dict[tuple[str, str], list[Version]] = defaultdict(list)
    living = warehouse.rows(
        warehouse.render(f"""
            SELECT community_id, event_id, toUnixTimestamp(minute) AS at, version
            FROM {{store}}.events FINAL
            WHERE (community_id, minute, event_id) IN (
                SELECT place.1, toDateTime(place.2, 'UTC'), place.3
                FROM (SELECT arrayJoin(JSONExtract({literal}, 'Array(Tuple(String, UInt32, String))')) AS place))"""),
        settings=LARGE,
    )
    for row in living:
        version = Version(*row)
        alive[version.community_id, version.event_id].append(version)
    stored.moved = remove_losers(warehouse, alive.values())


def remove_losers(warehouse: Storage, living: Iterable[list[Version]]) -> int:
    """Leave one live row of each event, given the live rows of each; returns how many were removed."""
    losers = [loser for versions in living for loser in losing(versions)]
    if losers:
        warehouse.insert(warehouse.render("{store}.events"), removals(losers))
    return len(losers)


def losing(versions: list[Version]) -> list[Version]:
    """The versions that must go, each with the version number that removes it; none when the event lives once.

    The greatest version wins; of equal ones (an event bucketed by receive time, received twice) the earliest minute.
    Only what is there is removed: the version that won may still come to this minute, and to stay.
    """
    winner = max(versions, key=lambda version: (version.version, -version.minute))
    return [version._replace(version=version.version | 1) for version in versions if version is not winner]


def removals(losers: list[Version]) -> pa.Table:
    """Rows that take events out of a minute: odd versions, just above the version that goes; found by the same hash."""
    count = len(losers)
    keys = (key_of(loser.community_id, loser.event_id) for loser in losers)
    epoch = pa.array([0] * count, pa.timestamp("ms", "UTC"))
    return pa.table(
        {
            "community_id": [loser.community_id for loser in losers],
            "minute": pa.array([loser.minute for loser in losers], pa.timestamp("s", "UTC")),
            "event_id": [loser.event_id for loser in losers],
            "event_key": pa.array(np.fromiter(keys, np.uint64, count)),
            "version": pa.array([loser.version for loser in losers], pa.uint64()),
            "is_deleted": pa.array([1] * count, pa.uint8()),
            "occurred_at": epoch,
            "event_time": epoch,
        }
    )
