"""The warehouse or the broker is away under load: nothing is lost, memory stays bounded, and work goes on by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from random import Random

import pytest

from .deployment import Deployment, Lane
from .traffic import START, Record, Traffic, encoded, fresh, traffic
from .verdict import Verdict
from .workers import WorkerProcess

pytestmark = [pytest.mark.connected, pytest.mark.chaos]

CHUNK = 250
LIMIT = 1 << 30
"""Bytes of memory that a worker may hold."""
SMALL_QUEUES = {"ingest__max_bytes": 4 << 20, "ingest__fetch_bytes": 256 << 10}
PUBLISHED = 192 << 20
HELD = PUBLISHED // 3
"""Bytes that a worker with small queues may hold of those published."""


@dataclass
class Course:
    """How an outage went."""

    verdict: Verdict
    published_meanwhile: int
    peak_rss: int
    retries: int
    survived: bool
    resumed_s: float
    """From the end of the outage until facts were stored again."""

    def __str__(self) -> str:
        return (
            f"{self.published_meanwhile:,} records published meanwhile, {self.retries} retries, worker at most "
            f"{self.peak_rss / 2**20:.0f} MiB, stored again after {self.resumed_s:.1f} s; {self.verdict}"
        )


class Load:
    """Context manager: publishes an input at an even rate from a thread."""

    def __init__(self, lane: Lane, published: Traffic, seconds: float) -> None:
        self.lane = lane
        self.records = published.records
        self.seconds = seconds
        self.sent = 0
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        began = time.monotonic()
        try:
            while self.sent < len(self.records):
                self.lane.publish(self.records[self.sent : self.sent + CHUNK])
                self.sent += CHUNK
                due = began + self.seconds * self.sent / len(self.records)
                time.sleep(max(0.0, due - time.monotonic()))
        except BaseException as error:
            self.error = error

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        if self.error:
            raise self.error


def suffer(
    lane: Lane, published: Traffic, outage: Callable[[], AbstractContextManager[object]], away_s: float
) -> Course:
    """Publish at an even rate; take something away for a while in the middle; judge in the end."""
    worker = lane.start()
    worker.wait_for("partitions assigned", 60)
    peak = 0
    with Load(lane, published, away_s * 1.5) as load:
        worker.wait_for("facts inserted", 60)
        before = load.sent
        with outage():
            until = time.monotonic() + away_s
            while time.monotonic() < until:
                peak = max(peak, worker.rss())
                time.sleep(0.05)
        meanwhile, stored = load.sent - before, inserts(lane)
        back = time.monotonic()
        while inserts(lane) <= stored and time.monotonic() < back + 60:
            time.sleep(0.02)
            if not any(each.alive for each in lane.workers):
                lane.start()
        resumed = time.monotonic() - back
    lane.settle()
    peak = max(peak, *(each.rss() for each in lane.workers))
    retries = sum(each.log.read_text(errors="replace").count("warehouse away") for each in lane.workers)
    return Course(lane.judge(published), meanwhile, peak, retries, worker.alive, resumed)


def inserts(lane: Lane) -> int:
    """Blocks of facts stored by all workers."""
    return sum(worker.seen().times["facts inserted"] for worker in lane.workers)


@pytest.fixture(scope="module")
def own() -> Iterator[Deployment]:
    """A deployment whose warehouse and broker may be taken away, and come back."""
    with Deployment() as running:
        yield running


def hold_against(course: Course, capsys: pytest.CaptureFixture[str], what: str) -> None:
    """What every outage must leave behind."""
    with capsys.disabled():
        print(f"\n{what}: {course}")
    assert course.verdict.clean, course
    assert course.peak_rss < LIMIT, course


def test_a_warehouse_that_hangs_for_20_seconds_under_load_costs_nothing(own, capsys):
    """It answers nothing, then applies what had timed out: each statement may happen twice."""
    with Lane(own, "hangs", warehouse__timeout_s=4.0, ingest__max_rows=5000) as lane:
        course = suffer(lane, traffic(51, 30_000), own.warehouse_paused, away_s=20)
        hold_against(course, capsys, "warehouse stopped for 20 s")
        assert course.survived, lane.workers[0].log_tail()
        assert course.published_meanwhile > 0
        assert course.retries > 0, lane.workers[0].log_tail()


def held(lane: Lane, outage: Callable[[], AbstractContextManager[object]], mutant: str = "") -> tuple[int, int]:
    """Publish far more than the queues take while the warehouse is away: how many messages, and bytes held of them."""
    worker = lane.start(mutant)
    worker.wait_for("partitions assigned", 60)
    message = fresh(Random(0), 0, START, ("message",), 1) | {"attachment": "x" * 200_000}
    count = PUBLISHED // len(encoded(message))
    records = (Record("message", b"%d" % n, encoded(message | {"event_id": f"e{n}"})) for n in range(count))
    lane.publish(islice(records, 1))
    worker.wait_for("offsets committed", 60)
    before = worker.rss()
    with outage():
        while chunk := list(islice(records, CHUNK)):
            lane.publish(chunk)
        read, so_far = worker.rss(), 0
        while read > so_far + (1 << 20):  # what was published last is still being read
            time.sleep(3)
            read, so_far = worker.rss(), read
    assert worker.alive, worker.log_tail()
    return count, max(read, so_far) - before


@pytest.mark.thorough
def test_what_is_published_while_the_warehouse_is_away_waits_in_the_broker_and_not_in_the_worker(own, capsys):
    with Lane(own, "full", **SMALL_QUEUES) as lane:
        count, held_bytes = held(lane, own.warehouse_paused)
        with capsys.disabled():
            print(f"\nwarehouse stopped: {held_bytes / 2**20:.0f} of {PUBLISHED / 2**20:.0f} MiB held")
        assert held_bytes < HELD
        lane.settle()
        assert [(count, count)] == lane.warehouse.rows("SELECT count(), uniqExact(event_id) FROM {store}.events FINAL")


@pytest.mark.thorough
def test_a_worker_whose_queues_are_not_bounded_holds_what_is_published(own):
    with Lane(own, "unbounded", **SMALL_QUEUES) as lane:
        assert held(lane, own.warehouse_paused, "nothing_bounds_what_waits")[1] > HELD


@pytest.mark.thorough
def test_a_warehouse_that_is_killed_and_started_again_costs_nothing(own, capsys):
    with Lane(own, "killed", ingest__max_rows=5000) as lane:
        course = suffer(lane, traffic(52, 10_000), own.warehouse_killed, away_s=5)
        hold_against(course, capsys, "warehouse killed, away for 5 s")
        assert course.survived, lane.workers[0].log_tail()
        assert course.published_meanwhile > 0
        assert course.retries > 0, lane.workers[0].log_tail()


@pytest.mark.thorough
def test_a_broker_that_hangs_for_a_while_costs_nothing(own, capsys):
    """Longer than the session: the worker has to join again, or ends and is started again."""
    with Lane(own, "broker") as lane:
        course = suffer(lane, traffic(53, 6_000), own.broker_paused, away_s=4)
        hold_against(course, capsys, "broker stopped for 4 s")


def test_workers_are_gone_when_a_lane_ends(deployment):
    with Lane(deployment, "gone") as lane:
        worker = lane.start()
        worker.wait_for("partitions assigned", 60)
    assert not worker.alive
    assert 0 == worker.rss()


def test_a_worker_that_ends_by_itself_says_why(deployment):
    with Lane(deployment, "says") as lane:
        worker: WorkerProcess = lane.start("no such mutant")
        worker.wait_end(30)
        assert "KeyError: 'no such mutant'" in worker.log_tail()
