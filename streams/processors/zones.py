"""The zones of communities as the warehouse has them now."""

from __future__ import annotations

from typing import Any, Protocol

from streams.aggregates.local import LocalTime
from streams.communities.settings import DEFAULTS
from streams.communities.zones import Offset


class Reading(Protocol):
    """What is asked of the warehouse."""

    def rows(
        self, sql: str, parameters: dict[str, Any] | None = None, settings: dict[str, Any] | None = None
    ) -> list[Any]:
        """Rows of a query."""


def local_time(warehouse: Reading) -> LocalTime:
    """The zones of all communities. Read it after taking a version, as facts are."""
    zone_of = dict(warehouse.rows("SELECT community_id, zone FROM {store}.communities FINAL WHERE zone != ''"))
    default = zone_of.pop(DEFAULTS, "")
    if not zone_of and default in ("", "UTC"):
        return LocalTime()
    offsets = warehouse.rows(
        "SELECT zone, arraySort(groupArray((toUnixTimestamp(from_utc), offset_s))) "
        "FROM {store}.zone_offsets FINAL GROUP BY zone"
    )
    return LocalTime(zone_of, {zone: [Offset(*each) for each in rows] for zone, rows in offsets}, default)
