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


def deliver(lab: Lab, events: Iterable[dict[str, Any]]) -> None:
    """Publish contract events and let a worker do all there is to do."""
    log = Log()
    for event in events:
        key = f"{event['community_id']}/{event['member_id']}".encode()
        log.append(lab.topic(event["type"]), key, json.dumps(event).encode(), RECEIVED_MS)
    lab.drain(log, 20_000)


def declare(lab: Lab, community: str, settings: Community) -> None:
    """Store the settings of a community, as applying a settings file does."""
    for table in TABLES:
        lab.warehouse.insert(f"{{store}}.{table.name}", table.filled({community: settings}, 1))
