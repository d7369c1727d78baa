"""The numbers of connection on the community worked out by hand: whom the views count, and what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import known_answer as known
import pytest
from oracle import CONTRIBUTING, ENGAGED
from pipeline import Lab, Log

from streams.migrations import migrate
from streams.settings import MetricsSettings

pytestmark = pytest.mark.connected

RECEIVED_MS = int(datetime(2026, 3, 5, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def tea(lab: Lab) -> Lab:
    """The known-answer community, stored and recomputed, with its watermark."""
    log = Log()
    for event in known.EVENTS:
        key = f"{event['community_id']}/{event['member_id']}".encode()
        log.append(lab.topic(event["type"]), key, json.dumps(event).encode(), RECEIVED_MS)
    worker = lab.worker(log)
    lab.run(worker.drain())
    positions = worker.progress.table(worker.progress.take_changed(), datetime.now(UTC))
    lab.warehouse.insert("{store}.progress", positions)
    return lab


@pytest.fixture
def bots_count(tea: Lab) -> Iterator[Lab]:
    """The same with the switch set to humans and bots."""
    migrate(tea.warehouse, metrics=MetricsSettings(counted_actor_kinds=("human", "bot")))
    yield tea
    migrate(tea.warehouse, metrics=tea.settings.metrics)


def activity(lab: Lab) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    rows = lab.warehouse.rows(
        "SELECT community_id, day, member_id, family, platform, events, first_at, last_at, engaged, contributing "
        "FROM {db}.member_activity"
    )
    assert len(rows) == len({row[:5] for row in rows})
    return {row[:5]: row[5:] for row in rows}


def by_hand(*kinds: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {
        (community, start.date(), member, family, platform): (
            *numbers,
            int(family in ENGAGED),
            int(family in CONTRIBUTING),
        )
        for (community, start, member, family, platform, kind), numbers in known.MEMBER_DAYS.items()
        if kind in kinds
    }


def test_member_activity_is_the_member_days_of_humans(tea: Lab) -> None:
    assert by_hand("human") == activity(tea)


def test_the_switch_lets_bots_count_everywhere_and_back(bots_count: Lab) -> None:
    assert by_hand("human", "bot") == activity(bots_count)
    monday = "WHERE community_id = 'tea-house' AND toDate(start) = '2026-03-02'"
    assert [(11, 4, 4, 4)] == bots_count.warehouse.rows(
        f"SELECT events, members, engaged_members, contributing_members FROM {{db}}.activity_day {monday}"
    )


def test_the_switch_is_off_unless_set(tea: Lab) -> None:
    assert (known.TEA, date(2026, 3, 2), "helper", "message", "wechat") not in activity(tea)
