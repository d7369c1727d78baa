"""Columns that mean the same in every view: written down once."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "community_id": "Community",
        "day": "Date in the zone of the community",
        "week": "Monday of the week, in the zone of the community",
        "start": "Start of the bucket, event time",
        "window": "Length of the window that ends at `as_of`: 5m, 1h, 24h, 7d or 28d",
        "member_id": "Member: the person, after linked accounts were put together",
        "family": (
            "Type of the events: message, reaction, check_in, order, review, membership, identity, moderation; or "
            "hosting: a check-in of its host at a ritual that the community declared"
        ),
        "platform": "Platform that published the events",
        "actor_kind": "human, bot, staff or test",
        "as_of": "Moment the row speaks of",
        "fresh_until": "Watermark: nothing older than this is expected from any platform",
        "settled": "1 when the watermark has passed the end of the bucket; a later event still restates it",
    }
)
