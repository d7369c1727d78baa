"""Storing facts: whoever stores two versions of one event, in whatever order, the minutes they replace are named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from pipeline import Lab, Log, Record

from streams.processors.block import Batch, assemble
from streams.processors.known import KnownKeys
from streams.processors.store import store_facts

pytestmark = pytest.mark.connected

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)


def facts(lab: Lab, world: str, *events: tuple[str, int, int]) -> pa.Table:
    """Facts of (event id, minutes past noon, seconds at which it was sent)."""
    topic = lab.topic("message")
    records = []
    for offset, (event_id, minute, sent) in enumerate(events):
        event = {
            "event_id": event_id,
            "type": "message",
            "platform": "wechat",
            "community_id": f"{world}tea",
            "member_id": f"sent at {sent}",
            "occurred_at": (NOON + timedelta(minutes=minute)).isoformat(),
            "sent_at": (NOON + timedelta(hours=1, seconds=sent)).isoformat(),
            "text": "",
        }
        records.append(Record(topic, 0, offset, 0, None, json.dumps(event).encode()))
    decoder = lab.worker(Log()).ingest.decoder
    block = assemble([decoder.decode(Batch(topic, 0, records), 1_710_200_000_000)])
    assert block.facts is not None
    return block.facts


def minutes(*numbers: int) -> set[int]:
    return {int((NOON + timedelta(minutes=number)).timestamp()) for number in numbers}


def replaced(lab: Lab, world: str, block_id: int, *events: tuple[str, int, int]) -> set[int]:
    """What storing a block replaced, told by a worker that has just started: it has yet to read what is known."""
    stored = store_facts(lab.warehouse, facts(lab, world, *events), block_id, KnownKeys(1 << 20))
    return stored.replaced.get(f"{world}tea", set())


def test_new_events_replace_nothing(lab: Lab) -> None:
    world = lab.world()
    assert set() == replaced(lab, world, 1, ("a", 0, 0), ("b", 0, 0))
    assert set() == replaced(lab, world, 2, ("c", 0, 0))


def test_another_version_replaces_the_one_before_it_in_its_minute(lab: Lab) -> None:
    world = lab.world()
    replaced(lab, world, 1, ("a", 0, 0), ("b", 1, 0))
    assert minutes(0) == replaced(lab, world, 2, ("a", 0, 1), ("c", 1, 0))


def test_two_versions_in_one_block_replace_each_other(lab: Lab) -> None:
    assert minutes(0) == replaced(lab, lab.world(), 1, ("a", 0, 0), ("a", 0, 1), ("b", 1, 0))


def test_an_event_that_moved_replaces_in_both_its_minutes(lab: Lab) -> None:
    world = lab.world()
    replaced(lab, world, 1, ("a", 0, 0))
    assert minutes(0, 5) == replaced(lab, world, 2, ("a", 5, 1))
    assert minutes(0, 5, 9) == replaced(lab, world, 3, ("a", 9, 0))


def test_a_block_that_was_begun_first_and_stored_last_replaces_too(lab: Lab) -> None:
    """Its id is the smaller one: its worker was paused, waited for the warehouse, or has a clock that is behind."""
    world = lab.world()
    replaced(lab, world, 2, ("a", 0, 0))
    assert minutes(0) == replaced(lab, world, 1, ("a", 0, 1))


def test_a_block_that_is_stored_again_names_no_less(lab: Lab) -> None:
    """A retry keeps the block's id; after a crash it has a new one."""
    world = lab.world()
    replaced(lab, world, 1, ("a", 0, 0))
    for block_id in (2, 2, 3):
        assert minutes(0) == replaced(lab, world, block_id, ("a", 0, 1))
