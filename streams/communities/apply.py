"""Applying settings: into the tables, into the history, and to the workers, in an order that a crash cannot harm.

First the history says that they are being applied, then the tables are written, then the communities whose numbers
depend on what changed are told, then the history says that they were applied. Whoever applies next tells those again
that may not have been told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from streams.aggregates import ALL
from streams.clickhouse import Warehouse
from streams.communities.rows import TABLES
from streams.communities.settings import BUILT_IN, DEFAULTS, PARTS, Community, CommunitySettings, Part
from streams.communities.zones import Offset, offsets_of
from streams.processors.invalidations import Invalidation
from streams.processors.recompute import VersionClock

Changes = Mapping[str, tuple[Part, ...]]
"""Community -> parts of its settings that changed, in the order of `PARTS`."""

COMPUTED: frozenset[Part] = frozenset[Part]().union(*(aggregate.settings for aggregate in ALL))
"""Parts that stored numbers depend on. All others are read when a view is asked."""

Tell = Callable[[Sequence[Invalidation]], None]
"""Publish invalidations and return when the broker has them."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of settings: `version` is 0 when they were in force already."""

    version: int
    changed: Changes
    restated: Changes
    """Communities whose numbers are being computed anew, and on account of which parts."""


@dataclass(frozen=True, slots=True)
class Known:
    """The settings in force of one community. `complete` is False when it may not have been told of them."""

    settings: Community
    complete: bool


def apply(warehouse: Warehouse, settings: CommunitySettings, tell: Tell, dry_run: bool = False) -> Applied:
    """Make settings those in force: what they do not mention falls back to the defaults.

    Safe to repeat after it failed anywhere, and cheap when nothing changed.
    """
    wanted = settings.all
    before = in_force(warehouse)
    changed = changes(before, wanted, _corrected_zones(warehouse, wanted))
    affected = concerned(warehouse, before, wanted, changed)
    if not changed or dry_run:
        return Applied(0, changed, affected)
    version = VersionClock(warehouse).take()
    _note(warehouse, wanted, changed, version, "applying")
    for table in TABLES:
        warehouse.insert(f"{{store}}.{table.name}", table.filled(wanted, version))
    for table in TABLES:
        keys = ", ".join(table.keys)
        warehouse.command(
            f"INSERT INTO {{store}}.{table.name} ({keys}, version, is_deleted) "
            f"SELECT {keys}, {version} AS version, 1 AS is_deleted FROM {{store}}.{table.name} AS stored FINAL "
            f"WHERE stored.version < {version}"
        )
    # Whoever has events by now: what is stored later is computed with the new settings anyway.
    affected = concerned(warehouse, before, wanted, changed)
    tell([Invalidation(community, [], settings=list(parts)) for community, parts in affected.items()])
    _note(warehouse, wanted, changed, version, "applied")
    return Applied(version, changed, affected)


def in_force(warehouse: Warehouse) -> dict[str, Known]:
    """Settings that were applied last, by community; those of the defaults under an empty id."""
    rows = warehouse.rows(
        "SELECT community_id, argMax(settings, (version, status)), argMax(status, (version, status)) = 'applied' "
        "FROM {store}.community_settings_history GROUP BY community_id"
    )
    known = {
        community: Known(Community.model_validate_json(stated or "{}"), bool(complete))
        for community, stated, complete in rows
        if stated or not complete
    }
    return {DEFAULTS: Known(BUILT_IN, True), **known}


def changes(before: Mapping[str, Known], wanted: Mapping[str, Community], corrected: frozenset[str]) -> Changes:
    """What differs between settings; `corrected` are zones whose offsets are others now. New communities are listed
    even when they set nothing.
    """
    changed: dict[str, tuple[Part, ...]] = {}
    for community in sorted({*before, *wanted}):
        known, now = before.get(community), wanted.get(community, Community())
        then = known.settings.parts if known else Community().parts
        parts = tuple(
            part
            for part in PARTS
            if then[part] != now.parts[part]
            or (known and not known.complete)
            or (part == "zone" and now.zone in corrected)
        )
        if parts or known is None or community not in wanted:
            changed[community] = parts
    return changed


def concerned(
    warehouse: Warehouse, before: Mapping[str, Known], wanted: Mapping[str, Community], changed: Changes
) -> Changes:
    """Communities with numbers that depend on what changed, for themselves or in the defaults they take."""
    by_default = [part for part in changed.get(DEFAULTS, ()) if part in COMPUTED]
    takers = _with_events(warehouse) | wanted.keys() if by_default else set()
    found: dict[str, tuple[Part, ...]] = {}
    for community in sorted((takers | changed.keys()) - {DEFAULTS}):
        own = wanted.get(community, Community())
        parts = {part for part in changed.get(community, ()) if part in COMPUTED}
        parts |= {part for part in by_default if own.parts[part] == Community().parts[part]}
        if parts:
            found[community] = tuple(part for part in PARTS if part in parts)
    return found


def _with_events(warehouse: Warehouse) -> set[str]:
    return {community for (community,) in warehouse.rows("SELECT DISTINCT community_id FROM {store}.events")}


def _corrected_zones(warehouse: Warehouse, wanted: Mapping[str, Community]) -> frozenset[str]:
    """Zones that are stored with other offsets than this machine's time zone database has."""
    stored = warehouse.rows(
        "SELECT zone, arraySort(groupArray((toUnixTimestamp(from_utc), offset_s))) "
        "FROM {store}.zone_offsets FINAL GROUP BY zone"
    )
    known = {zone: tuple(Offset(*row) for row in rows) for zone, rows in stored}
    used = {community.zone for community in wanted.values() if community.zone}
    return frozenset(zone for zone in used if known.get(zone) != offsets_of(zone))


def _note(warehouse: Warehouse, wanted: Mapping[str, Community], changed: Changes, version: int, status: str) -> None:
    names = list(changed)
    said = [wanted.get(community) for community in names]
    rows = {
        "community_id": pa.array(names, pa.string()),
        "version": pa.array([version] * len(names), pa.uint64()),
        "status": pa.array([status] * len(names), pa.string()),
        "parts": pa.array([list(changed[community]) for community in names], pa.list_(pa.string())),
        "settings": pa.array([each.stated if each else "" for each in said], pa.string()),
        "hash": pa.array([(each or Community()).hash for each in said], pa.string()),
    }
    warehouse.insert("{store}.community_settings_history", pa.table(rows))
