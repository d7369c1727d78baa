"""Who names what changed: the minutes whose ties depend on events of other minutes.

A reply or a reaction belongs to its own minute, but whom it reached is said by the event it names. That event may come
later, or be replaced by another version; then the minutes that name it are recomputed too. The tables are filled where
the rows are: `references` when events are inserted, `awaited` when ties are recomputed.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Protocol

from streams.aggregates import Buckets
from streams.aggregates.aggregate import in_buckets
from streams.processors.recompute import MAX_BUCKETS, Size, chunks

LARGE = {"max_query_size": 1 << 28}


class Warehouse(Protocol):
    """What looking up needs of the warehouse."""

    def rows(
        self, sql: str, parameters: dict[str, Any] | None = None, settings: dict[str, Any] | None = None
    ) -> list[Any]:
        """Rows of a query."""

    def render(self, sql: str) -> str:
        """Fill in database names."""


def naming_minutes(warehouse: Warehouse, dirty: Buckets, replaced: Buckets) -> dict[str, set[int]]:
    """Community -> minutes, epoch seconds, that name events of some minutes and must be recomputed with them.

    Events of `dirty` minutes may be new: whoever named them before they came waits for them. In `replaced` minutes an
    event may have another author, kind or time than before, or be gone: whoever ever named it counts.
    """
    minutes: dict[str, set[int]] = defaultdict(set)
    # Most communities wait for nothing, and reading what came costs more than asking who waits.
    waiting = {community for (community,) in warehouse.rows("SELECT DISTINCT community_id FROM {store}.awaited")}
    for part in chunks({community: dirty[community] for community in waiting & dirty.keys()}, Size(MAX_BUCKETS)):
        _add(warehouse, minutes, "awaited", in_buckets("minute", "minute", part, "minute"))
    for part in chunks(replaced, Size(MAX_BUCKETS)):
        _add(warehouse, minutes, "references", in_buckets("minute", "minute", part, "minute"))
    return minutes


def _add(warehouse: Warehouse, minutes: dict[str, set[int]], table: str, where: str) -> None:
    """Add the minutes that `table` has for the events that `where` chooses, whatever version of them."""
    found = warehouse.rows(
        warehouse.render(
            f"SELECT community_id, groupUniqArray(toUnixTimestamp(minute)) FROM {{store}}.{table} "
            f"WHERE target_key IN (SELECT event_key FROM {{store}}.events WHERE "
        )
        + f"{where}) GROUP BY community_id",
        settings=LARGE,
    )
    for community, starts in found:
        minutes[community].update(starts)
