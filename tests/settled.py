"""A community as it is after everything came and was recomputed: its events delivered, its settings stored."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pipeline import Lab, Log

from streams.communities.rows import TABLES
from streams.communities.settings import Community

RECEIVED_MS = int(datetime(2026, 3, 5, tzinfo=UTC).timestamp() * 1000)


def deliver(lab: Lab, events: Iterable[dict[str, Any]], watermark: datetime | None = None) -> None:
    """Publish contract events and let a worker do all there is to do; then everything up to the watermark has come."""
    log = Log()
    for event in events:
        key = f"{event['community_id']}/{event['member_id']}".encode()
        log.append(lab.topic(event["type"]), key, json.dumps(event).encode(), RECEIVED_MS)
    lab.drain(log, 20_000)
    if watermark:
        lab.warehouse.command(
            "INSERT INTO {store}.progress (topic, partition, watermark, offset, lag, updated_at) "
            "SELECT 'all', 0, {at:DateTime64(3, 'UTC')}, 0, 0, now64(3)",
            {"at": watermark},
        )


def declare(lab: Lab, community: str, settings: Community) -> None:
    """Store the settings of a community, as applying a settings file does."""
    for table in TABLES:
        lab.warehouse.insert(f"{{store}}.{table.name}", table.filled({community: settings}, 1))
