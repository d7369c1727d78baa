"""A backlog is read in step: a small topic does not run days ahead of a large one."""

from __future__ import annotations

import json

import pytest

from .deployment import Deployment, Lane
from .traffic import START, Record

pytestmark = [pytest.mark.connected, pytest.mark.chaos]

MESSAGES, EVERY = 8_000, 10
BLOCK = 400


def event(family: str, number: int, **fields: object) -> Record:
    """The `number`-th message, or what happened beside it."""
    value = {
        "event_id": f"{family}{number}",
        "type": family,
        "platform": "forum",
        "community_id": "c1",
        "member_id": f"m{number % 50}",
        "occurred_at": START.isoformat(),
        "schema_version": 1,
        **fields,
    }
    return Record(family, f"c1/m{number % 50}".encode(), json.dumps(value).encode())


def test_a_backlog_of_topics_of_different_size_is_read_in_step(deployment: Deployment) -> None:
    records = []
    for number in range(MESSAGES):
        records.append(event("message", number, text="x" * 50, conversation_id="c"))
        if number % EVERY == 0:
            records.append(event("check_in", number, ritual="r", place="p"))
    with Lane(deployment, "catchup", ingest__max_rows=BLOCK, ingest__fetch_bytes=1 << 16) as lane:
        lane.publish(records)
        lane.start()
        lane.settle()
        blocks = lane.warehouse.rows(
            f"""
            SELECT countIf(type = 'message') / {MESSAGES}, countIf(type = 'check_in') * {EVERY} / {MESSAGES}
            FROM {{store}}.events
            INNER JOIN (SELECT event_key, min(first_block) AS block FROM {{store}}.event_keys GROUP BY ALL) AS keys
                USING event_key
            GROUP BY block ORDER BY block
            """
        )
    done = [
        (sum(block[0] for block in blocks[:end]), sum(block[1] for block in blocks[:end])) for end in range(len(blocks))
    ]
    assert len(done) >= MESSAGES / BLOCK / 2
    # Read as they come, the check-ins are at their end when hardly a message was read: a slow fetch allows less.
    assert [] == [pair for pair in done if abs(pair[0] - pair[1]) > 0.4]
