"""Rollup on the real engine: of several recomputations of one bucket the one that saw more wins, whoever made it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf
from threading import Event as Gate
from typing import Any

import pytest
from pipeline import Faults, Lab, Log, Worker

from streams.processors.stages import GRAINS

pytestmark = pytest.mark.connected

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)


class Community:
    """One community of a lab, with events of the minute at noon."""

    def __init__(self, lab: Lab, log: Log) -> None:
        self.lab, self.log, self.name = lab, log, f"{lab.world()}tea"
        self.sent = 0

    def publish(self, **fields: Any) -> None:
        self.sent += 1
        event = {
            "event_id": f"e{self.sent}",
            "type": "message",
            "platform": "wechat",
            "community_id": self.name,
            "member_id": "ann",
            "occurred_at": NOON.isoformat(),
            "sent_at": (NOON + timedelta(seconds=self.sent)).isoformat(),
            "text": "",
        }
        value = json.dumps(event | fields).encode()
        self.log.append(self.lab.topic("message"), self.name.encode(), value, int(NOON.timestamp() * 1000))

    def flag(self, kind: str) -> None:
        """Moderation says what kind of actor the member is."""
        event = {
            "event_id": f"flag {kind}",
            "type": "moderation",
            "platform": "wechat",
            "community_id": self.name,
            "member_id": "moderator",
            "occurred_at": (NOON + timedelta(hours=1)).isoformat(),
            "action": "flag",
            "target_member_id": "ann",
            "flagged_kind": kind,
        }
        topic = self.lab.topic("moderation")
        self.log.append(topic, self.name.encode(), json.dumps(event).encode(), int(NOON.timestamp() * 1000))

    def minute(self) -> list[tuple[str, int]]:
        return self.lab.warehouse.rows(
            "SELECT actor_kind, events FROM {db}.activity_minute_by_segment "
            "WHERE community_id = {name:String} ORDER BY actor_kind",
            {"name": self.name},
        )


@pytest.fixture
def tea(lab: Lab) -> Community:
    return Community(lab, Log(partitions=1))


def test_a_worker_that_gets_its_partitions_back_writes_newer_rows_than_the_one_in_between(tea: Community) -> None:
    """Versions come from one clock: a worker that had stood still would lose against rows it has seen more than."""
    lab, first = tea.lab, tea.lab.worker(tea.log)
    tea.publish()
    lab.run(first.drain())
    second = lab.worker(tea.log)
    for _ in range(3):
        tea.publish()
        lab.run(second.drain())
    assert [("human", 4)] == tea.minute()
    first.take_over()
    tea.publish()
    lab.run(first.drain())
    assert [("human", 5)] == tea.minute()


def test_a_recompute_that_was_begun_first_and_written_last_does_not_win(tea: Community) -> None:
    lab = tea.lab
    tea.publish()
    stale = lab.worker(tea.log)
    lab.run(stale.take_in())
    old = stale.rollup.versions.take()
    tea.publish(event_id="e1", actor_kind="bot")
    lab.run(lab.worker(tea.log).drain())
    assert [("bot", 1)] == tea.minute()
    # What it read before the event changed.
    lab.warehouse.command(
        "INSERT INTO {store}.activity_minute SELECT * REPLACE (7 AS events, {old:UInt64} AS version) "
        "FROM {store}.activity_minute FINAL WHERE community_id = {name:String}",
        {"old": old, "name": tea.name},
    )
    assert [("bot", 1)] == tea.minute()


def test_a_key_that_vanished_is_removed_and_may_come_back(tea: Community) -> None:
    lab, worker = tea.lab, tea.lab.worker(tea.log)
    for kind, expected in (("human", [("human", 1)]), ("bot", [("bot", 1)]), ("human", [("human", 1)])):
        tea.publish(event_id="e", actor_kind=kind)
        lab.run(worker.drain())
        assert expected == tea.minute()


def test_buckets_are_right_in_however_many_statements(tea: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = tea.lab
    monkeypatch.setattr("streams.processors.recompute.FIRST_BUCKETS", dict.fromkeys(GRAINS, 1))
    monkeypatch.setattr("streams.processors.recompute.MAX_BUCKETS", 1)
    for minutes in (0, 0, 1, 90, 3 * 1440):
        tea.publish(occurred_at=(NOON - timedelta(minutes=minutes)).isoformat())
    lab.run(lab.worker(tea.log).drain())
    for aggregate, expected in (
        ("activity_minute", [1, 1, 1, 2]),
        ("activity_hour", [1, 1, 1, 2]),
        ("activity_day", [1, 4]),
        ("member_hour", [1, 1, 1, 2]),
        ("member_day", [1, 4]),
    ):
        rows = lab.warehouse.rows(
            f"SELECT events FROM {{store}}.{aggregate} FINAL WHERE community_id = {{name:String}} ORDER BY start",
            {"name": tea.name},
        )
        assert expected == [events for (events,) in rows], aggregate


def test_invalidations_are_acknowledged_when_the_last_stage_is_right_and_not_before(tea: Community) -> None:
    lab, worker = tea.lab, tea.lab.worker(tea.log)
    tea.publish()
    lab.run(worker.take_in())
    lab.run(worker.listen())
    committed = []
    for stage in range(4):
        lab.run(worker.flush(stage))
        committed.append(tea.log.committed[worker.invalidations, 0])
    assert [0, 0, 0, 1] == committed


def test_invalidations_that_came_during_a_recompute_wait_for_the_next(tea: Community) -> None:
    lab, worker = tea.lab, tea.lab.worker(tea.log)

    async def two_at_once() -> None:
        await worker.take_in()
        await worker.listen()
        first = worker.flush(0)
        tea.publish()
        await first
        await worker.take_in()
        await worker.listen()
        await worker.flush(1)
        await worker.flush(2)
        await worker.flush(3)

    tea.publish()
    lab.run(two_at_once())
    # The first is through; the second waits in the first stage, unacknowledged.
    assert 1 == tea.log.committed[worker.invalidations, 0]
    assert [("human", 1)] == tea.minute()
    lab.run(worker.drain())
    assert (2, [("human", 2)]) == (tea.log.committed[worker.invalidations, 0], tea.minute())


def test_an_unreadable_invalidation_is_passed_over(tea: Community) -> None:
    lab = tea.lab
    worker: Worker = lab.worker(tea.log)
    tea.log.append(worker.invalidations, b"k", b"{", 0)
    tea.publish()
    lab.run(worker.drain())
    assert (2, [("human", 1)]) == (tea.log.committed[worker.invalidations, 0], tea.minute())


def test_minutes_are_right_while_something_dear_is_still_being_recomputed(tea: Community) -> None:
    lab = tea.lab
    dry = lab.worker(tea.log)
    tea.publish()
    lab.run(dry.drain())
    ties = dry.faults.names.index("recompute tie_minute") - dry.faults.names.index("recompute activity_minute")
    # Only the rollup writes here: a worker before it has stored the facts.
    tea.publish()
    lab.run(lab.worker(tea.log).take_in())
    worker = lab.worker(tea.log, Faults(at=ties, hold=True))

    def wait(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not done():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    async def until(done: Callable[[], bool]) -> None:
        await asyncio.to_thread(wait, done)

    async def both() -> None:
        running = asyncio.create_task(worker.rollup.run())
        try:
            await worker.listen()
            await until(worker.faults.held.is_set)
            tea.publish()
            await lab.worker(tea.log).take_in()
            tea.log.owner = worker
            await worker.listen()
            await until(lambda: tea.minute() == [("human", 3)])
            assert "recompute tie_minute" == worker.faults.names[ties]
            # What waits for the ties is not acknowledged.
            assert 1 == tea.log.committed[worker.invalidations, 0]
            worker.faults.let_go.set()
            await until(lambda: tea.log.committed[worker.invalidations, 0] == 3)
        finally:
            worker.faults.let_go.set()
            running.cancel()

    lab.run(both())


class SlowTies:
    """The warehouse, whose first recompute of ties has read everything long before it writes anything."""

    def __init__(self, warehouse: Any) -> None:
        self._warehouse = warehouse
        self.has_read, self.may_write = Gate(), Gate()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._warehouse, name)

    def command(self, sql: str, parameters: Any = None, settings: Any = None) -> int:
        into, _, select = sql.partition(" SELECT ")
        if ".tie_minute" not in into or self.has_read.is_set():
            return int(self._warehouse.command(sql, parameters, settings))
        self._warehouse.command(f"CREATE TABLE {{store}}.slow ENGINE = Memory AS SELECT {select}", settings=settings)
        self.has_read.set()
        assert self.may_write.wait(60)
        rows = self._warehouse.command(f"{into} SELECT * FROM {{store}}.slow")
        self._warehouse.command("DROP TABLE {store}.slow")
        return int(rows)


def test_what_is_named_may_come_while_the_ties_that_name_it_are_being_written(tea: Community) -> None:
    """The recompute has read no such event, and nobody can know yet that it is awaited."""
    lab = tea.lab
    slow: Any = SlowTies(lab.warehouse)
    worker = Worker(lab.settings, slow, tea.log)

    async def minutes() -> None:
        await worker.take_in()
        await worker.listen()
        await worker.flush(0)

    async def both() -> None:
        tea.publish(reply_to="question", occurred_at=(NOON + timedelta(minutes=5)).isoformat())
        await minutes()
        ties = asyncio.create_task(worker.flush(3))
        try:
            assert await asyncio.to_thread(slow.has_read.wait, 60)
            tea.publish(event_id="question", member_id="bo")
            await minutes()
        finally:
            slow.may_write.set()
            await ties
        await worker.drain()

    lab.run(both())
    ties = lab.warehouse.rows(
        "SELECT kind, member_id, other_id FROM {store}.tie_minute FINAL "
        "WHERE community_id = {name:String} ORDER BY kind",
        {"name": tea.name},
    )
    assert [("reply", "ann", "bo"), ("start", "bo", "")] == ties


def test_when_something_came_is_known_in_the_next_stage_too(tea: Community) -> None:
    worker = tea.lab.worker(tea.log)
    stages = worker.rollup.stages

    async def minutes() -> None:
        await worker.take_in()
        await worker.listen()
        assert [worker.rollup.last_offer, inf] == [stage.came_at for stage in stages[:2]]
        await worker.flush(0)

    tea.publish()
    tea.lab.run(minutes())
    assert [inf, worker.rollup.last_offer] == [stage.came_at for stage in stages[:2]]


def test_corrections_may_wait_for_more_and_nothing_is_acknowledged_before_them(tea: Community) -> None:
    lab, worker = tea.lab, tea.lab.worker(tea.log)

    async def held() -> None:
        await worker.take_in()
        await worker.listen()
        for stage in range(4):
            await worker.rollup.flush(stage, hold_corrections=True)

    tea.publish()
    tea.flag("bot")
    lab.run(held())
    tea.publish()
    lab.run(held())
    said = len(tea.log.of(worker.invalidations))
    # One is the moderator's.
    assert ([("human", 1), ("human", 2)], 0) == (sorted(tea.minute()), tea.log.committed[worker.invalidations, 0])
    lab.run(worker.drain())
    assert ([("bot", 2), ("human", 1)], said) == (tea.minute(), tea.log.committed[worker.invalidations, 0])
