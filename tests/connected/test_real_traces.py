"""Public traces of real communities through the pipeline: facts and numbers equal a second reading of the files."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import trace_oracle
from conftest import required
from replays import DATA, Replays

from streams.aggregates import SECONDS
from streams.clickhouse import Warehouse
from streams.embedded.child import Child
from streams.kafka_topics import apply_topics
from streams.processors.settled import wait_until_settled
from streams.publisher import Publisher
from streams.reconcile import reconcile
from streams.settings import Settings
from streams.traces import TRACES

pytestmark = [pytest.mark.connected, pytest.mark.real_data]


@pytest.fixture(scope="module")
def data() -> Path:
    required(DATA.is_dir(), f"the public data ({DATA})")
    return DATA


def shape(acts: Iterable[tuple[datetime, str, str, str]]) -> Counter[tuple[Any, ...]]:
    """Acts (time, family, kind, author) put together by author, whose names are then forgotten.

    Sources tell raw names and facts tell pseudonyms: the two are the same when what each author did is the same.
    """
    lives: dict[str, list[Any]] = defaultdict(list)
    for at, family, kind, author in acts:
        lives[author].append((at, family, kind))
    return Counter(tuple(sorted(life)) for life in lives.values())


@cache
def from_source(name: str, data: Path) -> list[tuple[datetime, str, str, str]]:
    """Acts as the source files tell them: (time, family, kind, raw author)."""
    found = []
    for act in trace_oracle.SOURCES[name].read(data):
        at = datetime.fromisoformat(act.time.replace("Z", "+00:00"))
        at = at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000)
        found.append((at, act.family, act.actor_kind, act.author))
    return found


numbers = cache(trace_oracle.read)


def verify(warehouse: Warehouse, name: str, data: Path) -> None:
    """Hold facts, activity of every grain, and members against the source files."""
    truth = numbers(name, data)
    community = truth.community_id
    where = f"community_id = '{community}'"
    facts = warehouse.rows(f"SELECT event_time, type, actor_kind, member_id FROM {{db}}.events WHERE {where}")
    assert truth.facts == len(facts)
    assert shape(from_source(name, data)) == shape(facts)

    for grain in ("minute", "hour", "day"):
        rows = warehouse.rows(
            "SELECT start, family, actor_kind, platform, events, members "
            f"FROM {{db}}.activity_{grain}_by_segment WHERE {where}"
        )
        assert truth.activity[grain] == {row[:3]: row[4:] for row in rows}
        assert (len(truth.activity[grain]), {truth.platform}) == (len(rows), {row[3] for row in rows})

    for grain in ("hour", "day"):
        members: dict[tuple[datetime, str], list[datetime]] = defaultdict(list)
        for at, *who in from_source(name, data):
            second = int(at.timestamp())
            start = datetime.fromtimestamp(second - second % SECONDS[grain], UTC)
            members[(start, *who)].append(at)
        expected = Counter((*key[:3], len(ats), min(ats), max(ats)) for key, ats in members.items())
        actual = warehouse.rows(
            "SELECT start, family, actor_kind, events, first_at, last_at "
            f"FROM {{store}}.member_{grain} FINAL WHERE {where}"
        )
        assert expected == Counter(actual)

    rows = warehouse.rows(
        f"SELECT start, member_id, sum(events) FROM {{db}}.member_day WHERE {where} GROUP BY start, member_id"
    )
    of_day: dict[datetime, list[int]] = defaultdict(list)
    for start, _, events in rows:
        of_day[start].append(events)
    assert truth.events_of_members == {start: tuple(sorted(events)) for start, events in of_day.items()}


@pytest.mark.parametrize("name", sorted(trace_oracle.SOURCES))
def test_a_whole_trace_in_process(replays: Replays, name: str) -> None:
    assert (numbers(name, DATA).delivered, 0) == replays(name)
    verify(replays.lab.warehouse, name, DATA)


def test_what_was_replayed_in_process_reconciles(replays: Replays) -> None:
    assert [] == reconcile(replays.lab.warehouse, settle_s=0)


def test_a_trace_through_kafka_and_a_worker_process(settings: Settings, warehouse: Warehouse, data: Path) -> None:
    name = "stackexchange_bicycles_meta"
    quick = settings.kafka.model_copy(update={"session_timeout_s": 6.0, "commit_interval_s": 0.2})
    settings = settings.model_copy(update={"kafka": quick})
    apply_topics(settings.kafka)
    environment = {
        "STREAMS_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "STREAMS_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "STREAMS_KAFKA__SESSION_TIMEOUT_S": "6",
        "STREAMS_KAFKA__COMMIT_INTERVAL_S": "0.2",
        "STREAMS_WAREHOUSE__URL": settings.warehouse.url,
        "STREAMS_WAREHOUSE__DATABASE": settings.warehouse.database,
        "STREAMS_ROLLUP__DAY_S": "1",
        "STREAMS_ROLLUP__HOUR_S": "0.5",
        "STREAMS_WORKER__PORT": "0",
    }
    command = [sys.executable, "-m", "streams", "worker"]
    worker = Child("worker", command, settings.data_dir / "worker.log", env=environment)
    try:
        with Publisher(settings.kafka) as publisher:
            for event in TRACES[name].events(data):
                publisher.publish(event)
        wait_until_settled(settings, 90)
        verify(warehouse, name, data)
        assert [] == reconcile(warehouse, settle_s=0)
    finally:
        worker.stop(timeout_s=30)
    assert 0 == worker.exit_code(), worker.log_tail()
